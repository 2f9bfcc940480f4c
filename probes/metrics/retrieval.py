"""Retrieval: recall at 1 and 5 of images and their texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probes.arrays import Vectors
from probes.errors import ProbeError
from synthtext.rng import draw_units


@dataclass(frozen=True)
class Recall:
    """How often the partner is found, in one direction.

    Attributes:
        at_1: fraction of those whose partner comes first.
        at_5: fraction of those whose partner is among the first five.
        chance_1: `at_1` of a random order.
        chance_5: `at_5` of a random order.
    """

    at_1: float
    at_5: float
    chance_1: float
    chance_5: float


def measure_recall(cosines: Vectors, seed: int = 0) -> Recall:
    """Return how often row i finds column i; ties are broken at random.

    Raises:
        ProbeError: the numbers of rows and columns differ.
    """
    n, n_columns = cosines.shape
    if n != n_columns:
        raise ProbeError(
            f"{n} cannot be paired with {n_columns}; give one text for each image, in order"
        )
    own = np.diag(cosines)[:, None]
    n_equal = (cosines == own).sum(axis=1) - 1
    before = (draw_units(seed, "recall", 0, n)[:, 0] * (n_equal + 1)).astype(np.int64)
    ranks = 1 + (cosines > own).sum(axis=1) + before
    return Recall(float((ranks <= 1).mean()), float((ranks <= 5).mean()), 1 / n, min(5, n) / n)
