"""Typographic attack datasets: photographs of an object with a wrong word on them.

RTA-100 and PAINT give both in their file names, `label=OBJECT_text=WORD.jpg`. SCAM has a table
next to its images, `metadata.jsonl`, the ImageFolder format of the Hugging Face hub.

Sources: Azuma and Matsui, "Defense-Prefix for preventing typographic attacks on CLIP", ICCV
workshops 2023 (RTA-100); Ilharco et al., "Patching open-vocabulary models by interpolating
weights", NeurIPS 2022 (PAINT); Westerhoff et al., "SCAM: a real-world typographic robustness
evaluation for multimodal foundation models", 2025.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import orjson

from probes.data.images import EXTENSIONS, find_broken, name_file
from probes.data.rendered import Shown, choose_places, read_files
from probes.data.stimuli import CHUNK
from probes.data.trials import Chunk, Trial
from probes.errors import ProbeError
from probes.table_files import read_table_file
from synthtext.errors import quote
from synthtext.files import read_file
from synthtext.spec import Spec

NAMED = re.compile(r"label=(?P<object>.+)_text=(?P<word>.+)", re.DOTALL)
"""File names of RTA-100 and PAINT, without the extension."""

TABLES = ("metadata.jsonl", "metadata.csv")
"""Tables next to images; the first that exists is read."""

FILE, OBJECT, WORD, VARIANT = "file_name", "object_label", "attack_word", "type"
"""Columns of such a table; the last, the kind of image, may be missing."""

USUAL = "attacked"
"""The kind of all images where no kind is given."""

MAX_TABLE_BYTES = 64 << 20

MAX_IMAGES = 1_000_000

MAX_CHARS = 200
"""Maximum length of a word or of an object's name."""

WAY_OUT = (
    f"name them label=OBJECT_text=WORD.jpg, as RTA-100 and PAINT do, or put {TABLES[0]} beside"
    f" them, with {FILE}, {OBJECT} and {WORD}, as SCAM does"
)


@dataclass(frozen=True)
class Attacked:
    """A photograph with a word on it.

    Attributes:
        path: the image file.
        name: its path within the folder.
        object: what it shows.
        word: what is written on it.
        variant: such as "SCAM", or "NoSCAM" where the word was removed.
    """

    path: Path
    name: str
    object: str
    word: str
    variant: str = USUAL


def read_attacks(folder: Path, limit: int | None = None, seed: int = 0) -> Shown:
    """Return the images of a set of typographic attacks.

    The `picture` of a trial is the object, its text the word, its level the variant.

    Args:
        folder: holds images, or folders of them, in one of the layouts above.
        limit: number of images to take at random; None takes all.
        seed: for that choice.

    Raises:
        ProbeError: there are no images, or a table next to them does not match them.
    """
    if not folder.is_dir():
        raise ProbeError(f"there is no folder {folder}; give one with images of attacks")
    found, broken = _list_images(folder)
    lost = find_broken([each.path for each in found])
    broken += [each.name for each in found if each.path in lost]
    readable = [each for each in found if each.path not in lost]
    if not readable:
        raise ProbeError(f"{folder} holds no images of attacks that can be read; {WAY_OUT}")
    chosen = [readable[place] for place in choose_places(len(readable), limit, seed)]
    trials = [_make_trial(each, index) for index, each in enumerate(chosen)]
    chunks: list[Chunk] = [
        functools.partial(read_files, tuple(trials[at : at + CHUNK]))
        for at in range(0, len(trials), CHUNK)
    ]
    files = tuple(Path(trial.file) for trial in trials)
    return Shown(trials, chunks, files, tuple(broken))


def _make_trial(image: Attacked, index: int) -> Trial:
    spec = Spec(seed=0, index=index, split="", kind="word", text=image.word, font="")
    return Trial(
        key=f"{index:06d}-{image.path.name}",
        spec=spec,
        level=image.variant,
        picture=image.object,
        file=str(image.path),
    )


def _list_images(folder: Path) -> tuple[list[Attacked], list[str]]:
    """Return the images in a folder, and the names of those that cannot be used."""
    for name in TABLES:
        tables = sorted(folder.rglob(name))
        if tables:
            return _read_tables(folder, tables)
    found: list[Attacked] = []
    broken: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in EXTENSIONS or not path.is_file():
            continue
        place = name_file(path.relative_to(folder))
        named = NAMED.fullmatch(name_file(path.stem))
        image = named and _check(path, place, named["object"], named["word"], USUAL)
        if isinstance(image, Attacked):
            found.append(image)
        else:
            broken.append(f"{place} ({image or 'not named label=OBJECT_text=WORD'})")
        _check_count(folder, len(found) + len(broken))
    return found, broken


def _read_tables(folder: Path, tables: list[Path]) -> tuple[list[Attacked], list[str]]:
    found: list[Attacked] = []
    broken: list[str] = []
    for table in tables:
        for row in _read_rows(table):
            given = PurePosixPath(row[FILE])
            if given.is_absolute() or ".." in given.parts or "\0" in row[FILE]:
                raise ProbeError(
                    f"{table} names {quote(row[FILE])}, which leads out of its folder; do not"
                    " use it"
                )
            path = table.parent / given
            place = name_file(path.relative_to(folder))
            image: Attacked | str = "not there"
            if path.is_file():
                image = _check(path, place, row[OBJECT], row[WORD], row.get(VARIANT) or USUAL)
            if isinstance(image, Attacked):
                found.append(image)
            else:
                broken.append(f"{place} ({image})")
            _check_count(folder, len(found) + len(broken))
    return found, broken


def _read_rows(table: Path) -> Iterator[Mapping[str, str]]:
    """Yield the rows of a table, with all relevant cells as text.

    Raises:
        ProbeError: the table is too large, malformed, or lacks a column.
    """
    rows: Iterator[object]
    if table.suffix == ".csv":
        rows = iter(read_table_file(table).to_dict("records"))
    else:
        rows = _read_lines(table)
    for number, row in enumerate(rows, start=1):
        cells = row if isinstance(row, dict) else {}
        texts = {str(name): cell for name, cell in cells.items() if isinstance(cell, str)}
        for name in (FILE, OBJECT, WORD):
            if name not in texts:
                raise ProbeError(
                    f"{table} has no text {name} in row {number}; each row has {FILE},"
                    f" {OBJECT} and {WORD}"
                )
        yield texts


def _read_lines(table: Path) -> Iterator[object]:
    raw = read_file(table, MAX_TABLE_BYTES, kind=ProbeError, remedy="give another table")
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if line.strip():
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise ProbeError(
                    f"{table} is broken in line {number} ({error}); get a new copy"
                ) from error


def _check(path: Path, place: str, shown: str, word: str, variant: str) -> Attacked | str:
    """Return an image, or why it cannot be used."""
    texts = [" ".join(text.split()) for text in (shown, word, variant)]
    if not all(0 < len(text) <= MAX_CHARS and text.isprintable() for text in texts):
        return "object and word are texts of 1 to 200 letters"
    if texts[0].casefold() == texts[1].casefold():
        return "the word is the object"
    return Attacked(path, place, *texts)


def _check_count(folder: Path, n: int) -> None:
    if n > MAX_IMAGES:
        raise ProbeError(f"{folder} holds more than {MAX_IMAGES:,} images; give fewer")
