"""Pseudowords: strings that are not words, pronounceable or scrambled."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from probes.data.designs import make_trials, parse_design
from probes.data.trials import Trial
from probes.errors import ProbeError
from probes.tasks.base import Task
from probes.tasks.config import ProbeConfig
from probes.tasks.vocabulary import WORD_CHARS, Candidates, shuffle_texts, sort_by_frequency
from probes.tasks.words import choose_among_words, choose_shown, read_pool
from synthtext.rng import draw_bits, draw_units

VOWELS = "aeiouy"

N_EACH = 500
"""Number of pseudowords of each kind, so that there are 999 others for each."""


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
    raise ProbeError(f"the words give only {len(made)} scrambled words, not {n}; ask for fewer")


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
        if len(text) in WORD_CHARS and text not in known and set(text) & set(VOWELS):
            made[text] = None
        if len(made) == n:
            return list(made)
    raise ProbeError(f"the words give only {len(made)} pseudowords, not {n}; give more words")


PSEUDOWORDS: dict[str, Callable[[Sequence[str], int, int], list[str]]] = {
    "pronounceable": pronounce,
    "scrambled": scramble,
}


def _walk(follow: dict[str, list[str]], units: NDArray[np.float64]) -> str:
    """Return the letters along a chain, until its end or the end of the random numbers."""
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


def show_pseudowords(config: ProbeConfig) -> tuple[list[Trial], Candidates]:
    """Return images of pseudowords, half of each kind, which are also the candidates."""
    factors, pool = parse_design(config.design), read_pool(config)
    words = sort_by_frequency(pool.texts[: pool.n_showable])
    made = [text for make in PSEUDOWORDS.values() for text in make(words, N_EACH, config.seed)]
    texts = shuffle_texts(sorted(set(made)), config.seed)
    candidates = Candidates(tuple(texts), len(texts), rivals=config.rivals)
    shown = choose_shown(config, candidates, factors)
    return make_trials(shown, factors, config.seed), candidates


TASK = Task(
    "pseudowords",
    "Which of K strings that are not words, pronounceable or scrambled?",
    show_pseudowords,
    choose_among_words,
    takes_readers=True,
    has_curves=True,
)
