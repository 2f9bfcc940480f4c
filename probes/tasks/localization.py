"""Localization: does a model know where to look? Windows of a large image against the whole.

The best window is the one most similar to any of the candidates, so it is found without knowing
the truth. It is a hit if it contains the whole word. The gain is the accuracy in the window
minus that in the whole image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from probes.arrays import Vectors
from probes.data.stimuli import draw_windows
from probes.data.trials import Trial
from probes.data.windows import N_WINDOWS, hold_box
from probes.embeddings.images import Embedded
from probes.metrics.forced_choice import (
    Floats,
    Guesses,
    Ints,
    draw_rivals,
    guess_among,
    list_ks,
)
from probes.metrics.intervals import clustered_accuracy
from probes.metrics.paired import paired_difference
from probes.models.base import Model
from probes.tables import Table, percent
from probes.tasks.base import Question, Task, embed_needed, find_truth
from probes.tasks.config import ProbeConfig
from probes.tasks.outcomes import make_outcomes
from probes.tasks.vocabulary import Candidates, make_vocabulary
from probes.tasks.words import choose_shown, read_pool
from synthtext.rng import draw_units
from synthtext.spec import Spec

SIDE_PX = 448

SIZES_PX = (10.0, 14.0, 20.0, 28.0)

WHOLE, WINDOW = "whole image", "best window"

N_VIEWS = N_WINDOWS**2 + 1

BLOCK = 64
"""Number of images whose windows are compared with their candidates at a time."""


def show_words_somewhere(config: ProbeConfig) -> tuple[list[Trial], Candidates]:
    """Return large images, each with a word somewhere, and the candidates."""
    pool = read_pool(config)
    shown = choose_shown(config, pool, ("size_px",))
    return show_somewhere(shown, config.seed), pool


def show_somewhere(words: Sequence[str], seed: int) -> list[Trial]:
    """Return trials with each word at a random position on a large image, in several sizes."""
    places = draw_units(seed, "where", 0, len(words)).round(3)
    return [
        Trial(
            key=f"somewhere-size_px-{size_px}-{number:06d}",
            spec=Spec(
                seed=seed, index=number, split="test", kind="word", text=word,
                font="DejaVuSans.ttf", size_px=size_px, width_px=SIDE_PX, height_px=SIDE_PX,
                x_frac=float(places[number, 0]), y_frac=float(places[number, 1]),
                background="noise", paper="#d8d8d0", paper_seed=number,
            ),
            baseline="somewhere",
            factor="size_px",
            level=str(size_px),
        )
        for size_px in SIZES_PX
        for number, word in enumerate(words)
    ]  # fmt: skip


def choose_among_windows(
    question: Question, model: Model, trials: Sequence[Trial], embedded: Embedded
) -> pd.DataFrame:
    """Return two outcomes for each image: from the whole image, and from its best window.

    The columns `hit` and `share_holding` say whether the best window contains the word, and the
    fraction of windows that do, which is the chance of a hit.
    """
    vocabulary = make_vocabulary(question.candidates, model, question.seed)
    truths = np.array([find_truth(trial, vocabulary) for trial in trials])
    ks = list_ks(len(vocabulary.words), question.ks)
    k = max((k for k in ks if k <= question.headline), default=ks[0])
    rivals = draw_rivals(vocabulary.choice, truths, k)
    places = np.concatenate([truths[:, None], rivals], axis=1)
    texts = embed_needed(question, model, vocabulary, truths, k)
    views = embedded.vectors.reshape(len(trials), N_VIEWS, -1)
    best = _find_best(views[:, 1:], texts, places)
    chosen = views[np.arange(len(trials)), best + 1]
    facts = embedded.facts[::N_VIEWS]
    holding = np.array([hold_box(f["word_box"], f["width_px"], f["height_px"]) for f in facts])
    tables = []
    for view, vectors in ((WHOLE, views[:, 0]), (WINDOW, chosen)):
        ties = vocabulary.choice.ties[truths]
        guesses = _guess(vectors, texts, places, ties, model.logit_scale)
        answers = [vocabulary.words[place] for place in guesses.guesses.tolist()]
        table = make_outcomes(
            trials, facts, guesses, answers=answers, model=model, task=question.task
        )
        table["view"] = view
        table["key"] += f"/{view}"
        table["hit"] = holding[np.arange(len(trials)), best]
        table["share_holding"] = holding.mean(axis=1)
        tables.append(table.drop(columns="word_box"))
    return pd.concat(tables, ignore_index=True)


def measure_localization(outcomes: pd.DataFrame) -> dict[str, Any]:
    """Return the hit rate, its chance, and the gain of reading in the best window."""
    whole = outcomes[outcomes["view"] == WHOLE].reset_index(drop=True)
    window = outcomes[outcomes["view"] == WINDOW].reset_index(drop=True)
    hit = clustered_accuracy(whole["hit"], whole["word"])
    gain = paired_difference(whole["correct"], window["correct"], whole["word"])
    return {
        "hit_rate": hit.mean,
        "hit_low": hit.low,
        "hit_high": hit.high,
        "hit_chance": float(whole["share_holding"].mean()),
        "accuracy_whole": float(whole["correct"].mean()),
        "accuracy_window": float(window["correct"].mean()),
        "gain": gain.mean,
        "gain_low": gain.low,
        "gain_high": gain.high,
    }


def _find_best(windows: Vectors, texts: Vectors, places: np.ndarray) -> np.ndarray:
    """Return the window of each image that is nearest to any of its candidates: (N,)."""
    parts = []
    for at in range(0, len(windows), BLOCK):
        block = slice(at, at + BLOCK)
        sims = np.einsum("nwd,nkd->nwk", windows[block], texts[places[block]], optimize=True)
        parts.append(sims.max(axis=2).argmax(axis=1))
    return np.concatenate(parts)


def _guess(
    vectors: Vectors, texts: Vectors, places: Ints, ties: Floats, scale: float
) -> Guesses:
    blocks = [slice(at, at + BLOCK) for at in range(0, len(vectors), BLOCK)]
    parts = [
        guess_among(vectors[block], texts[places[block]], ties[block], scale)
        for block in blocks
    ]
    own = np.concatenate([part.guesses for part in parts])
    k = parts[0].k
    return replace(
        parts[0],
        guesses=places[np.arange(len(vectors)), own],
        margins=np.concatenate([part.margins for part in parts]),
        ranks={k: np.concatenate([part.ranks[k] for part in parts])},
        confidences=np.concatenate([part.confidences for part in parts]),
    )


def tabulate_localization(found: Mapping[str, Any]) -> Table:
    """Return the results of `measure_localization` as a table."""
    gain = f"{100 * found['gain']:+.1f} points"
    rows = (
        ("best window contains the word", percent(found["hit_rate"]),
         f"{percent(found['hit_low'])} to {percent(found['hit_high'])}"),
        ("a random window does", percent(found["hit_chance"]), ""),
        ("accuracy in the whole image", percent(found["accuracy_whole"]), ""),
        ("accuracy in the best window", percent(found["accuracy_window"]), ""),
        ("gain", gain, f"{100 * found['gain_low']:+.1f} to {100 * found['gain_high']:+.1f}"),
    )  # fmt: skip
    note = "The best window is the one most similar to any candidate, whatever the true word."
    return Table("Best windows", ("metric", "value", "95 % interval"), rows, note)


TASK = Task(
    "where",
    "Which window of a large image contains the word, and how much does reading it there gain?",
    show_words_somewhere,
    choose_among_windows,
    draw=draw_windows,
    n_views=N_VIEWS,
    takes_data=False,
    measure=measure_localization,
    tabulate=tabulate_localization,
)
