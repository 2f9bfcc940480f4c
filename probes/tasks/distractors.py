"""Distractors: wrong candidates that are easily taken for the right one."""

from __future__ import annotations

import string
from collections import defaultdict
from collections.abc import Callable, Sequence

from wordfreq import zipf_frequency

from probes.tasks.pseudowords import draw_some

LOOK_ALIKES = ("oceaq", "iltjf", "mnrh", "uvwy", "bdhpk", "gqy", "szx")
"""Small letters that are taken for each other when they are hard to see."""


N_NEAR = 60
"""Words that are near enough in length and frequency to be drawn as matched distractors."""


def draw_matched(word: str, pool: Sequence[str], n: int, seed: int) -> list[str]:
    """Return n words of the pool that are as long and about as common as the word."""
    zipf = zipf_frequency(word, "en")
    near = sorted(
        (other for other in pool if other != word),
        key=lambda other: (
            abs(len(other) - len(word)),
            abs(zipf_frequency(other, "en") - zipf),
            other,
        ),
    )[: max(n, N_NEAR)]
    return draw_some(near, n, f"matched {word}", seed)


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
    """Return n strings in which letters are changed for similar ones: first one, then two."""
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
