"""Candidates: what a model chooses among, and the distractors that make it hard.

All of it is drawn from streams keyed by the seed, so equal probes ask equal questions.
"""

from __future__ import annotations

import itertools
import string
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from wordfreq import zipf_frequency

from probes.errors import ProbeError
from probes.models.base import Model
from synthtext.rng import draw_bits, draw_units

LOOK_ALIKES = ("oceaq", "iltjf", "mnrh", "uvwy", "bdhpk", "gqy", "szx")
"""Small letters that are taken for each other when they are hard to see."""

VOWELS = "aeiouy"

N_NEAR = 60
"""Words that are near enough in length and frequency to be drawn as matched distractors."""


@dataclass(frozen=True)
class Vocabulary:
    """Words to choose among, each sounding different to the model.

    Attributes:
        words: n words, the commonest first.
        place_of: the place of each word; those that tokenise alike share one.
        n_merged: words that tokenise as another does.
    """

    words: tuple[str, ...]
    place_of: dict[str, int]
    n_merged: int


def make_vocabulary(words: Sequence[str], model: Model) -> Vocabulary:
    """Return the words as candidates; those whose tokens are equal count as one.

    Raises:
        ProbeError: fewer than two remain.
    """
    first: dict[tuple[int, ...], int] = {}
    kept: list[str] = []
    place_of: dict[str, int] = {}
    for word, ids in zip(words, model.tokenize(list(words)), strict=True):
        if ids not in first:
            first[ids] = len(kept)
            kept.append(word)
        place_of[word] = first[ids]
    if len(kept) < 2:
        raise ProbeError(
            f"the vocabulary has {len(kept)} word that the model tells apart; give two or more"
        )
    return Vocabulary(tuple(kept), place_of, len(words) - len(kept))


def sort_by_frequency(words: Sequence[str]) -> list[str]:
    """Return the words, the commonest English ones first, ties in order of the alphabet.

    Source: wordfreq, Speer 2022; the Zipf scale of van Heuven et al. 2014.
    """
    return sorted(words, key=lambda word: (-zipf_frequency(word, "en"), word))


def choose_words(words: Sequence[str], n: int, seed: int) -> list[str]:
    """Return n of the words, drawn without replacement.

    Raises:
        ProbeError: there are fewer than n.
    """
    if len(words) < n:
        raise ProbeError(f"there are {len(words)} words to draw {n} from; ask for fewer")
    order = np.argsort(draw_bits(seed, "probe words", 0, len(words))[:, 0], kind="stable")
    return [words[place] for place in order[:n].tolist()]


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
    return _draw_some(near, n, f"matched {word}", seed)


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
    made = _draw_some([edit for edit in edits if edit not in known], n, f"edit {word}", seed)
    return (_draw_some(real, n, f"real edit {word}", seed) + made)[:n]


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
    near = _draw_some(sorted(one - {word}), n, f"look {word}", seed)
    return (near + _draw_some(sorted(two - {word}), n, f"look twice {word}", seed))[:n]


DISTRACTORS: dict[str, Callable[[str, Sequence[str], int, int], list[str]]] = {
    "matched": draw_matched,
    "edit": draw_edits,
    "look-alike": draw_look_alikes,
}
"""Kinds of distractors by spelling; the nearest in meaning need the model's vectors."""


def scramble(words: Sequence[str], n: int, seed: int) -> list[str]:
    """Return n strings with the letters of words in another order, none of them a word."""
    known = set(words)
    made: dict[str, None] = {}
    for turn, word in itertools.product(range(8), words):
        keys = draw_bits(seed, f"scramble {turn} {word}", 0, len(word))[:, 0]
        shuffled = "".join(word[place] for place in np.argsort(keys).tolist())
        if shuffled not in known:
            made[shuffled] = None
        if len(made) == n:
            return list(made)
    raise ProbeError(f"the words give {len(made)} scrambled ones, not {n}; ask for fewer")


def pronounce(words: Sequence[str], n: int, seed: int) -> list[str]:
    """Return n strings that could be words but are not: letters follow as in the words.

    Source: a chain of second order over letters, Shannon 1948.
    """
    known = set(words)
    follow: dict[str, list[str]] = defaultdict(list)
    for word in words:
        for a, b, c in zip(f"^^{word}", f"^{word}", f"{word}", strict=False):
            follow[a + b].append(c)
        follow[("^" + word)[-2:]].append("$")
    made: dict[str, None] = {}
    for turn in range(60 * n):
        text = _walk(follow, draw_units(seed, f"pronounce {turn}", 0, 16)[:, 0])
        if 3 <= len(text) <= 9 and text not in known and set(text) & set(VOWELS):
            made[text] = None
        if len(made) == n:
            return list(made)
    raise ProbeError(f"the words give {len(made)} pseudowords, not {n}; give more words")


PSEUDOWORDS: dict[str, Callable[[Sequence[str], int, int], list[str]]] = {
    "pronounceable": pronounce,
    "scrambled": scramble,
}


def _walk(follow: dict[str, list[str]], units: NDArray[np.float64]) -> str:
    """Return the letters that a chain comes by, until its end or the end of the numbers."""
    state, text = "^^", ""
    for unit in units.tolist():
        letters = follow.get(state)
        if not letters:
            break
        letter = letters[int(unit * len(letters))]
        if letter == "$":
            return text
        text += letter
        state = state[1] + letter
    return ""


def _draw_some(items: Sequence[str], n: int, name: str, seed: int) -> list[str]:
    order = np.argsort(draw_bits(seed, name, 0, len(items))[:, 0], kind="stable")
    return [items[place] for place in order[:n].tolist()]
