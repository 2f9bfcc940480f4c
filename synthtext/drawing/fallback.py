"""Which fonts draw a text when one lacks some of its characters or words are to differ."""

from __future__ import annotations

import functools
import operator
import unicodedata
from collections.abc import Sequence

import numpy as np

from synthtext.drawing.faces import Face
from synthtext.drawing.fonts import Catalogue, Font
from synthtext.drawing.runs import script_of
from synthtext.spec import FONT_SEPARATOR, MAX_FALLBACK_FONTS

COMMON, INHERITED = "Zyyy", "Zinh"
"""Scripts of signs and digits, and of marks that belong to the letter before them."""


def choose_fallback(fonts: Catalogue, text: str, first: str) -> tuple[str, ...] | None:
    """Return the fonts that draw what another one lacks of a text; None if no fonts do.

    Fonts of the same category come first, then those as italic, those of the nearest weight,
    and those whose file comes first. The first that has all that is lacking is taken; if there
    is none, the first that has the first part of it, and so on. Files with a comma in their
    name are not taken.

    Args:
        fonts: to choose from.
        text: as it is drawn.
        first: file of the font whose letters are used where it has them.
    """
    files = list(fonts.fonts)
    place = files.index(first)
    lacking = []
    for piece in cut_pieces(text):
        masks = [_covering(fonts, piece)]
        if not masks[0]:
            masks = [_covering(fonts, cluster) for cluster in _cut_clusters(piece)]
        lacking += [mask for mask in masks if not mask >> place & 1]
    order = _order(fonts, fonts.fonts[first])
    chosen: list[str] = []
    while lacking:
        wanted = functools.reduce(operator.and_, lacking) or lacking[0]
        found = next((k for k in order if wanted >> k & 1), None)
        if found is None or len(chosen) == MAX_FALLBACK_FONTS:
            return None
        chosen.append(files[found])
        lacking = [mask for mask in lacking if not mask >> found & 1]
    return tuple(chosen)


def assign_faces(text: str, faces: Sequence[Face], apart: Sequence[int] = ()) -> list[int]:
    """Return the number of the font that draws each character; none if it is always the first.

    A piece is drawn by the first font that has all of it; if there is none, each of its
    characters with its marks by the first that has these, or by the first font of all.

    Args:
        text: as it is drawn.
        faces: the fonts.
        apart: numbers of the words that the last font draws, if it has all of them.
    """
    if len(faces) == 1:
        return []
    owners: list[int] = []
    for piece in cut_pieces(text):
        whole = _first_with(faces, piece)
        parts = [piece] if whole is not None else _cut_clusters(piece)
        for part in parts:
            owners += [_first_with(faces, part) or 0] * len(part)
    start = 0
    for number, word in enumerate(text.split(" ")):
        if number in apart and faces[-1].has(word):
            owners[start : start + len(word)] = [len(faces) - 1] * len(word)
        start += len(word) + 1
    return owners


def choose_apart(text: str, fraction: float, seed: int) -> list[int]:
    """Return the numbers of the words that a second font draws.

    At least one word is among them and at least one is not, so a text of one word has none.

    Args:
        text: its words are parted by spaces.
        fraction: fraction of the words, rounded; 0 gives none.
        seed: 32 bits; chooses them.
    """
    if not fraction:
        return []
    n = text.count(" ") + 1
    n_apart = min(max(1, round(fraction * n)), n - 1)
    order = np.random.Generator(np.random.Philox(key=seed)).permutation(n)
    return order[:n_apart].tolist()


def list_runs(files: Sequence[str], owners: Sequence[int]) -> tuple[tuple[int, int, str], ...]:
    """Return the parts of a text by the font that draws them: start, stop and file of each."""
    starts = [k for k, owner in enumerate(owners) if k == 0 or owner != owners[k - 1]]
    ends = [*starts[1:], len(owners)]
    return tuple((a, b, files[owners[a]]) for a, b in zip(starts, ends, strict=bool(owners)))


def cut_pieces(text: str) -> list[str]:
    """Return the parts of a text that one font should draw: letters of one script, or a sign.

    >>> cut_pieces("Ωmega, ωμ")
    ['Ω', 'mega', ',', ' ', 'ωμ']
    """
    pieces: list[str] = []
    last = COMMON
    for char in text:
        code = script_of(char)
        if pieces and (_is_mark(char) or code == last != COMMON):
            pieces[-1] += char
        else:
            pieces.append(char)
            last = code
    return pieces


def _cut_clusters(piece: str) -> list[str]:
    """Return each character of a piece with the marks that follow it."""
    clusters: list[str] = []
    for char in piece:
        if clusters and _is_mark(char):
            clusters[-1] += char
        else:
            clusters.append(char)
    return clusters


def _is_mark(char: str) -> bool:
    return script_of(char) == INHERITED or unicodedata.category(char)[0] == "M"


def _first_with(faces: Sequence[Face], text: str) -> int | None:
    return next((k for k, face in enumerate(faces) if face.has(text)), None)


def _covering(fonts: Catalogue, text: str) -> int:
    """Return the fonts that have all characters of a text, as a mask of their places."""
    masks = (fonts.masks.get(ord(char), 0) for char in set(text))
    return functools.reduce(operator.and_, masks)


def _order(fonts: Catalogue, first: Font) -> list[int]:
    """Return the places of the fonts, the most like another one first."""

    def measure(place: int, font: Font) -> tuple[bool, bool, int, int]:
        return (
            font.category != first.category,
            font.italic != first.italic,
            abs(font.weight - first.weight),
            place,
        )

    listed = [
        pair for pair in enumerate(fonts.fonts.values()) if FONT_SEPARATOR not in pair[1].file
    ]
    return [place for place, _ in sorted(listed, key=lambda pair: measure(*pair))]
