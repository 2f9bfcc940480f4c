"""The number of images needed for an interval by the staged design, and by QUEST+.

    python benchmarks/questplus.py [runs, 40]

On each simulated reader the design is run, and then QUEST+ until its 95 % interval is as narrow
as the median interval of the design: first the one for any monotone curve, then that of the
fitted curve, which assumes a shape as QUEST+ does. Every trial of QUEST+ shows a new word at
the level that is most informative about threshold, width and lapses of a cumulative Gaussian,
whose posterior it keeps on a grid. It handles one K at a time, one image after another, and
assumes this curve.

Source: Watson, "QUEST+: a general multidimensional Bayesian adaptive psychometric method",
Journal of Vision 17 (2017).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np
from design_runs import run_design
from numpy.typing import NDArray
from scipy import stats
from simulated import PLANTED, Planted, axis_of, find_truth, place_scan

from probes.factors import FACTORS
from probes.metrics.monotone import Answers
from probes.metrics.thresholds import measure_threshold

Floats = NDArray[np.float64]

N_LEVELS, N_THRESHOLDS, N_WIDTHS = 49, 121, 9
LAPSES = np.array([0.0, 0.03, 0.1, 0.2, 0.35])

MOST = 1500
"""Maximum number of trials of QUEST+."""

COMPARED = (
    ("typical", 40), ("typical", 200), ("blur, steep, at 2.7 px", 40),
    ("words half easy, half hard", 200), ("a kink", 200), ("a third never read", 200),
    ("floor of 20 %, 1 of 10", 200), ("1 of 2", 200),
)  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """Levels (L,) and probabilities of a right answer (L, P) at P points of the parameters."""

    x: Floats
    thresholds: Floats
    right: Floats


def make_grid(reader: Planted) -> Grid:
    """Return the grid for a reader's factor, the same for all its curves."""
    scan = place_scan(reader.factor)
    reach = scan[-1] - scan[0]
    x = np.linspace(scan[0], scan[-1], N_LEVELS)
    axes = (
        np.linspace(scan[0], scan[-1], N_THRESHOLDS),
        np.geomspace(reach / 100, reach / 2, N_WIDTHS),
        LAPSES,
    )
    threshold, width, lapse = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    course = stats.norm.cdf((x[:, None] - threshold) / width)
    return Grid(x, axes[0], reader.chance + (1 - reader.chance - lapse) * course)


def find_interval(grid: Grid, posterior: Floats) -> tuple[float, float]:
    """Return the central 95 % of the posterior of the threshold."""
    done = np.cumsum(posterior.reshape(len(grid.thresholds), -1).sum(axis=1))
    low, high = np.interp([0.025, 0.975], done, grid.thresholds)
    return float(low), float(high)


def run_quest(reader: Planted, grid: Grid, width: float, seed: int) -> tuple[int, float, float]:
    """Return the number of trials that QUEST+ needs for this width, and the interval's ends."""
    rng = np.random.default_rng(seed)
    one = replace(reader, n_words=1)
    posterior = np.full(grid.right.shape[1], 1 / grid.right.shape[1])
    entropy_of_answer = -(
        grid.right * np.log(np.clip(grid.right, 1e-12, 1))
        + (1 - grid.right) * np.log(np.clip(1 - grid.right, 1e-12, 1))
    )
    for n in range(1, MOST + 1):
        # The chosen level maximises the mutual information of answer and parameters.
        p = np.clip(grid.right @ posterior, 1e-12, 1 - 1e-12)
        gain = -p * np.log(p) - (1 - p) * np.log(1 - p) - entropy_of_answer @ posterior
        level = int(gain.argmax())
        is_right = bool(one.draw(rng)(grid.x[[level]])[0, 0])
        posterior = posterior * (grid.right[level] if is_right else 1 - grid.right[level])
        posterior = posterior / posterior.sum()
        low, high = find_interval(grid, posterior)
        if high - low <= width:
            return n, low, high
    return MOST, low, high


def fit_curve(reader: Planted, answers: Answers) -> tuple[float, float] | None:
    """Return the interval of the fitted curve on the axis; None where none is reported."""
    axis = axis_of(reader.factor)
    levels = [axis.find_level(x) for x in answers.x.tolist()]
    found = measure_threshold(
        np.tile(levels, len(answers.n_right)), answers.n_right.ravel() > 0,
        np.repeat(np.arange(len(answers.n_right)), len(levels)),
        chance=reader.chance, direction=FACTORS[reader.factor].direction or "rising",
    )  # fmt: skip
    if found.fit is None or found.fit.low is None or found.fit.high is None:
        return None
    low, high = np.sort(axis.place(np.array([found.fit.low, found.fit.high]))).tolist()
    return low, high


def describe(ends: list[tuple[float, float]], truth: float) -> tuple[float, str]:
    """Return the median width of some intervals, and it with their coverage as cells."""
    lows, highs = np.array(ends).T
    width = float(np.median(highs - lows))
    held = np.mean((lows <= truth) & (truth <= highs))
    return width, f"{width:.2g} | {100 * held:.0f} %"


def count_quest(reader: Planted, width: float, n_runs: int, truth: float) -> str:
    """Return the median number of trials that QUEST+ needs for a width, and its coverage."""
    grid = make_grid(reader)
    trials = [run_quest(reader, grid, width, seed) for seed in range(n_runs)]
    n_trials, low, high = np.array(trials).T
    held = np.mean((low <= truth) & (truth <= high))
    most = "over " * bool(np.median(n_trials) >= MOST)
    return f"{most}{np.median(n_trials):,.0f} | {100 * held:.0f} %"


def compare(reader: Planted, n_runs: int) -> str:
    """Return a line of the table for one reader."""
    truth = find_truth(reader)
    ends, fitted, n_levels = [], [], []
    for seed in range(n_runs):
        run = run_design(reader, reader.draw(np.random.default_rng([seed, reader.n_words])))
        ends.append(run.ends)
        fitted.append(fit_curve(reader, run.answers))
        n_levels.append(len(run.answers.x))
    width, cells = describe(ends, truth)
    images, added = (reader.n_words * (np.mean(n_levels) - n) for n in (0, 7))
    line = (
        f"| {reader.name} | {reader.n_words} | {images:,.0f} ({added:,.0f}) | {cells} |"
        f" {count_quest(reader, width, n_runs, truth)} |"
    )
    shown = [interval for interval in fitted if interval]
    if 2 * len(shown) < n_runs:
        return f"{line} {100 * len(shown) / n_runs:.0f} % | | | | |"
    width, cells = describe(shown, truth)
    return (
        f"{line} {100 * len(shown) / n_runs:.0f} % | {cells} |"
        f" {count_quest(reader, width, n_runs, truth)} |"
    )


def main(n_runs: int) -> None:
    """Print a line for each reader."""
    columns = (
        "reader", "words", "images (added)", "width", "coverage", "images, QUEST+", "coverage",
        "a fit in", "its width", "coverage", "images, QUEST+", "coverage",
    )  # fmt: skip
    print(f"| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    for reader in PLANTED:
        if (reader.name, reader.n_words) in COMPARED:
            print(compare(reader, n_runs), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
