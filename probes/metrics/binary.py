"""Two classes: accuracy, precision, recall, F1, and the confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

Labels = NDArray[np.integer]


@dataclass(frozen=True)
class BinaryScores:
    """How well guesses of 0 and 1 agree with the truth.

    Attributes:
        accuracy: fraction right.
        precision: fraction of the guesses of 1 that are right, 0 where there are none.
        recall: fraction of the true 1s that are found.
        f1: harmonic mean of precision and recall.
        confusion: counts, rows by truth and columns by guess.
        fractions_guessed: fractions of guesses of 0 and of 1. A model that always answers the
            same scores the fraction of that class without reading anything, so these are always
            shown.
        is_constant: whether every guess is the same.
    """

    accuracy: float
    precision: float
    recall: float
    f1: float
    confusion: list[list[int]]
    fractions_guessed: tuple[float, float]
    is_constant: bool


def score_binary(truth: Labels, guess: Labels) -> BinaryScores:
    """Return the scores of guesses, 0 or 1, (N,) each.

    >>> score_binary(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1])).recall
    0.6666666666666666
    """
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, guess, labels=[1], zero_division=0.0
    )
    counts = confusion_matrix(truth, guess, labels=[0, 1])
    return BinaryScores(
        accuracy=float((truth == guess).mean()),
        precision=float(precision[0]),
        recall=float(recall[0]),
        f1=float(f1[0]),
        confusion=counts.tolist(),
        fractions_guessed=(float((guess == 0).mean()), float((guess == 1).mean())),
        is_constant=bool(len(np.unique(guess)) == 1),
    )
