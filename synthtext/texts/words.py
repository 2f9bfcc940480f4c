"""Texts to draw: word lists, and the split that each text belongs to."""

from __future__ import annotations

import difflib
import hashlib
import math
import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from synthtext.errors import RecipeError, WordsError, shorten
from synthtext.factors import SPLITS, Split
from synthtext.files import format_bytes, open_file
from synthtext.texts.languages import list_frequent
from synthtext.texts.patterns import draw_matches

LISTS = Path(__file__).parent / "lists"

MAX_FILE_BYTES = 256 << 20

MAX_LINES = 5_000_000

MAX_LINE_BYTES = 64 << 10
"""Maximum length of a line, including comments and spaces."""

MAX_WORD_CHARS = 200

PREFIXES = ("lang:", "pattern:")
"""Prefixes of word sources that are neither files nor bundled lists."""

N_FREQUENT = 10_000
"""Default number of words of a language."""

N_DRAWN = 20_000
"""Default number of texts from a pattern."""

MAX_DRAWN = 1_000_000

MAX_MARKS = 30
"""Maximum number of combining marks on one letter: sorting them takes quadratic time.

Source: Unicode Standard Annex 15, its stream-safe text format.
"""

JOINERS = "\u200c\u200d"
"""The format characters that some scripts spell with: zero-width non-joiner and joiner."""


@dataclass(frozen=True)
class Texts:
    """Texts to draw.

    Attributes:
        items: the texts, in the order of their source.
        labels: 1 positive, 0 negative, None where a text has no label.
        name: their source.
        sha256: hash of items and labels, in hex; equal texts have equal hashes.
        n_duplicates: number of lines that repeat an earlier one.
        splits: the split of each text if its source gives one; else empty, and a hash decides.
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


def read_words(source: str | Path, *, n_drawn: int | None = None, seed: int = 0) -> Texts:
    """Return the words of a file, a bundled list, a language or a pattern.

    Blank lines and lines that begin with `#` are skipped, duplicates are merged, and words are
    normalised to Unicode's form NFC.

    >>> from synthtext.texts.words import read_words
    >>> read_words("pattern:[AB][0-9]", n_drawn=3, seed=1).items
    ('A3', 'A9', 'B7')

    Args:
        source: a file with one word per line; the name of a bundled list; `lang:de` or
            `lang:de:20000` for the most frequent words of a language; `pattern:` before a
            regular expression or a name of `PATTERNS` for texts that match it.
        n_drawn: number of texts to draw from a pattern, at most a million; None draws 20,000.
            There are fewer if fewer match.
        seed: for the random choice.

    Raises:
        WordsError: the file is missing, too large, not UTF-8, without words, or a line of it
            is too long or holds control characters; or a language or a pattern cannot be used.
    """
    name = str(source)
    if name.startswith(PREFIXES) and not os.path.lexists(name):
        made = _make_words(name, n_drawn, seed)
        return make_texts(made, [None] * len(made), name)
    path = _find_words(source)
    n_lines = 0
    words: dict[str, None] = {}
    for _, line in read_lines(path, MAX_WORD_CHARS, comment="#"):
        n_lines += 1
        words[unicodedata.normalize("NFC", " ".join(line.split()))] = None
    if not words:
        raise WordsError(f"{path} has no words; write one per line")
    return make_texts(list(words), [None] * len(words), path.name, n_lines - len(words))


def _make_words(source: str, n_drawn: int | None, seed: int) -> list[str]:
    """Return the words of a language or a pattern."""
    kind, _, rest = source.partition(":")
    if kind == "pattern":
        words = draw_matches(rest, min(n_drawn or N_DRAWN, MAX_DRAWN), seed)
    else:
        language, _, number = rest.partition(":")
        number = number or str(N_FREQUENT)
        if not (number.isascii() and number.isdigit() and 0 < int(number[:9]) <= MAX_DRAWN):
            raise WordsError(
                f"{shorten(source)} asks for {shorten(number)!r} words; write a number up to "
                f"{MAX_DRAWN:,}, as in lang:de:20000"
            )
        words = list_frequent(language, int(number))
    for word in words:
        _check_line(source, None, word, MAX_WORD_CHARS)
        if word != unicodedata.normalize("NFC", " ".join(word.split())) or not word:
            raise WordsError(
                f"{shorten(source)} gives {word!r}; leave out empty texts, spaces at an end or "
                "in a row, and letters that are not in Unicode's form NFC"
            )
    return words


def read_lines(
    path: Path, max_chars: int, *, comment: str | None = None
) -> Iterator[tuple[int, str]]:
    """Return the non-blank lines of a file, each with its number, from 1.

    Args:
        path: a UTF-8 file, with or without a byte order mark.
        max_chars: maximum length of a line.
        comment: what a line to skip begins with; None skips none.

    Raises:
        WordsError: the file cannot be read, or a line of it cannot be drawn.
    """
    at = 0
    for number, raw in enumerate(_split_file(path, max_chars), start=1):
        try:
            # Some programs begin a file with a byte order mark.
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            raise WordsError(
                f"{path} is not UTF-8 at byte {at + error.start}; convert it, as with "
                "iconv -t utf-8"
            ) from error
        at += len(raw)
        if line and not (comment and line.startswith(comment)):
            _check_line(path, number, line, max_chars)
            yield number, line


def _split_file(path: Path, max_chars: int) -> Iterator[bytes]:
    """Return the lines of a file, with one line in memory at a time."""
    with open_file(path, MAX_FILE_BYTES, kind=WordsError, remedy="give a text file") as file:
        for number in range(1, MAX_LINES + 2):
            raw = file.readline(MAX_LINE_BYTES + 1)
            if not raw:
                return
            if len(raw) > MAX_LINE_BYTES:
                raise WordsError(
                    f"{path} line {number} is longer than {format_bytes(MAX_LINE_BYTES)}; at "
                    f"most {max_chars} characters can be drawn, so split the line or delete it"
                )
            yield raw
    raise WordsError(f"{path} has more than {MAX_LINES:,} lines; split it into several files")


def split_of(text: str, fractions: tuple[float, float, float]) -> Split:
    """Return the split of a text: `train`, `val` or `test`.

    It depends only on the text, ignoring case, and not on the seed or on other texts.

    Args:
        text: a word or a sentence.
        fractions: fractions of the three splits, adding up to 1.

    Raises:
        RecipeError: a fraction is below 0, or they do not add up to 1.
    """
    train, val, test = fractions
    if not (min(fractions) >= 0 and math.isclose(sum(fractions), 1, abs_tol=1e-6)):
        raise RecipeError(
            f"splits is {train:g},{val:g},{test:g}; three fractions of 0 or more must add up"
            f" to 1"
        )
    # Case folding can decompose letters, so the form is normalised again afterwards.
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    digest = hashlib.blake2b(folded.encode(), digest_size=8).digest()
    unit = int.from_bytes(digest) / 2**64
    if unit < train or val + test == 0:
        return "train"
    return "val" if unit < train + val or test == 0 else "test"


def split_texts(texts: Texts, fractions: tuple[float, float, float]) -> dict[str, list[int]]:
    """Return the indices of the texts in each split, the given one if they have one.

    Raises:
        RecipeError: a fraction is below 0, or they do not add up to 1.
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
        # A whole text given instead of a path is longer than any name.
        reason = (error.strerror or str(error)).lower()
        raise WordsError(
            f"{shorten(str(source), 40)} cannot be a path ({reason}); give a text file"
        ) from error
    if is_there:
        return path
    names = list_bundled()
    if str(source) in names:
        return LISTS / f"{source}.txt"
    near = difflib.get_close_matches(str(source)[:80], names, n=3) or names
    raise WordsError(
        f"{shorten(str(source))} is neither a file nor a bundled list; there is"
        f" {', '.join(near)}"
    )


def _check_line(source: Path | str, number: int | None, line: str, max_chars: int) -> None:
    place = f"{source} line {number}" if number else f"a text of {shorten(str(source))}"
    if len(line) > max_chars:
        raise WordsError(
            f"{place} is {len(line)} characters long; at most {max_chars} can be "
            "drawn, so split the line or delete it"
        )
    if line.isascii() and line.replace("\t", "").isprintable():
        return
    n_marks = 0
    for char in line:
        kind = unicodedata.category(char)[0]
        # All of category Other: control, format, surrogate, private use, unassigned.
        if kind == "C" and char not in JOINERS + "\t":
            raise WordsError(
                f"{place} contains the control character U+{ord(char):04X}; remove it"
            )
        n_marks = n_marks + 1 if kind == "M" else 0
        if n_marks > MAX_MARKS:
            raise WordsError(
                f"{place} has more than {MAX_MARKS} combining marks on one letter; delete it"
            )
