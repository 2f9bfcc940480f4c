"""The position of each glyph of a text: lines, spacing, alignment, and boxes of the ink."""

from __future__ import annotations

import itertools
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthtext.drawing.bidi import Directions
from synthtext.drawing.faces import Box, Face, Run
from synthtext.drawing.outlines import Outline
from synthtext.drawing.runs import cut_line, resolve, shape_line
from synthtext.errors import DrawError

Boxes = NDArray[np.float64]

INKLESS = frozenset({"Cc", "Cf", "Cs", "Mn", "Me", "Mc", "Zs", "Zl", "Zp"})
"""Unicode categories of characters that have no box: spaces, marks, controls."""

MAX_WIDTHS = 4096
"""Maximum number of word widths that a face caches."""

CORNERS = np.array([[0, 1], [2, 1], [2, 3], [0, 3]])
"""Where x and y of each corner of a box stand in left, top, right, bottom."""

INDENTS = {"left": 0.0, "center": 0.5, "right": 1.0}


@dataclass(frozen=True)
class Placement:
    """Upright text set in lines: n glyphs, lengths in ems, x rightwards and y downwards.

    Attributes:
        glyphs: glyph numbers.
        pens: float64 (n, 2); origin of each glyph.
        char_boxes: float64 (m, 4); left, top, right, bottom of each character of `inked`.
        word_boxes: float64 (k, 4); the same for each word, in the order of the text.
        box: left, top, right, bottom of all the ink, including lines under and through it.
        clusters: index of the first character of each glyph in the text.
        baselines: y of the baseline of each glyph.
        turns_rad: clockwise rotation of each glyph of text along a curve; empty if straight.
        char_corners: float64 (m, 4, 2); corners of the boxes of the characters if the text is
            curved or warped; else None.
        word_corners: float64 (k, 4, 2); the same for each word.
        rules: lines under and through the text, after curve and warp; None if there are none.
        warp: maps points (..., 2) of the glyphs' outlines to their warped positions; None if
            the text is not warped.
    """

    glyphs: list[int]
    pens: NDArray[np.float64]
    char_boxes: Boxes
    word_boxes: Boxes
    box: Box
    clusters: list[int]
    baselines: list[float]
    turns_rad: list[float] | None = None
    char_corners: NDArray[np.float64] | None = None
    word_corners: NDArray[np.float64] | None = None
    rules: Outline | None = None
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


def split_words(text: str) -> list[str]:
    """Return the words of a text that have a box, in the order of their quads."""
    return [word for word in text.split(" ") if inked(word)]


def split_chars(text: str) -> list[str]:
    """Return the characters of a text that have a box, each with the marks that follow it."""
    places = inked(text)
    return [
        text[place:after].rstrip(" ")
        for place, after in itertools.pairwise([*places, len(text)])
    ]


def place_glyphs(
    text: str,
    face: Face,
    *,
    letter_spacing_em: float = 0.0,
    line_height: float = 1.2,
    align: str = "left",
    wrap_em: float | None = None,
) -> Placement:
    """Return the text set in lines; the first baseline lies at y = 0.

    Args:
        text: one paragraph, with single spaces between words.
        face: the open font.
        letter_spacing_em: extra advance after each character; ligatures are off if it is not 0.
        line_height: distance between baselines, in ems.
        align: `left`, `center` or `right`.
        wrap_em: maximum length of a line; a longer word gets its own line. None sets one line.

    Raises:
        DrawError: a character has no glyph or leaves no ink, so nobody could read it.
    """
    directions = resolve(text)
    lines = _break_lines(text, face, letter_spacing_em, wrap_em)
    runs = [
        shape_line(
            face,
            cut_line(text, directions, start, start + len(line)),
            ligatures=letter_spacing_em == 0,
        )
        for start, line in lines
    ]
    steps = [_step(run, letter_spacing_em) for run in runs]
    widths = [sum(step) for step in steps]
    _check_covered(text, face, lines, runs)
    # A word has too few glyphs for the overhead of NumPy to pay off.
    glyphs: list[int] = []
    clusters: list[int] = []
    baselines: list[float] = []
    pens: list[tuple[float, float]] = []
    for row, ((start, _), run, step) in enumerate(zip(lines, runs, steps, strict=True)):
        x = INDENTS[align] * (max(widths) - widths[row])
        for advance, (right, up) in zip(step, run.offsets, strict=True):
            pens.append((x + right, row * line_height - up))
            x += advance
        glyphs += run.glyphs
        clusters += [start + cluster for cluster in run.clusters]
        baselines += [row * line_height] * len(run.glyphs)
    leftward = _list_leftward(directions)
    char_boxes = _box_chars(text, clusters, _box_glyphs(face, glyphs, pens), leftward)
    word_boxes = _box_words(text, char_boxes)
    return Placement(
        glyphs=glyphs,
        pens=np.array(pens),
        char_boxes=np.array(char_boxes),
        word_boxes=np.array(word_boxes),
        box=_hull(word_boxes),
        clusters=clusters,
        baselines=baselines,
    )


def _check_covered(
    text: str, face: Face, lines: list[tuple[int, str]], runs: list[Run]
) -> None:
    """Refuse characters without a glyph, which would be drawn as boxes."""
    for (start, _), run in zip(lines, runs, strict=True):
        if 0 in run.glyphs:
            char = text[start + run.clusters[run.glyphs.index(0)]]
            raise DrawError(
                f"{face.name} has no glyph for {char!r} (U+{ord(char):04X}); use another font"
            )


def _step(run: Run, letter_spacing_em: float) -> list[float]:
    """Return the advance of each glyph of a line, including the letter spacing."""
    if letter_spacing_em == 0:
        return run.advances
    # Spacing is added once per cluster, so that a mark stays on its letter.
    following = [*run.clusters[1:], -1]
    return [
        advance + letter_spacing_em * (cluster != after)
        for advance, cluster, after in zip(run.advances, run.clusters, following, strict=True)
    ]


def _break_lines(
    text: str, face: Face, letter_spacing_em: float, wrap_em: float | None
) -> list[tuple[int, str]]:
    """Return each line, with as many words as fit, and the index of its first character."""
    if wrap_em is None:
        return [(0, text)]

    space = _measure(" ", face, letter_spacing_em)
    lines: list[tuple[int, str]] = []
    begin = place = 0
    width = 0.0
    for word in text.split(" "):
        extent = _measure(word, face, letter_spacing_em)
        if place > begin and width + space + extent > wrap_em:
            lines.append((begin, text[begin : place - 1]))
            begin, width = place, extent
        else:
            width += extent + (space if place > begin else 0.0)
        place += len(word) + 1
    return [*lines, (begin, text[begin:])]


def _measure(word: str, face: Face, letter_spacing_em: float) -> float:
    """Return the width of a word in ems, cached because each size sets the same words."""
    key = (word, letter_spacing_em)
    if key not in face.widths:
        if len(face.widths) >= MAX_WIDTHS:
            face.widths.clear()
        line = cut_line(word, resolve(word), 0, len(word))
        run = shape_line(face, line, ligatures=letter_spacing_em == 0)
        face.widths[key] = sum(_step(run, letter_spacing_em))
    return face.widths[key]


def _box_glyphs(
    face: Face, glyphs: list[int], pens: list[tuple[float, float]]
) -> list[Box | None]:
    moved: list[Box | None] = []
    for glyph, (x, y) in zip(glyphs, pens, strict=True):
        box = face.ink_box(glyph)
        moved.append(box and (x + box[0], y - box[3], x + box[2], y - box[1]))
    return moved


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


def _hull(boxes: Sequence[Box]) -> Box:
    """Return the smallest box that holds all of these, of which there is at least one."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def join_boxes(one: Box, other: Box) -> Box:
    """Return left, top, right, bottom of the box that holds two, y downwards."""
    return _hull((one, other))


def _box_words(text: str, char_boxes: list[Box]) -> list[Box]:
    """Return the ink box of each word that has ink, in the order of the text."""
    if not char_boxes:
        raise DrawError(f"{text!r} has no visible ink; remove it from the list")
    if " " not in text:
        return [_hull(char_boxes)]
    words: dict[int, list[Box]] = {}
    word = counted = 0
    for place, box in zip(inked(text), char_boxes, strict=True):
        word, counted = word + text.count(" ", counted, place), place
        words.setdefault(word, []).append(box)
    return [_hull(boxes) for boxes in words.values()]
