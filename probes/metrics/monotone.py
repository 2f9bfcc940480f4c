"""Where accuracy crosses midway between chance and its ceiling, for any monotone curve.

Midway is the mean of chance and of the accuracy at the easiest level: nothing is extrapolated,
a floor above chance has no effect, and lapses lower only the ceiling. The estimate is where the
isotonic fit over the levels crosses midway.

The interval inverts tests. A level lies on the hard side of the crossing if its accuracy is
below midway. Levels are tested one after another from the hardest on, until one test does not
reject. Where accuracy is monotone, only the first level past the crossing matters: every harder
one is rightly rejected, so each side takes half of the error and there is no correction over
levels. The other end is the mirror image.

Every answer for a word is compared with its answer at the easiest level, and the sampling unit
is the word: answers for one word may depend on each other in any way.

The isotonic fit crosses midway where the cumulative sum of accuracy minus midway is least, and
that sum falls at a level rejected as hard and rises at one rejected as easy: so the interval
always contains the estimate.

Source: Barlow et al., "Statistical inference under order restrictions", 1972, on the fit;
Hsu and Berger, "Stepwise confidence intervals without multiplicity adjustment for
dose-response and toxicity studies", JASA 94 (1999), on the order of the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from probes.errors import ProbeError
from probes.metrics.axis import Axis, Direction, choose_axis

Floats = NDArray[np.float64]

COIN = 0.25
"""Variance of one added word that is read at random, so that no variance is 0."""

DIP = 0.1
"""The smallest relevant fall towards easier levels, as a fraction of ceiling minus chance."""

TINY = 1e-12
"""Sums closer than this are equal."""


@dataclass(frozen=True)
class Answers:
    """How often each word was read at each level.

    Attributes:
        x: float64 (L,), rising from the hardest level to the easiest.
        n_right: float64 (W, L).
        n_seen: float64 (W, L); every level is seen by some word.
        chance: accuracy of guessing.
    """

    x: Floats
    n_right: Floats
    n_seen: Floats
    chance: float


@dataclass(frozen=True)
class Crossing:
    """Where a monotone curve crosses midway.

    Attributes:
        x: the estimate; None where the curve lies on one side of midway throughout.
        low: index of the level at the hard end of the interval; None where it is open.
        high: index of the level at the easy end; None where it is open.
        ceiling: accuracy at the easiest level.
        midway: mean of chance and the ceiling.
        worst: indices of the two levels, the harder first, that are the strongest evidence
            against a monotone curve.
        p_monotone: p-value of that fall, beyond `DIP`, for a monotone curve.
    """

    x: float | None
    low: int | None
    high: int | None
    ceiling: float
    midway: float
    worst: tuple[int, int]
    p_monotone: float


def gather_answers(
    levels: ArrayLike,
    correct: ArrayLike,
    words: ArrayLike,
    *,
    chance: float,
    direction: Direction,
) -> tuple[Axis, Answers]:
    """Return the axis of the levels, and the rows as a table of words by levels.

    Args:
        levels: (N,), three or more distinct ones.
        correct: bool (N,).
        words: (N,); the word of each image.
        chance: accuracy of guessing.
        direction: "falling" where a higher level is harder to read.

    Raises:
        ProbeError: fewer than three levels or two words.
    """
    codes = pd.factorize(np.asarray(words))[0]
    n_words = int(codes.max(initial=-1)) + 1
    if n_words < 2:
        raise ProbeError(
            f"the rows show {n_words} word; a threshold over words needs 2 or more"
        )
    at_level = np.asarray(levels, dtype=np.float64)
    axis = choose_axis(at_level, direction)
    places, at = np.unique(axis.place(at_level), return_inverse=True)
    cell, size = codes * len(places) + at, n_words * len(places)

    def count(weights: Floats) -> Floats:
        counts = np.bincount(cell, weights, minlength=size).astype(np.float64)
        return counts.reshape(n_words, len(places))

    right = np.asarray(correct, dtype=np.float64)
    return axis, Answers(places, count(right), count(np.ones_like(right)), chance)


def find_crossing(answers: Answers, confidence: float = 0.95) -> Crossing:
    """Return where accuracy crosses midway, with an interval for any monotone curve.

    Args:
        answers: from two words or more at two levels or more.
        confidence: minimum coverage of the interval, 0 to 1.
    """
    accuracy, influence = _measure(answers)
    midway = (answers.chance + float(accuracy[-1])) / 2
    statistic = _compare_levels(answers, accuracy, influence)
    bound = float(stats.norm.isf((1 - confidence) / 2))
    n_harder = int(np.argmin([*(statistic < -bound), False]))
    n_easier = int(np.argmin([*(statistic > bound)[::-1], False]))
    worst, p = _test_monotone(answers, accuracy, influence)
    return Crossing(
        x=_find_estimate(answers, accuracy, midway),
        low=n_harder - 1 if n_harder else None,
        high=len(accuracy) - n_easier if n_easier else None,
        ceiling=float(accuracy[-1]),
        midway=midway,
        worst=worst,
        p_monotone=p,
    )


def fit_isotonic(accuracy: Floats, n_seen: Floats) -> Floats:
    """Return the rising accuracies (L,) nearest to those observed, weighted by images."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(accuracy.tolist(), n_seen.tolist(), strict=True):
        mean, total, n = value, weight, 1
        while blocks and blocks[-1][0] >= mean:
            before = blocks.pop()
            mean = (mean * total + before[0] * before[1]) / (total + before[1])
            total, n = total + before[1], n + before[2]
        blocks.append((mean, total, n))
    return np.concatenate([np.full(n, mean) for mean, _, n in blocks])


def _measure(answers: Answers) -> tuple[Floats, Floats]:
    """Return the accuracy (L,) and each word's part (W, L) in its error, with mean 0."""
    n_seen = answers.n_seen.sum(axis=0)
    accuracy = answers.n_right.sum(axis=0) / n_seen
    error = (answers.n_right - accuracy * answers.n_seen) / (n_seen / len(answers.n_seen))
    return accuracy, error


def _compare_levels(answers: Answers, accuracy: Floats, influence: Floats) -> Floats:
    """Return how far the accuracy of each level (L,) is from midway, in standard errors.

    The errors are those under the null hypothesis that the level lies at midway.
    """
    ceiling = float(accuracy[-1])
    midway = (answers.chance + ceiling) / 2
    n_seen = answers.n_seen.sum(axis=0)
    # The ceiling comes from the same words, so half of a word's error there is subtracted.
    errors = answers.n_seen.mean(axis=0) * (influence - influence[:, -1:] / 2)
    away = n_seen * (accuracy - midway)
    variance = (errors**2).sum(axis=0) + away**2 / len(errors)
    # Few words that all agree say little about their variance. With these means it is least
    # where no word is read that is not read at the easiest level.
    least = midway * (1 - midway) + (1 - ceiling) * (ceiling / 4 - midway)
    statistic: Floats = away / np.sqrt(np.maximum(variance, n_seen * least) + COIN)
    return statistic


def _find_estimate(answers: Answers, accuracy: Floats, midway: float) -> float | None:
    """Return where the isotonic fit crosses midway, or the middle of a stretch at midway."""
    fitted = fit_isotonic(accuracy, answers.n_seen.sum(axis=0))
    below = np.flatnonzero(fitted < midway - TINY)
    above = np.flatnonzero(fitted > midway + TINY)
    if not len(below) or not len(above):
        return None
    last, first = int(below[-1]), int(above[0])
    if first - last > 1:
        return float(answers.x[last + 1] + answers.x[first - 1]) / 2
    return float(np.interp(midway, fitted[[last, first]], answers.x[[last, first]]))


def _test_monotone(
    answers: Answers, accuracy: Floats, influence: Floats
) -> tuple[tuple[int, int], float]:
    """Return the pair of levels that is the strongest evidence against monotonicity, and its p.

    The test is one-sided over all pairs, each against a fall of DIP times the curve's rise.
    """
    n_words, n_levels = influence.shape
    harder, easier = np.triu_indices(n_levels, 1)
    fall = accuracy[harder] - accuracy[easier]
    fall = fall - DIP * max(0.0, float(accuracy[-1]) - answers.chance)
    covariance = influence.T @ influence + COIN * np.eye(n_levels)
    spread = np.diag(covariance)
    variance = spread[harder] + spread[easier] - 2 * covariance[harder, easier]
    statistic = n_words * fall / np.sqrt(variance + n_words * fall**2)
    most = int(statistic.argmax())
    p = min(1.0, len(fall) * float(stats.norm.sf(statistic[most])))
    return (int(harder[most]), int(easier[most])), p
