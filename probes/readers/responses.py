"""Responses: answers collected elsewhere, for example from people, looked up by key."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from probes.arrays import Pixels
from probes.errors import ProbeError
from probes.readers.base import Reading, tidy_text
from probes.table_files import read_table_file

PREFIX = "responses:"

COLUMNS = ("image", "key", "sha256", "answer", "confidence")
"""Columns of the table to fill in; `answer` and `confidence` are empty at first."""

HASH_CHARS = 16


class Responses:
    """Answers by the keys of their images."""

    def __init__(self, answers: Mapping[str, Reading], hashes: Mapping[str, str]) -> None:
        self._answers = answers
        self._hashes = hashes

    def read_images(self, images: Sequence[Pixels]) -> list[Reading]:
        """Refuse images without keys, which no task should pass.

        Raises:
            ProbeError: always.
        """
        del images
        raise ProbeError(
            "responses are valid only for the images they were collected for; probe those"
        )

    def look_up(self, keys: Sequence[str], images: Sequence[Pixels]) -> list[Reading]:
        """Return the answer to each image.

        Raises:
            ProbeError: there is none for a key, or it was given to another image.
        """
        for key, pixels in zip(keys, images, strict=True):
            if key not in self._answers:
                raise ProbeError(
                    f"the responses have no row for the image {key!r}; export the images with"
                    f" the options"
                    " of this probe, and keep a row for each"
                )
            stated = self._hashes.get(key, "")
            if stated and stated != hash_pixels(pixels):
                raise ProbeError(
                    f"the responses belong to another image {key!r}; probe with the options"
                    f" that"
                    " the images were exported with"
                )
        return [self._answers[key] for key in keys]


def hash_pixels(pixels: Pixels) -> str:
    """Return the first digits of a SHA-256 of an image and its shape."""
    digest = hashlib.sha256(str(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()[:HASH_CHARS]


def read_responses(path: Path) -> tuple[Responses, str]:
    """Return the answers in a table, and a SHA-256 of its file.

    Args:
        path: CSV, TSV or Parquet with the columns `key` and `answer`; optionally `confidence`,
            0 to 1, and `sha256`, which the export wrote.

    Raises:
        ProbeError: it is not such a table, or has two answers to one image.
    """
    table = read_table_file(path)
    for name in ("key", "answer"):
        if name not in table:
            raise ProbeError(f"{path} has no column {name!r}; it needs key and answer")
    keys = table["key"].astype(str).tolist()
    if len(set(keys)) < len(keys):
        twice = table["key"][table["key"].duplicated()].iloc[0]
        raise ProbeError(f"{path} has two answers for {twice!r}; keep one")
    answers = ["" if pd.isna(answer) else str(answer) for answer in table["answer"]]
    stated = table["confidence"] if "confidence" in table else [None] * len(keys)
    sure = [_read_confidence(cell, path) for cell in stated]
    hashes = table["sha256"].astype(str).tolist() if "sha256" in table else [""] * len(keys)
    readings = [Reading(tidy_text(a), c) for a, c in zip(answers, sure, strict=True)]
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Responses(
        dict(zip(keys, readings, strict=True)), dict(zip(keys, hashes, strict=True))
    ), digest


def _read_confidence(cell: object, path: Path) -> float:
    text = "" if cell is None or cell != cell else str(cell).strip()
    if not text:
        return math.nan
    try:
        sure = float(text)
    except ValueError:
        sure = -1.0
    if not 0 <= sure <= 1:
        raise ProbeError(
            f"{path} has the confidence {text!r}; it must be from 0 to 1, or empty"
        )
    return sure
