"""Text -> shaped lines, each as long as fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from synthtext.drawing.bidi import Directions
from synthtext.drawing.faces import Face, Form, Run
from synthtext.drawing.line_breaks import find_breaks
from synthtext.drawing.runs import cut_line, resolve, shape_line

MAX_WIDTHS = 4096
"""Maximum number of word widths that a face caches."""


class Style(NamedTuple):
    """How a text is shaped.

    Attributes:
        faces: open fonts.
        letter_spacing_em: extra advance in ems; ligatures are off if it is not 0.
        is_vertical: whether lines run downwards.
        owners: number of the font that draws each character; empty if it is always the first.
        forms: size and rise of each character; empty if all are plain.
        sideways: whether each character lies on its side in a vertical line; empty if none
            does.
    """

    faces: tuple[Face, ...]
    letter_spacing_em: float = 0.0
    is_vertical: bool = False
    owners: Sequence[int] = ()
    forms: Sequence[Form] = ()
    sideways: Sequence[bool] = ()


def resolve_styled(text: str, style: Style) -> Directions | None:
    """Return the directions of a text; None if none of it runs leftwards or upwards.

    Letters that are all upright in a vertical line are stacked in the order of the text.
    """
    return None if style.is_vertical and not style.sideways else resolve(text)


def shape_part(
    text: str, directions: Directions | None, start: int, stop: int, style: Style
) -> Run:
    """Return the glyphs of the line of a text from one index to before another.

    Args:
        text: the text.
        directions: of the text; None if all of it runs rightwards.
        start: index of the first character of the line.
        stop: index after the last one.
        style: of the text.
    """
    first, *others = style.faces
    part = _cut_style(style, start, stop)
    line = cut_line(text, directions, start, stop)._replace(
        owners=part.owners, forms=part.forms, sideways=part.sideways
    )
    return shape_line(
        first,
        line,
        ligatures=style.letter_spacing_em == 0,
        fallback=others,
        is_vertical=style.is_vertical,
    )


def list_steps(run: Run, letter_spacing_em: float) -> list[float]:
    """Return the advance of each glyph of a line, including the letter spacing."""
    if letter_spacing_em == 0:
        return run.advances
    # Spacing is added once per cluster, so that a mark stays on its letter.
    following = [*run.clusters[1:], -1]
    return [
        advance + letter_spacing_em * (cluster != after)
        for advance, cluster, after in zip(run.advances, run.clusters, following, strict=True)
    ]


def break_lines(text: str, style: Style, wrap_em: float | None) -> list[tuple[int, str]]:
    """Return each line, as long as fits, and the index of its first character.

    Args:
        text: one paragraph, with single spaces between words.
        style: of the text.
        wrap_em: maximum length of a line; what cannot be broken gets its own line, however
            long. None sets one line.
    """
    if wrap_em is None:
        return [(0, text)]

    space = _measure(
        " ", style._replace(owners=(), forms=(), sideways=[True] if style.sideways else ())
    )
    lines: list[tuple[int, str]] = []
    begin = start = 0
    width = gap = 0.0
    for stop in find_breaks(text):
        part = text[start:stop].removesuffix(" ")
        extent = _measure(part, _cut_style(style, start, start + len(part)))
        if start > begin and width + gap + extent > wrap_em:
            lines.append((begin, text[begin:start].removesuffix(" ")))
            begin, width = start, extent
        else:
            width += extent + gap
        gap = space if start + len(part) < stop else 0.0
        start = stop
    return [*lines, (begin, text[begin:])]


def _cut_style(style: Style, start: int, stop: int) -> Style:
    """Return the style of a part of the text."""
    if not (style.owners or style.forms or style.sideways):
        return style
    return style._replace(
        owners=style.owners[start:stop],
        forms=style.forms[start:stop],
        sideways=style.sideways[start:stop],
    )


def _measure(word: str, style: Style) -> float:
    """Return the length of a word in ems, cached because each size sets the same words."""
    faces, letter_spacing_em, is_vertical, owners, forms, sideways = style
    widths = faces[0].widths
    key: tuple[str | float, ...] = (word, letter_spacing_em, is_vertical, *sideways)
    if owners:
        key += (*owners, *(face.sha256 for face in faces))
    for form in forms:
        key += form
    if key not in widths:
        if len(widths) >= MAX_WIDTHS:
            widths.clear()
        run = shape_part(word, resolve_styled(word, style), 0, len(word), style)
        widths[key] = sum(list_steps(run, letter_spacing_em))
    return widths[key]
