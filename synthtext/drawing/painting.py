"""Placed letters -> the coverage of their ink on the canvas, by FreeType."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from synthtext.drawing.faces import make_rotation
from synthtext.drawing.ground import Ground
from synthtext.drawing.ink_styles import Pixels, is_styled, make_room, style_letters
from synthtext.drawing.layout import Placement
from synthtext.drawing.outlines import Outline, join, refine
from synthtext.drawing.warps import STEP_EM
from synthtext.errors import DrawError
from synthtext.spec import Spec


def cover(spec: Spec, placement: Placement, ground: Ground) -> tuple[Pixels, int, int]:
    """Return the coverage of the ink, uint8 (h, w), and its column and row on the canvas.

    Lines under and through the text are ink of it.

    Raises:
        DrawError: there is no ink, or some of it lies beyond the canvas.
    """
    moves = ground.view, placement.turns_rad, placement.warp, placement.scales
    is_straight = not placement.slant and all(each is None for each in moves)
    paint = paint_glyphs if is_straight else _paint_outlines
    coverage, column, row = paint(spec, placement, ground)
    # Of bytes, NumPy finds the largest in half the time it takes for `any`.
    if not coverage.max(initial=0):
        raise DrawError(
            f"{spec.drawn_text!r} has no visible ink at {spec.size_px:g} px; enlarge it"
        )
    if placement.rules is not None:
        points = ground.move(placement.rules.points * spec.size_px)
        rules = placement.faces[0].paint_outline(replace(placement.rules, points=points))
        coverage, column, row = _merge([(coverage, column, row), rules])
    bottom, right = row + coverage.shape[0], column + coverage.shape[1]
    if row < 0 or column < 0 or bottom > ground.height_px or right > ground.width_px:
        # Layout reserves no room for characters without a box.
        raise DrawError(f"{spec.drawn_text!r} has a combining mark without a letter; remove it")
    if not is_styled(spec):
        return coverage, column, row
    canvas = ground.height_px, ground.width_px
    coverage, column, row = make_room(spec, coverage, (column, row), canvas)
    return style_letters(spec, coverage), column, row


def paint_glyphs(spec: Spec, placement: Placement, ground: Ground) -> tuple[Pixels, int, int]:
    """Return what `cover` does, for straight text seen head-on; FreeType rotates its glyphs."""
    for face in set(placement.faces):
        face.set_size(spec.size_px)
    rotation = make_rotation(spec.rotation_deg)
    places = ground.move(placement.pens * spec.size_px).tolist()
    painted = [
        face.paint(glyph, x, y, rotation)
        for face, glyph, (x, y) in zip(placement.faces, placement.glyphs, places, strict=True)
    ]
    painted = [part for part in painted if part[0].size]
    return _merge(painted) if painted else (np.zeros((0, 0), np.uint8), 0, 0)


def _merge(painted: list[tuple[Pixels, int, int]]) -> tuple[Pixels, int, int]:
    """Return the coverage of several parts as one, and its column and row on the canvas."""
    lefts, tops, rights, bottoms = zip(
        *[(x, y, x + part.shape[1], y + part.shape[0]) for part, x, y in painted], strict=True
    )
    left, top, right, bottom = min(lefts), min(tops), max(rights), max(bottoms)
    coverage = np.zeros((bottom - top, right - left), np.uint8)
    for part, column, row in painted:
        height, width = part.shape
        place = coverage[row - top : row - top + height, column - left : column - left + width]
        # Neighbours may overlap, in connected scripts by design: the higher coverage is kept.
        np.maximum(place, part, out=place)
    return coverage, left, top


def _paint_outlines(
    spec: Spec, placement: Placement, ground: Ground
) -> tuple[Pixels, int, int]:
    """Return what `cover` does, for letters of several sizes, slanted, bent or from the side.

    Outlines are moved by their control points; the error in their curves is invisible.
    """
    return placement.faces[0].paint_outline(outline_text(spec, placement, ground))


def outline_text(spec: Spec, placement: Placement, ground: Ground) -> Outline:
    """Return all glyphs of a text as one outline, in px from the top left of the canvas."""
    outlines = [
        face.outline(glyph)
        for face, glyph in zip(placement.faces, placement.glyphs, strict=True)
    ]
    counts = [len(each.points) for each in outlines]
    text = join(outlines)
    points = text.points
    if placement.slant:
        points = points - points[:, 1:] * (placement.slant, 0.0)
    if placement.scales is not None:
        points = points * np.repeat(placement.scales, counts)[:, None]
    if placement.turns_rad is not None:
        turns_rad = np.repeat(placement.turns_rad, counts)
        cos, sin = np.cos(turns_rad), np.sin(turns_rad)
        x, y = points.T
        points = np.stack([x * cos - y * sin, x * sin + y * cos], axis=1)
    points = points + np.repeat(placement.pens, counts, axis=0)
    if placement.warp is not None:
        text = refine(replace(text, points=points), STEP_EM)
        points = placement.warp(text.points)
    return replace(text, points=ground.move(points * spec.size_px))
