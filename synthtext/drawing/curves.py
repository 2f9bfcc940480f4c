"""Letters along a curve, or displaced and rotated one by one, without distortion."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synthtext.drawing.bands import frame_word, sample_boxes, sample_loops
from synthtext.drawing.layout import Placement, find_owners, inked, list_corners, number_words
from synthtext.drawing.outlines import refine
from synthtext.errors import DrawError
from synthtext.spec import Spec

Points = NDArray[np.float64]

PointMap = Callable[[float, float], tuple[float, float, float]]
"""Maps a point to its new position and to the clockwise rotation there, in radians."""

_read_bends = operator.attrgetter("arc_deg", "wave_em", "jitter_em", "letter_rotation_deg")

MAX_REACH = 0.8
"""How far letters may extend towards the centre of an arc, as a fraction of its radius."""

MIN_RADIUS_EM = 0.7
"""Minimum radius of an arc: on a smaller one, letters overlap."""

RULE_STEP_EM = 0.1
"""Longest straight piece of a line along a curve: 2 thousandths of an em from the tightest."""

STRAIGHT_RAD = 1e-6
"""An angle too small to be visible, whose radius is too large to compute positions from."""


@dataclass(frozen=True)
class Curve:
    """A bent baseline, in ems: an arc of a circle, or a wave, or a wave on an arc.

    Attributes:
        left: x at which the text begins.
        width: width of the straight text, more than 0.
        arc_rad: angle by which the text turns from its beginning to its end; if positive, its
            middle is its highest point; 0 is straight.
        wave_em: amplitude of a wave whose period is the length of the text; 0 is straight.
    """

    left: float
    width: float
    arc_rad: float
    wave_em: float

    def at(self, x: float, y: float) -> tuple[float, float, float]:
        """Return the new position of a point of the straight text, and its clockwise rotation.

        Args:
            x: position along the straight baseline.
            y: distance of the point below the baseline.
        """
        phase = 2 * math.pi * (x - self.left) / self.width
        y += self.wave_em * math.sin(phase)
        slope = math.atan(self.wave_em * 2 * math.pi / self.width * math.cos(phase))
        if abs(self.arc_rad) < STRAIGHT_RAD:
            return x, y, slope
        middle, radius = self.left + self.width / 2, self.width / self.arc_rad
        turn = (x - middle) / radius
        sin, cos = math.sin(turn), math.cos(turn)
        return middle + (radius - y) * sin, radius - (radius - y) * cos, turn + slope

    def move(self, points: Points) -> Points:
        """Return the new positions of points (..., 2) of the straight text, as `at` does."""
        x, y = points[..., 0], points[..., 1]
        y = y + self.wave_em * np.sin(2 * np.pi * (x - self.left) / self.width)
        if abs(self.arc_rad) < STRAIGHT_RAD:
            return np.stack([x, y], axis=-1)
        middle, radius = self.left + self.width / 2, self.width / self.arc_rad
        turns = (x - middle) / radius
        across = radius - y
        return np.stack(
            [middle + across * np.sin(turns), radius - across * np.cos(turns)], axis=-1
        )

    def find(self, groups: Points) -> Points:
        """Return the points of the straight text that `move` brings to points (m, n, 2).

        The n points of a group lie together: where the curve is a circle, each of them is
        found less than half a turn from the middle of its group.
        """
        x, y = groups[..., 0], groups[..., 1]
        if abs(self.arc_rad) >= STRAIGHT_RAD:
            middle, radius = self.left + self.width / 2, self.width / self.arc_rad
            right, up = math.copysign(1, radius) * np.stack([x - middle, radius - y])
            turns = np.arctan2(right, up)
            around = np.arctan2(right.mean(axis=1), up.mean(axis=1))[:, None]
            turns = turns + 2 * np.pi * np.rint((around - turns) / (2 * np.pi))
            x = middle + radius * turns
            y = radius - math.copysign(1, radius) * np.hypot(right, up)
        y = y - self.wave_em * np.sin(2 * np.pi * (x - self.left) / self.width)
        return np.stack([x, y], axis=-1)

    @property
    def length(self) -> float:
        """Length after which the baseline meets itself; infinite if it is not an arc."""
        if abs(self.arc_rad) < STRAIGHT_RAD:
            return math.inf
        return 2 * math.pi * self.width / abs(self.arc_rad)


def bend(placement: Placement, spec: Spec) -> Placement:
    """Return a text along a curve and with displaced letters, or unchanged if it has neither.

    Args:
        placement: the straight text.
        spec: its text, `arc_deg`, `wave_em`, `jitter_em` and `letter_rotation_deg` are used.

    Raises:
        DrawError: letters would overlap near the centre of the arc, or the text is vertical.
    """
    arc_deg, wave_em, jitter_em, letter_rotation_deg = _read_bends(spec)
    if not (arc_deg or wave_em or jitter_em or letter_rotation_deg):
        return placement
    if spec.is_vertical and (arc_deg or wave_em):
        raise DrawError("vertical text follows no curve; set arc_deg and wave_em to 0")
    text = spec.drawn_text
    left, top, right, bottom = placement.box
    curve = Curve(left, right - left, math.radians(arc_deg), wave_em)
    _check_reach(curve, text, arc_deg, top=-top + abs(wave_em), bottom=bottom + abs(wave_em))
    placement = _move_rules(placement, curve)
    if not (jitter_em or letter_rotation_deg):
        return _add_bands(_move_letters(placement, text, curve.at), text, curve)
    chance = np.random.Generator(np.random.Philox(key=spec.ink_seed))

    def at(x: float, y: float) -> tuple[float, float, float]:
        # A displacement beyond three standard deviations could leave the image, and is rare.
        right, down, turn = (
            max(-3.0, min(3.0, value)) for value in chance.standard_normal(3).tolist()
        )
        x, y, turn_rad = curve.at(x + jitter_em * right, y + jitter_em * down)
        return x, y, turn_rad + math.radians(letter_rotation_deg) * turn

    bent = _move_letters(placement, text, at)
    return _add_bands(bent, text, curve) if arc_deg or wave_em else bent


def _add_bands(placement: Placement, text: str, curve: Curve) -> Placement:
    """Return a text with the loop around each word that its curve bends."""
    corners = list_corners(placement.char_boxes, placement.char_corners)
    letters = curve.find(sample_boxes(corners))
    frames = [
        frame_word(letters[numbers], curve.length)
        for numbers in _group_words(number_words(text, placement.word_breaks))
    ]
    return replace(placement, word_loops=curve.move(sample_loops(np.array(frames))))


def _move_rules(placement: Placement, curve: Curve) -> Placement:
    """Return a text whose lines under and through it follow its curve."""
    if placement.rules is None:
        return placement
    rules = refine(placement.rules, RULE_STEP_EM)
    moved = np.array([curve.at(x, y)[:2] for x, y in rules.points.tolist()])
    return replace(placement, rules=replace(rules, points=moved))


def _move_letters(placement: Placement, text: str, at: PointMap) -> Placement:
    """Return a text in which each letter moves with the midpoint of its baseline.

    The letters of a ligature move together, as do a letter and its marks. The box of a letter
    is rotated with it; that of a word is a rotated box around all of its letters, so both
    contain the ink.
    """
    clusters = sorted(set(placement.clusters))
    owners = find_owners(clusters, inked(text))
    middles = _find_middles(placement, owners)
    baselines = dict(zip(placement.clusters, placement.baselines, strict=True))
    frames = _Frames.of(at, [(middles[cluster], baselines[cluster]) for cluster in clusters])
    numbers = {cluster: number for number, cluster in enumerate(clusters)}
    of_glyphs = [numbers[cluster] for cluster in placement.clusters]
    of_letters = [numbers[owner] for owner in owners]
    corners = list_corners(placement.char_boxes, placement.char_corners)
    letters = frames.move(corners, of_letters)
    turned_rad = placement.turns_rad or [0.0] * len(of_glyphs)
    words = _box_words(
        number_words(text, placement.word_breaks),
        letters,
        [frames.turns_rad[number] for number in of_letters],
    )
    ink = words.reshape(-1, 2)
    if placement.rules is not None:
        ink = np.concatenate([ink, placement.rules.points])
    return replace(
        placement,
        pens=frames.move(placement.pens[:, None], of_glyphs)[:, 0],
        turns_rad=[
            frames.turns_rad[number] + turn_rad
            for number, turn_rad in zip(of_glyphs, turned_rad, strict=True)
        ],
        char_corners=letters,
        word_corners=words,
        box=(*ink.min(axis=0).tolist(), *ink.max(axis=0).tolist()),
    )


@dataclass(frozen=True)
class _Frames:
    """The motions of n letters: each a clockwise rotation about a point, and a translation.

    Attributes:
        starts: float64 (n, 1, 2), the points.
        ends: float64 (n, 1, 2), their new positions.
        turns: float64 (n, 2, 2), the matrices of the rotations.
        turns_rad: n angles.
    """

    starts: Points
    ends: Points
    turns: Points
    turns_rad: list[float]

    @classmethod
    def of(cls, at: PointMap, starts: list[tuple[float, float]]) -> _Frames:
        moved = [at(x, y) for x, y in starts]
        return cls(
            np.array(starts)[:, None],
            np.array([(x, y) for x, y, _ in moved])[:, None],
            np.array([_make_turn(turn_rad) for _, _, turn_rad in moved]),
            [turn_rad for _, _, turn_rad in moved],
        )

    def move(self, points: Points, numbers: list[int]) -> Points:
        """Return the new positions of points (m, k, 2), k with each of m letters."""
        return (points - self.starts[numbers]) @ self.turns[numbers] + self.ends[numbers]


def _make_turn(turn_rad: float) -> list[list[float]]:
    """Return the matrix that rotates rows of points, y downwards, clockwise."""
    cos, sin = math.cos(turn_rad), math.sin(turn_rad)
    return [[cos, sin], [-sin, cos]]


def _rotate(points: Points, turn_rad: float) -> Points:
    """Return points (n, 2), y downwards, rotated clockwise about (0, 0)."""
    return points @ np.array(_make_turn(turn_rad))


def _check_reach(curve: Curve, text: str, arc_deg: float, *, top: float, bottom: float) -> None:
    if not curve.arc_rad:
        return
    radius = curve.width / abs(curve.arc_rad)
    if radius < max(MIN_RADIUS_EM, (bottom if arc_deg > 0 else top) / MAX_REACH):
        raise DrawError(
            f"{text!r} is too short for an arc of {arc_deg:g} degrees; lower arc_deg"
        )


def _find_middles(placement: Placement, owners: list[int]) -> dict[int, float]:
    """Return x of the middle of each cluster's ink, or of its origin if it has no ink."""
    middles = dict(zip(placement.clusters, placement.pens[:, 0].tolist(), strict=True))
    edges: dict[int, tuple[float, float]] = {}
    for owner, (left, _, right, _) in zip(owners, placement.char_boxes.tolist(), strict=True):
        low, high = edges.get(owner, (left, right))
        edges[owner] = (min(low, left), max(high, right))
    return middles | {owner: (low + high) / 2 for owner, (low, high) in edges.items()}


def _group_words(words: list[int]) -> list[list[int]]:
    """Return the indices of the characters of each word, from the word of each character."""
    groups: dict[int, list[int]] = {}
    for number, word in enumerate(words):
        groups.setdefault(word, []).append(number)
    return list(groups.values())


def _box_words(words: list[int], letters: Points, turns_rad: list[float]) -> Points:
    """Return the corners of a box around the letters of each word: float64 (k, 4, 2)."""
    boxes = []
    for numbers in _group_words(words):
        # The direction of a word is that of its middle letter.
        turn_rad = sorted(turns_rad[number] for number in numbers)[len(numbers) // 2]
        x, y = _rotate(letters[numbers].reshape(-1, 2), -turn_rad).T
        left, top, right, bottom = x.min(), y.min(), x.max(), y.max()
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        boxes.append(_rotate(corners, turn_rad))
    return np.array(boxes)
