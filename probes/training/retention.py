"""Retention: accuracy that a model should keep, before and after training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probes.arrays import Vectors
from probes.data.labelled import draw_shapes, read_labelled
from probes.metrics.intervals import Interval, cluster_bootstrap
from probes.metrics.paired import paired_difference
from probes.models.base import Model
from probes.models.factory import Parts, make_reader
from probes.tasks.classification import embed_labelled, name_labelled
from probes.training.config import FinetuneConfig
from probes.training.epochs import read_split
from probes.training.validation import K as VALIDATION_K
from probes.training.validation import ValidationSet, read_validation_set, read_words_right

N_RETAINED = 2000
"""Number of words of another dataset that are read before and after."""


N_NAMED = 3
"""Number of broken images to list by name; all are counted."""


@dataclass(frozen=True)
class RetentionSet:
    """A retention set.

    Attributes:
        title: name of the images.
        chance: accuracy of a model that guesses.
        ask: model, its vectors of the bundled images (M, D) -> whether each image is answered
            correctly, (N,).
    """

    title: str
    chance: float
    ask: Callable[[Model, Vectors], NDArray[np.bool_]]


def make_retention_set(config: FinetuneConfig, parts: Parts) -> RetentionSet:
    """Return the retention set: a dataset, class folders, or bundled images."""
    folder = config.retention
    if folder is not None and (folder / "dataset.json").is_file():
        validation = read_validation_set(
            read_split(folder, "test", verify=config.verify), N_RETAINED, config.seed,
            fit=parts.fit_pixels, tokenize=make_reader(parts).tokenize,
        )  # fmt: skip
        chance = 1 / min(VALIDATION_K, len(validation.texts))
        return RetentionSet(
            f"words of {folder}",
            chance,
            lambda model, _: read_words_of(config, validation, model),
        )
    labelled = draw_shapes() if folder is None else read_labelled(folder, verify=config.verify)
    title = labelled.title
    if labelled.broken:
        shown = ", ".join(labelled.broken[:N_NAMED])
        title += f", without {len(labelled.broken)} that cannot be read, such as {shown}"

    def ask(model: Model, shapes: Vectors) -> NDArray[np.bool_]:
        vectors = shapes if folder is None else embed_labelled(model, labelled)
        return name_labelled(model, labelled, vectors)

    return RetentionSet(title, 1 / len(labelled.names), ask)


def read_words_of(
    config: FinetuneConfig, validation: ValidationSet, model: Model
) -> NDArray[np.bool_]:
    """Return whether a model reads each word correctly, (N,)."""
    return read_words_right(model, validation, config.templates, config.seed)


@dataclass(frozen=True)
class Retention:
    """The retention of a model.

    Attributes:
        title: name of the retention set.
        n_seen: number of its images.
        before: accuracy before.
        after: accuracy now.
        gain: the difference and its interval.
        drift: mean of 1 - cosine between the vectors of bundled images, and its interval.
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
    """Return the retention of a model.

    Args:
        title: name of the retention set.
        right: whether each image was correct before and after, (N,) each.
        vectors: vectors of bundled images before and after, (M, D) each.
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
