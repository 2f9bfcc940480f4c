"""The parametric threshold: midway between chance and the ceiling of a fitted curve.

It is reported next to the threshold of `monotone` where it fits. The curve is
`chance + rise * F((level - threshold) / width)`, fitted by maximum likelihood. F is a
cumulative Gaussian, a logistic, a Weibull or its mirror image. At each threshold the
best-fitting shape counts, so that the interval does not rest on one shape.

The interval holds every threshold that the profile likelihood does not rule out. This also
holds for a step between two levels, where every threshold in the gap fits equally well and a
bootstrap over words would always return the same point.

The same words are drawn at every level, so errors at different levels are correlated. Given the
rows, the deviance is therefore divided by a ratio: the threshold's variance over new words, to
its variance if images were independent.

Where the levels end while accuracy still rises, only the bound of 1 limits the ceiling, and the
interval is too wide rather than too narrow: it holds the truth 98 to 99 % of the time.
`benchmarks/coverage.py` measures both this and the usual 95 %.

Source: Wichmann and Hill, "The psychometric function", Perception & Psychophysics 63 (2001);
Dauncey et al., "Handling uncertainties in background shapes", JINST 10 (2015), on the best of
several shapes; Kent, "Robust properties of likelihood ratio tests", Biometrika 69 (1982).

`psignifit` is not used because it assumes independent images, its prior expects a ceiling near
1 although one word in three may never be read, and one fit takes about a second, twenty times
as long as here. The tests compare the two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from probes.metrics.axis import Axis, Direction, Scale, choose_axis, explain_ends
from probes.metrics.lack_of_fit import measure_fit
from probes.metrics.monotone import Answers, gather_answers
from probes.metrics.psychometric import (
    Cells,
    Profile,
    inflate_by_word,
    log_likelihood_of,
    measure_slope,
    pool_words,
    predict,
    profile_thresholds,
)

Floats = NDArray[np.float64]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Fit:
    """Where a reader is midway between chance and its ceiling.

    Attributes:
        level: the threshold in the unit of the levels; None outside the tested range.
        low: lower end of its 95 % interval; None where it lies below the tested range.
        high: upper end; None where it lies above the tested range.
        ceiling: accuracy that the fitted curve tends to; meaningless where not reached.
        slope: change of accuracy at the threshold, per octave on the log2 scale and per unit
            on the linear one; negative when falling.
        reached: whether the threshold and both ends lie inside the tested range.
        note: where the threshold may lie when it is not reached, else empty.
        rise_done: fraction of the curve's rise completed at the easiest level, 0 to 1.
        p_fit: p-value of a lack of fit; None without words.
    """

    level: float | None
    low: float | None
    high: float | None
    ceiling: float
    slope: float
    reached: bool
    note: str
    rise_done: float
    p_fit: float | None = None


def fit_threshold(
    levels: ArrayLike,
    n_right: ArrayLike,
    n_seen: ArrayLike,
    *,
    chance: float,
    direction: Direction = "rising",
    scale: Scale = "auto",
) -> Fit:
    """Return the threshold from counts, treating every image as independent.

    If the same words are shown at every level, use `fit_word_threshold`.

    Args:
        levels: (L,), three or more distinct ones.
        n_right: (L,); images read at each level.
        n_seen: (L,); images shown at each level, which may be 0.
        chance: accuracy of guessing, 1/K.
        direction: "falling" where a higher level is harder to read, as for blur.
        scale: fit on log2 of the level or on the level; "auto" is log2 where all are above 0.

    Raises:
        ProbeError: fewer than three levels were shown, or a level is not valid on the scale.
    """
    table = pd.DataFrame({"level": levels, "right": n_right, "seen": n_seen}, dtype=np.float64)
    table = table[table["seen"] > 0].groupby("level", as_index=False).sum()
    axis = choose_axis(table["level"].to_numpy(), direction, scale)
    cells = _to_cells(table, axis, chance)
    cutoff = float(stats.chi2.ppf(CONFIDENCE, 1))
    return _read(profile_thresholds(cells, lambda _: cutoff), cells, axis)


def fit_word_threshold(
    levels: ArrayLike,
    correct: ArrayLike,
    words: ArrayLike,
    *,
    chance: float,
    direction: Direction = "rising",
    confidence: float = CONFIDENCE,
) -> Fit:
    """Return the threshold from rows, one per image, with an interval over new words.

    This is for a design that shows the same words at every level.

    Args:
        levels: (N,), three or more distinct ones.
        correct: bool (N,).
        words: (N,); the word of each image.
        chance: accuracy of guessing, 1/K.
        direction: "falling" where a higher level is harder to read, as for blur.
        confidence: nominal coverage of the interval, 0 to 1.

    Raises:
        ProbeError: fewer than three levels or two words, or a level is not valid on the scale.
    """
    axis, answers = gather_answers(levels, correct, words, chance=chance, direction=direction)
    return fit_answers(answers, axis, confidence)


def fit_answers(answers: Answers, axis: Axis, confidence: float = CONFIDENCE) -> Fit:
    """Return the threshold of `fit_word_threshold` from answers already gathered by word."""
    cells = pool_words(answers)
    independent = float(stats.t.ppf((1 + confidence) / 2, len(answers.n_seen) - 1) ** 2)
    profile = profile_thresholds(
        cells, lambda best: independent * inflate_by_word(answers, best)
    )
    return replace(_read(profile, cells, axis), p_fit=measure_fit(answers, profile.best))


def _to_cells(table: pd.DataFrame, axis: Axis, chance: float) -> Cells:
    """Return the counts of a table (level, right, seen), in the order of the axis."""
    rising = table.sort_values("level", ascending=axis.sign > 0)
    return Cells(
        x=axis.place(rising["level"].to_numpy()),
        n_right=rising["right"].to_numpy(),
        n_seen=rising["seen"].to_numpy(dtype=np.float64),
        chance=chance,
    )


def _read(profile: Profile, cells: Cells, axis: Axis) -> Fit:
    """Return the threshold of a profile, limited to the tested range."""
    curve, first, last = profile.best, cells.x[0], cells.x[-1]
    left, right = _find_ends(profile)
    ends = (
        axis.find_level(min(left, last)) if left > first else None,
        axis.find_level(max(right, first)) if right < last else None,
    )
    low, high = ends[:: axis.sign]
    level = axis.find_level(curve.threshold) if first < curve.threshold < last else None
    note = explain_ends(level, low, high, (axis.find_level(first), axis.find_level(last)))
    if _is_at_chance(profile, cells):
        level, low, high, note = None, None, None, "at chance at every level"
    return Fit(
        level=level,
        low=low,
        high=high,
        ceiling=cells.chance + curve.rise,
        slope=axis.sign * measure_slope(curve),
        reached=not note,
        note=note,
        rise_done=float((predict(curve, last, cells.chance) - cells.chance) / curve.rise),
    )


def _find_ends(profile: Profile) -> tuple[float, float]:
    """Return the points where the deviance crosses the cutoff, or the ends of the grid."""
    x, cutoff, peak = profile.thresholds, profile.cutoff, int(profile.deviances.argmin())
    # Where the search for the width at a threshold falls short, the deviance is too high; a
    # true profile only falls towards its minimum, so this is imposed on both sides.
    left = np.minimum.accumulate(profile.deviances[: peak + 1])
    right = np.minimum.accumulate(profile.deviances[:peak:-1])[::-1]
    deviances = np.concatenate([left, right])
    inside = np.flatnonzero(deviances <= cutoff)
    if not len(inside):  # The interval is narrower than the grid.
        return profile.best.threshold, profile.best.threshold
    ends = []
    for at, step in ((inside[0], -1), (inside[-1], 1)):
        if not 0 <= at + step < len(x):
            ends.append(float(x[at]))
            continue
        share = (cutoff - deviances[at]) / (deviances[at + step] - deviances[at])
        ends.append(float(x[at] + share * (x[at + step] - x[at])))
    best = profile.best.threshold
    return min(ends[0], best), max(ends[1], best)


def _is_at_chance(profile: Profile, cells: Cells) -> bool:
    """Return whether guessing at every level explains the counts equally well."""
    guessing = log_likelihood_of(cells, np.full_like(cells.x, cells.chance))
    gain = 2 * (profile.log_likelihood - guessing)
    return bool(gain <= stats.chi2.ppf(CONFIDENCE, df=3))
