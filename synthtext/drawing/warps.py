"""Warps: smooth distortion of a whole text, elastic or as by a lens."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from synthtext.drawing.bands import sample_loops
from synthtext.drawing.faces import Box
from synthtext.drawing.layout import Placement, list_corners
from synthtext.drawing.outlines import refine
from synthtext.rng import unfold
from synthtext.spec import Spec

Points = NDArray[np.float64]

Move = Callable[[Points], Points]
"""Maps points (..., 2) to their new positions, in ems."""

N_WAVES = 3
"""Plane waves per axis; their sum never exceeds sqrt(2 * 3), 2.45 standard deviations."""

WAVELENGTHS_EM = (2.0, 5.0)
"""Shortest and longest wavelength: longer than a letter, shorter than most words."""

STEP_EM = 0.2
"""Longest straight piece of a warped outline."""

N_PIECES = {"char": 16, "word": 64}
"""Points at which each side of a box is sampled."""


def warp(placement: Placement, spec: Spec) -> Placement:
    """Return a text with every point displaced; the same one if its spec asks for no warp.

    The quad of a warped box is a parallelogram along the mean directions of its sides that
    encloses all of its edge, and therefore the ink in it.
    """
    if not (spec.warp_em or spec.barrel_frac):
        return placement
    move = make_move(spec, placement.box)
    chars = _hold(list_corners(placement.char_boxes, placement.char_corners), move, "char")
    words = list_corners(placement.word_boxes, placement.word_corners)
    loops = placement.word_loops
    if loops is None:
        # The right side of a column is the upper edge of its line.
        loops = sample_loops(np.roll(words, -1, axis=1) if spec.is_vertical else words)
    words = _hold(words, move, "word")
    rules, ink = placement.rules, [chars.reshape(-1, 2), words.reshape(-1, 2)]
    if rules is not None:
        rules = refine(rules, STEP_EM)
        rules = replace(rules, points=move(rules.points))
        ink.append(rules.points)
    low, high = (edge(np.concatenate(ink), axis=0).tolist() for edge in (np.min, np.max))
    return replace(
        placement,
        char_corners=chars,
        word_corners=words,
        word_loops=move(loops),
        rules=rules,
        warp=move,
        box=(*low, *high),
    )


def make_move(spec: Spec, box: Box) -> Move:
    """Return the map that displaces the points of a text with a given box, lengths in ems."""
    left, top, right, bottom = box
    middle = np.array([(left + right) / 2, (top + bottom) / 2])
    reach = math.hypot(right - left, bottom - top) / 2
    # The first two numbers choose where letters are worn.
    angles, lengths, phases = np.array(unfold(spec.ink_seed, 2 + 6 * N_WAVES)[2:]).reshape(
        3, -1
    )
    low, high = WAVELENGTHS_EM
    speeds = 2 * np.pi / (low * (high / low) ** lengths)
    waves = speeds * np.stack([np.cos(2 * np.pi * angles), np.sin(2 * np.pi * angles)])
    return partial(
        _move,
        lens=(middle, reach, spec.barrel_frac),
        field=(waves, 2 * np.pi * phases, spec.warp_em),
    )


def _move(
    points: Points,
    *,
    lens: tuple[Points, float, float],
    field: tuple[Points, Points, float],
) -> Points:
    middle, reach, barrel_frac = lens
    waves, phases, warp_em = field
    out = points - middle
    # There is no ink outside the box, but control points of curves may lie there.
    far = np.minimum((out**2).sum(axis=-1, keepdims=True) / reach**2, 1)
    points = middle + out * (1 - barrel_frac * far)
    heights = np.cos(points @ waves + phases).reshape(*points.shape[:-1], 2, N_WAVES)
    return points + warp_em * math.sqrt(2 / N_WAVES) * heights.sum(axis=-1)


def _hold(corners: Points, move: Move, kind: str) -> Points:
    """Return the parallelograms that enclose warped boxes, both float64 (n, 4, 2)."""
    n = N_PIECES[kind]
    shares = (np.arange(n) / n)[:, None]
    sides = np.roll(corners, -1, axis=1) - corners
    edge = move(corners[:, :, None] + shares * sides[:, :, None]).reshape(len(corners), -1, 2)
    first, second, third, fourth = (edge[:, k * n] for k in range(4))
    frames = np.stack(
        [second - first + third - fourth, fourth - first + third - second], axis=2
    )
    inside = np.linalg.solve(frames, (edge - first[:, None]).transpose(0, 2, 1))
    low, high = inside.min(axis=2), inside.max(axis=2)
    bounds = np.stack([low, high], axis=2)[:, [[0], [1]], [[0, 1, 1, 0], [0, 0, 1, 1]]]
    return first[:, None] + (frames @ bounds).transpose(0, 2, 1)
