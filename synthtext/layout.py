"""Where each glyph of a text goes: lines, spacing, alignment, and the boxes of its ink."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthtext.errors import DrawError
from synthtext.faces import Box, Face, Run

Boxes = NDArray[np.float64]

INKLESS = frozenset({"Cc", "Cf", "Cs", "Mn", "Me", "Mc", "Zs", "Zl", "Zp"})
"""Unicode categories of characters that get no box of their own: spaces, marks, controls."""

INDENTS = {"left": 0.0, "center": 0.5, "right": 1.0}


@dataclass(frozen=True)
class Placement:
    """A text set in lines, upright, lengths in ems, x rightwards and y downwards.

    Attributes:
        glyphs: n glyph numbers.
        pens: float64 (n, 2), where the origin of each glyph lies.
        char_boxes: float64 (m, 4), left, top, right, bottom of each character of `inked`.
        word_boxes: float64 (k, 4), the same of each word, in the order of the text.
    """

    glyphs: list[int]
    pens: NDArray[np.float64]
    char_boxes: Boxes
    word_boxes: Boxes

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of all the ink."""
        low, high = self.word_boxes.min(axis=0), self.word_boxes.max(axis=0)
        return float(low[0]), float(low[1]), float(high[2]), float(high[3])


def inked(text: str) -> list[int]:
    """Return the places of the characters of a text that have a box: no spaces, no marks."""
    if text.isascii():
        return [place for place, char in enumerate(text) if char != " "]
    return [
        place for place, char in enumerate(text) if unicodedata.category(char) not in INKLESS
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
        text: one paragraph; words are parted by single spaces.
        face: the open font; it has a glyph for every character.
        letter_spacing_em: extra advance after each character; turns ligatures off if not 0.
        line_height: distance of two baselines, in ems.
        align: `left`, `center` or `right`.
        wrap_em: longest line; None sets the text in one line. A longer word keeps a line.

    Raises:
        DrawError: a character has no glyph or leaves no ink, so nobody could read it.
    """
    lines = _break_lines(text, face, letter_spacing_em, wrap_em)
    runs = [face.shape(line, ligatures=letter_spacing_em == 0) for _, line in lines]
    steps = [_step(run, letter_spacing_em) for run in runs]
    widest = max(float(step.sum()) for step in steps)
    _check_covered(text, face, lines, runs)
    glyphs: list[int] = []
    clusters: list[int] = []
    pens: list[NDArray[np.float64]] = []
    for row, ((start, _), run, step) in enumerate(zip(lines, runs, steps, strict=True)):
        indent = INDENTS[align] * (widest - float(step.sum()))
        x = indent + np.cumsum(step) - step + run.offsets[:, 0]
        pens.append(np.stack([x, row * line_height - run.offsets[:, 1]], axis=1))
        glyphs += run.glyphs
        clusters += [start + cluster for cluster in run.clusters]
    placed = np.concatenate(pens)
    char_boxes = _box_chars(text, clusters, _box_glyphs(face, glyphs, placed))
    return Placement(glyphs, placed, char_boxes, _box_words(text, char_boxes))


def _check_covered(
    text: str, face: Face, lines: list[tuple[int, str]], runs: list[Run]
) -> None:
    """Refuse to draw the box that stands for a missing character."""
    for (start, _), run in zip(lines, runs, strict=True):
        if 0 in run.glyphs:
            char = text[start + run.clusters[run.glyphs.index(0)]]
            raise DrawError(
                f"{face.name} has no glyph for {char!r} (U+{ord(char):04X}); use another font"
            )


def _step(run: Run, letter_spacing_em: float) -> NDArray[np.float64]:
    """Return the advance of each glyph of a line, its spacing included: float64 (n,)."""
    if letter_spacing_em == 0:
        return run.advances
    # Spacing comes once per character, so a mark stays with the letter that it sits on.
    ends = np.array([*run.clusters[1:], -1]) != np.array(run.clusters)
    spaced: NDArray[np.float64] = run.advances + letter_spacing_em * ends
    return spaced


def _break_lines(
    text: str, face: Face, letter_spacing_em: float, wrap_em: float | None
) -> list[tuple[int, str]]:
    """Return each line with the place of its first character, as many words as fit to each."""
    if wrap_em is None:
        return [(0, text)]

    def measure(part: str) -> float:
        run = face.shape(part, ligatures=letter_spacing_em == 0)
        return float(_step(run, letter_spacing_em).sum())

    space = measure(" ")
    lines: list[tuple[int, str]] = []
    begin = place = 0
    width = 0.0
    for word in text.split(" "):
        extent = measure(word)
        if place > begin and width + space + extent > wrap_em:
            lines.append((begin, text[begin : place - 1]))
            begin, width = place, extent
        else:
            width += extent + (space if place > begin else 0.0)
        place += len(word) + 1
    return [*lines, (begin, text[begin:])]


def _box_glyphs(face: Face, glyphs: list[int], pens: NDArray[np.float64]) -> list[Box | None]:
    moved: list[Box | None] = []
    for glyph, (x, y) in zip(glyphs, pens.tolist(), strict=True):
        box = face.ink_box(glyph)
        moved.append(box and (x + box[0], y - box[3], x + box[2], y - box[1]))
    return moved


def _box_chars(text: str, clusters: list[int], glyph_boxes: list[Box | None]) -> Boxes:
    """Return the ink box of each inked character; a ligature's box is parted evenly."""
    ink: dict[int, Box] = {}
    for cluster, box in zip(clusters, glyph_boxes, strict=True):
        if box is not None:
            ink[cluster] = _join(ink.get(cluster, box), box)
    places = inked(text)
    begins = np.array(sorted(set(clusters)))
    # The cluster of a character is the last one that begins at or before it.
    owners = begins[np.searchsorted(begins, places, side="right") - 1].tolist()
    n_shares = Counter(owners)
    n_given: Counter[int] = Counter()
    is_leftward = clusters[0] > clusters[-1]
    boxes = np.empty((len(places), 4))
    for row, (place, owner) in enumerate(zip(places, owners, strict=True)):
        if owner not in ink:
            raise DrawError(f"the font draws {text[place]!r} as a blank; use another font")
        left, top, right, bottom = ink[owner]
        turn = n_shares[owner] - 1 - n_given[owner] if is_leftward else n_given[owner]
        share = (right - left) / n_shares[owner]
        boxes[row] = left + turn * share, top, left + (turn + 1) * share, bottom
        n_given[owner] += 1
    return boxes


def _join(one: Box, other: Box) -> Box:
    return (
        min(one[0], other[0]),
        min(one[1], other[1]),
        max(one[2], other[2]),
        max(one[3], other[3]),
    )


def _box_words(text: str, char_boxes: Boxes) -> Boxes:
    """Return the ink box of each word that has ink, in the order of the text."""
    words = np.array([text.count(" ", 0, place) for place in inked(text)])
    if words.size == 0:
        raise DrawError(f"{text!r} leaves no ink; drop it from the list")
    firsts = np.flatnonzero(np.r_[True, np.diff(words) > 0])
    low = np.minimum.reduceat(char_boxes[:, :2], firsts)
    high = np.maximum.reduceat(char_boxes[:, 2:], firsts)
    return np.concatenate([low, high], axis=1)
