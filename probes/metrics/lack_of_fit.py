"""Test of whether a fitted curve agrees with the answers, by random signs per word.

The residuals between the observed accuracy and the curve are compared with residuals in which
every word's contribution takes a random sign. The part that the fit would have absorbed is
removed.

Source: Su and Wei, "A lack-of-fit test for the mean function in a generalized linear model",
JASA 86 (1991); Liu, "Bootstrap procedures under some non-i.i.d. models", Annals of Statistics
16 (1988), on multipliers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from probes.metrics.monotone import Answers
from probes.metrics.psychometric import Curve, differentiate, pool_words, predict

Floats = NDArray[np.float64]

N_DRAWS = 999
"""Number of sign draws; p is a multiple of one thousandth."""


def measure_fit(answers: Answers, curve: Curve) -> float:
    """Return the p-value of a lack of fit: how often chance alone leaves residuals this large.

    Args:
        answers: from two words or more.
        curve: fitted to them.
    """
    cells = pool_words(answers)
    n_seen, n_right = cells.n_seen, cells.n_right
    # Probabilities are clipped at half a word per cell, or one slip would outweigh all else.
    p = np.clip(predict(curve, answers.x, answers.chance), 0.5 / n_seen, 1 - 0.5 / n_seen)
    weights = n_seen / (p * (1 - p))
    slopes = differentiate(curve, cells)
    taken_up = slopes.T @ np.linalg.pinv((slopes * weights) @ slopes.T) @ (slopes * weights)
    left_over = np.eye(len(p)) - taken_up
    accuracy = n_right / n_seen
    parts = (answers.n_right - accuracy * answers.n_seen) / n_seen @ left_over.T
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (N_DRAWS, len(parts)))
    by_chance = ((signs @ parts) ** 2) @ weights
    misfit = left_over @ (accuracy - predict(curve, answers.x, answers.chance))
    seen = float(misfit**2 @ weights)
    return float((1 + (by_chance >= seen).sum()) / (N_DRAWS + 1))
