"""Readers whose thresholds are known: simulated curves, and dense runs of real readers.

A reader draws new words, and gives its answers at any requested level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from probes.factors import FACTORS
from probes.metrics.axis import Axis, choose_axis
from probes.metrics.breakdown import list_ranked
from probes.tasks.outcomes import read_outcomes

Floats = NDArray[np.float64]

Answer = Callable[[Floats], NDArray[np.bool_]]
"""Points on the axis (L,) -> whether each word of a run is read there (W, L)."""

N_QUANTILES = 2001
"""Number of quantiles that represent all words when a truth is computed."""


class Reader(Protocol):
    """The interface of a reader for a run of the design."""

    name: str
    n_words: int
    factor: str
    chance: float

    def draw(self, rng: np.random.Generator) -> Answer:
        """Return the answer function for new words."""

    def expect(self, x: Floats) -> Floats:
        """Return the accuracy over all words at points on the axis, same shape."""


def axis_of(factor: str) -> Axis:
    """Return the axis of the thresholds of a factor."""
    levels = np.array(FACTORS[factor].levels, dtype=np.float64)
    return choose_axis(levels, FACTORS[factor].direction or "rising")


def place_scan(factor: str) -> Floats:
    """Return the positions of the coarse scan, in increasing order."""
    return np.sort(axis_of(factor).place(np.array(FACTORS[factor].levels, dtype=np.float64)))


def find_truth(reader: Reader) -> float:
    """Return where accuracy crosses midway between chance and that at the easy end."""
    scan = place_scan(reader.factor)
    x = np.linspace(scan[0], scan[-1], 4001)
    accuracy = reader.expect(x)
    midway = (reader.chance + accuracy[-1]) / 2
    # For a curve that fluctuates about midway, this is the crossing of the isotonic fit.
    return float(x[np.argmin(np.cumsum(accuracy - midway))])


def _bimodal(u: Floats) -> Floats:
    inner = np.clip(np.where(u < 0.5, 2 * u, 2 * u - 1), 1e-9, 1 - 1e-9)
    return np.where(u < 0.5, -1.0, 1.0) + 0.1 * stats.norm.ppf(inner)


SPREADS: dict[str, Callable[[Floats], Floats]] = {
    "normal": stats.norm.ppf,
    "bimodal": _bimodal,
    "skewed": lambda u: stats.expon.ppf(u) - np.log(2),
    "heavy-tailed": stats.t(2).ppf,
}
"""Quantile functions of the words' thresholds, centred on 0."""


@dataclass(frozen=True)
class Planted:
    """A simulated reader with a known curve.

    Attributes:
        name: a description of what is special about it.
        n_words: number of words per run.
        factor: the factor that is varied.
        chance: accuracy of guessing.
        middle: threshold of a typical word, in the unit of the factor.
        steepness: standard deviation of a word's cumulative Gaussian, on the axis.
        word_sd: standard deviation of the words' thresholds, on the axis.
        spread: shape of their distribution, a key of SPREADS.
        floor: accuracy at the hard end; None is chance.
        ceiling: accuracy at the easy end.
        n_never: fraction of words that are never read.
        dip: fraction of accuracy that is lost again at the two easiest levels.
        kink: whether the curve rises slowly and then jumps at the middle.
    """

    name: str
    n_words: int = 200
    factor: str = "size_px"
    chance: float = 0.01
    middle: float = 12.0
    steepness: float = 0.3
    word_sd: float = 0.4
    spread: str = "normal"
    floor: float | None = None
    ceiling: float = 0.97
    n_never: float = 0.0
    dip: float = 0.0
    kink: bool = False

    def draw(self, rng: np.random.Generator) -> Answer:
        """Return the answer function for new words."""
        own = SPREADS[self.spread](rng.random((self.n_words, 1)))
        is_read = rng.random((self.n_words, 1)) >= self.n_never

        def answer(x: Floats) -> NDArray[np.bool_]:
            p = np.where(is_read, self._read(x[None, :], own), self._least)
            return rng.random(p.shape) < p

        return answer

    def expect(self, x: Floats) -> Floats:
        """Return the accuracy over all words at points on the axis, same shape."""
        own = SPREADS[self.spread]((np.arange(N_QUANTILES) + 0.5) / N_QUANTILES)
        read = np.array([self._read(place, own).mean() for place in x])
        return self.n_never * self._least + (1 - self.n_never) * read

    @property
    def _least(self) -> float:
        return self.chance if self.floor is None else self.floor

    def _read(self, x: Floats, own: Floats) -> Floats:
        axis = axis_of(self.factor)
        middle = float(axis.place(np.array(self.middle)))
        z = (x - middle - self.word_sd * own) / self.steepness
        course = stats.norm.cdf(z)
        if self.kink:
            scan = place_scan(self.factor)
            climb = np.clip((x - scan[0]) / (middle - scan[0]), 0, 1)
            course = np.where(z > 0, 1.0, 0.45 * climb)
        accuracy = self._least + (self.ceiling - self._least) * course
        easy = place_scan(self.factor)[-2]
        return np.where(x >= easy, 1 - self.dip, 1.0) * accuracy


@dataclass(frozen=True)
class Real:
    """A reader that was measured densely; its words are drawn with replacement.

    Between two levels, the answer for a word is that at one of them, more often the nearer one.

    Attributes:
        name: factor, baseline and K.
        n_words: number of words per run.
        factor: the factor that was varied.
        chance: accuracy of guessing.
        x: (L,); the positions that were measured, in increasing order.
        right: bool (W, L).
    """

    name: str
    n_words: int
    factor: str
    chance: float
    x: Floats
    right: NDArray[np.bool_]

    def draw(self, rng: np.random.Generator) -> Answer:
        """Return the answer function for new words."""
        drawn = self.right[rng.integers(len(self.right), size=self.n_words)]

        def answer(x: Floats) -> NDArray[np.bool_]:
            last = np.clip(np.searchsorted(self.x, x + 1e-9) - 1, 0, len(self.x) - 2)
            share = (x - self.x[last]) / (self.x[last + 1] - self.x[last])
            takes_next = rng.random((len(drawn), len(x))) < share
            return np.where(takes_next, drawn[:, last + 1], drawn[:, last])

        return answer

    def expect(self, x: Floats) -> Floats:
        """Return the accuracy over all words at points on the axis, same shape."""
        return np.interp(x, self.x, self._mean)

    @cached_property
    def _mean(self) -> Floats:
        return self.right.mean(axis=0)


def read_real(path: Path, n_words: int) -> Iterator[Real]:
    """Yield a reader for each factor, baseline and K of a dense run, named after its folder."""
    outcomes = read_outcomes(path)
    for (factor, baseline), rows in outcomes.groupby(["factor", "baseline"]):
        if factor not in FACTORS or not FACTORS[factor].direction:
            continue
        x = axis_of(factor).place(rows["level"].astype(float).to_numpy())
        for k in list_ranked(outcomes):
            table = (rows[f"rank_at_{k}"] == 1).groupby([rows["word"], x]).first().unstack()
            name = f"{path.parent.name}: {factor}, {baseline}, 1 of {k:,}"
            yield Real(
                name, n_words, str(factor), 1 / k,
                table.columns.to_numpy(dtype=np.float64), table.to_numpy(dtype=bool),
            )  # fmt: skip


def _each(reader: Planted, *n_words: int) -> list[Planted]:
    return [replace(reader, n_words=n) for n in n_words]


STEEP = Planted("", steepness=0.05, word_sd=0.05)
BLUR = replace(STEEP, name="blur, steep, at 2.7 px", factor="blur_px", middle=2.7)
HALVES = Planted("words half easy, half hard", spread="bimodal", word_sd=0.8, steepness=0.1)

PLANTED: tuple[Planted, ...] = (
    *_each(Planted("typical"), 20, 40, 200),
    *_each(BLUR, 20, 40, 200),
    *_each(replace(BLUR, name="blur, steep, at 3.8 px", middle=3.8), 20, 40, 200),
    replace(STEEP, name="contrast, steep, at 1.2", factor="contrast", middle=1.2),
    *_each(replace(STEEP, name="exactly on a level, steep", middle=11), 40, 200),
    *_each(Planted("exactly on a level", middle=11), 40, 200),
    *_each(Planted("words differ by 1.5 octaves", word_sd=1.5), 40, 200),
    *_each(HALVES, 40, 200),
    *_each(Planted("skewed words", spread="skewed", word_sd=0.5), 40, 200),
    *_each(Planted("heavy-tailed words", spread="heavy-tailed"), 40, 200),
    *_each(Planted("a kink", kink=True, word_sd=0.02), 40, 200),
    *_each(Planted("worse at the easy end by 40 %", dip=0.4), 40, 200),
    Planted("floor of 60 %, 1 of 2", chance=0.5, floor=0.6),
    Planted("floor of 20 %, 1 of 10", chance=0.1, floor=0.2),
    Planted("floor of 10 %, 1 of 100", floor=0.1),
    *_each(Planted("lapses of 10 %", ceiling=0.9), 40, 200),
    *_each(Planted("a third never read", n_never=1 / 3), 40, 200),
    *_each(Planted("words are alike", word_sd=0.0, steepness=0.5), 20, 200),
    Planted("still rising at the easy end", middle=28),
    *_each(Planted("1 of 2", chance=0.5), 20, 40, 200),
    Planted("1 of 10", chance=0.1),
    Planted("1 of 1,000", chance=0.001),
    Planted("1 of 10,000, a fifth is read", chance=0.0001, n_never=0.8),
)  # fmt: skip
