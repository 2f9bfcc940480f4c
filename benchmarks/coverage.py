"""Coverage of the intervals, for readers whose true values are known.

    python benchmarks/coverage.py [--runs 500] [--real FILE ...] [--only thresholds|real|others]

Thresholds are those of the staged design itself, run on simulated readers and on real ones:
FILE is the `outcomes.parquet` of a dense run, written by `benchmarks/dense.py`, from which
words are drawn with replacement. For pooled accuracies, paired differences and effects, every
run draws new words, each with its own threshold and ceiling, and shows them at every level.
Prints tables; exits with 1 if a fraction is out of its bounds.

With an exact 95 % interval, the coverage in 200 runs is out of bounds about once in thirty
times, and there are about thirty checks; in 1000 runs, once in ten thousand times.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from probes.metrics.intervals import clustered_accuracy, wilson
from probes.metrics.paired import mcnemar_by_word, paired_difference
from probes.metrics.psychometric import SHAPES
from probes.metrics.regression import main_effects
from probes.tasks.base import HEADLINE_K

# The folder of this file, so that imports do not depend on the working directory.
sys.path.insert(0, str(Path(__file__).parent))
from design_runs import print_table
from simulated import PLANTED as PLANTED_READERS
from simulated import Real, read_real

Floats = NDArray[np.float64]

N_REAL_WORDS = (40, 200)
"""Numbers of words drawn from a real reader per run."""

LEVEL = 0.05
HOLDS = (0.92, 0.98)
"""Bounds on the coverage of a 95 % interval."""

PLANTED = {("size", None): 1, ("font", "script"): -1}
"""Terms with an effect, and its sign."""

NULL = ("noise", "paper", "letters")
"""Factors without an effect; `letters` is a property of the word, so it has few draws."""


@dataclass(frozen=True)
class Reader:
    """A reader of words, and the words and levels of an experiment with it.

    Attributes:
        name: a description of what is special about it.
        n_words: number of words shown, each once at every level.
        shape: shape of its psychometric curve, a key of SHAPES.
        middle: where the curve of a typical word is halfway, on the axis of the fit.
        width: distance from 5 to 95 % of the curve, in units of that axis.
        word_sd: standard deviation of the words' middles, in the same units.
        reach: mean ceiling of a word, as a fraction of the way from chance to 1.
        likeness: how similar the words' ceilings are; near 0, a word is always or never read.
        chance: accuracy of guessing.
        levels: the levels shown.
    """

    name: str
    n_words: int = 200
    shape: str = "gaussian"
    middle: float = 3.5
    width: float = 1.3
    word_sd: float = 0.5
    reach: float = 0.9
    likeness: float = 10
    chance: float = 0.01
    levels: tuple[float, ...] = (4, 6, 8, 12, 16, 24, 32)

    def place(self) -> Floats:
        """Return the levels on the axis of the curve."""
        placed: Floats = np.log2(np.array(self.levels, dtype=np.float64))
        return placed


READERS = (
    Reader("typical"),
    Reader("60 words", n_words=60),
    Reader("words differ much", n_words=400, width=0.5, word_sd=0.8),
    Reader("words do not differ", word_sd=0, likeness=1e6),
    Reader("a third never read", reach=0.67, likeness=0.05),
    Reader("1 of 2", chance=0.5, reach=0.95),
)


@dataclass(frozen=True)
class Check:
    """A measured fraction, and the bounds within which it must lie."""

    name: str
    share: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the fraction lies within its bounds."""
        return self.low <= self.share <= self.high


def expect_accuracy(reader: Reader, x: Floats) -> Floats:
    """Return the accuracy over all words at points on the axis, same shape."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(81)
    z = (x[..., None] - reader.middle - reader.word_sd * nodes) / reader.width
    course = SHAPES[reader.shape](z) @ (weights / weights.sum())
    accuracy: Floats = reader.chance + (1 - reader.chance) * reader.reach * course
    return accuracy


def draw_rows(reader: Reader, seed: int) -> pd.DataFrame:
    """Return rows (word, level, correct) of new words, each at every level."""
    rng = np.random.default_rng([seed, reader.n_words])
    middles = rng.normal(reader.middle, reader.word_sd, (reader.n_words, 1))
    up, down = reader.reach * reader.likeness, (1 - reader.reach) * reader.likeness
    reaches = rng.beta(up, down, (reader.n_words, 1))
    course = SHAPES[reader.shape]((reader.place() - middles) / reader.width)
    accuracy = reader.chance + (1 - reader.chance) * reaches * course
    n_levels = len(reader.levels)
    return pd.DataFrame(
        {
            "word": np.repeat(np.arange(reader.n_words), n_levels),
            "level": np.tile(np.array(reader.levels, dtype=np.float64), reader.n_words),
            "correct": (rng.random(accuracy.shape) < accuracy).ravel(),
        }
    )


def check_reader(reader: Reader, n_runs: int) -> Iterator[Check]:
    """Measure the coverage of the intervals of a reader's accuracy.

    The width of the pooled interval stands beside the width that would do.
    """
    by_level = expect_accuracy(reader, reader.place())
    middle = len(reader.levels) // 2
    hits, widths, estimates = np.zeros((n_runs, 2)), np.zeros(n_runs), np.zeros(n_runs)
    for seed in range(n_runs):
        rows = draw_rows(reader, seed)
        pooled = clustered_accuracy(rows["correct"], rows["word"], levels=rows["level"])
        widths[seed], estimates[seed] = pooled.high - pooled.low, rows["correct"].mean()
        cell = rows["correct"][rows["level"] == reader.levels[middle]]
        low, high = wilson(cell.sum(), len(cell))
        hits[seed] = (
            pooled.low <= by_level.mean() <= pooled.high,
            low <= by_level[middle] <= high,
        )
    pooled_held, cell_held = hits.mean(axis=0).tolist()
    needed = np.subtract(*np.quantile(estimates, (0.975, 0.025)))
    width = f"{100 * widths.mean():.1f} points wide, {100 * needed:.1f} would do"
    yield Check(f"{reader.name}: accuracy, pooled, {width}", pooled_held, *HOLDS)
    yield Check(f"{reader.name}: accuracy, one level", cell_held, *HOLDS)


def check_real(reader: Real, n_runs: int) -> Iterator[Check]:
    """Measure the coverage of the accuracy pooled over all levels of a real reader's curve.

    It may be too high, since words that a reader nearly always reads tell little of the others.
    """
    truth = reader.right.mean()
    levels = np.tile(np.arange(len(reader.x)), reader.n_words)
    words = np.repeat(np.arange(reader.n_words), len(reader.x))
    held = []
    for seed in range(n_runs):
        rng = np.random.default_rng([seed, reader.n_words])
        drawn = reader.right[rng.integers(len(reader.right), size=reader.n_words)]
        pooled = clustered_accuracy(drawn.ravel(), words, levels=levels)
        held.append(pooled.low <= truth <= pooled.high)
    name = f"{reader.name}, {reader.n_words} words: accuracy, pooled"
    yield Check(name, float(np.mean(held)), HOLDS[0], 1)


def check_pairs(n_runs: int) -> Iterator[Check]:
    """Measure the interval of a difference, and the false positive rate for equal readers."""
    a, b = Reader("A"), replace(Reader("B"), middle=3.3)
    places = a.place()
    truth = (expect_accuracy(b, places) - expect_accuracy(a, places)).mean()
    held, flagged = [], []
    for seed in range(n_runs):
        rows_a, rows_b = draw_rows(a, seed), draw_rows(b, seed + 10**6)
        gain = paired_difference(rows_a["correct"], rows_b["correct"], rows_a["word"])
        held.append(gain.low <= truth <= gain.high)
        twin = draw_rows(a, seed + 10**6)
        test = mcnemar_by_word(rows_a["correct"], twin["correct"], rows_a["word"])
        flagged.append(test.p < LEVEL)
    yield Check("B less A: difference", float(np.mean(held)), *HOLDS)
    yield Check("equal readers told apart", float(np.mean(flagged)), 0, bound_above(n_runs))


def draw_factors(seed: int, n_words: int = 150, n_each: int = 8) -> pd.DataFrame:
    """Return rows of a reader that depends on two factors and not on three others."""
    rng = np.random.default_rng([seed, n_words])
    n = n_words * n_each
    word = np.repeat(np.arange(n_words), n_each)
    rows = pd.DataFrame(
        {
            "word": word,
            "size": rng.normal(12, 4, n),
            "font": rng.choice(["serif", "sans", "sans", "script"], n),
            "noise": rng.random(n),
            "paper": rng.choice(["white", "grey", "photo"], n),
            "letters": rng.integers(3, 9, n_words)[word],
        }
    )
    logit = 0.8 * (rows["size"] - 12) / 4 - 0.8 * (rows["font"] == "script")
    logit += 0.3 + rng.normal(0, 1, n_words)[word]
    return rows.assign(correct=rng.random(n) < special.expit(logit))


def check_effects(n_runs: int) -> Iterator[Check]:
    """Measure how often true effects are found with their sign, and null effects flagged."""
    found, flagged, any_flagged = [], [], []
    for seed in range(n_runs):
        table = main_effects(draw_factors(seed), ["size", "font", *NULL]).table
        names = zip(table["factor"], table["level"], strict=True)
        signs = dict(zip(names, np.sign(table["coefficient"]), strict=True))
        found.append(all(signs[term] == sign for term, sign in PLANTED.items()))
        null = table["factor"].isin(NULL)
        flagged.append((table["p"][null] < LEVEL).mean())
        any_flagged.append((table["p_holm"][null] < LEVEL).any())
    yield Check("planted effects have their sign", float(np.mean(found)), 0.99, 1)
    yield Check("null effects flagged", float(np.mean(flagged)), 0, bound_above(n_runs))
    name = "any null effect flagged, after Holm"
    yield Check(name, float(np.mean(any_flagged)), 0, bound_above(n_runs))


def bound_above(n: int) -> float:
    """Return the fraction of false positives that tests at LEVEL exceed once in 100 times."""
    return LEVEL + 2.33 * float(np.sqrt(LEVEL * (1 - LEVEL) / n))


def check_all(
    n_runs: int, real: Sequence[Real] = (), readers: tuple[Reader, ...] = READERS
) -> Iterator[Check]:
    """Run every simulation, and yield each check as it is done."""
    for reader in readers:
        yield from check_reader(reader, n_runs)
    for measured in real:
        if round(1 / measured.chance) == HEADLINE_K:
            yield from check_real(measured, n_runs)
    yield from check_pairs(n_runs)
    yield from check_effects(n_runs)


def print_checks(n_runs: int, real: Sequence[Real] = ()) -> int:
    """Print every check, and return how many fail."""
    print(f"{n_runs} runs each")
    print(f"{'':3} {'share':>6}  {'bounds':13}  what")
    n_failed = 0
    for check in check_all(n_runs, real):
        n_failed += not check.holds
        bounds = f"{check.low:.3f}-{check.high:.3f}"
        verdict = "ok" if check.holds else "NO"
        print(f"{verdict:3} {check.share:6.3f}  {bounds:13}  {check.name}", flush=True)
    return n_failed


def read_measured(real: list[Path]) -> list[Real]:
    """Return real readers, each with every number of words."""
    return [reader for path in real for n in N_REAL_WORDS for reader in read_real(path, n)]


def main(asked: list[str]) -> int:
    """Print the requested tables, and return how many checks fail."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--real", type=Path, nargs="*", default=[])
    parser.add_argument("--only", choices=("thresholds", "real", "others"))
    options = parser.parse_args(asked)
    start, n_failed = time.perf_counter(), 0
    real = read_measured(options.real)
    if options.only != "others":
        planted = () if options.only == "real" else PLANTED_READERS
        n_failed += print_table([*planted, *real], options.runs)
    if options.only in (None, "others"):
        n_failed += print_checks(options.runs, real)
    print(f"{n_failed} out of bounds, {time.perf_counter() - start:.0f} s")
    return n_failed


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
