"""TextVQA: its annotation files -> questions about images, with their answers.

There are two versions: 0.5.1, in which every question has ten answers, and 0.1, which gives the
file of an image instead of its ID, and a varying number of answers.

Source: Singh et al., "Towards VQA models that can read", CVPR 2019; the files at textvqa.org.
"""

from __future__ import annotations

import difflib
import math
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from synthtext.errors import WordsError, shorten
from synthtext.files import read_file

MAX_FILE_BYTES = 256 << 20

MAX_VALUES = 8_000_000
"""Maximum number of values: the parser needs up to about a hundred bytes for each."""

MAX_NAME_BYTES = 120
"""Maximum length of an image name, which is used for file names."""

MAX_PATH_CHARS = 1000

MAX_KEY_CHARS = 200

MAX_TEXT_CHARS = 1000
"""Maximum length of a question or answer, since the file may be untrusted."""

VERSIONS = ("0.1", "0.5.1")

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in px."""


@dataclass(frozen=True)
class Asked:
    """A question about an image.

    Attributes:
        key: unique within the file.
        picture: name of the image: its file without folder and extension.
        file: the image as the annotation names it, such as `train/0054c91397f2fe05.jpg`.
        question: the question as asked.
        answers: the answers of one or more people, as given.
        box: where the answer is written; None if unknown.
    """

    key: str
    picture: str
    file: str
    question: str
    answers: tuple[str, ...]
    box: Box | None = None

    @property
    def answer(self) -> str:
        """The most frequent answer, or the first of several."""
        return Counter(self.answers).most_common(1)[0][0]


@dataclass(frozen=True)
class Questions:
    """The questions of an annotation file.

    Attributes:
        items: the usable questions.
        broken: a sentence for each of the others.
        version: version of the layout, one of `VERSIONS`.
        content: the file as it was read.
        rows: the index of each item in the file.
    """

    items: tuple[Asked, ...]
    broken: tuple[str, ...]
    version: str
    content: Mapping[str, Any]
    rows: tuple[int, ...]


def read_questions(path: Path) -> Questions:
    """Return the questions of an annotation file of TextVQA, version 0.5.1 or 0.1.

    Raises:
        WordsError: the file cannot be read, is of another form, or has no usable question.
    """
    content = _read_json(path)
    entries = content.get("data")
    stated = content.get("dataset_version", content.get("version"))
    version = str(stated) if isinstance(stated, str | float) else ""
    if not isinstance(entries, list) or version not in VERSIONS:
        near = difflib.get_close_matches(version[:80], VERSIONS, n=1) or VERSIONS
        raise WordsError(
            f"{path} is not a TextVQA annotation file of version {' or '.join(near)}: it"
            f" needs a version and a list named data"
        )
    items, rows, broken, keys = [], [], [], set[str]()
    for row, entry in enumerate(entries):
        try:
            asked = _read_entry(entry, row, keys)
        except ValueError as error:
            broken.append(f"question {row + 1} of {path.name} {error}")
            continue
        keys.add(asked.key)
        items.append(asked)
        rows.append(row)
    if not items:
        reason = f", such as: {broken[0]}" if broken else ""
        raise WordsError(f"{path} has no usable question{reason}")
    return Questions(tuple(items), tuple(broken), version, content, tuple(rows))


def _read_json(path: Path) -> dict[str, Any]:
    raw = read_file(path, MAX_FILE_BYTES, kind=WordsError, remedy="give a JSON file")
    n_values = sum(map(raw.count, (b"[", b"{", b",")))
    if n_values > MAX_VALUES:
        raise WordsError(f"{path} has {n_values:,} values, more than {MAX_VALUES:,}; split it")
    try:
        content = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise WordsError(
            f"{path} is not valid JSON ({error}); give TextVQA's annotations"
        ) from error
    if not isinstance(content, dict):
        raise WordsError(f"{path} is not a JSON object; give TextVQA's annotations")
    return content


def _read_entry(entry: object, row: int, keys: Collection[str]) -> Asked:
    """Return a question, or raise a ValueError that says what is wrong with it."""
    if not isinstance(entry, dict):
        raise ValueError("is not an object")  # noqa: TRY004 - one type for all.
    file = _read_name(entry)
    picture = PurePosixPath(file).stem
    question = entry.get("question")
    if not isinstance(question, str) or not 0 < len(question.strip()) <= MAX_TEXT_CHARS:
        raise ValueError("has no text, or one that is too long")
    answers = entry.get("answers")
    given = [
        " ".join(each.split())
        for each in (answers if isinstance(answers, list) else ())
        if isinstance(each, str) and each.strip() and len(each) <= MAX_TEXT_CHARS
    ]
    if not given:
        raise ValueError(f"has no answers (image {picture})")
    key = str(entry.get("question_id", row))
    if not 0 < len(key) <= MAX_KEY_CHARS:
        raise ValueError("has an empty or a very long question_id")
    if key in keys:
        raise ValueError(f"repeats the key {shorten(key)}")
    return Asked(
        key=key,
        picture=picture,
        file=file,
        question=" ".join(question.split()),
        answers=tuple(given),
        box=_read_box(entry.get("answer_box")),
    )


def _read_name(entry: Mapping[str, Any]) -> str:
    """Return the file of a question's image, checked to be a safe relative path."""
    given = entry.get("image") or entry.get("image_id")
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise ValueError("names no image")  # noqa: TRY004 - as above.
    file = given if isinstance(given, str) and entry.get("image") else f"{given}.jpg"
    name = PurePosixPath(file).stem
    if not name or name.startswith("."):
        raise ValueError("names no image")
    if len(file) > MAX_PATH_CHARS or len(name.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"names an image by {len(file):,} characters, too many for a file")
    if any(unicodedata.category(char)[0] == "C" for char in file):
        raise ValueError(f"names an image by a control character: {shorten(file)!r}")
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"names an image outside its folder: {shorten(file)!r}")
    return file


def _read_box(value: object) -> Box | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError("has an answer_box that is not four numbers")
    if not all(isinstance(edge, int | float) for edge in value):
        raise ValueError("has an answer_box that is not four numbers")
    left, top, right, bottom = map(float, value)
    if not all(map(math.isfinite, (left, top, right, bottom))):
        raise ValueError("has an answer_box that is not four numbers")
    return left, top, right, bottom
