"""Time and memory of a report on many outcomes, whose answers are simulated.

`python benchmarks/reports.py 2000000 /tmp/report` makes a design of that many images, guesses
them by a simulated reader, and writes everything that `synthtext probe` writes after its model
has run. With `--repeats` the factors vary together, as in a
dataset with so many images of each word.
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from probes.data.designs import make_trials, name_fonts
from probes.data.trials import Trial
from probes.embeddings.images import Stats
from probes.factors import BASELINES, FACTORS
from probes.metrics.forced_choice import Guesses
from probes.models.base import Model
from probes.reports.probe import write_probe
from probes.tasks.base import Question
from probes.tasks.outcomes import make_outcomes, write_outcomes
from probes.tasks.run import Probe
from probes.tasks.vocabulary import Candidates
from synthtext.drawing.fonts import read_catalogue

KS = (2, 10, 100, 1000)

EASE = {"rising": 1.0, "falling": -1.0, None: 0.0}

SPREAD = 3.0
"""How much harder the hardest level is than the easiest, in standard deviations of words."""


def main() -> None:
    """Write a report and print the time and the peak memory of each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=int, help="number of images")
    parser.add_argument("out", type=Path, help="folder of the report")
    parser.add_argument(
        "--repeats", type=int, default=0, help="vary all factors, with so many images per word"
    )
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    begin = time.process_time()
    trials = (
        _show_mixed(given.n, given.repeats, rng) if given.repeats else _show_design(given.n)
    )
    begin = _tell("images listed", len(trials), begin)
    probe = _guess(trials, rng)
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


def _make_words(n: int) -> list[str]:
    letters = "bcdfghklmnprstvw"
    return [
        "".join(
            letters[(place >> shift) % 16] + "aeiou"[(place >> shift) % 5]
            for shift in (0, 4, 8, 12)
        )
        for place in range(n)
    ]


def _show_design(n: int) -> list[Trial]:
    """Return n images of a design of all factors, or somewhat fewer."""
    n_cells = len(make_trials(["a"], list(FACTORS), 0))
    words = _make_words(n // n_cells)
    return name_fonts(make_trials(words, list(FACTORS), 0), read_catalogue())


def _show_mixed(n: int, repeats: int, rng: np.random.Generator) -> list[Trial]:
    """Return n images whose factors vary together, with so many of each word."""
    words = _make_words(n // repeats)
    found = name_fonts(make_trials(words, ("latin",), 0), read_catalogue())
    trials = []
    for repeat in range(repeats):
        sizes = rng.uniform(6, 40, len(found)).round(1).tolist()
        trials += [
            dataclasses.replace(
                each,
                key=f"{each.key}-{repeat}",
                spec=dataclasses.replace(each.spec, size_px=size, shrink=True),
            )
            for each, size in zip(found, sizes, strict=True)
        ]
    return trials


def _guess(trials: Sequence[Trial], rng: np.random.Generator) -> Probe:
    ease = rng.normal(size=len(trials)) + np.array([_rate(trial) for trial in trials])
    ranks = {k: 1 + rng.binomial(k - 1, 1 / (1 + np.exp(3 + 2 * ease))) for k in KS}
    words = list(dict.fromkeys(trial.spec.text for trial in trials))
    answers = [
        trial.spec.text if rank == 1 else words[trial.spec.index % 997 % len(words)]
        for trial, rank in zip(trials, ranks[100].tolist(), strict=True)
    ]
    guesses = Guesses(
        k=100, guesses=np.zeros(len(trials), np.int64), ranks=ranks,
        margins=ease.astype(np.float32), confidences=1 / (1 + np.exp(-ease)),
    )  # fmt: skip
    facts = [
        {"x_height_px": 0.52 * trial.spec.size_px, "contrast_drawn": trial.spec.contrast,
         "ink_drawn": trial.spec.ink, "width_px": 224, "height_px": 224,
         "letter_span": (0, 0, 224, 224)}
        for trial in trials
    ]  # fmt: skip
    model = Model(None, "simulated", input_px=224, patch_px=16)  # type: ignore[arg-type]
    outcomes = make_outcomes(trials, facts, guesses, answers=answers, model=model, task="words")
    for k in KS:
        outcomes[f"chance_at_{k}"] = 1 / k
    question = Question(
        "words", Candidates(tuple(words), len(words)), ("{}",), KS, 100, 0,
        Path(tempfile.gettempdir()),
    )  # fmt: skip
    return Probe(model, question, tuple(trials), outcomes, Stats(len(trials), 0, 1.0, 0.0), {})


def _rate(trial: Trial) -> float:
    """Return how easy an image is, in standard deviations of the words."""
    word = (hash_word(trial.spec.text) - 0.5) * 3
    if trial.factor not in FACTORS:
        return word + SPREAD * (trial.spec.size_px / 40 - 0.5)
    row = FACTORS[trial.factor]
    levels = [str(level) for level in row.levels]
    place = levels.index(trial.level) / len(levels) - 0.8
    harder = trial.baseline != next(iter(BASELINES))
    return word + 1.0 - harder + SPREAD * min(0.0, EASE[row.direction] * place)


def hash_word(word: str) -> float:
    """Return a number from 0 to 1 that depends on the word alone."""
    return sum(ord(char) * 31**place for place, char in enumerate(word)) % 1000 / 1000


if __name__ == "__main__":
    main()
