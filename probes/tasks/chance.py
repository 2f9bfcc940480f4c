"""Chance, measured: how often a model is right when every image is white.

A reader that sees nothing still has preferences, such as long words. Distractors are drawn so
that these do not help it, and this module tests that: the same model, the same question,
no text to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from probes.arrays import Pixels, Vectors
from probes.data.trials import Trial
from probes.embeddings.answers import ANSWER, FAULT
from probes.embeddings.images import Embedded
from probes.errors import ProbeError
from probes.metrics.breakdown import list_ranked
from probes.models.base import Model
from probes.readers.base import Reading, ask_reader
from probes.tasks.base import Ask, Question, Task
from probes.tasks.vocabulary import number_rings

N_QUESTIONS = 4_000
"""Minimum number of questions about a white image, as long as they are different."""

MAX_ROUNDS = 8
"""Number of questions about each text, each with other distractors."""

GROUPS = ("distractors", "view")
"""Columns of outcomes whose values are different questions about one image."""

DEFAULT_PX = 224


def ask_beside_blank(task: Task) -> Ask:
    """Return a function that asks a task's question and adds measured chance to its outcomes.

    Chance is measured once, at the first question, and stored in the columns `chance_at_K`.
    """
    known: list[pd.DataFrame] = []

    def ask(
        question: Question, model: Model, trials: Sequence[Trial], embedded: Embedded
    ) -> pd.DataFrame:
        outcomes = task.ask(question, model, trials, embedded)
        if not known:
            known.append(measure_chance(task, question, model, trials))
        return note_chance(outcomes, known[0])

    return ask


def measure_chance(
    task: Task, question: Question, model: Model, trials: Sequence[Trial]
) -> pd.DataFrame:
    """Return the accuracy about white images: a row for each group of `GROUPS`.

    The questions cover every text that might have been shown, not only those that were, since
    chance is a property of the question.

    Returns:
        The groups' columns, and `chance_at_K` for each K.
    """
    blanks = list_blanks(task, question, trials)
    height_px, width_px = (blanks[0].spec.height_px, blanks[0].spec.width_px)
    white = np.full((height_px or DEFAULT_PX, width_px or DEFAULT_PX, 3), 255, np.uint8)
    vector, facts = _see_white(model, white)
    n_rows = task.n_views * len(blanks)
    embedded = Embedded(
        keys=tuple(str(number) for number in range(n_rows)),
        vectors=np.repeat(vector, n_rows, axis=0),
        facts=(facts,) * n_rows,
    )
    n_rounds = min(MAX_ROUNDS, -(-N_QUESTIONS // len(blanks))) if task.has_pool else 1
    tables = [
        task.ask(replace(question, seed=question.seed + turn), model, blanks, embedded)
        for turn in range(n_rounds)
    ]
    rows = pd.concat(tables, ignore_index=True)
    groups = [name for name in GROUPS if name in rows]
    right = pd.DataFrame(
        {f"chance_at_{k}": rows[f"rank_at_{k}"] == 1 for k in list_ranked(rows)}
    )
    if not groups:
        return right.mean().to_frame().T
    return right.groupby([rows[name] for name in groups]).mean().reset_index()


def _see_white(model: Model, white: Pixels) -> tuple[Vectors, dict[str, Any]]:
    """Return the vector of a white image, (1, D), or the answer to it, and its facts."""
    facts = {
        "x_height_px": np.nan, "contrast_drawn": np.nan, "ink_drawn": "",
        "width_px": white.shape[1], "height_px": white.shape[0],
        "word_box": [0, 0, *white.shape[1::-1]],
    }  # fmt: skip
    if model.reader is None:
        return model.encoder.embed_images([white]), facts
    try:
        (reading,) = ask_reader(model.reader, ["white"], [white], model.name)
    except ProbeError:  # Recorded answers have none for a white image.
        reading = Reading("")
    sure = np.array([[reading.confidence]], np.float32)
    return sure, facts | {ANSWER: reading.text, FAULT: reading.fault}


def list_blanks(task: Task, question: Question, trials: Sequence[Trial]) -> list[Trial]:
    """Return a trial for each text that might be shown, or that is shown if there is no pool.

    In a large pool, these are all texts of the rings of the texts shown.
    """
    if not task.has_pool:
        own = {(each.spec.text, each.picture): each for each in trials}
        return list(own.values())
    texts = question.candidates.texts[: question.candidates.n_showable]
    rings = dict(zip(texts, number_rings(len(texts), len(texts)), strict=True))
    used = {rings[trial.spec.text] for trial in trials}
    first = trials[0]
    return [
        replace(first, key=text, spec=replace(first.spec, text=text, case="as-is"))
        for text in texts
        if rings[text] in used
    ]


def note_chance(outcomes: pd.DataFrame, chance: pd.DataFrame) -> pd.DataFrame:
    """Return the outcomes with the chance of each row at every K."""
    groups = [name for name in GROUPS if name in chance]
    if groups:
        return outcomes.merge(chance, on=groups, how="left", sort=False)
    return outcomes.assign(**{str(name): value for name, value in chance.iloc[0].items()})
