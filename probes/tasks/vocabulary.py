"""Vocabularies: the words to show and the words to choose among.

All of it is drawn from streams keyed by the seed, so equal probes ask equal questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from wordfreq import zipf_frequency

from probes.errors import ProbeError
from probes.models.base import Model
from synthtext.rng import draw_bits


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
    return draw_some(words, n, "probe words", seed)


def draw_some(items: Sequence[str], n: int, name: str, seed: int) -> list[str]:
    """Return n of the items without replacement, drawn from the stream of that name."""
    order = np.argsort(draw_bits(seed, name, 0, len(items))[:, 0], kind="stable")
    return [items[place] for place in order[:n].tolist()]
