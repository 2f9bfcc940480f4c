"""Real and drawn crops -> how well a classifier tells them apart, on held-out crops.

This is a two-fold cross-validation, so every crop is judged by a classifier that has not seen
it.

Source: Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probes.arrays import Floats
from probes.fitting.crops import Crops, join
from probes.fitting.estimator import Estimator, Schedule, predict, train_estimator
from probes.metrics.intervals import wilson

N_EPOCHS = 6
"""Epochs on each half of the crops."""


@dataclass(frozen=True)
class TwoSample:
    """How well real crops are told from drawn ones.

    Attributes:
        accuracy: fraction of the crops that is classified correctly; 0.5 is chance.
        low: lower end of its 95 % interval.
        high: upper end of its 95 % interval.
        n: number of crops, as many real as drawn.
        real: predicted probability that each real crop is real, float64 (n / 2,).
        drawn: predicted probability that each drawn crop is real, float64 (n / 2,).
    """

    accuracy: float
    low: float
    high: float
    n: int
    real: Floats
    drawn: Floats


def tell_apart(
    real: Crops,
    drawn: Crops,
    start: Estimator | None,
    schedule: Schedule,
) -> TwoSample:
    """Return how well a classifier tells crops apart.

    Args:
        real: N crops.
        drawn: as many, or more, of which the first N are used.
        start: an estimator with whose convolutions the classifier starts.
        schedule: how to train; its seed also chooses the halves.
    """
    n = min(len(real), len(drawn))
    crops = join([real.take(slice(0, n)), drawn.take(slice(0, n))])
    is_real = np.repeat([1, 0], n).astype(np.int64)
    halves = np.random.default_rng(schedule.seed).permutation(n) % 2
    fold = np.concatenate([halves, halves])
    likely = np.empty(2 * n)
    for held in (0, 1):
        rows = np.flatnonzero(fold != held)
        trained = train_estimator(
            crops.take(rows), {"real": is_real[rows]}, {"real": 2}, schedule, start
        )
        judged = np.flatnonzero(fold == held)
        likely[judged] = predict(trained, crops.take(judged))["real"][:, 1]
    right = int(((likely > 0.5) == (is_real == 1)).sum())
    low, high = wilson(right, 2 * n)
    return TwoSample(right / (2 * n), float(low), float(high), 2 * n, likely[:n], likely[n:])
