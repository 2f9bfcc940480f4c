"""Texts made for characters that no given text has."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterable, Iterator

from synthtext.drawing.layout import inked
from synthtext.drawing.runs import script_of
from synthtext.rng import LANES, draw_units
from synthtext.texts.words import split_of

COMMON = "Zyyy"
"""The script of digits and signs."""

LENGTHS = (4, 8)
"""Shortest and longest of the texts; their own character is at a random place."""

MAX_TRIES = 4000
"""Texts tried for a character; a small split takes one in hundreds."""


def make_texts_with(
    char: str,
    others: Iterable[str],
    split: str,
    fractions: tuple[float, float, float],
    seed: int,
) -> Iterator[str]:
    """Return different texts of 4 to 8 characters that have a character and belong to a split.

    The rest are random characters of the same script, and digits beside signs.

    Args:
        char: the character; of marks, which need a letter to stand on, there are no texts.
        others: characters to choose the rest from.
        split: `train`, `val` or `test`.
        fractions: of the three splits.
        seed: for the choice.
    """
    if not inked(char):
        return
    script = script_of(char)
    pool = {each for each in others if inked(each) and script_of(each) == script}
    if script == COMMON:
        pool |= set(string.digits)
    chars = sorted(pool | {char})
    low, high = LENGTHS
    seen = set[str]()
    name = f"texts with {char} {split}"
    lanes = -(-(high + 2) // LANES)
    units = draw_units(seed, name, 0, MAX_TRIES * lanes).reshape(MAX_TRIES, -1)
    for first, second, *rest in units.tolist():
        n = low + int(first * (high - low + 1))
        letters = [chars[int(unit * len(chars))] for unit in rest[:n]]
        letters[int(second * n)] = char
        text = unicodedata.normalize("NFC", "".join(letters))
        if char in text and text not in seen and split_of(text, fractions) == split:
            seen.add(text)
            yield text
