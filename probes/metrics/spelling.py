"""Answers in text -> scores: edits, and which candidate each is nearest to.

Nearness is 1 minus the Levenshtein distance over the length of the longer text, as in scoring
scene text recognisers. By the distance alone an empty answer would be nearest to the shortest
candidate; by nearness it is equally far from all of them, and scores at chance.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import pandas as pd
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from probes.arrays import Vectors
from probes.metrics.forced_choice import (
    Choice,
    Floats,
    Guesses,
    Ints,
    guess_first,
    guess_scored,
    list_needed,
)
from probes.metrics.intervals import clustered_accuracy, clustered_ratio


def fold_text(text: str) -> str:
    """Return a text as it is compared: case-folded, composed, with single spaces.

    >>> fold_text("Two  WORDS")
    'two words'
    """
    return " ".join(unicodedata.normalize("NFC", text.casefold()).split())


def count_edits(answer: str, truth: str) -> int:
    """Return the Levenshtein distance: characters inserted, deleted or substituted.

    >>> count_edits("kitten", "sitting")
    3
    """
    return int(Levenshtein.distance(answer, truth))


def guess_by_spelling(
    answers: Sequence[str],
    words: Sequence[str],
    truths: Ints,
    *,
    choice: Choice,
    ks: Sequence[int],
    headline: int,
) -> Guesses:
    """Return which of K nested sets of words each answer is nearest to.

    Args:
        answers: N texts; case is ignored.
        words: V texts to choose among.
        truths: (N,), the index of each truth among the words.
        choice: the distractors of each word, as for vectors.
        ks: each 2 to V.
        headline: one of `ks`.
    """
    folded = np.array([fold_text(answer) for answer in answers], dtype=object)
    needed = np.flatnonzero(list_needed(choice, truths, max(ks)))
    candidates = [fold_text(words[place]) for place in needed.tolist()]

    def score(rows: Ints) -> Vectors:
        near = np.zeros((len(rows), len(words)), np.float32)
        near[:, needed] = _measure_nearness(folded[rows].tolist(), candidates)
        return near

    return guess_scored(score, truths, choice=choice, ks=ks, headline=headline)


def guess_among_spellings(
    answers: Sequence[str], candidates: Sequence[Sequence[str]], ties: Floats
) -> Guesses:
    """Return the answers where each image has separate candidates, the truth first.

    Args:
        answers: N texts; case is ignored.
        candidates: K texts for each image.
        ties: (N,) in [0, 1); used to break ties.
    """
    rows = [
        _measure_nearness([fold_text(answer)], [fold_text(text) for text in texts])[0]
        for answer, texts in zip(answers, candidates, strict=True)
    ]
    return guess_first(np.array(rows, np.float64), ties)


def tabulate_answers(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of a reader's answers: figure, n, value, low, high.

    Intervals resample words. Case is ignored in counting characters; a very long answer can
    make the error rate greater than 1.
    """
    words = outcomes["word"]
    is_empty = (outcomes["answer"] == "") & (outcomes["fault"] == "")
    shares = {
        "exact, case folded": outcomes["exact"],
        "exact, as drawn": outcomes["exact_case"],
        "nothing read": is_empty,
        "no answer": outcomes["fault"] != "",
    }
    rows = [(name, *clustered_accuracy(flags, words)) for name, flags in shares.items()]
    error = clustered_ratio(outcomes["n_edits"], words.str.len(), words)
    rows.insert(2, ("character error rate", *error))
    table = pd.DataFrame(rows, columns=["figure", "value", "low", "high"])
    table.insert(1, "n", len(outcomes))
    return table


def _measure_nearness(answers: Sequence[str], words: Sequence[str]) -> Vectors:
    near: Vectors = cdist(
        answers, words, scorer=Levenshtein.normalized_similarity, dtype=np.float32
    )
    return near
