"""A dense run of a real reader: the truth from which `coverage.py --real` draws words.

    python benchmarks/dense.py FOLDER [--model bundled] [--n 800] [--between 3]

Writes FOLDER/outcomes.parquet: every word at the levels of the coarse scan and at several
between each pair of them, for every factor with a threshold. A run that was killed continues
where it stopped.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
from pathlib import Path

import numpy as np

from probes.data.designs import add_levels, name_fonts, parse_design
from probes.data.stimuli import draw_stimuli, name_drawn
from probes.data.trials import Trial
from probes.embeddings.images import FOLDER
from probes.embeddings.texts import find_cache_folder
from probes.factors import BASELINES, FACTORS
from probes.metrics.axis import choose_axis
from probes.models.factory import load_model
from probes.tasks.base import HEADLINE_K, Question, choose_templates, load_task
from probes.tasks.config import ProbeConfig
from probes.tasks.looks import Shown, run_looks
from probes.tasks.outcomes import write_outcomes
from probes.tasks.vocabulary import Candidates
from synthtext.drawing.fonts import read_catalogue

DESIGN = "size,blur,contrast"

COLUMNS = (
    "key", "task", "word", "factor", "baseline", "level", "k", "rank", "guess", "correct",
)  # fmt: skip
"""Columns of the outcomes that are kept."""


def place_between(factor: str, n: int) -> list[float]:
    """Return n levels between each two levels of a factor, evenly spaced on its axis."""
    levels = np.array(FACTORS[factor].levels, dtype=np.float64)
    axis = choose_axis(levels, FACTORS[factor].direction or "rising")
    x = axis.place(levels)
    places = [np.linspace(a, b, n + 2)[1:-1] for a, b in itertools.pairwise(x)]
    return [float(f"{axis.find_level(place):.4g}") for place in np.concatenate(places).tolist()]


def show_densely(config: ProbeConfig, between: int) -> tuple[list[Trial], Candidates]:
    """Return the trials at all levels, and the candidates."""
    fonts = read_catalogue()
    scan, candidates = load_task(config.task).show(config)
    scan = name_fonts(scan, fonts)
    added = [
        trial
        for factor in parse_design(config.design)
        for baseline in BASELINES
        for trial in add_levels(scan, factor, baseline, place_between(factor, between), 2)
    ]
    return [*scan, *added], candidates


def main() -> None:
    """Read the command line and write the outcomes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--n", type=int, default=800)
    parser.add_argument("--between", type=int, default=3)
    parser.add_argument("--design", default=DESIGN)
    asked = parser.parse_args()
    config = ProbeConfig(n=asked.n, design=asked.design)
    model, task = load_model(asked.model), load_task(config.task)
    trials, candidates = show_densely(config, asked.between)
    question = Question(
        task=task.name, candidates=candidates, templates=choose_templates(task, model),
        ks=(), headline=HEADLINE_K, seed=config.seed, cache_folder=find_cache_folder(),
    )  # fmt: skip
    shown = Shown(tuple(trials), draw_stimuli(trials), name_drawn(trials, read_catalogue()))
    done = run_looks(model, question, task, shown, asked.folder / FOLDER)
    if done is not None:
        ranks = [name for name in done.outcomes if str(name).startswith("rank_at_")]
        write_outcomes(asked.folder / "outcomes.parquet", done.outcomes[[*COLUMNS, *ranks]])
        shutil.rmtree(asked.folder / FOLDER)


if __name__ == "__main__":
    main()
