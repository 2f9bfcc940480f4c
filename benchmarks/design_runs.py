"""Runs of the staged design on simulated readers, and the coverage of their intervals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from simulated import Answer, Reader, axis_of, find_truth, place_scan

from probes.metrics.monotone import Answers, Crossing, find_crossing
from probes.metrics.thresholds import ALPHA
from probes.tasks.stages import N_LOOKS, Seen, choose_levels

Floats = NDArray[np.float64]

WIDTH = 0.05
"""The requested width of an interval, on the axis."""

LEAST_HELD = 0.93


@dataclass(frozen=True)
class Run:
    """One run of the design: the answers at all levels shown, and the threshold."""

    answers: Answers
    crossing: Crossing

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends of the interval, infinite if open or absent."""
        low, high = self.crossing.low, self.crossing.high
        if high is None:
            return -np.inf, np.inf
        return -np.inf if low is None else self.answers.x[low], self.answers.x[high]


@dataclass(frozen=True)
class Coverage:
    """The results of many runs on one reader.

    Attributes:
        name: name of the reader.
        n_words: number of words per run.
        held: fraction of the intervals that contain the truth.
        width: median width, in octaves or the unit of the factor.
        n_open: fraction of runs with an open end.
        n_not_monotone: fraction of runs that gave no threshold.
        n_levels: mean number of levels shown.
    """

    name: str
    n_words: int
    held: float
    width: float
    n_open: float
    n_not_monotone: float
    n_levels: float


def run_design(reader: Reader, answer: Answer, width: float = WIDTH) -> Run:
    """Return the result of the staged design for a reader's words."""
    axis = axis_of(reader.factor)
    x = place_scan(reader.factor)
    right = answer(x)
    for look in range(1, N_LOOKS + 1):
        answers = Answers(x, right.astype(np.float64), np.ones(right.shape), reader.chance)
        crossing = find_crossing(answers)
        added = choose_levels(Seen(answers, axis, False, crossing), look, width)[0]  # noqa: FBT003
        if not added:
            break
        new = axis.place(np.array(added))
        order = np.argsort(np.concatenate([x, new]))
        x = np.concatenate([x, new])[order]
        right = np.concatenate([right, answer(new)], axis=1)[:, order]
    return Run(answers, crossing)


def measure_coverage(reader: Reader, n_runs: int) -> Coverage:
    """Return the coverage of the intervals of a reader."""
    truth = find_truth(reader)
    held, widths, n_levels = [], [], []
    for seed in range(n_runs):
        run = run_design(reader, reader.draw(np.random.default_rng([seed, reader.n_words])))
        n_levels.append(len(run.answers.x))
        if run.crossing.p_monotone >= ALPHA:
            low, high = run.ends
            held.append(low - 1e-9 <= truth <= high + 1e-9)
            widths.append(high - low)
    return Coverage(
        reader.name,
        reader.n_words,
        float(np.mean(held)) if held else np.nan,
        float(np.median(widths)) if widths else np.nan,
        float(np.isinf(widths).mean()) if widths else np.nan,
        1 - len(held) / n_runs,
        float(np.mean(n_levels)),
    )


def print_table(readers: Iterable[Reader], n_runs: int) -> int:
    """Print a line for each reader, and return how many have too low a coverage."""
    print("| reader | words | holds the truth | width | open end | not monotone | levels |")
    print("|---|---|---|---|---|---|---|")
    n_failed = 0
    for reader in readers:
        found = measure_coverage(reader, n_runs)
        is_bad = found.held < LEAST_HELD
        n_failed += is_bad
        print(
            f"| {found.name} | {found.n_words} | {100 * found.held:.1f} %{' NO' * is_bad} |"
            f" {found.width:.2g} | {100 * found.n_open:.0f} % |"
            f" {100 * found.n_not_monotone:.0f} % | {found.n_levels:.1f} |",
            flush=True,
        )
    return n_failed
