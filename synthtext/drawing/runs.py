"""A line of text -> shaped runs, split by direction and script and put in visual order."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from fontTools.unicodedata import script

from synthtext.drawing.bidi import (
    Directions,
    line_levels,
    order_visually,
    resolve_levels,
    runs_rightward,
)
from synthtext.drawing.faces import Face, Item, Run

LATIN = re.compile(
    "[\u0000-\u036f\u1e00-\u1eff\u2000-\u200d\u2010-\u2027\u2030-\u205e\u20a0-\u20c0]*"
)
"""Texts of Latin letters, marks and signs alone, which need no splitting."""

SHARED = frozenset({"Zyyy", "Zinh"})
"""Scripts of characters that take the script before them: spaces, digits, marks."""


class Line(NamedTuple):
    """A line of a paragraph.

    Attributes:
        text: text of the line.
        levels: level of each of its characters; empty if all of it runs rightwards.
    """

    text: str
    levels: list[int]


def resolve(text: str) -> Directions | None:
    """Return the directions of a paragraph; None if all of it runs rightwards."""
    return None if runs_rightward(text) else resolve_levels(text)


def cut_line(text: str, directions: Directions | None, start: int, stop: int) -> Line:
    """Return the line of a paragraph from one index to before another."""
    if directions is None:
        return Line(text[start:stop], [])
    return Line(text[start:stop], line_levels(directions, start, stop))


def shape_line(face: Face, line: Line, *, ligatures: bool) -> Run:
    """Return the glyphs of a line from left to right, each run shaped separately.

    Raises:
        FontError: the font makes far more glyphs of the text than it has characters.
    """
    items = itemize(line)
    if not items:
        return face.shape(line.text, ligatures=ligatures)
    levels = [item.level for item in items]
    runs = [
        face.shape(line.text, ligatures=ligatures, item=items[place])
        for place in order_visually(levels)
    ]
    return Run(
        glyphs=[glyph for run in runs for glyph in run.glyphs],
        clusters=[cluster for run in runs for cluster in run.clusters],
        advances=[advance for run in runs for advance in run.advances],
        offsets=[offset for run in runs for offset in run.offsets],
    )


def itemize(line: Line) -> list[Item]:
    """Return the parts of a line by level and script; empty if it is a single rightward run."""
    text, levels = line
    if not levels and (text.isascii() or LATIN.fullmatch(text)):
        return []
    scripts = find_scripts(text)
    if not levels and len(set(scripts)) < 2:
        return []
    levels = levels or [0] * len(text)
    items: list[Item] = []
    start = 0
    for place in range(1, len(text) + 1):
        kind = (levels[start], scripts[start])
        if place == len(text) or (levels[place], scripts[place]) != kind:
            items.append(Item(start, place, *kind))
            start = place
    return items


def find_scripts(text: str) -> list[str]:
    """Return the script of each character, ISO 15924, with shared characters resolved.

    >>> find_scripts("(a\u05d0.")
    ['Latn', 'Latn', 'Hebr', 'Hebr']
    """
    own = [_script_of(char) for char in text]
    current = next((code for code in own if code not in SHARED), "Zyyy")
    scripts = []
    for code in own:
        current = current if code in SHARED else code
        scripts.append(current)
    return scripts


@lru_cache(maxsize=4096)
def _script_of(char: str) -> str:
    code: str = script(char)
    return code
