"""Distributions of factors: a range, one of several ranges, or a choice of values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from synthtext.rng import Floats, find_places


@dataclass(frozen=True)
class Range:
    """A uniform range from low to high, log-uniform with `is_log`."""

    low: float
    high: float
    is_log: bool = False

    def at(self, units: Floats) -> Floats:
        """Return the values for numbers in [0, 1): float64, same shape."""
        if not self.is_log:
            return self.low + units * (self.high - self.low)
        return self.low * np.exp(units * math.log(self.high / self.low))

    def __str__(self) -> str:
        # Enough digits for a stored recipe to draw the same values again.
        return f"{self.low:.12g}:{self.high:.12g}" + (":log" if self.is_log else "")


@dataclass(frozen=True)
class Ranges:
    """A number from one of several ranges, chosen in proportion to their weights.

    Attributes:
        parts: the ranges; a single value is a range from itself to itself.
        weights: the weight of each, 0 or more.
    """

    parts: tuple[Range, ...]
    weights: tuple[float, ...]

    @cached_property
    def edges(self) -> Floats:
        """The cumulated weights: float64 (k,)."""
        return np.cumsum(self.weights)

    def split(self, units: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Return the part selected by each number in [0, 1), and the place in it, in [0, 1)."""
        weights, edges = np.array(self.weights), self.edges
        places = find_places(units, edges)
        starts = edges - weights
        within = (units * edges[-1] - starts[places]) / weights[places]
        return places, np.clip(within, 0, 1 - 2**-53)

    def at(self, units: Floats) -> Floats:
        """Return the values for numbers in [0, 1): float64, same shape."""
        places, within = self.split(units)
        values = np.empty_like(within)
        for place, part in enumerate(self.parts):
            values[places == place] = part.at(within[places == place])
        return values

    def __str__(self) -> str:
        named = [
            f"{part.low:.12g}" if part.low == part.high and not part.is_log else str(part)
            for part in self.parts
        ]
        return _weigh(named, self.weights)


@dataclass(frozen=True)
class Choice:
    """One of several values, with probability proportional to their weights."""

    values: tuple[str, ...]
    weights: tuple[float, ...]

    @cached_property
    def edges(self) -> Floats:
        """The cumulated weights: float64 (k,)."""
        return np.cumsum(self.weights)

    def pick(self, units: Floats) -> NDArray[np.int64]:
        """Return the indices of the values for numbers in [0, 1), same shape."""
        return find_places(units, self.edges)

    def at(self, units: Floats) -> list[str]:
        """Return the values for n numbers in [0, 1)."""
        return [self.values[place] for place in self.pick(units).tolist()]

    def __str__(self) -> str:
        return _weigh(self.values, self.weights)


Draw = Range | Ranges | Choice
"""The distribution of a factor."""


@dataclass(frozen=True)
class Component:
    """A component of a mixture: factors that are drawn together in a part of the images.

    Attributes:
        weight: relative frequency among the components, 0 or more.
        draws: distributions of the factors that differ from those of the recipe.
    """

    weight: float
    draws: Mapping[str, Draw]


def _weigh(names: Sequence[str], weights: Sequence[float]) -> str:
    even = len(set(weights)) == 1
    return ",".join(
        name if even or weight == 1 else f"{name}={weight:.12g}"
        for name, weight in zip(names, weights, strict=True)
    )
