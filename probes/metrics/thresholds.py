"""The legibility threshold: the level where a reader is midway between chance and its ceiling.

The main estimate holds for any monotone curve: the crossing of the isotonic fit and its
interval, from `monotone`. The threshold of a parametric curve of four possible shapes is added
where it fits the answers; a note says why where it does not. A curve that is not monotone has
no threshold.

`benchmarks/coverage.py` measures how often the intervals hold the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from probes.metrics.axis import Axis, Direction, explain_ends
from probes.metrics.monotone import Crossing, find_crossing, gather_answers
from probes.metrics.parametric import Fit, fit_answers

Floats = NDArray[np.float64]

CONFIDENCE = 0.95

ALPHA = 0.05
"""Below this p a curve is not monotone, or a shape does not fit."""

NEAR_CEILING = 0.95
"""Fraction of its rise that a fitted curve must have completed at the easiest level."""


@dataclass(frozen=True)
class Threshold:
    """Where a reader is midway between chance and its accuracy at the easiest level.

    Attributes:
        level: where the isotonic fit crosses midway, in the unit of the levels; None outside
            the tested levels, or where the curve is not monotone.
        low: lower end of the interval; None where it lies below the tested levels.
        high: upper end; None where it lies above them.
        confidence: minimum coverage of the interval.
        is_bracket: whether the ends are neighbouring levels, with none tested between them.
        ceiling: accuracy at the easiest level.
        midway: accuracy at the threshold.
        is_monotone: whether the answers are consistent with a curve that never falls towards
            the easy end.
        reached: whether the threshold and both ends lie within the tested levels.
        note: why it is not reached, else empty.
        fit: the parametric threshold where a shape fits; None where none does.
        fit_note: why there is none, else empty.
    """

    level: float | None
    low: float | None
    high: float | None
    confidence: float
    is_bracket: bool
    ceiling: float
    midway: float
    is_monotone: bool
    reached: bool
    note: str
    fit: Fit | None
    fit_note: str


def measure_threshold(
    levels: ArrayLike,
    correct: ArrayLike,
    words: ArrayLike,
    *,
    chance: float,
    direction: Direction = "rising",
    confidence: float = CONFIDENCE,
) -> Threshold:
    """Return the threshold from rows, one per image, with an interval over new words.

    Args:
        levels: (N,), three or more distinct ones.
        correct: bool (N,).
        words: (N,); the word of each image.
        chance: accuracy of guessing: 1/K, or as measured.
        direction: "falling" where a higher level is harder to read, as for blur.
        confidence: minimum coverage of the interval, 0 to 1.

    Raises:
        ProbeError: fewer than three levels or two words.
    """
    axis, answers = gather_answers(levels, correct, words, chance=chance, direction=direction)
    found = _read(find_crossing(answers, confidence), answers.x, axis, confidence)
    fit = fit_answers(answers, axis, confidence)
    note = _find_misfit(fit, found)
    return replace(found, fit=None if note else fit, fit_note=note)


def _read(crossing: Crossing, x: Floats, axis: Axis, confidence: float) -> Threshold:
    """Return the threshold of a crossing, in the unit of the levels."""
    at = [axis.find_level(place) for place in x.tolist()]
    low, high = (
        None if end is None else at[end] for end in (crossing.low, crossing.high)[:: axis.sign]
    )
    level = None if crossing.x is None else axis.find_level(crossing.x)
    is_monotone = crossing.p_monotone >= ALPHA
    if not is_monotone:
        harder, easier = (f"{at[end]:.3g}" for end in crossing.worst)
        note = f"not monotone: accuracy is higher at {harder} than at {easier}"
    elif crossing.high is None:
        note = f"not above chance even at {at[-1]:g}"
    else:
        note = explain_ends(level, low, high, (at[0], at[-1]))
    if not is_monotone or crossing.high is None:
        level, low, high = None, None, None
    return Threshold(
        level=level,
        low=low,
        high=high,
        confidence=confidence,
        is_bracket=_count_between(crossing) == 0,
        ceiling=crossing.ceiling,
        midway=crossing.midway,
        is_monotone=is_monotone,
        reached=not note,
        note=note,
        fit=None,
        fit_note="",
    )


def _find_misfit(fit: Fit, found: Threshold) -> str:
    """Return why the parametric threshold is not valid, empty if it is."""
    if found.level is None:
        return found.note
    if fit.p_fit is not None and fit.p_fit < ALPHA:
        return f"none of four shapes fits (p = {fit.p_fit:.2g})"
    if fit.rise_done < NEAR_CEILING:
        return "still rising at the easiest level"
    low = -np.inf if found.low is None else found.low
    high = np.inf if found.high is None else found.high
    if fit.level is None or not low <= fit.level <= high:
        return "outside the interval"
    return ""


def _count_between(crossing: Crossing) -> int | None:
    """Return how many levels lie within the interval, None where an end is open."""
    if crossing.low is None or crossing.high is None:
        return None
    return crossing.high - crossing.low - 1
