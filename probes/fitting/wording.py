"""Lengths that were found -> texts to draw: words, and what else stands on signs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from probes.arrays import Ints
from probes.fitting.proposal import find_parts, prior_of
from synthtext.draws import Draw
from synthtext.rng import draw_units
from synthtext.texts.patterns import draw_matches

N_WORDS = 4000
"""Words of a list that has as many of each length as asked for."""

NUMBERS = (
    r"\d{2}", r"\d{3}", r"\d{4}", r"\d{5,8}", r"\d{1,2}%", r"\$\d{1,3}", r"\$\d{1,2}\.\d\d",
    r"\d{1,3}\.\d\d?", r"\d{1,2}:\d\d", r"\d{1,2}-\d{1,2}", r"#\d\d-\d\d", r"[1-9]\d?,\d{3}",
    r"[1-9]\d?[ap]m", r"[1-9]\d{0,2}(kg|km|ml|cm)", r"[a-z]\d{1,3}", r"\d{1,3}[a-z]",
)  # fmt: skip
"""Numbers, prices, times, units and codes, as patterns."""

NUMBER_FRAC = 0.1
"""Numbers per word: 6 and 12 % of the words of two sets of real training crops have digits."""

MARKS = ("{},", "{}.", "{}!", "{}:", "{}?", "{}'s", "({})")
"""What a word may stand in."""

MARK_FRAC = 0.06
"""Fraction of words that stand in marks."""


def add_signs(words: Sequence[str], *, seed: int) -> tuple[str, ...]:
    """Return words, some of them in marks, and numbers, prices, times and codes among them.

    Args:
        words: of the Latin alphabet.
        seed: chooses the words in marks, and the numbers.
    """
    units = draw_units(seed, "marks", 0, len(words))
    marked = [
        MARKS[int(which * len(MARKS))].format(word) if chance < MARK_FRAC else word
        for word, chance, which in zip(words, *units[:, :2].T.tolist(), strict=True)
    ]
    n_each = -(-round(NUMBER_FRAC * len(words)) // len(NUMBERS))
    numbers = [text for pattern in NUMBERS for text in draw_matches(pattern, n_each, seed)]
    return tuple(dict.fromkeys([*marked, *numbers]))


def choose_words(
    words: Sequence[str], lengths: Draw, *, seed: int, repeats: bool = True
) -> tuple[str, ...]:
    """Return words of which as many have each length as asked for.

    Where a list has too few short words, letters and numbers stand in for those it lacks.

    Args:
        words: to choose from.
        lengths: the parts of the length, with their weights.
        seed: chooses the words.
        repeats: whether a word may come again where there are too few of its length.
    """
    places = find_parts(lengths, [len(word) for word in words])
    chosen: list[str] = []
    for part, share in enumerate(prior_of(lengths).tolist()):
        n = round(N_WORDS * share)
        if n == 0:
            continue
        members = [words[place] for place in np.flatnonzero(places == part).tolist()]
        members = _order(members, n, seed, part)
        if not members:
            continue
        order: Ints = np.arange(min(n, len(members)))
        chosen += [members[k] for k in np.resize(order, n if repeats else len(order)).tolist()]
    return tuple(chosen)


def _order(members: list[str], n: int, seed: int, part: int) -> list[str]:
    """Return n texts or more, mixed, if there are as many: numbers beyond their share last."""
    mixed = _shuffle(members, seed, part)
    numbers = [text for text in mixed if any(map(str.isdigit, text))]
    plain = [text for text in mixed if not any(map(str.isdigit, text))]
    n_numbers = round(NUMBER_FRAC * n) if plain else n
    first = [*plain[: n - min(n_numbers, len(numbers))], *numbers[:n_numbers]]
    further = _list_short(part, seed) if len(first) < n else []
    return list(dict.fromkeys([*first, *further, *plain, *numbers]))


def _shuffle(members: list[str], seed: int, part: int) -> list[str]:
    order = np.argsort(draw_units(seed, f"words {part}", 0, max(1, len(members)))[:, 0])
    return [members[k] for k in order.tolist()] if members else []


def _list_short(part: int, seed: int) -> list[str]:
    """Return letters and numbers of the length of a part, where that is 1, 2 or 3."""
    n_chars = part + 1
    if n_chars > 3:
        return []
    # On signs, abbreviations are commoner than numbers.
    kinds = {rf"[a-z]{{{n_chars}}}": 400, rf"\d{{{n_chars}}}": 100}
    texts = [text for kind, n in kinds.items() for text in draw_matches(kind, n, seed)]
    return _shuffle(texts, seed, part)
