"""Readers, which return text, and their answers. Imports no engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from probes.arrays import Pixels
from probes.errors import ProbeError

MAX_CHARS = 2_000
"""Maximum length of an answer, since a language model may never stop."""

N_COUNTED = 32
"""Number of images between two updates of a progress bar."""


@dataclass(frozen=True)
class Reading:
    """The answer of a reader for one image.

    Attributes:
        text: what it read, with white space as single spaces; empty if nothing.
        confidence: the confidence that it reports, 0 to 1; NaN if it reports none.
        fault: why there is no answer, such as "no answer within 30 s"; else empty.
    """

    text: str
    confidence: float = math.nan
    fault: str = ""


Answer = str | tuple[str, float] | Reading
"""A text, a text with a confidence from 0 to 1, or a complete reading."""


class Reader(Protocol):
    """The interface of a reader that can be probed.

    >>> import numpy as np
    >>> class Pessimist:
    ...     '''Reads nothing, and is sure of it.'''
    ...
    ...     def read_images(self, images):
    ...         return [("", 1.0) for _ in images]
    >>> Pessimist().read_images([np.zeros((8, 8, 3), np.uint8)])
    [('', 1.0)]

    In a file `readers.py`, it is probed with `--model python:readers:Pessimist`. It is built in
    a separate process, so that a crash costs at most one image. It may have a `batch_size`, the
    maximum number of images per call, which is 1 by default.
    """

    def read_images(self, images: Sequence[Pixels]) -> Sequence[Answer]:
        """Return the text of each image, uint8 (H, W, 3) of any size, in order."""
        ...


@dataclass(frozen=True)
class ReaderFacts:
    """The properties of a reader that are known before it starts.

    Attributes:
        sha256: hash of everything that determines its answers: code, weights, version.
        config: its settings, by name.
        versions: versions of the packages and engines that compute its answers, by name.
    """

    sha256: str
    config: dict[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def ask_reader(
    reader: Reader, keys: Sequence[str], images: Sequence[Pixels], name: str
) -> list[Reading]:
    """Return the answers of a reader to images that have keys.

    Raises:
        ProbeError: the reader gives no usable answer.
    """
    look_up = getattr(reader, "look_up", None)
    answers = reader.read_images(images) if look_up is None else look_up(keys, images)
    return check_answers(answers, len(images), name)


class WatchedReader:
    """A reader that reports how many images are done."""

    def __init__(self, reader: Reader, name: str, count: Callable[[int], None]) -> None:
        self._reader = reader
        self._name = name
        self._count = count

    def read_images(self, images: Sequence[Pixels]) -> list[Reading]:
        """Return the answers of the reader."""
        return self.look_up([""] * len(images), images)

    def look_up(self, keys: Sequence[str], images: Sequence[Pixels]) -> list[Reading]:
        """Return the answers of the reader to images that have keys."""
        readings: list[Reading] = []
        for at in range(0, len(images), N_COUNTED):
            part = images[at : at + N_COUNTED]
            readings += ask_reader(self._reader, keys[at : at + N_COUNTED], part, self._name)
            self._count(len(part))
        return readings


def check_answers(answers: object, n: int, name: str) -> list[Reading]:
    """Return the answers of a reader to n images as readings.

    Raises:
        ProbeError: there are more or fewer, or one is not an `Answer`.
    """
    if isinstance(answers, str) or not isinstance(answers, Sequence) or len(answers) != n:
        given = type(answers).__name__
        if isinstance(answers, Sequence) and not isinstance(answers, str):
            given = f"{len(answers)} answers"
        raise ProbeError(f"{name} returned {given} for {n} images; return one text per image")
    return [_check_answer(answer, name) for answer in answers]


def _check_answer(answer: object, name: str) -> Reading:
    text: object
    fault, confidence = "", math.nan
    if isinstance(answer, Reading):
        text, confidence, fault = answer.text, answer.confidence, answer.fault
    elif isinstance(answer, tuple) and len(answer) == 2:
        text, confidence = answer
    else:
        text = answer
    if not isinstance(text, str):
        raise ProbeError(
            f"{name} returned {type(answer).__name__} for an image; return its text, or its"
            " text and a confidence"
        )
    sure = float(confidence)
    if not (math.isnan(sure) or 0 <= sure <= 1):
        raise ProbeError(f"{name} returned the confidence {sure:g}; it must be from 0 to 1")
    return Reading(tidy_text(text), sure, fault)


def tidy_text(text: str) -> str:
    """Return a text with single spaces between its words and none at its ends.

    >>> tidy_text(" two   words ")
    'two words'
    """
    # A lone surrogate cannot be written to a table.
    written = text[: 4 * MAX_CHARS].encode("utf-8", "replace").decode("utf-8")
    return " ".join(written.split())[:MAX_CHARS]
