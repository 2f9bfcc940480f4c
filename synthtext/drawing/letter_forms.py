"""Letters of other sizes: small capitals, raised or lowered letters, sizes that vary."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from uniseg.graphemecluster import grapheme_clusters

from synthtext.drawing.faces import PLAIN, Face, Form
from synthtext.spec import Spec

SCRIPT_SCALE = 0.6
"""Size of raised and lowered letters, as a fraction of the font size."""

RISE_EM, DROP_EM = 0.35, 0.15
"""Distance from the baseline to that of raised letters, and to that of lowered ones."""

CAPITALS = {"ß": "ẞ"}
"""Capitals of one letter where Unicode's rule gives several."""


def form_letters(spec: Spec, faces: Sequence[Face]) -> tuple[str, list[Form]]:
    """Return the text of a spec as its letters look, and the form of each character.

    Both are as long as the text, so that indices stay the same. There are no forms if all
    characters are plain.

    Args:
        spec: its text, `small_caps_frac`, `superscript_frac`, `word_size_frac` and
            `letter_size_frac` are used.
        faces: open fonts that draw it.
    """
    text = spec.drawn_text
    deviations = spec.word_size_frac, spec.letter_size_frac
    if not (spec.small_caps_frac or spec.superscript_frac or any(deviations)):
        return text, []
    forms = [PLAIN] * len(text)
    shown = text
    if spec.small_caps_frac:
        shown = capitalize(text, faces)
        small = Form(scale=spec.small_caps_frac)
        forms = [PLAIN if a == b else small for a, b in zip(text, shown, strict=True)]
    rise_em = RISE_EM if spec.superscript_frac > 0 else -DROP_EM
    for place in find_last(text, abs(spec.superscript_frac)):
        forms[place] = Form(SCRIPT_SCALE * forms[place].scale, rise_em)
    for scale_parts, deviation in zip((scale_words, scale_letters), deviations, strict=True):
        if deviation:
            scales = scale_parts(text, deviation, spec.ink_seed)
            forms = [
                Form(scale * form.scale, scale * form.rise_em)
                for scale, form in zip(scales, forms, strict=True)
            ]
    return shown, forms


def scale_words(text: str, deviation: float, seed: int) -> list[float]:
    """Return the size of each character as a fraction of that of the largest word.

    Args:
        text: its words are parted by spaces; a space is as large as the word before it.
        deviation: standard deviation of the logarithm of the sizes.
        seed: 32 bits; chooses them.
    """
    words = text.split(" ")
    scales = _draw_scales(len(words), deviation, seed)
    return np.repeat(scales, [len(word) + 1 for word in words]).tolist()[: len(text)]


def scale_letters(text: str, deviation: float, seed: int) -> list[float]:
    """Return the size of each character as a fraction of that of the largest letter.

    A letter is a grapheme cluster: marks and conjuncts stay together.

    Args:
        text: the text.
        deviation: standard deviation of the logarithm of the sizes.
        seed: 32 bits; chooses them.
    """
    letters = list(grapheme_clusters(text))
    scales = _draw_scales(len(letters), deviation, seed + 2**32)
    return np.repeat(scales, [len(letter) for letter in letters]).tolist()


def _draw_scales(n: int, deviation: float, key: int) -> NDArray[np.float64]:
    """Return n sizes as a fraction of the largest."""
    chance = np.random.Generator(np.random.Philox(key=key))
    # One beyond two standard deviations would make all others too small.
    logs = deviation * np.clip(chance.standard_normal(n), -2, 2)
    scales: NDArray[np.float64] = np.exp(logs - logs.max())
    return scales


def capitalize(text: str, faces: Sequence[Face]) -> str:
    """Return a text of the same length with capitals for its lower-case letters.

    A letter stays as it is if its capital is several letters, or if no font has the capital.
    """
    capitals = {char: _find_capital(char, faces) for char in set(text)}
    return "".join(capitals[char] for char in text)


def find_last(text: str, fraction: float) -> list[int]:
    """Return the places of the last letters of each word.

    A letter is a grapheme cluster: marks and conjuncts stay together. At least one letter of a
    word is among them, and at least one is not, so words of one letter have none.

    >>> find_last("two words", 0.4)
    [2, 7, 8]

    Args:
        text: its words are parted by spaces.
        fraction: fraction of the letters of a word, rounded; 0 gives none.
    """
    if not fraction:
        return []
    places: list[int] = []
    start = 0
    for word in text.split(" "):
        letters = list(grapheme_clusters(word))
        n_last = min(max(1, round(fraction * len(letters))), len(letters) - 1)
        stop = start + len(word)
        if n_last > 0:
            places += range(stop - len("".join(letters[-n_last:])), stop)
        start = stop + 1
    return places


def _find_capital(char: str, faces: Sequence[Face]) -> str:
    if unicodedata.category(char) != "Ll":
        return char
    capital = CAPITALS.get(char, char.upper())
    has_capital = len(capital) == 1 and any(face.has(capital) for face in faces)
    return capital if has_capital else char
