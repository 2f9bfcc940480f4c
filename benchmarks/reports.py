"""Time and memory of a report on many outcomes, whose answers are simulated.

`python benchmarks/reports.py 2000000 /tmp/report` takes the outcomes of a design of all factors
for a few words, repeats them with other words and other answers, and writes everything that
`synthtext probe` writes after its model has run. With `--data` the factors vary together, as in
a dataset with one image of each text. Images are listed one at a time and not kept.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np
import pandas as pd
from rich.console import Console

from probes.data.designs import make_trials, name_fonts
from probes.data.trials import Trial
from probes.embeddings.images import Stats
from probes.factors import BASELINE, FACTORS
from probes.metrics.forced_choice import Guesses
from probes.models.base import Model
from probes.reports.probe import write_probe
from probes.tasks.base import Question
from probes.tasks.outcomes import make_outcomes, write_outcomes
from probes.tasks.run import Probe
from probes.tasks.vocabulary import Candidates
from synthtext.drawing.fonts import read_catalogue

KS = (2, 10, 100, 1000)

N_WORDS = 8
"""Number of words whose outcomes are repeated."""

N_MIXED = 2000
"""Number of images whose outcomes are repeated, if factors vary together."""

LETTERS = "bcdfghklmnprstvw"


class Tiled(Sequence[Trial]):
    """Trials repeated with other keys, made when they are asked for."""

    def __init__(self, trials: Sequence[Trial], n_tiles: int) -> None:
        self._trials, self._n_tiles = trials, n_tiles

    def __len__(self) -> int:
        return len(self._trials) * self._n_tiles

    @overload
    def __getitem__(self, place: int) -> Trial: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Trial]: ...
    def __getitem__(self, place: int | slice) -> Trial | Sequence[Trial]:
        if isinstance(place, slice):
            raise TypeError("a slice of tiled trials is never taken")
        tile, own = divmod(place, len(self._trials))
        return replace(self._trials[own], key=f"{tile}-{self._trials[own].key}")

    def __iter__(self) -> Iterator[Trial]:
        return (self[place] for place in range(len(self)))


def main() -> None:
    """Write a report and print the time and the peak memory of each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=int, help="number of outcomes")
    parser.add_argument("out", type=Path, help="folder of the report")
    parser.add_argument("--data", action="store_true", help="all factors vary together")
    given = parser.parse_args()
    begin = time.process_time()
    words = [f"{_spell(place)}" for place in range(N_MIXED if given.data else N_WORDS)]
    listed = make_trials(words, ("latin",) if given.data else list(FACTORS), 0)
    shown = [replace(each, spec=replace(each.spec, shrink=True)) for each in listed]
    trials = Tiled(name_fonts(shown, read_catalogue()), max(1, given.n // len(listed)))
    probe = _simulate(trials, [trials[place] for place in range(len(listed))])
    begin = _tell("outcomes made", len(probe.outcomes), begin)
    given.out.mkdir(parents=True, exist_ok=True)
    write_outcomes(given.out / "outcomes.parquet", probe.outcomes)
    begin = _tell("outcomes written", len(probe.outcomes), begin)
    write_probe(probe, given.out, "python benchmarks/reports.py")
    _tell("report written", len(probe.outcomes), begin)


def _tell(what: str, n: int, begin: float) -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    spent = time.process_time() - begin
    Console().print(f"{what}: {n:,}, {spent:.1f} s of processor time, peak {peak:.2f} GiB")
    return time.process_time()


def _spell(place: int) -> str:
    return "".join(LETTERS[place >> shift & 15] for shift in range(0, 24, 4))


def _simulate(trials: Tiled, first: Sequence[Trial]) -> Probe:
    """Return a probe of the trials with simulated answers.

    Args:
        trials: all of them.
        first: those of the first tile.
    """
    n_tiles, rng = len(trials) // len(first), np.random.default_rng(0)
    model = Model(None, "simulated", input_px=224, patch_px=16)  # type: ignore[arg-type]
    rows = _make_rows(first, model)
    outcomes = pd.concat([rows] * n_tiles, ignore_index=True)
    keys = np.repeat([str(tile) for tile in range(n_tiles)], len(first))
    outcomes["key"] = pd.Series(keys) + "-" + outcomes["key"].str.removeprefix("0-")
    number = {text: place for place, text in enumerate(rows["word"].unique())}
    codes = np.repeat(np.arange(n_tiles), len(first)) * len(number)
    codes += outcomes["word"].map(number).to_numpy()
    words = np.array([_spell(place) for place in range(int(codes.max()) + 1)], dtype=object)
    outcomes["word"] = outcomes["text"] = pd.Series(words[codes]).astype(outcomes["word"].dtype)
    ease = rng.normal(size=len(words))[codes] + np.tile(
        np.array([_rate(trial) for trial in first]), n_tiles
    )
    for k in KS:
        ranks = 1 + rng.binomial(k - 1, 0.5 / (1 + np.exp(2 + 2 * ease)))
        outcomes[f"rank_at_{k}"], outcomes[f"chance_at_{k}"] = ranks, 1 / k
    outcomes["rank"] = outcomes["rank_at_100"]
    outcomes["correct"] = outcomes["rank"] == 1
    outcomes["confidence"] = 1 / (1 + np.exp(-ease))
    guesses = np.where(outcomes["correct"], codes, rng.permutation(codes))
    outcomes["guess"] = pd.Series(words[guesses]).astype(outcomes["word"].dtype)
    question = Question(
        "words", Candidates(tuple(words), len(words)), ("{}",), KS, 100, 0,
        Path(tempfile.gettempdir()),
    )  # fmt: skip
    stats = Stats(len(outcomes), 0, 1.0, 0.0)
    return Probe(model, question, trials, outcomes, stats, {})  # type: ignore[arg-type]


def _make_rows(trials: Sequence[Trial], model: Model) -> pd.DataFrame:
    ones = np.ones(len(trials), np.int64)
    guesses = Guesses(
        k=100, guesses=0 * ones, ranks=dict.fromkeys(KS, ones), margins=0.1 * ones,
        confidences=0.5 * ones,
    )  # fmt: skip
    facts = [
        {"x_height_px": 0.52 * trial.spec.size_px, "contrast_drawn": trial.spec.contrast,
         "ink_drawn": trial.spec.ink, "width_px": 224, "height_px": 224,
         "letter_span": (0, 0, 224, 224)}
        for trial in trials
    ]  # fmt: skip
    answers = [trial.spec.text for trial in trials]
    return make_outcomes(trials, facts, guesses, answers=answers, model=model, task="words")


def _rate(trial: Trial) -> float:
    """Return how easy an image is, in standard deviations of the words."""
    if trial.factor in ("", BASELINE):
        return 3 * (trial.spec.size_px / 40 - 0.2)
    row = FACTORS[trial.factor]
    place = [str(level) for level in row.levels].index(trial.level) / len(row.levels)
    rise = {"rising": place, "falling": 1 - place, None: 0.8}[row.direction]
    return 4 * (rise - 0.4)


if __name__ == "__main__":
    main()
