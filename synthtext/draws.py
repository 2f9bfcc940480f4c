"""What a factor is drawn from: a range of numbers, or a choice of values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from synthtext.rng import Floats, pick


@dataclass(frozen=True)
class Range:
    """A uniform range from low to high, log-uniform with `is_log`."""

    low: float
    high: float
    is_log: bool = False

    def at(self, units: Floats) -> Floats:
        """Return the numbers for numbers in [0, 1): float64, the same shape."""
        if not self.is_log:
            return self.low + units * (self.high - self.low)
        return self.low * np.exp(units * math.log(self.high / self.low))

    def __str__(self) -> str:
        return f"{self.low:g}:{self.high:g}" + (":log" if self.is_log else "")


@dataclass(frozen=True)
class Choice:
    """One of some values, with probability proportional to their weights."""

    values: tuple[str, ...]
    weights: tuple[float, ...]

    def at(self, units: Floats) -> list[str]:
        """Return the values for n numbers in [0, 1)."""
        return [self.values[place] for place in pick(units, np.array(self.weights)).tolist()]

    def __str__(self) -> str:
        even = len(set(self.weights)) == 1
        return ",".join(
            value if even or weight == 1 else f"{value}={weight:g}"
            for value, weight in zip(self.values, self.weights, strict=True)
        )
