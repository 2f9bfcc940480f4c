"""Tasks: what a model is asked of the pictures, and how its answers become outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from probes.data.trials import Trial
from probes.embeddings.images import Embedded
from probes.errors import ProbeError
from probes.metrics.forced_choice import Guesses, guess_among, guess_nested, list_ks
from probes.models.base import Model
from probes.models.prompts import ATTACK, SENTIMENT, WORDS
from probes.tasks.base import Question, embed_candidates, find_truth
from probes.tasks.distractors import DISTRACTORS
from probes.tasks.localization import look_around
from probes.tasks.outcomes import make_outcomes
from probes.tasks.typographic_attack import name_pictures
from probes.tasks.vocabulary import make_vocabulary
from synthtext.dataset.plan import SENTIMENTS

N_DISTRACTORS = 9
"""Distractors of each kind beside the truth."""


Ask = Callable[[Question, Model, Sequence[Trial], Embedded], pd.DataFrame]


def answer(
    question: Question, model: Model, trials: Sequence[Trial], embedded: Embedded
) -> pd.DataFrame:
    """Return the outcomes of a task, one row per image (per kind of distractor and image).

    Raises:
        ProbeError: the vocabulary lacks a word that is shown, or K is out of reach.
    """
    return TASKS[question.task](question, model, trials, embedded)


def _choose_among_words(
    question: Question, model: Model, trials: Sequence[Trial], embedded: Embedded
) -> pd.DataFrame:
    vocabulary = make_vocabulary(question.vocabulary, model)
    truths = np.array([find_truth(trial, vocabulary) for trial in trials])
    ks = list_ks(len(vocabulary.words), question.ks)
    headline = max((k for k in ks if k <= question.headline), default=ks[0])
    texts = embed_candidates(question, model, vocabulary.words)
    guesses = guess_nested(
        embedded.vectors, texts, truths, ks=ks, headline=headline, seed=question.seed
    )
    answers = [vocabulary.words[place] for place in guesses.guesses.tolist()]
    return _tabulate(question, model, trials, embedded, guesses, answers)


def _choose_among_distractors(
    question: Question, model: Model, trials: Sequence[Trial], embedded: Embedded
) -> pd.DataFrame:
    pool = list(question.vocabulary)
    words = list(dict.fromkeys(trial.spec.text.casefold() for trial in trials))
    row_of = {word: row for row, word in enumerate(words)}
    rows = np.array([row_of[trial.spec.text.casefold()] for trial in trials])
    tables = []
    for kind in (*DISTRACTORS, "nearest"):
        sets = _draw_sets(kind, words, pool, question, model)
        flat = list(dict.fromkeys(text for row in sets for text in row))
        place = {text: i for i, text in enumerate(flat)}
        vectors = embed_candidates(question, model, flat)
        places = np.array([[place[text] for text in row] for row in sets])
        guesses = guess_among(embedded.vectors, vectors[places[rows]], question.seed)
        answers = [
            sets[row][guess] for row, guess in zip(rows, guesses.guesses.tolist(), strict=True)
        ]
        table = _tabulate(question, model, trials, embedded, guesses, answers)
        table["distractors"] = kind
        table["key"] += f"/{kind}"
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _choose_sentiment(
    question: Question, model: Model, trials: Sequence[Trial], embedded: Embedded
) -> pd.DataFrame:
    labels = [trial.spec.label for trial in trials]
    if None in labels:
        key = trials[labels.index(None)].key
        raise ProbeError(f"{key} has no label; sentiment is asked of labelled sentences")
    truths = np.array(labels, np.int64)
    texts = embed_candidates(question, model, SENTIMENTS)
    guesses = guess_nested(
        embedded.vectors, texts, truths, ks=[2], headline=2, seed=question.seed
    )
    answers = [SENTIMENTS[place] for place in guesses.guesses.tolist()]
    table = _tabulate(question, model, trials, embedded, guesses, answers)
    sims = model.logit_scale * (embedded.vectors @ texts.T).astype(np.float64)
    table["p_positive"] = 1 / (1 + np.exp(np.clip(sims[:, 0] - sims[:, 1], -700, 700)))
    return table


TASKS: dict[str, Ask] = {
    "words": _choose_among_words,
    "distractors": _choose_among_distractors,
    "pseudowords": _choose_among_words,
    "sentences": _choose_among_words,
    "sentiment": _choose_sentiment,
    "where": look_around,
    "attack": name_pictures,
}

TEMPLATES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(TASKS, WORDS),
    "sentiment": SENTIMENT,
    "attack": ATTACK,
}
"""The prompts of each task, unless others are given."""


def choose_templates(task: str, model: Model) -> tuple[str, ...]:
    """Return the prompts of a task, where it asks for text the model's own."""
    asks_for_text = TEMPLATES[task] is WORDS
    return model.prompts if model.prompts and asks_for_text else TEMPLATES[task]


def _draw_sets(
    kind: str, words: Sequence[str], pool: list[str], question: Question, model: Model
) -> list[list[str]]:
    """Return the truth and its distractors for each word."""
    if kind == "nearest":
        return _draw_nearest(words, pool, question, model)
    draw = DISTRACTORS[kind]
    sets = [[word, *draw(word, pool, N_DISTRACTORS, question.seed)] for word in words]
    for row in sets:
        if len(row) <= N_DISTRACTORS:
            raise ProbeError(
                f"{row[0]!r} has only {len(row) - 1} distractors of kind {kind}, not "
                f"{N_DISTRACTORS}; give a larger vocabulary or longer words"
            )
    return sets


def _draw_nearest(
    words: Sequence[str], pool: list[str], question: Question, model: Model
) -> list[list[str]]:
    """Return each word with its nearest neighbours among the vectors of the pool."""
    if len(pool) <= N_DISTRACTORS:
        raise ProbeError(
            f"{len(pool)} words are too few for {N_DISTRACTORS} neighbours of each"
        )
    vectors, own = (
        embed_candidates(question, model, pool),
        embed_candidates(question, model, list(words)),
    )
    sets = []
    for word, vector in zip(words, own, strict=True):
        sims = vectors @ vector
        nearest = np.argsort(-sims, kind="stable")[: N_DISTRACTORS + 1].tolist()
        others = [pool[place] for place in nearest if pool[place] != word]
        sets.append([word, *others[:N_DISTRACTORS]])
    return sets


def _tabulate(
    question: Question,
    model: Model,
    trials: Sequence[Trial],
    embedded: Embedded,
    guesses: Guesses,
    answers: Sequence[str],
) -> pd.DataFrame:
    return make_outcomes(
        trials,
        embedded.facts,
        guesses,
        answers=answers,
        model=model,
        task=question.task,
    )
