"""The likelihood of psychometric curves, on an axis on which accuracy rises.

A curve is `chance + rise * F((x - threshold) / width)`. Every F is one half at 0, so that the
threshold is midway between chance and ceiling whatever the shape, and goes from 0.05 to 0.95
over a length of 1, so that widths of different shapes are comparable.

Levels are few, so the likelihood is computed for many curves at once, on grids of thresholds
and widths that are refined around the best; no search can start badly or fail to converge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from probes.metrics.monotone import Answers

Floats = NDArray[np.float64]

N_THRESHOLDS, N_ZOOMS = 41, 3
"""Thresholds per grid, and how often the grid is refined around the interval."""

N_WIDTHS, N_WIDTHS_CLOSER, N_CLOSER = 25, 7, 5
"""Widths tried at each threshold at first, in each refinement, and number of refinements."""

N_NEWTON = 10
"""Newton steps to the best rise; near the solution, each doubles the correct digits."""

SLOPE, MIN_SLOPING = (0.1, 0.9), 2
"""Range of F that counts as sloping, and the levels in it that a sandwich variance needs."""

FLAT = 0.02
"""Log likelihoods closer than this are equal, for example in the gap of a step."""

AT_BOUND = 1e-3
"""A ceiling this close to 1 counts as 1."""

TINY = 1e-12
"""Keeps probabilities away from 0 and 1."""


@dataclass(frozen=True)
class Cells:
    """Counts at each level.

    Attributes:
        x: float64 (L,), rising.
        n_right: float64 (L,).
        n_seen: float64 (L,), above 0.
        chance: accuracy of guessing, 0 or more and below 1.
    """

    x: Floats
    n_right: Floats
    n_seen: Floats
    chance: float


@dataclass(frozen=True)
class Curve:
    """One curve; `shape` is a key of SHAPES, `rise` its ceiling minus chance."""

    shape: str
    threshold: float
    width: float
    rise: float


@dataclass(frozen=True)
class Profile:
    """How well each threshold fits.

    Attributes:
        thresholds: float64 (M,), rising.
        deviances: float64 (M,), 0 or more; twice the difference in log likelihood between the
            best curve of all and the best curve with this threshold.
        best: the best curve of all.
        log_likelihood: its log likelihood, without the binomial coefficients.
        cutoff: the deviance that bounds the interval.
    """

    thresholds: Floats
    deviances: Floats
    best: Curve
    log_likelihood: float
    cutoff: float = 0.0


@dataclass(frozen=True)
class _Fits:
    """The best curve of one shape at each threshold; float64 (M,) each."""

    shape: str
    log_likelihoods: Floats
    widths: Floats
    rises: Floats


def profile_thresholds(cells: Cells, choose_cutoff: Callable[[Curve], float]) -> Profile:
    """Return how well thresholds fit, on a grid around those with a deviance below a cutoff.

    The best curve is found first; its cutoff then determines where the grid lies, so that the
    ends of the grid are never mistaken for those of the interval.

    Args:
        cells: counts at three levels or more.
        choose_cutoff: returns the deviance that bounds the interval, given the best curve.
    """
    reach = cells.x[-1] - cells.x[0]
    thresholds = np.linspace(cells.x[0] - reach / 2, cells.x[-1] + reach / 2, N_THRESHOLDS)
    coarse = _profile(cells, thresholds)
    found = coarse
    for _ in range(N_ZOOMS):
        found = _close_in(cells, found, 10 * FLAT)
    cutoff = choose_cutoff(found.best)
    profile = coarse
    for _ in range(N_ZOOMS):
        profile = _close_in(cells, profile, cutoff)
    # The grid of the interval is too coarse for the best curve, and may miss its peak.
    missed = max(0.0, 2 * (found.log_likelihood - profile.log_likelihood))
    return replace(
        profile,
        deviances=profile.deviances + missed,
        best=found.best,
        log_likelihood=max(found.log_likelihood, profile.log_likelihood),
        cutoff=cutoff,
    )


def log_likelihood_of(cells: Cells, accuracy: Floats) -> Floats:
    """Return the log likelihood (...) of accuracies (..., L), without the coefficients."""
    p = np.clip(accuracy, TINY, 1 - TINY)
    total: Floats = (
        cells.n_right * np.log(p) + (cells.n_seen - cells.n_right) * np.log1p(-p)
    ).sum(axis=-1)
    return total


def predict(curve: Curve, x: Floats, chance: float) -> Floats:
    """Return the accuracy of a curve at points on the axis, same shape."""
    return chance + curve.rise * SHAPES[curve.shape]((x - curve.threshold) / curve.width)


def measure_slope(curve: Curve) -> float:
    """Return the change of accuracy per unit of the axis at the threshold."""
    step = 1e-4
    shape = SHAPES[curve.shape]
    steepness = np.diff(shape(np.array([-step, step])))[0] / (2 * step)
    return float(curve.rise * steepness / curve.width)


def pool_words(answers: Answers) -> Cells:
    """Return the counts of answers over all words."""
    return Cells(
        answers.x, answers.n_right.sum(axis=0), answers.n_seen.sum(axis=0), answers.chance
    )


def inflate_by_word(answers: Answers, curve: Curve) -> float:
    """Return the factor by which shared words change the variance of the threshold.

    It is the sandwich variance, its meat summed by word, over the variance with images
    independent; 1 where the curve is a step, for which neither exists. Where fewer than two
    levels lie on the slope of the curve, the sandwich would vanish: the ratio is then at least
    1.

    Args:
        answers: from two words or more.
        curve: the curve that fits them best.
    """
    cells = pool_words(answers)
    slopes = differentiate(curve, cells)
    p = np.clip(predict(curve, cells.x, cells.chance), TINY, 1 - TINY)
    information = (slopes * (cells.n_seen / (p * (1 - p)))) @ slopes.T
    size = np.sqrt(np.diag(information))
    if size.min() == 0 or np.linalg.cond(information / np.outer(size, size)) > 1 / TINY:
        return 1.0
    # Only the row of the threshold is needed: the influence of each word's images on it.
    row = np.linalg.inv(information)[0]
    by_word = (answers.n_right - p * answers.n_seen) @ ((row @ slopes) / (p * (1 - p)))
    n_words = len(by_word)
    ratio = float(n_words / (n_words - 1) * (by_word**2).sum() / row[0])
    done = SHAPES[curve.shape]((cells.x - curve.threshold) / curve.width)
    n_sloping = int(((done > SLOPE[0]) & (done < SLOPE[1])).sum())
    return ratio if n_sloping >= MIN_SLOPING else max(1.0, ratio)


def differentiate(curve: Curve, cells: Cells) -> Floats:
    """Return the derivatives (P, L) of accuracy by threshold, log width and rise.

    A rise bounded by the ceiling of 1 is not free and has no row.
    """
    shape, step = SHAPES[curve.shape], 1e-4
    z = (cells.x - curve.threshold) / curve.width
    steepness = curve.rise * (shape(z + step) - shape(z - step)) / (2 * step)
    rows = [-steepness / curve.width, -steepness * z]
    if curve.rise < 1 - cells.chance - AT_BOUND:
        rows.append(shape(z))
    return np.array(rows)


def _close_in(cells: Cells, profile: Profile, cutoff: float) -> Profile:
    """Return the profile on a finer grid over the thresholds with a deviance below a cutoff."""
    inside = np.flatnonzero(profile.deviances <= cutoff)
    first, last = max(inside[0] - 2, 0), min(inside[-1] + 2, N_THRESHOLDS - 1)
    ends = profile.thresholds[first], profile.thresholds[last]
    return _profile(cells, np.linspace(*ends, N_THRESHOLDS))


def _profile(cells: Cells, thresholds: Floats) -> Profile:
    """Return the best fit of any shape, width and rise at each threshold (M,)."""
    fits = [_fit_shape(cells, shape, thresholds) for shape in SHAPES]
    by_shape = np.array([fit.log_likelihoods for fit in fits])
    by_threshold = by_shape.max(axis=0)
    top = by_threshold.max()
    # The estimate is the middle of the plateau, which may be a single peak.
    threshold = thresholds[by_threshold >= top - FLAT].mean()
    m = int(np.abs(thresholds - threshold).argmin())
    best = fits[int(by_shape[:, m].argmax())]
    return Profile(
        thresholds=thresholds,
        deviances=2 * (top - by_threshold),
        best=Curve(
            shape=best.shape,
            threshold=float(threshold),
            width=float(best.widths[m]),
            rise=float(best.rises[m]),
        ),
        log_likelihood=float(top),
    )


def _fit_shape(cells: Cells, shape: str, thresholds: Floats) -> _Fits:
    """Return the best fit of one shape at each threshold (M,).

    The narrowest width is a step between any two levels, the widest a straight line.
    """
    ends = np.diff(cells.x).min() / 200, 4 * (cells.x[-1] - cells.x[0])
    widths = np.tile(np.geomspace(*ends, N_WIDTHS), (len(thresholds), 1))
    rows = np.arange(len(thresholds))
    start = np.full((len(thresholds), 1), (1 - cells.chance) / 2)
    for closer in range(N_CLOSER + 1):
        f = SHAPES[shape]((cells.x - thresholds[:, None, None]) / widths[..., None])
        rises = _fit_rises(cells, f, start)
        fits = log_likelihood_of(cells, cells.chance + rises[..., None] * f)
        at = fits.argmax(axis=1)
        if closer == N_CLOSER:
            break
        start = rises[rows, at][:, None]
        around = np.clip(at - 1, 0, None), np.clip(at + 1, None, widths.shape[1] - 1)
        ends = widths[rows, around[0]], widths[rows, around[1]]
        widths = np.geomspace(*ends, N_WIDTHS_CLOSER, axis=1)
    return _Fits(
        shape=shape,
        log_likelihoods=fits[rows, at],
        widths=widths[rows, at],
        rises=rises[rows, at],
    )


def _fit_rises(cells: Cells, f: Floats, start: Floats) -> Floats:
    """Return the rise (...) that fits best with each curve F (..., L), from any start.

    The log likelihood is concave in the rise, so its derivative has one root, which Newton's
    method finds between two narrowing bounds.
    """
    low = np.full(f.shape[:-1], TINY)
    high = np.full(f.shape[:-1], 1 - cells.chance)
    at_low = _slope_in_rise(cells, f, low)[0] <= 0
    at_high = _slope_in_rise(cells, f, high)[0] >= 0
    first, last = low, high
    rise = np.broadcast_to(start, low.shape)
    for _ in range(N_NEWTON):
        slope, curvature = _slope_in_rise(cells, f, rise)
        low, high = np.where(slope > 0, rise, low), np.where(slope > 0, high, rise)
        step = rise + slope / np.maximum(curvature, TINY)
        # A Newton step too small to register is kept: bisecting there would lose the root.
        rise = np.where((step >= low) & (step <= high), step, (low + high) / 2)
    return np.where(at_low, first, np.where(at_high, last, rise))


def _slope_in_rise(cells: Cells, f: Floats, rise: Floats) -> tuple[Floats, Floats]:
    """Return the first derivative of the log likelihood by the rise, and minus the second."""
    p = np.clip(cells.chance + rise[..., None] * f, TINY, 1 - TINY)
    right, wrong = cells.n_right / p, (cells.n_seen - cells.n_right) / (1 - p)
    slope: Floats = ((right - wrong) * f).sum(axis=-1)
    curvature: Floats = ((right / p + wrong / (1 - p)) * f * f).sum(axis=-1)
    return slope, curvature


def _gaussian(z: Floats) -> Floats:
    """Return the cumulative Gaussian, symmetric about its middle."""
    curve: Floats = special.ndtr(2 * special.ndtri(0.95) * z)
    return curve


def _logistic(z: Floats) -> Floats:
    """Return the logistic curve, symmetric about its middle, with longer tails."""
    curve: Floats = special.expit(2 * special.logit(0.95) * z)
    return curve


def _weibull(z: Floats) -> Floats:
    """Return Weibull's curve on a logarithmic axis; it starts slowly and ends fast."""
    length = np.log(-np.log(0.05)) - np.log(-np.log(0.95))
    curve: Floats = -np.expm1(-np.exp(np.minimum(length * z, 50) + np.log(np.log(2))))
    return curve


def _mirrored_weibull(z: Floats) -> Floats:
    """Return Weibull's curve turned about its middle; it starts fast and ends slowly."""
    return 1 - _weibull(-z)


SHAPES: dict[str, Callable[[Floats], Floats]] = {
    "gaussian": _gaussian,
    "logistic": _logistic,
    "weibull": _weibull,
    "mirrored weibull": _mirrored_weibull,
}
