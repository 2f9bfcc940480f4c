"""Coverage of the intervals of the calibration error, for readers of known calibration.

    python benchmarks/calibration.py [--runs 400]

Every run draws new words; a word has one answer, or seven with correlated confidence and
correctness. Prints a table; exits with 1 if the coverage of an interval is too low. With an
exact 95 % interval, the coverage in 400 runs is below the bound once in a thousand times.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import special, stats

from probes.metrics.calibration import Calibration, bin_equally, measure_calibration

Floats = NDArray[np.float64]

LEAST_HELD = 0.915

N_TRUTH = 400_000
"""Number of answers from which a truth is computed."""

WORDS = ((30, 1), (100, 1), (300, 1), (30, 7))
"""Number of words in a run, and number of answers for each word."""

LIKENESS = 0.3
"""Correlation of the answers for one word."""

SURE: dict[str, Callable[[Floats], Floats]] = {
    "spread from 0 to 1": lambda z: special.expit(0.5 + 2 * z),
    "mostly above 0.9": lambda z: special.expit(3 + 1.5 * z),
    "nearly all above 0.95": lambda z: special.expit(4.5 + z),
}
"""A standard normal draw -> the confidence of a reader."""

TRUE: dict[str, Callable[[Floats], Floats]] = {
    "calibrated": lambda sure: sure,
    "slightly off": lambda sure: special.expit(0.85 * special.logit(sure) - 0.2),
    "overconfident at both ends": lambda sure: special.expit(0.5 * special.logit(sure)),
    "overconfident throughout": lambda sure: special.expit(special.logit(sure) - 1),
    "underconfident": lambda sure: special.expit(2 * special.logit(sure)),
}
"""The confidence of a reader -> the probability that it is right."""


@dataclass(frozen=True)
class Reader:
    """A reader whose calibration is known: keys of SURE and TRUE."""

    sure: str
    true: str


def draw_answers(
    reader: Reader, n_words: int, n_each: int, rng: Generator
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.int64]]:
    """Return confidences, whether each is right, and its word: (n_words * n_each,) each."""
    sure = SURE[reader.sure](_draw_alike(n_words, n_each, rng))
    right = stats.norm.cdf(_draw_alike(n_words, n_each, rng)) < TRUE[reader.true](sure)
    return sure.ravel(), right.ravel(), np.repeat(np.arange(n_words), n_each)


def _draw_alike(n_words: int, n_each: int, rng: Generator) -> Floats:
    """Return standard normal numbers (n_words, n_each) that are correlated within a word."""
    shared, own = rng.normal(size=(n_words, 1)), rng.normal(size=(n_words, n_each))
    return np.sqrt(LIKENESS) * shared + np.sqrt(1 - LIKENESS) * own


def find_truth(reader: Reader, n_bins: int) -> float:
    """Return the calibration error over all answers of a reader, with that many bins."""
    sure = SURE[reader.sure](np.random.default_rng(0).normal(size=N_TRUTH))
    gaps = np.bincount(bin_equally(sure, n_bins), weights=sure - TRUE[reader.true](sure))
    return float(np.abs(gaps).sum() / N_TRUTH)


def measure(reader: Reader, n_words: int, n_each: int, n_runs: int) -> list[Calibration]:
    """Return the calibration measured in each run."""
    found = []
    for seed in range(n_runs):
        rng = np.random.default_rng([seed, n_words, n_each])
        found.append(measure_calibration(*draw_answers(reader, n_words, n_each, rng)))
    return found


def main(asked: list[str]) -> int:
    """Print the table, and return how many lines have too low a coverage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=400)
    n_runs = parser.parse_args(asked).runs
    print("| confidences | reader | words x answers | true error | found | held | 0 left out |")
    print("|---|---|---|---|---|---|---|")
    n_failed = 0
    for sure, true, (n_words, n_each) in itertools.product(SURE, TRUE, WORDS):
        reader = Reader(sure, true)
        runs = measure(reader, n_words, n_each, n_runs)
        truth = find_truth(reader, runs[0].n_bins)
        held = float(np.mean([run.low <= truth <= run.high for run in runs]))
        shown = float(np.mean([run.low > 0 for run in runs]))
        n_failed += held < LEAST_HELD
        error = float(np.mean([run.error for run in runs]))
        print(
            f"| {sure} | {true} | {n_words} x {n_each} | {100 * truth:.1f} % |"
            f" {100 * error:.1f} % | {100 * held:.1f} %{' NO' * (held < LEAST_HELD)} |"
            f" {100 * shown:.1f} % |",
            flush=True,
        )
    return n_failed


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
