"""A line of text -> shaped runs, split by direction and script and put in visual order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
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
from synthtext.drawing.faces import PLAIN, Face, Form, Item, Run

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
        owners: number of the font that draws each of them; empty if it is always the first.
        forms: size and rise of each of them; empty if all are plain.
        sideways: whether each of them lies on its side in a vertical line; empty if none does.
    """

    text: str
    levels: list[int]
    owners: Sequence[int] = ()
    forms: Sequence[Form] = ()
    sideways: Sequence[bool] = ()


def resolve(text: str) -> Directions | None:
    """Return the directions of a paragraph; None if all of it runs rightwards."""
    return None if runs_rightward(text) else resolve_levels(text)


def cut_line(text: str, directions: Directions | None, start: int, stop: int) -> Line:
    """Return the line of a paragraph from one index to before another, in the first font.

    Args:
        text: the paragraph.
        directions: of the paragraph.
        start: index of the first character of the line.
        stop: index after the last one.
    """
    levels = [] if directions is None else line_levels(directions, start, stop)
    return Line(text[start:stop], levels)


def shape_line(
    face: Face,
    line: Line,
    *,
    ligatures: bool,
    fallback: Sequence[Face] = (),
    is_vertical: bool = False,
) -> Run:
    """Return the glyphs of a line from left to right or downwards, each run shaped separately.

    Args:
        face: the first font.
        line: the line.
        ligatures: whether letters may be joined that need not be.
        fallback: the other fonts.
        is_vertical: whether it runs downwards.

    Raises:
        FontError: the font makes far more glyphs of the text than it has characters.
    """
    items = itemize(line)
    if not items:
        return face.shape(line.text, ligatures=ligatures, is_vertical=is_vertical)
    faces = (face, *fallback)
    ordered = [items[place] for place in order_visually([item.level for item in items])]
    runs = [
        _set_form(
            _shape_item(
                faces[item.owner], line, item, ligatures=ligatures, is_vertical=is_vertical
            ),
            item.form,
            is_vertical=is_vertical,
        )
        for item in ordered
    ]
    of_glyphs = [item for item, run in zip(ordered, runs, strict=True) for _ in run.glyphs]
    return Run(
        glyphs=[glyph for run in runs for glyph in run.glyphs],
        clusters=[cluster for run in runs for cluster in run.clusters],
        advances=[advance for run in runs for advance in run.advances],
        offsets=[offset for run in runs for offset in run.offsets],
        owners=[item.owner for item in of_glyphs],
        scales=[item.form.scale for item in of_glyphs] if line.forms else (),
        sideways=[item.is_sideways for item in of_glyphs] if line.sideways else (),
    )


def _shape_item(
    face: Face, line: Line, item: Item, *, ligatures: bool, is_vertical: bool
) -> Run:
    """Return a part of a line, turned clockwise by 90 degrees if it lies on its side."""
    run = face.shape(
        line.text,
        ligatures=ligatures,
        item=item,
        is_vertical=is_vertical and not item.is_sideways,
    )
    if not item.is_sideways:
        return run
    # What is up becomes right; the middle of the letters' height lies in that of the column.
    offsets = [(up - face.middle_em, -right) for right, up in run.offsets]
    return replace(run, offsets=offsets)


def _set_form(run: Run, form: Form, *, is_vertical: bool) -> Run:
    """Return a run at the size and the height of its form."""
    if form == PLAIN:
        return run
    scale, rise_em = form
    right_em, up_em = (rise_em, 0.0) if is_vertical else (0.0, rise_em)
    return replace(
        run,
        advances=[scale * advance for advance in run.advances],
        offsets=[(scale * right + right_em, scale * up + up_em) for right, up in run.offsets],
    )


def itemize(line: Line) -> list[Item]:
    """Return the parts of a line that differ in a field of `Item`; empty if it is one run."""
    text, levels, owners, forms, sideways = line
    is_plain = not (levels or forms or sideways)
    if is_plain and not owners and (text.isascii() or LATIN.fullmatch(text)):
        return []
    scripts = find_scripts(text)
    if is_plain and not any(owners) and len(set(scripts)) < 2:
        return []
    n = len(text)
    kinds = list(
        zip(
            levels or [0] * n,
            scripts,
            owners or [0] * n,
            forms or [PLAIN] * n,
            sideways or [False] * n,
            strict=True,
        )
    )
    items: list[Item] = []
    start = 0
    for place in range(1, n + 1):
        if place == n or kinds[place] != kinds[start]:
            items.append(Item(start, place, *kinds[start]))
            start = place
    return items


def find_scripts(text: str) -> list[str]:
    """Return the script of each character, ISO 15924, with shared characters resolved.

    >>> find_scripts("(a\u05d0.")
    ['Latn', 'Latn', 'Hebr', 'Hebr']
    """
    own = [script_of(char) for char in text]
    current = next((code for code in own if code not in SHARED), "Zyyy")
    scripts = []
    for code in own:
        current = current if code in SHARED else code
        scripts.append(current)
    return scripts


@lru_cache(maxsize=4096)
def script_of(char: str) -> str:
    """Return the script of a character by itself, ISO 15924."""
    code: str = script(char)
    return code
