"""VQA accuracy: the score of an answer to a question that several people answered.

Source: Antol et al., "VQA: visual question answering", ICCV 2015, and its evaluation server,
whose rules for spelling and for averaging over people TextVQA adopted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

N_ENOUGH = 3
"""People who must have given an answer for it to score 1."""

PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'

NUMBERS = {
    name: str(value)
    for value, name in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    )
} | {"none": "0"}

ARTICLES = frozenset({"a", "an", "the"})

CONTRACTIONS = {
    word.replace("'", ""): word
    for word in [
        "ain't",
        "aren't",
        "can't",
        "couldn't",
        "didn't",
        "doesn't",
        "don't",
        "hadn't",
        "hasn't",
        "haven't",
        "he'd",
        "he's",
        "how'd",
        "how'll",
        "how's",
        "i'd've",
        "i'm",
        "i've",
        "isn't",
        "it'd",
        "it'll",
        "let's",
        "ma'am",
        "might've",
        "mightn't",
        "must've",
        "mustn't",
        "needn't",
        "not've",
        "o'clock",
        "oughtn't",
        "shan't",
        "should've",
        "shouldn't",
        "somebody's",
        "someone's",
        "something's",
        "that'd",
        "that's",
        "there'd",
        "there're",
        "there's",
        "they'd",
        "they'll",
        "they're",
        "they've",
        "wasn't",
        "we'd've",
        "we've",
        "weren't",
        "what'll",
        "what're",
        "what's",
        "what've",
        "when's",
        "where'd",
        "where's",
        "where've",
        "who'd",
        "who'll",
        "who's",
        "who've",
        "why'll",
        "why're",
        "why's",
        "won't",
        "would've",
        "wouldn't",
        "y'all",
        "you'd",
        "you'll",
        "you're",
        "you've",
    ]
}
"""Contractions, keyed by their form without the apostrophe."""

STOP = re.compile(r"(?<!\d)\.(?!\d)")
"""A full stop that is not a decimal point."""

THOUSANDS = re.compile(r"\d,\d")


@lru_cache(maxsize=1 << 16)
def normalise_answer(text: str) -> str:
    """Return an answer normalised as on the VQA evaluation server.

    >>> normalise_answer("The Coca-Cola, Inc."), normalise_answer("Three dogs!")
    ('coca cola inc', '3 dogs')
    """
    text = " ".join(text.lower().replace(",", "").replace("?", "").replace("'s", " 's").split())
    plain = text
    is_listed = THOUSANDS.search(text) is not None
    for mark in PUNCTUATION:
        stands_alone = f"{mark} " in text or f" {mark}" in text
        plain = plain.replace(mark, "" if stands_alone or is_listed else " ")
    words = (NUMBERS.get(word, word) for word in STOP.sub("", plain).split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def score_answers(answers: Sequence[str]) -> dict[str, float]:
    """Return the score of each answer given, 0 to 1; any other answer scores 0.

    Each person is left out in turn; three of the rest must agree, and fewer score in part.

    >>> score_answers(["red", "red", "Red!", "blue"])
    {'red': 0.75, 'blue': 0.25}
    """
    counts = Counter(map(normalise_answer, answers))
    n = len(answers)
    return {
        answer: (
            m * min(1.0, (m - 1) / N_ENOUGH) + (n - m) * min(1.0, m / N_ENOUGH)
        ) / n
        for answer, m in counts.items()
    }  # fmt: skip
