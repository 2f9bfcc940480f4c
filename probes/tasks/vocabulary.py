"""Vocabularies: the words to show and the candidates.

They depend only on the protocol, the word list and the seed: showing more words adds words in
the same order, and a larger K adds distractors to those of a smaller one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from wordfreq import zipf_frequency

from probes.errors import ProbeError
from probes.metrics.forced_choice import Choice, Floats, arrange_texts, hash_units
from probes.models.base import Model
from probes.tasks.config import ANY, MATCHED
from synthtext.rng import draw_bits
from synthtext.texts.words import read_words

PROTOCOL = 2
"""Incremented when the same options lead to different questions."""

DEFAULT_VOCABULARY = "en"

N_POOL = 10_500
"""Number of words in a design's pool: the most frequent ones of its lengths."""

WORD_CHARS = range(3, 9)
"""Lengths of the words of a design; longer ones would not fit at every level."""

N_RING = 2_100
"""Texts per ring of distractors, approximately; up to K = 1,000 no others are embedded."""

ZIPF_JITTER = 0.5
"""How far the order of words of the same length may deviate from frequency."""


@dataclass(frozen=True)
class Candidates:
    """The candidates.

    Attributes:
        texts: all different; first those that may be shown, in order.
        n_showable: how many of them may be shown; the others are only distractors.
        n_spare: how many of the last are used as distractors only after all others.
        rivals: `matched` in length and frequency, or `any`.
    """

    texts: tuple[str, ...]
    n_showable: int
    n_spare: int = 0
    rivals: str = MATCHED


@dataclass(frozen=True)
class Vocabulary:
    """Candidate words that the model can distinguish.

    Attributes:
        words: n words, in the order of the candidates.
        place_of: the index of each word; words with equal tokens share one.
        n_merged: number of words with the same tokens as another.
        n_showable: the first of them, which may be shown.
        choice: the distractors of each word.
    """

    words: tuple[str, ...]
    place_of: dict[str, int]
    n_merged: int
    n_showable: int
    choice: Choice


def make_vocabulary(candidates: Candidates, model: Model, seed: int) -> Vocabulary:
    """Return the candidates with their distractors; those whose tokens are equal count as one.

    Raises:
        ProbeError: fewer than two remain.
    """
    texts = candidates.texts
    place_of, kept = _merge_alike(texts, model.tokenize)
    if len(kept) < 2:
        raise ProbeError(
            f"the vocabulary has only {len(kept)} word that the model can distinguish; give"
            f" two or more"
        )
    words = [texts[place] for place in kept]
    n_showable = sum(place < candidates.n_showable for place in kept)
    n_usual = sum(place < len(texts) - candidates.n_spare for place in kept)
    choice = arrange_texts(
        words,
        place_by_likeness(words, seed)
        if candidates.rivals == MATCHED
        else np.zeros(len(words)),
        number_rings(n_showable, n_usual) + [-1] * (len(words) - n_usual),
        seed=seed,
    )
    return Vocabulary(tuple(words), place_of, len(texts) - len(words), n_showable, choice)


@functools.lru_cache(maxsize=2)
def _merge_alike(
    texts: tuple[str, ...], tokenize: Callable[[list[str]], Sequence[tuple[int, ...]]]
) -> tuple[dict[str, int], tuple[int, ...]]:
    """Return the index of each text among those with different tokens, and these texts.

    The result is cached, since a large vocabulary is used several times in a run.
    """
    first: dict[tuple[int, ...], int] = {}
    kept: list[int] = []
    place_of: dict[str, int] = {}
    for number, (text, ids) in enumerate(zip(texts, tokenize(list(texts)), strict=True)):
        if ids not in first:
            first[ids] = len(kept)
            kept.append(number)
        place_of[text] = first[ids]
    return place_of, tuple(kept)


def place_by_likeness(words: Sequence[str], seed: int) -> Floats:
    """Return numbers (N,) that order words on a circle by similar length and frequency.

    Odd lengths go up and even ones down, so that neighbours differ by at most two letters, even
    where the circle closes.
    """
    lengths = sorted(
        {len(word) for word in words}, key=lambda n: (1, -n) if n % 2 == 0 else (0, n)
    )
    turn_of = {length: turn for turn, length in enumerate(lengths)}
    turns = np.array([turn_of[len(word)] for word in words])
    zipfs = np.array([zipf_frequency(word, "en") for word in words])
    zipfs += ZIPF_JITTER * (hash_units(seed, "frequency", words) - 0.5)
    # From frequent to rare and back, so that frequency has no jumps either.
    zipfs = np.where(turns % 2 == 0, -zipfs, zipfs)
    places: Floats = 100.0 * turns + zipfs
    return places


def number_rings(n_showable: int, n_texts: int) -> list[int]:
    """Return the ring of each text; showable texts and others are distributed evenly."""
    n_rings, n_others = max(1, n_showable // N_RING), n_texts - n_showable
    parts = (n_showable, n_others)
    return [place * n_rings // part for part in parts for place in range(part)]


def draw_pool(words: Sequence[str], rivals: str, seed: int) -> Candidates:
    """Return the words that a design shows, in their order, and their distractors.

    Words that differ only in case are merged. If any distractors are allowed, words of other
    lengths are among them.
    """
    common = sort_by_frequency(merge_cases(words))
    pool = [word for word in common if len(word) in WORD_CHARS][:N_POOL]
    others = set(common[:N_POOL]) - set(pool) if rivals == ANY else set[str]()
    shown, beside = (shuffle_texts(sorted(part), seed) for part in (pool, others))
    return Candidates((*shown, *beside), len(shown), rivals=rivals)


def list_candidates(
    shown: Collection[str], vocabulary: str | None, *, rivals: str, seed: int
) -> Candidates:
    """Return the texts shown, each once, and words of a list if they are too few."""
    texts = shuffle_texts(sorted(set(shown)), seed)
    spare: list[str] = []
    if vocabulary is not None:
        known = {text.casefold() for text in texts}
        words = sort_by_frequency(merge_cases(read_words(vocabulary).items))
        spare = [word for word in words if word.casefold() not in known][:N_POOL]
    return Candidates((*texts, *spare), len(texts), n_spare=len(spare), rivals=rivals)


def merge_cases(words: Sequence[str]) -> list[str]:
    """Return the words without those that differ from an earlier one only in case."""
    first: dict[str, str] = {}
    for word in words:
        first.setdefault(word.casefold(), word)
    return list(first.values())


def shuffle_texts(texts: Sequence[str], seed: int) -> list[str]:
    """Return the texts in a random order, in which further texts do not reorder them."""
    units = hash_units(seed, "order", texts)
    return [texts[place] for place in np.argsort(units, kind="stable").tolist()]


def sort_by_frequency(words: Sequence[str]) -> list[str]:
    """Return the words, the most frequent in English first, ties in alphabetical order.

    Source: wordfreq, Speer 2022; the Zipf scale of van Heuven et al. 2014.
    """
    return sorted(words, key=lambda word: (-zipf_frequency(word, "en"), word))


def draw_some(items: Sequence[str], n: int, name: str, seed: int) -> list[str]:
    """Return n of the items without replacement, drawn from the stream of that name."""
    order = np.argsort(draw_bits(seed, name, 0, len(items))[:, 0], kind="stable")
    return [items[place] for place in order[:n].tolist()]
