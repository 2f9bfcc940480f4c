"""Which letters of a vertical line stand upright, and which lie on their side, by UAX #50.

Source: Unicode Standard Annex #50, "Unicode Vertical Text Layout".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec

from uniseg.graphemecluster import grapheme_clusters

from synthtext.drawing.faces import Face
from synthtext.errors import DrawError
from synthtext.factors import MIXED

PACKAGE = "unicodedataplus"

MISSING = f"{MIXED} needs the package {PACKAGE}; run: pip install 'synthtext[scripts]'"

SIDEWAYS, TURNED_WITHOUT_FORM = "R", "Tr"
"""Values of Vertical_Orientation: on its side; so too, unless the font has a vertical form."""


def find_sideways(text: str, faces: Sequence[Face], owners: Sequence[int]) -> list[bool]:
    """Return for each character whether it lies on its side, turned clockwise by 90 degrees.

    A letter and its marks have the orientation of the letter; within an enclosing mark, such as
    a circle, it stands upright.

    Args:
        text: one paragraph.
        faces: open fonts that draw it.
        owners: number of the font that draws each character; empty if it is always the first.

    Raises:
        DrawError: the data of Unicode are not installed.
    """
    sideways: list[bool] = []
    for letter in grapheme_clusters(text):
        face = faces[owners[len(sideways)]] if owners else faces[0]
        sideways += [_lies(letter, face)] * len(letter)
    return sideways


def _lies(letter: str, face: Face) -> bool:
    if any(unicodedata.category(mark) == "Me" for mark in letter):
        return False
    value = _find_value(letter[0])
    return value == SIDEWAYS or (
        value == TURNED_WITHOUT_FORM and not face.has_vertical_form(letter)
    )


@lru_cache(maxsize=4096)
def _find_value(char: str) -> str:
    if find_spec(PACKAGE) is None:
        raise DrawError(MISSING)
    import unicodedataplus

    value: str = unicodedataplus.vertical_orientation(char)
    return value
