"""Tasks: one declaration each of what a probe shows, asks and measures."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from probes.arrays import Vectors
from probes.data.rendered import Shown
from probes.data.stimuli import draw_stimuli
from probes.data.trials import Chunk, Trial
from probes.embeddings.answers import list_answers
from probes.embeddings.images import Embedded
from probes.embeddings.texts import embed_prompts, ensemble_prompts
from probes.errors import ProbeError
from probes.metrics.forced_choice import Guesses, Ints, list_needed
from probes.models.base import Model
from probes.models.prompts import WORDS
from probes.readers.base import Reading
from probes.tables import Table
from probes.tasks.config import ProbeConfig
from probes.tasks.outcomes import make_outcomes, note_answers
from probes.tasks.registry import TASKS
from probes.tasks.vocabulary import Candidates, Vocabulary

HEADLINE_K = 100
"""Default number of candidates in the outcomes of a probe, or the largest possible below it."""


@dataclass(frozen=True)
class Question:
    """The question about the images.

    Attributes:
        task: name of the task.
        candidates: words or sentences to choose among, truths included.
        templates: prompts; their vectors are averaged.
        ks: numbers of candidates, nested; empty means those of `KS` that are possible.
        headline: the number of candidates in the outcomes, or the largest below it.
        seed: for the candidates and for breaking ties.
        cache_folder: keeps the vectors of texts.
    """

    task: str
    candidates: Candidates
    templates: tuple[str, ...]
    ks: tuple[int, ...]
    headline: int
    seed: int
    cache_folder: Path


def embed_candidates(question: Question, model: Model, texts: Sequence[str]) -> Vectors:
    """Return the vectors of texts, (N, D), averaged over the prompts of a question."""
    return ensemble_prompts(
        embed_prompts(model, list(texts), question.templates, question.cache_folder)
    )


def embed_needed(
    question: Question, model: Model, vocabulary: Vocabulary, truths: Ints, k: int
) -> Vectors:
    """Return the vectors of a vocabulary, (V, D), with 0 for words not needed for K."""
    needed = np.flatnonzero(list_needed(vocabulary.choice, truths, k))
    found = embed_candidates(question, model, [vocabulary.words[place] for place in needed])
    vectors = np.zeros((len(vocabulary.words), found.shape[1]), np.float32)
    vectors[needed] = found
    return vectors


def read_texts(embedded: Embedded) -> list[Reading]:
    """Return the answer of a reader to each image."""
    return list_answers(embedded.vectors, embedded.facts)


def find_truth(trial: Trial, vocabulary: Vocabulary) -> int:
    """Return the index of a trial's text in the vocabulary.

    Raises:
        ProbeError: the text is not in the vocabulary.
    """
    for text in (trial.spec.text, trial.spec.drawn_text, trial.spec.text.casefold()):
        if text in vocabulary.place_of:
            return vocabulary.place_of[text]
    raise ProbeError(
        f"the vocabulary lacks {trial.spec.text!r}, which is shown; give one with every word"
        f" of the images"
    )


def tabulate_guesses(
    question: Question,
    model: Model,
    trials: Sequence[Trial],
    embedded: Embedded,
    guesses: Guesses,
    answers: Sequence[str],
) -> pd.DataFrame:
    """Return the outcomes of guesses, a row for each image."""
    rows = make_outcomes(
        trials, embedded.facts, guesses, answers=answers, model=model, task=question.task
    )
    if model.reader is None:
        return rows
    return note_answers(rows, [t.spec.drawn_text for t in trials], read_texts(embedded))


Show = Callable[[ProbeConfig], tuple[list[Trial], Candidates]]
"""A config -> the images to show, and the texts to choose among."""

Read = Callable[[ProbeConfig], tuple[Shown, Candidates]]
"""A config with data -> the images in it, and the texts to choose among."""

Ask = Callable[[Question, Model, Sequence[Trial], Embedded], pd.DataFrame]
"""Images and their vectors -> outcomes: one row per image, or several."""


@dataclass(frozen=True)
class Task:
    """The declaration of one task.

    Attributes:
        name: the name for `--task`.
        question: what a model is asked, for the table in README.md.
        show: returns the images of a design, and the candidates.
        ask: vectors -> outcomes.
        templates: default prompts.
        asks_for_text: whether the answer is the text itself, so that a model's own prompts
        apply.
        needs_text: whether the text of an image must be known.
        takes_readers: whether readers that return text can do it.
        takes_data: whether it accepts a dataset instead of its own images.
        has_pool: whether the shown texts and the candidates come from the same pool.
        has_curves: whether it shows the levels of a design, so that levels can be added.
        read: reads data in another format; None if only `synthtext` datasets are accepted.
        draw: trials -> chunks of images.
        n_views: number of images embedded for each trial.
        measure: outcomes -> further results for `summary.json`; None if there are none.
        tabulate: these results -> a table of the report.
    """

    name: str
    question: str
    show: Show
    ask: Ask
    templates: tuple[str, ...] = WORDS
    asks_for_text: bool = True
    needs_text: bool = True
    takes_readers: bool = False
    takes_data: bool = True
    has_pool: bool = True
    has_curves: bool = False
    read: Read | None = None
    draw: Callable[[Sequence[Trial]], list[Chunk]] = draw_stimuli
    n_views: int = 1
    measure: Callable[[pd.DataFrame], object] | None = None
    tabulate: Callable[..., Table] | None = None


def load_task(name: str) -> Task:
    """Return a task by its name.

    Raises:
        ProbeError: there is no such task.
    """
    if name not in TASKS:
        raise ProbeError(f"no task {name!r}; there are {', '.join(TASKS)}")
    module, _, attribute = TASKS[name].partition(".")
    task: Task = getattr(importlib.import_module(f"probes.tasks.{module}"), attribute)
    return task


def list_readable() -> list[str]:
    """Return the names of the tasks that readers can do."""
    return [name for name in TASKS if load_task(name).takes_readers]


def choose_templates(task: Task, model: Model) -> tuple[str, ...]:
    """Return the prompts of a task; if it asks for the text, those of the model."""
    if model.reader is not None:
        return ()
    return model.prompts if model.prompts and task.asks_for_text else task.templates
