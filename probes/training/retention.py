"""Retention: what a model should not forget, and how much of it is kept."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probes.arrays import Vectors
from probes.data.labelled import Album, draw_album, read_album
from probes.metrics.intervals import Interval, cluster_bootstrap
from probes.metrics.paired import paired_difference
from probes.models.base import Model
from probes.models.factory import Parts, make_reader
from probes.tasks.classification import embed_album, name_album
from probes.training.config import (
    Setting,
    read_split,
)
from probes.training.validation import Exam, read_exam, sit_exam
from probes.training.validation import K as EXAM_K

N_KEPT = 2000
"""Words of another dataset that are read before and after."""


N_NAMED = 3
"""Broken pictures that are named, of those that are counted."""


@dataclass(frozen=True)
class Keeper:
    """What a model should not forget.

    Attributes:
        title: of the pictures.
        chance: share that a model that knows nothing gets right.
        ask: model -> which of the pictures it gets right, (N,).
    """

    title: str
    chance: float
    ask: Callable[[Model], NDArray[np.bool_]]


def make_keeper(setting: Setting, parts: Parts) -> Keeper:
    """Return what a model should not forget: a dataset, class folders, or bundled pictures."""
    folder = setting.retention
    if folder is not None and (folder / "dataset.json").is_file():
        exam = read_exam(
            read_split(folder, "test", verify=setting.verify), N_KEPT, setting.seed,
            fit=parts.fit_pixels, tokenize=make_reader(parts).tokenize,
        )  # fmt: skip
        chance = 1 / min(EXAM_K, len(exam.texts))
        return Keeper(
            f"words of {folder}", chance, functools.partial(read_words_of, setting, exam)
        )
    album = draw_album() if folder is None else read_album(folder, verify=setting.verify)
    title = album.title
    if album.broken:
        shown = ", ".join(album.broken[:N_NAMED])
        title += f", without {len(album.broken)} that cannot be read, such as {shown}"
    return Keeper(title, 1 / len(album.names), functools.partial(_name_pictures, album))


def read_words_of(setting: Setting, exam: Exam, model: Model) -> NDArray[np.bool_]:
    """Return which words a model reads right, (N,)."""
    return sit_exam(model, exam, setting.templates, setting.seed)


def _name_pictures(album: Album, model: Model) -> NDArray[np.bool_]:
    """Return which pictures a model names right, (N,)."""
    return name_album(model, album, embed_album(model, album))


@dataclass(frozen=True)
class Retention:
    """What became of what a model knew.

    Attributes:
        title: of the pictures it was asked about.
        n_seen: how many.
        before: share it got right before.
        after: share it gets right now.
        gain: the difference and its interval.
        drift: mean of 1 - cosine between the vectors of bundled pictures, and its interval.
    """

    title: str
    n_seen: int
    before: float
    after: float
    gain: Interval
    drift: Interval


def measure_retention(
    title: str,
    right: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    vectors: tuple[Vectors, Vectors],
) -> Retention:
    """Return what a model kept.

    Args:
        title: of the pictures it was asked about.
        right: which it got right before and after, (N,) each.
        vectors: of bundled pictures before and after, (M, D) each.
    """
    before, after = right
    drifts = 1 - (vectors[0] * vectors[1]).sum(axis=1, dtype=np.float64)
    return Retention(
        title=title,
        n_seen=len(before),
        before=float(before.mean()),
        after=float(after.mean()),
        gain=paired_difference(before, after, np.arange(len(before))),
        drift=cluster_bootstrap(drifts, np.arange(len(drifts))),
    )
