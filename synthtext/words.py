"""Texts to draw: word lists, and the split that each text belongs to."""

from __future__ import annotations

import difflib
import hashlib
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from synthtext.errors import RecipeError, WordsError

LISTS = Path(__file__).parent / "lists"

MAX_FILE_BYTES = 256 << 20

MAX_WORD_CHARS = 200

Split = Literal["train", "val", "test"]

SPLITS: tuple[Split, ...] = ("train", "val", "test")

JOINERS = "\u200c\u200d"
"""The format characters that some scripts spell with: zero-width non-joiner and joiner."""


@dataclass(frozen=True)
class Texts:
    """What there is to draw.

    Attributes:
        items: the texts, in the order of their source.
        labels: 1 positive, 0 negative, None where a text has no label.
        name: where they came from.
        sha256: over items and labels, in hex: equal texts are the same input.
        n_duplicates: lines that repeat an earlier one.
        splits: the split of each text where its source says so; else none, and a hash decides.
    """

    items: tuple[str, ...]
    labels: tuple[int | None, ...]
    name: str
    sha256: str
    n_duplicates: int = 0
    splits: tuple[Split, ...] = ()


def make_texts(
    items: Sequence[str],
    labels: Sequence[int | None],
    name: str,
    n_duplicates: int = 0,
    splits: Sequence[Split] = (),
) -> Texts:
    """Return texts with their checksum."""
    digest = hashlib.sha256()
    for item, label in zip(items, labels, strict=True):
        digest.update(f"{item}\t{label}\n".encode())
    digest.update("\n".join(splits).encode())
    return Texts(
        tuple(items), tuple(labels), name, digest.hexdigest(), n_duplicates, tuple(splits)
    )


def list_bundled() -> list[str]:
    """Return the names of the bundled word lists."""
    licences = set(LISTS.glob("*.LICENCE.txt"))
    return sorted(path.stem for path in set(LISTS.glob("*.txt")) - licences)


def read_words(source: str | Path) -> Texts:
    """Return the words of a file, one a line, or of a bundled list by its name.

    Blank lines and lines that begin with `#` are skipped, duplicates are merged, and words are
    brought to Unicode's form NFC.

    Raises:
        WordsError: the file is missing, too large, not UTF-8, without words, or a line of it
            is too long or holds control characters.
    """
    path = _find_words(source)
    lines = [
        unicodedata.normalize("NFC", " ".join(line.split()))
        for _, line in read_lines(path, MAX_WORD_CHARS, comment="#")
    ]
    words = list(dict.fromkeys(lines))
    if not words:
        raise WordsError(f"{path} holds no word; write one a line")
    return make_texts(words, [None] * len(words), path.name, len(lines) - len(words))


def read_lines(
    path: Path, max_chars: int, *, comment: str | None = None
) -> list[tuple[int, str]]:
    """Return the lines of a file that are not blank, each with its number, from 1.

    Args:
        path: a UTF-8 file, with or without a byte order mark.
        max_chars: longest line.
        comment: what a line to skip begins with; None skips none.

    Raises:
        WordsError: the file cannot be read, or a line of it cannot be drawn.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise WordsError(
                f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB; render it in parts"
            )
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise WordsError(
            f"{path} is not UTF-8 at byte {error.start}; convert it, as with iconv -t utf-8"
        ) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise WordsError(f"{path} cannot be read ({reason}); give a text file") from error
    lines = []
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if stripped and not (comment and stripped.startswith(comment)):
            _check_line(path, number, stripped, max_chars)
            lines.append((number, stripped))
    return lines


def split_of(text: str, fractions: tuple[float, float, float]) -> Split:
    """Return the split of a text: `train`, `val` or `test`.

    It depends on the text alone, whatever its case, never on the seed or on other texts.

    Args:
        text: a word or a sentence.
        fractions: shares of the three splits, adding up to 1.

    Raises:
        RecipeError: a share is below 0, or they do not add up to 1.
    """
    train, val, test = fractions
    if not (min(fractions) >= 0 and math.isclose(sum(fractions), 1, abs_tol=1e-6)):
        raise RecipeError(
            f"splits is {train:g},{val:g},{test:g}; three shares of 0 or more must add up to 1"
        )
    # Folding the case can part a letter from its accent, so the form is restored after it.
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    digest = hashlib.blake2b(folded.encode(), digest_size=8).digest()
    unit = int.from_bytes(digest) / 2**64
    if unit < train or val + test == 0:
        return "train"
    return "val" if unit < train + val or test == 0 else "test"


def split_texts(texts: Texts, fractions: tuple[float, float, float]) -> dict[str, list[int]]:
    """Return the places of the texts in each split, the one they were given if they have one.

    Raises:
        RecipeError: a share is below 0, or they do not add up to 1.
    """
    places: dict[str, list[int]] = {split: [] for split in SPLITS}
    for place, item in enumerate(texts.items):
        split = texts.splits[place] if texts.splits else split_of(item, fractions)
        places[split].append(place)
    return places


def _find_words(source: str | Path) -> Path:
    path = Path(source)
    try:
        is_there = path.exists()
    except OSError as error:
        # A whole text given in place of its path is longer than any name.
        reason = (error.strerror or str(error)).lower()
        raise WordsError(
            f"{str(source)[:40]}... cannot be a path ({reason}); give a text file"
        ) from error
    if is_there:
        return path
    names = list_bundled()
    if str(source) in names:
        return LISTS / f"{source}.txt"
    near = difflib.get_close_matches(str(source), names, n=3) or names
    raise WordsError(f"{source} is no file and no bundled list; there is {', '.join(near)}")


def _check_line(path: Path, number: int, line: str, max_chars: int) -> None:
    if len(line) > max_chars:
        raise WordsError(
            f"{path} line {number} is {len(line)} characters long; at most {max_chars} can be "
            "drawn, so split the line or drop it"
        )
    if line.isascii() and line.replace("\t", "").isprintable():
        return
    for char in line:
        # Other, all of it: controls, formats, surrogates, private use, unassigned.
        if unicodedata.category(char)[0] == "C" and char not in JOINERS + "\t":
            raise WordsError(
                f"{path} line {number} holds the control character U+{ord(char):04X}; remove it"
            )
