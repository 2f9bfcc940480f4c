"""Distractors: wrong candidates that are easily confused with the correct one."""

from __future__ import annotations

import functools
import string
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from wordfreq import zipf_frequency

from probes.data.trials import Trial
from probes.embeddings.images import Embedded
from probes.errors import ProbeError
from probes.metrics.forced_choice import Floats, Guesses, Ints, guess_among, hash_units
from probes.metrics.spelling import guess_among_spellings
from probes.models.base import Model
from probes.tasks.base import Question, Task, embed_candidates, read_texts, tabulate_guesses
from probes.tasks.vocabulary import draw_some
from probes.tasks.words import show_words

LOOK_ALIKES = ("oceaq", "iltjf", "mnrh", "uvwy", "bdhpk", "gqy", "szx")
"""Lower-case letters that are confused when they are hard to see."""


N_NEAR = 60
"""Number of words closest in length and frequency that matched distractors come from."""


def draw_matched(word: str, pool: Sequence[str], n: int, seed: int) -> list[str]:
    """Return n words of the pool that are as long and about as common as the word."""
    lengths, zipfs = _measure_words(tuple(pool))
    order = np.lexsort(
        (np.abs(zipfs - zipf_frequency(word, "en")), np.abs(lengths - len(word)))
    )
    near = [pool[place] for place in order[: max(n, N_NEAR) + 1].tolist()]
    others = [other for other in near if other != word][: max(n, N_NEAR)]
    return draw_some(others, n, f"matched {word}", seed)


@functools.lru_cache(maxsize=2)
def _measure_words(words: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Return the lengths and the frequencies of words, (N,) each."""
    lengths = np.array([len(word) for word in words], np.float64)
    return lengths, np.array([zipf_frequency(word, "en") for word in words])


def draw_edits(word: str, pool: Sequence[str], n: int, seed: int) -> list[str]:
    """Return n strings that differ from the word in one letter, words of the pool first."""
    known = set(pool)
    edits = sorted(
        {
            word[:i] + letter + word[i + 1 :]
            for i, old in enumerate(word)
            for letter in string.ascii_lowercase
            if letter != old
        }
    )
    real = [edit for edit in edits if edit in known]
    made = draw_some([edit for edit in edits if edit not in known], n, f"edit {word}", seed)
    return (draw_some(real, n, f"real edit {word}", seed) + made)[:n]


def draw_look_alikes(word: str, pool: Sequence[str], n: int, seed: int) -> list[str]:
    """Return n strings with letters replaced by similar ones: first one, then two."""
    del pool
    swaps: dict[str, set[str]] = defaultdict(set)
    for group in LOOK_ALIKES:
        for letter in group:
            swaps[letter] |= set(group) - {letter}
    one = {
        word[:i] + other + word[i + 1 :] for i, old in enumerate(word) for other in swaps[old]
    }
    two = {
        edit[:i] + other + edit[i + 1 :]
        for edit in one
        for i, old in enumerate(edit)
        for other in swaps[old]
    } - one
    near = draw_some(sorted(one - {word}), n, f"look {word}", seed)
    return (near + draw_some(sorted(two - {word}), n, f"look twice {word}", seed))[:n]


DISTRACTORS: dict[str, Callable[[str, Sequence[str], int, int], list[str]]] = {
    "matched": draw_matched,
    "edit": draw_edits,
    "look-alike": draw_look_alikes,
}
"""Kinds of distractors by spelling; the nearest in meaning need the model's vectors."""

N_DISTRACTORS = 9
"""Number of distractors of each kind, in addition to the truth."""


def choose_among_distractors(
    question: Question, model: Model, trials: Sequence[Trial], embedded: Embedded
) -> pd.DataFrame:
    """Return a row for each image and each kind of distractor."""
    pool = sorted(question.candidates.texts)
    words = list(dict.fromkeys(trial.spec.text.casefold() for trial in trials))
    row_of = {word: row for row, word in enumerate(words)}
    rows = np.array([row_of[trial.spec.text.casefold()] for trial in trials])
    tables = []
    # The nearest in meaning depend on the model's vectors.
    for kind in (*DISTRACTORS, *(["nearest"] if model.reader is None else [])):
        sets = _draw_sets(kind, words, pool, question, model)
        guesses = _guess(sets, rows, question, model, embedded)
        answers = [
            sets[row][guess] for row, guess in zip(rows, guesses.guesses.tolist(), strict=True)
        ]
        table = tabulate_guesses(question, model, trials, embedded, guesses, answers)
        table["distractors"] = kind
        table["key"] += f"/{kind}"
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _guess(
    sets: list[list[str]], rows: Ints, question: Question, model: Model, embedded: Embedded
) -> Guesses:
    """Return the guess for each image among its candidates."""
    ties = hash_units(question.seed, "tie", [row[0] for row in sets])[rows]
    if model.reader is not None:
        said = [reading.text for reading in read_texts(embedded)]
        return guess_among_spellings(said, [sets[row] for row in rows.tolist()], ties)
    flat = list(dict.fromkeys(text for row in sets for text in row))
    place = {text: i for i, text in enumerate(flat)}
    vectors = embed_candidates(question, model, flat)
    places = np.array([[place[text] for text in row] for row in sets])
    return guess_among(embedded.vectors, vectors[places[rows]], ties, model.logit_scale)


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
            f"{len(pool)} words are too few to give each {N_DISTRACTORS} neighbours"
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


TASK = Task(
    "distractors",
    "Which of ten: words of the same length and frequency, one letter apart, visually similar,"
    " or nearest in meaning?",
    show_words,
    choose_among_distractors,
    takes_readers=True,
    has_curves=True,
    has_pool=False,
)
