"""The axis of a threshold: levels placed so that accuracy rises from left to right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from probes.errors import ProbeError

Floats = NDArray[np.float64]

Direction = Literal["rising", "falling"]
Scale = Literal["auto", "log2", "linear"]

MIN_LEVELS = 3
"""A curve has a threshold, a width and a rise; fewer levels cannot determine all three."""


@dataclass(frozen=True)
class Axis:
    """The mapping between levels and positions on an axis where accuracy rises to the right."""

    scale: Scale
    sign: int

    def place(self, levels: Floats) -> Floats:
        """Return the position of each level."""
        placed: Floats = np.log2(levels) if self.scale == "log2" else levels
        return self.sign * placed

    def find_level(self, x: float) -> float:
        """Return the level at a position."""
        return float(2 ** (self.sign * x)) if self.scale == "log2" else float(self.sign * x)


def choose_axis(levels: Floats, direction: Direction, scale: Scale = "auto") -> Axis:
    """Return the axis for these levels; "auto" is log2 where all are above 0, else linear.

    Raises:
        ProbeError: fewer than three levels, or one that has no logarithm.
    """
    n_levels = len(np.unique(levels))
    if n_levels < MIN_LEVELS:
        raise ProbeError(
            f"a threshold needs {MIN_LEVELS} levels or more, and the rows have {n_levels}; "
            "show the words at more levels"
        )
    if scale == "log2" and levels.min() <= 0:
        raise ProbeError(f"level {levels.min():g} has no logarithm; use scale 'linear'")
    if scale == "auto":
        scale = "log2" if levels.min() > 0 else "linear"
    return Axis(scale=scale, sign=1 if direction == "rising" else -1)


def explain_ends(
    level: float | None, low: float | None, high: float | None, tested: tuple[float, float]
) -> str:
    """Return where a threshold may lie outside the tested levels, empty if nowhere.

    Args:
        level: the estimate; None outside the tested levels.
        low: lower end of the interval; None below the tested levels.
        high: upper end; None above them.
        tested: the two outermost levels, in either order.
    """
    first, last = min(tested), max(tested)
    sides = []
    if low is None:
        sides.append(f"below {first:g}")
    if high is None:
        sides.append(f"above {last:g}")
    place = " or ".join(sides)
    certain = level is None and len(sides) == 1
    return place if certain or not sides else f"may lie {place}"
