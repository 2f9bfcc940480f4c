"""Where accuracy crosses midway between chance and its ceiling, for any monotone curve.

Midway is the mean of chance and of the accuracy at the easiest level: nothing is extrapolated,
a floor above chance has no effect, and lapses lower only the ceiling. The estimate is where the
isotonic fit over the levels crosses midway.

The interval inverts tests. A level lies on the hard side of the crossing if its accuracy, or
the mean over it and any run of easier levels, is below midway. Levels are tested one after
another from the hardest on, until one test does not reject. Each test is valid for any monotone
curve, and only the first level that should not be rejected matters, so there is no further
correction over levels. The other end is the mirror image. The test of the level by itself gets
most of the error rate; the rest is shared by the runs, whose largest statistic is bounded by
that of Gaussian draws with the covariance of the words.

Every answer for a word is compared with its answer at the easiest level, and the sampling unit
is the word: answers for one word may depend on each other in any way.

The isotonic fit crosses midway where the cumulative sum of accuracy minus midway is least, and
a rejected level has a run that excludes that minimum: so the interval always contains the
estimate.

Source: Barlow et al., "Statistical inference under order restrictions", 1972, on the fit;
Hsu and Berger, "Stepwise confidence intervals without multiplicity adjustment for
dose-response and toxicity studies", JASA 94 (1999), on the order of the tests.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from probes.errors import ProbeError
from probes.metrics.axis import Axis, Direction, choose_axis

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Flags = NDArray[np.bool_]

OWN_SHARE = 0.7
"""Fraction of the error rate for the test of the level by itself; runs share the rest."""

N_DRAWS = 4000
"""Gaussian draws for the null distribution of the largest statistic of all runs."""

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


@dataclass(frozen=True)
class _Runs:
    """Runs of levels, from one level to itself or an easier one; (L, L) each.

    Attributes:
        statistic: float64; a run's mean accuracy minus midway, in standard errors under the
            null hypothesis; 0 below the diagonal, where there is no run.
        largest_from: float32 (L, N_DRAWS); the largest statistic, by chance, of the runs that
            begin at each level.
        largest_to: likewise, for the runs that end at each level.
    """

    statistic: Floats
    largest_from: Singles
    largest_to: Singles


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
    weights = answers.n_seen.mean(axis=0)
    runs = _compare_runs(
        # The ceiling comes from the same words, so half of a word's error there is subtracted.
        weights * (influence - influence[:, -1:] / 2),
        weights * (accuracy - midway),
    )
    harder, easier = _reject_levels(runs, (1 - confidence) / 2)
    n_harder = int(np.argmin([*harder, False]))
    n_easier = int(np.argmin([*easier[::-1], False]))
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


def _compare_runs(errors: Floats, away: Floats) -> _Runs:
    """Return how far every run of levels lies from midway.

    Args:
        errors: (W, L); each word's part in the error of each level, weighted by its images.
        away: (L,); accuracy minus midway, weighted the same way.
    """
    n_words, n_levels = errors.shape
    covariance = errors.T @ errors + COIN * np.eye(n_levels)
    sums = np.concatenate([[0.0], np.cumsum(away)])
    square = np.zeros((n_levels + 1, n_levels + 1))
    square[1:, 1:] = covariance.cumsum(axis=0).cumsum(axis=1)
    start, last = np.indices((n_levels, n_levels))
    is_run = last >= start
    within = np.diag(square)
    variance = within[last + 1] + within[start] - square[start, last + 1] * 2
    variance = np.where(is_run, variance, 1.0)
    mean = sums[last + 1] - sums[start]
    # The variance under the null hypothesis includes the square of the observed mean.
    statistic = n_words * mean / np.sqrt(variance + n_words * mean**2)
    largest_from, largest_to = _draw_largest(covariance, np.sqrt(variance))
    return _Runs(np.where(is_run, statistic, 0.0), largest_from, largest_to)


def _draw_largest(covariance: Floats, spread: Floats) -> tuple[Singles, Singles]:
    """Return the largest statistic of runs from and to each level, by Gaussian draws."""
    n_levels = len(covariance)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    sums = np.zeros((n_levels + 1, N_DRAWS), np.float32)
    np.cumsum(root.astype(np.float32) @ _draw_normal(n_levels), axis=0, out=sums[1:])
    per_spread = (1 / spread).astype(np.float32)
    largest_from = np.empty((n_levels, N_DRAWS), np.float32)
    largest_to = np.empty((n_levels, N_DRAWS), np.float32)
    for level in range(n_levels):
        begun = (sums[level + 1 :] - sums[level]) * per_spread[level, level:, None]
        ended = (sums[level + 1] - sums[: level + 1]) * per_spread[: level + 1, level, None]
        begun.max(axis=0, out=largest_from[level])
        ended.max(axis=0, out=largest_to[level])
    return largest_from, largest_to


@functools.cache
def _draw_normal(n_levels: int) -> Singles:
    """Return the same standard normal draws (L, N_DRAWS) at every call."""
    rng = np.random.default_rng(n_levels)
    return rng.standard_normal((n_levels, N_DRAWS), np.float32)


def _reject_levels(runs: _Runs, error: float) -> tuple[Flags, Flags]:
    """Return which levels (L,) are harder than the crossing, and which are easier."""
    own = np.diag(runs.statistic)
    bound = stats.norm.isf(OWN_SHARE * error)
    # This many draws may exceed the bound of the runs.
    at = N_DRAWS - 1 - int((1 - OWN_SHARE) * error * N_DRAWS)
    from_level = np.partition(runs.largest_from, at, axis=1)[:, at]
    to_level = np.partition(runs.largest_to, at, axis=1)[:, at]
    harder = (own < -bound) | (runs.statistic.min(axis=1) < -from_level)
    easier = (own > bound) | (runs.statistic.max(axis=0) > to_level)
    return harder, easier


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
