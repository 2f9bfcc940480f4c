"""The position of each glyph of a text: lines, spacing, alignment, and boxes of the ink."""

from __future__ import annotations

import itertools
import math
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthtext.drawing.bidi import Directions
from synthtext.drawing.faces import Box, Face, Form, Run
from synthtext.drawing.fallback import assign_faces
from synthtext.drawing.orientation import find_sideways
from synthtext.drawing.outlines import Outline
from synthtext.drawing.wrapping import (
    Style,
    break_lines,
    list_steps,
    resolve_styled,
    shape_part,
)
from synthtext.errors import DrawError

Boxes = NDArray[np.float64]

INKLESS = frozenset({"Cc", "Cf", "Cs", "Mn", "Me", "Mc", "Zs", "Zl", "Zp"})
"""Unicode categories of characters that have no box: spaces, marks, controls."""

CORNERS = np.array([[0, 1], [2, 1], [2, 3], [0, 3]])
"""Where x and y of each corner of a box stand in left, top, right, bottom."""

INDENTS = {"left": 0.0, "center": 0.5, "right": 1.0}


@dataclass(frozen=True)
class Placement:
    """Upright text set in lines: n glyphs, lengths in ems, x rightwards and y downwards.

    Attributes:
        glyphs: glyph numbers.
        faces: open font of each glyph.
        pens: float64 (n, 2); origin of each glyph.
        char_boxes: float64 (m, 4); left, top, right, bottom of each character of `inked`.
        word_boxes: float64 (k, 4); the same for each word, in the order of the text; a word
            that is continued on another line has one for each of its parts.
        box: left, top, right, bottom of all the ink, including lines under and through it.
        clusters: index of the first character of each glyph in the text.
        baselines: y of the baseline of each glyph; if vertical, of its origin.
        word_breaks: indices in the text at which a line starts within a word.
        owners: number of the font that draws each character of the text; empty if it is always
            the first.
        turns_rad: clockwise rotation of each glyph of text along a curve, or with letters on
            their side; None if there is none.
        char_corners: float64 (m, 4, 2); corners of the boxes of the characters if the text is
            curved or warped or has letters on their side; else None.
        word_corners: float64 (k, 4, 2); the same for each word.
        word_loops: float64 (k, n, 2); the boundary of each word as `bands` has it, if the text
            is warped or follows a curve; else None.
        rules: lines under and through the text, after curve and warp; None if there are none.
        scales: size of each glyph as a fraction of the font size; None if all are 1.
        slant: distance by which what lies 1 em above the origin of a glyph moves to the right.
        warp: maps points (..., 2) of the glyphs' outlines to their warped positions; None if
            the text is not warped.
    """

    glyphs: list[int]
    faces: list[Face]
    pens: NDArray[np.float64]
    char_boxes: Boxes
    word_boxes: Boxes
    box: Box
    clusters: list[int]
    baselines: list[float]
    word_breaks: list[int]
    owners: list[int]
    turns_rad: list[float] | None = None
    char_corners: NDArray[np.float64] | None = None
    word_corners: NDArray[np.float64] | None = None
    word_loops: NDArray[np.float64] | None = None
    rules: Outline | None = None
    scales: list[float] | None = None
    slant: float = 0.0
    warp: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None


def list_corners(boxes: Boxes, corners: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return the corners of boxes, (n, 4, 2), clockwise from the top left, unless given."""
    return boxes.take(CORNERS, axis=1) if corners is None else corners


def find_owners(clusters: Sequence[int], places: Sequence[int]) -> list[int]:
    """Return the cluster of each character: the last one that begins at or before it."""
    begins = sorted(set(clusters))
    return [begins[bisect_right(begins, place) - 1] for place in places]


def inked(text: str) -> list[int]:
    """Return the indices of the characters that have a box: all except spaces and marks."""
    if text.isascii():
        return [place for place, char in enumerate(text) if char != " "]
    return [
        place for place, char in enumerate(text) if unicodedata.category(char) not in INKLESS
    ]


def split_words(text: str, word_breaks: Sequence[int] = ()) -> list[str]:
    """Return the words of a text that have a box, in the order of their quads.

    Args:
        text: words are parted by spaces.
        word_breaks: places where a line begins within a word, which parts it, too.
    """
    return [word for word in _cut_words(text, word_breaks) if inked(word)]


def number_words(text: str, word_breaks: Sequence[int]) -> list[int]:
    """Return a number for each character that has a box, equal for those of one word."""
    is_plain = text.isascii()
    numbers: list[int] = []
    for number, word in enumerate(_cut_words(text, word_breaks)):
        numbers += [number] * (len(word) if is_plain else len(inked(word)))
    return numbers


def _cut_words(text: str, word_breaks: Sequence[int]) -> list[str]:
    if not word_breaks:
        return text.split(" ")
    lines = itertools.pairwise([0, *word_breaks, len(text)])
    return [word for start, stop in lines for word in text[start:stop].split(" ")]


def split_chars(text: str) -> list[str]:
    """Return the characters of a text that have a box, each with the marks that follow it."""
    places = inked(text)
    return [
        text[place:after].rstrip(" ")
        for place, after in itertools.pairwise([*places, len(text)])
    ]


def place_glyphs(  # noqa: PLR0913 - each is a choice of its own.
    text: str,
    face: Face,
    *,
    letter_spacing_em: float = 0.0,
    line_height: float = 1.2,
    align: str = "left",
    wrap_em: float | None = None,
    fallback: Sequence[Face] = (),
    is_vertical: bool = False,
    is_mixed: bool = False,
    slant: float = 0.0,
    forms: Sequence[Form] = (),
    apart: Sequence[int] = (),
) -> Placement:
    """Return the text set in lines; the first baseline lies at y = 0.

    The lines of vertical text run downwards, and each stands to the left of the one before it;
    the middle of the first lies at x = 0.

    Args:
        text: one paragraph, with single spaces between words.
        face: the open font; `fallback` draws what it lacks.
        letter_spacing_em: extra advance after each character; ligatures are off if it is not 0.
        line_height: distance between baselines, in ems.
        align: `left`, `center` or `right`; of vertical text, top, middle or bottom.
        wrap_em: maximum length of a line; what cannot be broken gets its own line, however
            long. None sets one line.
        fallback: open fonts that draw what the first one lacks.
        is_vertical: whether lines run downwards.
        is_mixed: whether letters of a vertical line lie on their side where UAX #50 says so;
            otherwise all are upright, in the order of the text.
        slant: tangent of the angle by which letters are slanted to the right.
        forms: size and rise of each character; empty if all are plain.
        apart: numbers of the words that the last font of `fallback` draws.

    Raises:
        DrawError: a character has no glyph or leaves no ink, so nobody could read it.
    """
    faces = (face, *fallback)
    owners = assign_faces(text, faces, apart)
    sideways = find_sideways(text, faces, owners) if is_mixed else []
    style = Style(faces, letter_spacing_em, is_vertical, owners, forms, sideways)
    directions = resolve_styled(text, style)
    lines = break_lines(text, style, wrap_em)
    runs = [
        shape_part(text, directions, start, start + len(line), style) for start, line in lines
    ]
    _check_covered(text, faces, lines, runs)
    glyphs = [glyph for run in runs for glyph in run.glyphs]
    drawn_with = _list_faces(runs, faces) if owners else [face] * len(glyphs)
    clusters = [
        start + cluster
        for (start, _), run in zip(lines, runs, strict=True)
        for cluster in run.clusters
    ]
    pens, baselines = _set_pens(runs, style, line_height, INDENTS[align], slant)
    scales = [scale for run in runs for scale in run.scales] or None
    turned = [flag for run in runs for flag in run.sideways]
    boxes = [
        _box_glyph(face, glyph, slant) for face, glyph in zip(drawn_with, glyphs, strict=True)
    ]
    boxes = _place_boxes(boxes, pens, scales, turned)
    box = _box_column if is_vertical else _box_chars
    char_boxes = box(text, clusters, boxes, _list_leftward(directions))
    word_breaks = [start for start, _ in lines[1:] if text[start - 1] != " "]
    word_boxes = _box_words(text, char_boxes, word_breaks)
    return Placement(
        glyphs=glyphs,
        faces=drawn_with,
        pens=np.array(pens),
        char_boxes=np.array(char_boxes),
        word_boxes=np.array(word_boxes),
        box=_hull(word_boxes),
        clusters=clusters,
        baselines=baselines,
        word_breaks=word_breaks,
        owners=owners,
        scales=scales,
        slant=slant,
        turns_rad=[math.pi / 2 * flag for flag in turned] if any(turned) else None,
        char_corners=_turn_corners(char_boxes, text, sideways) if any(turned) else None,
    )


def _set_pens(
    runs: list[Run], style: Style, line_height: float, indent: float, slant: float
) -> tuple[list[tuple[float, float]], list[float]]:
    """Return where the origin of each glyph lies, and its baseline; the indent is 0 to 1."""
    steps = [list_steps(run, style.letter_spacing_em) for run in runs]
    widths = [sum(step) for step in steps]
    # A word has too few glyphs for the overhead of NumPy to pay off.
    pens: list[tuple[float, float]] = []
    baselines: list[float] = []
    for row, (run, step) in enumerate(zip(runs, steps, strict=True)):
        start, across = indent * (max(widths) - widths[row]), row * line_height
        # One place more than there are glyphs: where the next would be.
        places = zip(itertools.accumulate(step, initial=start), run.offsets, strict=False)
        if style.is_vertical:
            pens += [(right - across, along - up) for along, (right, up) in places]
        else:
            # Raised letters and marks lie where they would be if the whole line were slanted.
            pens += [(along + right + slant * up, across - up) for along, (right, up) in places]
            baselines += [across] * len(step)
    return pens, baselines or [y for _, y in pens]


def _check_covered(
    text: str, faces: Sequence[Face], lines: list[tuple[int, str]], runs: list[Run]
) -> None:
    """Refuse characters without a glyph, which would be drawn as boxes."""
    for (start, _), run in zip(lines, runs, strict=True):
        if 0 in run.glyphs:
            char = text[start + run.clusters[run.glyphs.index(0)]]
            names = " or ".join(face.name for face in faces)
            raise DrawError(
                f"{names} has no glyph for {char!r} (U+{ord(char):04X}); use another font"
            )


def _list_faces(runs: Sequence[Run], faces: Sequence[Face]) -> list[Face]:
    """Return the font of each glyph."""
    return [faces[owner] for run in runs for owner in run.owners or [0] * len(run.glyphs)]


def _box_glyph(face: Face, glyph: int, slant: float) -> Box | None:
    """Return left, bottom, right, top of a glyph's ink in ems, y upwards; None if blank."""
    box = face.ink_box(glyph)
    if not slant or box is None:
        return box
    # Points that control a curve may lie a little beyond it.
    x, y = face.outline(glyph).points.T
    x = x - slant * y
    return float(x.min()), box[1], float(x.max()), box[3]


def _place_boxes(
    boxes: list[Box | None],
    pens: list[tuple[float, float]],
    scales: list[float] | None,
    turned: list[bool],
) -> list[Box | None]:
    """Return left, top, right, bottom of placed glyphs, y downwards, from the box of each."""
    if any(turned):
        # Clockwise by 90 degrees: what is up becomes right, and what is right becomes down.
        boxes = [
            (box[1], -box[2], box[3], -box[0]) if box and flag else box
            for box, flag in zip(boxes, turned, strict=True)
        ]
    if scales is not None:
        boxes = [
            box and (box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale)
            for box, scale in zip(boxes, scales, strict=True)
        ]
    return [
        box and (x + box[0], y - box[3], x + box[2], y - box[1])
        for box, (x, y) in zip(boxes, pens, strict=True)
    ]


def _list_leftward(directions: Directions | None) -> frozenset[int]:
    """Return the indices of the characters that run from right to left."""
    if directions is None:
        return frozenset()
    return frozenset(place for place, level in enumerate(directions.levels) if level % 2)


def _box_chars(
    text: str, clusters: list[int], glyph_boxes: list[Box | None], leftward: frozenset[int]
) -> list[Box]:
    """Return the ink box of each inked character; the box of a ligature is divided evenly."""
    places = inked(text)
    whole = [box for box in glyph_boxes if box is not None]
    if clusters == places and len(whole) == len(places):
        # Each glyph is one character, as in most texts.
        return whole
    ink: dict[int, Box] = {}
    for cluster, box in zip(clusters, glyph_boxes, strict=True):
        if box is not None:
            ink[cluster] = _hull((ink[cluster], box)) if cluster in ink else box
    if not clusters:
        raise DrawError(f"the font draws {text!r} as blank; use another font")
    owners = find_owners(clusters, places)
    n_shares = Counter(owners)
    n_given: Counter[int] = Counter()
    boxes = []
    for place, owner in zip(places, owners, strict=True):
        if owner not in ink:
            raise DrawError(f"the font draws {text[place]!r} as blank; use another font")
        box, n = ink[owner], n_shares[owner]
        if n > 1:
            turn = n - 1 - n_given[owner] if owner in leftward else n_given[owner]
            n_given[owner] += 1
            left, top, right, bottom = box
            share = (right - left) / n
            box = (left + turn * share, top, left + (turn + 1) * share, bottom)
        boxes.append(box)
    return boxes


def _box_column(
    text: str, clusters: list[int], glyph_boxes: list[Box | None], leftward: frozenset[int]
) -> list[Box]:
    """Return what `_box_chars` does for vertical text: a ligature is parted from top down."""
    turned = [box and _transpose(box) for box in glyph_boxes]
    return [_transpose(box) for box in _box_chars(text, clusters, turned, leftward)]


def _turn_corners(
    char_boxes: list[Box], text: str, sideways: Sequence[bool]
) -> NDArray[np.float64]:
    """Return the corners of boxes, from the top left of each character as it stands or lies."""
    corners = list_corners(np.array(char_boxes), None)
    is_turned = np.array([sideways[place] for place in inked(text)])
    return np.where(is_turned[:, None, None], np.roll(corners, -1, axis=1), corners)


def _transpose(box: Box) -> Box:
    left, top, right, bottom = box
    return top, left, bottom, right


def _hull(boxes: Sequence[Box]) -> Box:
    """Return the smallest box that holds all of these, of which there is at least one."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def join_boxes(one: Box, other: Box) -> Box:
    """Return left, top, right, bottom of the box that holds two, y downwards."""
    return _hull((one, other))


def _box_words(text: str, char_boxes: list[Box], word_breaks: list[int]) -> list[Box]:
    """Return the ink box of each word that has ink, in the order of the text."""
    if not char_boxes:
        raise DrawError(f"{text!r} has no visible ink; remove it from the list")
    if " " not in text and not word_breaks:
        return [_hull(char_boxes)]
    words: dict[int, list[Box]] = {}
    for word, box in zip(number_words(text, word_breaks), char_boxes, strict=True):
        words.setdefault(word, []).append(box)
    return [_hull(boxes) for boxes in words.values()]
