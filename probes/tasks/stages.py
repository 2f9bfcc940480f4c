"""Adaptive levels: after a coarse scan, more levels where a curve crosses midway.

A curve is examined in at most five stages. Each stage measures its interval; if that is wider
than requested, levels are added in the gaps at its ends, and the same words are shown there.
A level gets all of its answers when it is shown, so no test is repeated with more answers, and
the stages share no error. `benchmarks/coverage.py` measures that choosing levels by the answers
costs no coverage.

Everything follows from the outcomes, so equal answers lead to equal levels.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from probes.factors import FACTORS
from probes.metrics.axis import MIN_LEVELS, Axis
from probes.metrics.cells import spread_baselines
from probes.metrics.monotone import Answers, Crossing, find_crossing, gather_answers
from probes.metrics.thresholds import ALPHA, CONFIDENCE

N_LOOKS = 5
"""Largest number of stages of a curve, including the coarse scan."""

N_WITHIN, N_AT_END = 3, 1
"""Numbers of levels added in a gap that is the whole interval, and in one at its end."""

WORTH = 0.1
"""A gap below this fraction of the interval gets no level: the words limit its width."""

NARROW = "its interval is as narrow as requested"

DIGITS = 3
"""Significant digits of an added level."""

Curve = tuple[str, str]
"""A factor and a baseline."""


@dataclass(frozen=True)
class Stages:
    """How far to go.

    Attributes:
        width: the requested width of intervals, in octaves, or in the unit of a factor whose
            levels include 0.
        budget: maximum number of images, including the coarse scan; None sets no limit.
    """

    width: float
    budget: int | None = None


@dataclass(frozen=True)
class Decision:
    """The result of a stage for a curve.

    Attributes:
        factor: factor of the curve.
        baseline: baseline of the curve.
        look: number of the stage, from 1.
        levels: the levels to add, rising; empty if the curve is finished.
        confidence: confidence of the curve's interval.
        why: the reason in words.
    """

    factor: str
    baseline: str
    look: int
    levels: tuple[float, ...]
    confidence: float
    why: str


@dataclass(frozen=True)
class Seen:
    """A curve as measured so far.

    Attributes:
        answers: the answers for its words at its levels.
        axis: the axis of its levels.
        is_whole: whether its levels are whole numbers.
        crossing: where it crosses midway.
    """

    answers: Answers
    axis: Axis
    is_whole: bool
    crossing: Crossing

    @property
    def levels(self) -> list[float]:
        """The levels, in the order of the answers."""
        return [_round(self.axis.find_level(x), self) for x in self.answers.x.tolist()]

    @property
    def width(self) -> float:
        """The width of the interval, infinite if an end is open."""
        low, high = self.crossing.low, self.crossing.high
        return (
            np.inf
            if low is None or high is None
            else float(np.ptp(self.answers.x[[low, high]]))
        )


def decide_look(
    outcomes: pd.DataFrame, look: int, stages: Stages, done: Collection[Curve] = ()
) -> list[Decision]:
    """Return the result of a stage for every unfinished curve.

    The remaining budget is divided among the curves that need levels.

    Args:
        outcomes: a row per image of all stages so far.
        look: number of the stage, from 1.
        stages: how far to go.
        done: curves that are finished.
    """
    outcomes = spread_baselines(outcomes)
    curves = [curve for curve in list_curves(outcomes) if curve not in done]
    decisions = [_decide(outcomes, curve, look, stages) for curve in curves]
    if stages.budget is None:
        return decisions
    n_left = stages.budget - outcomes["key"].nunique()
    n_open = sum(bool(decision.levels) for decision in decisions)
    kept = []
    for decision in decisions:
        if decision.levels:
            n_images = _count_images(_take_curve(outcomes, _name(decision)))
            kept.append(_cut(decision, n_left // n_open // n_images))
            n_left, n_open = n_left - len(kept[-1].levels) * n_images, n_open - 1
        else:
            kept.append(decision)
    return kept


def list_curves(outcomes: pd.DataFrame) -> list[Curve]:
    """Return the curves that may have a threshold, in the order of their images."""
    pairs = outcomes[["factor", "baseline"]].drop_duplicates().itertuples(index=False)
    return [
        (str(factor), str(baseline))
        for factor, baseline in pairs
        if factor in FACTORS and FACTORS[factor].direction
    ]


def choose_levels(seen: Seen, look: int, width: float) -> tuple[tuple[float, ...], str]:
    """Return the levels that a stage adds to a curve, none if it is finished, and the reason.

    Args:
        seen: the curve as measured so far.
        look: number of the stage, from 1.
        width: the requested width of the interval, on the axis.
    """
    if seen.crossing.p_monotone < ALPHA:
        return (), "not monotone"
    if seen.crossing.x is None or seen.crossing.high is None:
        return (), "it does not cross the midway accuracy"
    if seen.width <= width:
        return (), NARROW
    if look == N_LOOKS:
        return (), f"{look} stages are complete"
    levels = _place_levels(seen, width)
    return levels, _explain(seen) if levels else "the words limit its width, not the levels"


def _decide(outcomes: pd.DataFrame, curve: Curve, look: int, stages: Stages) -> Decision:
    seen = _look_at(outcomes, curve)
    levels: tuple[float, ...] = ()
    why = f"it has fewer than {MIN_LEVELS} levels, or one word"
    if seen is not None:
        levels, why = choose_levels(seen, look, stages.width)
    return Decision(*curve, look, levels, CONFIDENCE, why)


def _cut(decision: Decision, n: int) -> Decision:
    """Return a decision that adds at most n of its levels, spread over all of them."""
    if n >= len(decision.levels):
        return decision
    if n > 0:
        places = (np.arange(n) + 0.5) * len(decision.levels) / n
        return replace(decision, levels=tuple(decision.levels[int(i)] for i in places))
    return replace(decision, levels=(), why="the budget is used up")


def _look_at(outcomes: pd.DataFrame, curve: Curve) -> Seen | None:
    rows, factor = _take_curve(outcomes, curve), curve[0]
    at = rows["level"].to_numpy(dtype=np.float64)
    if len(np.unique(at)) < MIN_LEVELS or rows["word"].nunique() < 2:
        return None
    axis, answers = gather_answers(
        at, rows["correct"], rows["word"],
        chance=1 / int(rows["k"].iloc[0]), direction=FACTORS[factor].direction or "rising",
    )  # fmt: skip
    return Seen(
        answers=answers,
        axis=axis,
        is_whole=all(isinstance(level, int) for level in FACTORS[factor].levels),
        crossing=find_crossing(answers, CONFIDENCE),
    )


def _place_levels(seen: Seen, width: float) -> tuple[float, ...]:
    """Return levels in the gaps at both ends of an interval, evenly within each."""
    x, low, high = seen.answers.x, seen.crossing.low, seen.crossing.high or 0
    gaps = {high - 1} if low is None else {low, high - 1}
    n_added = N_WITHIN if high - 1 == low else N_AT_END
    least = width if np.isinf(seen.width) else max(width, WORTH * seen.width)
    places = [
        place
        for gap in sorted(gaps)
        if x[gap + 1] - x[gap] > least
        for place in np.linspace(x[gap], x[gap + 1], n_added + 2)[1:-1].tolist()
    ]
    levels = {_round(seen.axis.find_level(place), seen) for place in places}
    return tuple(sorted(levels - set(seen.levels)))


def _round(level: float, seen: Seen) -> float:
    return round(level) if seen.is_whole else float(f"{level:.{DIGITS}g}")


def _explain(seen: Seen) -> str:
    accuracy = seen.answers.n_right.sum(axis=0) / seen.answers.n_seen.sum(axis=0)
    low, high = seen.crossing.low or 0, seen.crossing.high or 0
    ends = (f"{100 * accuracy[end]:.0f} % at {seen.levels[end]:g}" for end in (low, high))
    return "it goes from " + " to ".join(ends)


def _name(decision: Decision) -> Curve:
    return decision.factor, decision.baseline


def _take_curve(outcomes: pd.DataFrame, curve: Curve) -> pd.DataFrame:
    is_factor = outcomes["factor"] == curve[0]
    return outcomes[is_factor & (outcomes["baseline"] == curve[1])]


def _count_images(rows: pd.DataFrame) -> int:
    """Return the number of images of a level of a curve."""
    return int(rows.groupby("level")["key"].nunique().max())


def note_confidence(outcomes: pd.DataFrame, decisions: Sequence[Decision]) -> pd.DataFrame:
    """Return the outcomes with each curve's confidence, as `interval_confidence`."""
    of = {_name(each): each.confidence for each in decisions}
    curves = zip(outcomes["factor"], outcomes["baseline"], strict=True)
    return outcomes.assign(interval_confidence=[of.get(curve, np.nan) for curve in curves])
