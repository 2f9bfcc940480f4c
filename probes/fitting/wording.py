"""Estimated lengths -> texts to draw: words, and numbers as they are found on signs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from probes.arrays import Ints
from probes.fitting.proposal import find_parts, prior_of
from synthtext.draws import Draw
from synthtext.rng import draw_units
from synthtext.texts.patterns import draw_matches

N_WORDS = 4000
"""Words in a list with given fractions of each length."""

NUMBERS = (
    r"\d{2}", r"\d{3}", r"\d{4}", r"\d{5,8}", r"\d{1,2}%", r"\$\d{1,3}", r"\$\d{1,2}\.\d\d",
    r"\d{1,3}\.\d\d?", r"\d{1,2}:\d\d", r"\d{1,2}-\d{1,2}", r"#\d\d-\d\d", r"[1-9]\d?,\d{3}",
    r"[1-9]\d?[ap]m", r"[1-9]\d{0,2}(kg|km|ml|cm)", r"[a-z]\d{1,3}", r"\d{1,3}[a-z]",
)  # fmt: skip
"""Numbers, prices, times, units and codes, as patterns."""

NUMBER_FRAC = 0.1
"""Numbers per word: 6 and 12 % of the words of two sets of real training crops have digits."""

MARKS = ("{},", "{}.", "{}!", "{}:", "{}?", "{}'s", "({})")
"""Punctuation that a word may have."""

MARK_FRAC = 0.06
"""Fraction of words with punctuation."""


def add_signs(words: Sequence[str], *, seed: int) -> tuple[str, ...]:
    """Return words, some of them with punctuation, and numbers, prices, times and codes.

    Args:
        words: words in the Latin alphabet.
        seed: chooses the words with punctuation, and the numbers.
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
    """Return words with given fractions of each length.

    If there are too few short words, random letters and digits are added.

    Args:
        words: words to choose from.
        lengths: the parts of the length, with their weights.
        seed: chooses the words.
        repeats: whether words are repeated if there are too few of a length.
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
    """Return n or more shuffled texts, if there are as many; surplus numbers come last."""
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
    """Return random letters and digits of the length of a part, if that is 1, 2 or 3."""
    n_chars = part + 1
    if n_chars > 3:
        return []
    # On signs, abbreviations are more common than numbers.
    kinds = {rf"[a-z]{{{n_chars}}}": 400, rf"\d{{{n_chars}}}": 100}
    texts = [text for kind, n in kinds.items() for text in draw_matches(kind, n, seed)]
    return _shuffle(texts, seed, part)
