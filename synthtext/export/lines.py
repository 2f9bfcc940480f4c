"""The lines of a drawn text, from the quads of its words and characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from synthtext.drawing.bands import are_simple
from synthtext.drawing.layout import inked
from synthtext.drawing.rendering import Quads
from synthtext.drawing.runs import resolve
from synthtext.export.items import Item
from synthtext.factors import VERTICAL

Points = NDArray[np.float64]

STANDING = frozenset(
    "ABCDEFGHIKLMNOPRSTUVWXYZabcdehiklmnorstuvwxz01268"
    "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαδεικλνοπστυω"
    "АБВГЕЖЗИКЛМНОПРСТУФХЧШЫЬЭЮЯабвгежзиклмнопстхчшыьэюя"
    "אבגדהוזחטיכלםמנסעפצרשת"
)
"""Letters and digits whose ink ends at the baseline; old-style 3, 4, 5, 7 and 9 descend."""

ABOVE = 230
"""Unicode's combining class of marks above their letter."""


BENDING = ("arc_deg", "wave_em", "warp_em", "barrel_frac")
"""Fields of a spec whose text has no straight baseline unless they are 0."""


@dataclass(frozen=True)
class Line:
    """A line of text in an image.

    Attributes:
        words: indices of its words, in the order of the text.
        chars: the indices of the characters of each word.
        baseline: float64 (n, 2); 2 or more points (x, y) in px, from the left to the right of
            the upright text.
        outline: (n, 2); a polygon around its words that follows a curve as theirs do; their
            convex hull if they are straight or run in both directions.
    """

    words: tuple[int, ...]
    chars: tuple[range, ...]
    baseline: Points
    outline: Points | Quads


def find_lines(item: Item) -> list[Line]:
    """Return the lines of an image, from top to bottom, or of columns from right to left.

    Neither lines nor baselines are recorded, so both are derived. A word starts a new line if
    it lies below the one before it and starts before that one ends. The baseline of a word is
    where the letters of `STANDING` end: their median in the frame of its quad or, along a
    curve, the middle of the bottom edge of each. Words without such letters are ignored unless
    the line has no others; then the baseline is the bottom edge of their quads. The baseline of
    vertical text is the middle of its column, downwards.
    """
    chars = _list_chars(item)
    groups = [[0]] if item.words else []
    for number in range(1, len(item.words)):
        if item.fields["kind"] == "sentence" and _starts_line(item, number):
            groups.append([number])
        else:
            groups[-1].append(number)
    return [_make_line(item, group, chars) for group in groups]


def runs_downward(item: Item) -> bool:
    """Return whether the lines of an image are read from top to bottom."""
    return item.fields.get("direction") in VERTICAL


def runs_leftward(item: Item) -> bool:
    """Return whether the lines of an image are read from right to left."""
    if runs_downward(item):
        return False
    directions = resolve(item.text)
    return directions is not None and directions.base == 1


def _list_chars(item: Item) -> list[range]:
    """Return the indices of the characters of each word."""
    ends = np.cumsum([len(inked(word)) for word in item.words]).tolist()
    return [range(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _starts_line(item: Item, number: int) -> bool:
    """Return whether a word begins a line, seen in the frame of the word before it."""
    before = item.quads[number - 1].astype(np.float64)
    frame = np.stack([before[1] - before[0], before[3] - before[0]], axis=1)
    if abs(np.linalg.det(frame)) < 1:
        return False
    along, down = np.linalg.solve(frame, (item.quads[number] - before[0]).T)
    if runs_downward(item):
        return along.mean() < 0.5 and down.min() < 1
    if resolve(item.text) is None:
        return along.min() < 1 and down.mean() > 0.5
    # In a line with two directions, a word may lie on either side of the one before it.
    return down.min() > 0.5 and down.mean() > 1


def _make_line(item: Item, words: list[int], chars: list[range]) -> Line:
    if runs_downward(item):
        quads = item.quads[words].astype(np.float64)
        ends = np.stack([quads[:, :2].mean(axis=1), quads[:, 2:].mean(axis=1)], axis=1)
        return Line(
            tuple(words), tuple(chars[k] for k in words), ends.reshape(-1, 2),
            _outline(item, words),
        )  # fmt: skip
    found = [points for k in words if (points := _find_baseline(item, k, chars[k])) is not None]
    if not found:
        found = [item.quads[k][[3, 2]].astype(np.float64) for k in words]
    if runs_leftward(item):
        found.reverse()
    return Line(
        tuple(words), tuple(chars[k] for k in words), np.concatenate(found),
        _outline(item, words),
    )  # fmt: skip


def _outline(item: Item, words: list[int]) -> Points | Quads:
    """Return a polygon around the words of a line: their upper edges, then their lower ones."""
    polygons = [item.polygons[word] for word in words]
    directions = None if runs_downward(item) else resolve(item.text)
    if directions is not None:
        if len({level % 2 for level in directions.levels}) > 1:
            return hull(polygons)
        polygons.reverse()
    is_bent = any(item.fields.get(name) for name in BENDING)
    halves = [np.split(polygon, 2) for polygon in polygons]
    upper, lower = [half[0] for half in halves], [half[1] for half in reversed(halves)]
    joined = np.concatenate([*upper, *lower])
    return joined if is_bent and are_simple(joined[None])[0] else hull(polygons)


def hull(polygons: Sequence[Points | Quads]) -> Points | Quads:
    """Return the convex hull of polygons (n, 2), clockwise; a single one is returned as is."""
    if len(polygons) == 1:
        return polygons[0]
    points = np.concatenate(polygons).astype(np.float32)
    return cv2.convexHull(points, clockwise=True)[:, 0]


def _find_baseline(item: Item, word: int, chars: range) -> Points | None:
    """Return the baseline of a word, (n, 2); None if none of its letters stands on it."""
    standing = [k for k in chars if _stands(item.chars[k])]
    if not standing:
        return None
    middles = item.char_quads[standing][:, 2:].astype(np.float64).mean(axis=1)
    if any(item.fields.get(name) for name in BENDING):
        first, last = item.char_quads[standing[0]], item.char_quads[standing[-1]]
        return np.stack([first[3], *middles, last[2]]).astype(np.float64)
    return _cross(item.quads[word], middles)


def _cross(quad: Quads, middles: Points) -> Points:
    """Return where a line at the median height of points in a quad's frame meets its sides."""
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    to_square = cv2.getPerspectiveTransform(quad, square)
    height = float(np.median(cv2.perspectiveTransform(middles[None], to_square)[0, :, 1]))
    ends = np.array([[[0.0, height], [1.0, height]]])
    points = cv2.perspectiveTransform(ends, cv2.getPerspectiveTransform(square, quad))[0]
    return points if np.isfinite(points).all() else quad[[3, 2]].astype(np.float64)


def _stands(char: str) -> bool:
    letter, *marks = list(unicodedata.normalize("NFD", char))
    return letter in STANDING and all(unicodedata.combining(mark) == ABOVE for mark in marks)
