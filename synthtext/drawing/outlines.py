"""Outlines: all letters of a text as one shape, painted at once with points at any position."""

from __future__ import annotations

import ctypes
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import freetype
import freetype.raw as ft
import numpy as np
from numpy.typing import NDArray

from synthtext.errors import FontError

Points = NDArray[np.float64]

Coverage = NDArray[np.uint8]

MAX_FAR_PX = 16384
"""Maximum distance of a point from the image, for points of broken fonts behind the viewer."""

MAX_POINTS = 32_000
"""Maximum number of points of a shape: FreeType counts them in 16 bits."""

N_GRAYS = 256

OVERFLOW = 0x62
"""FreeType's error where its memory does not hold a shape.

Source: FreeType 2.13, include/freetype/fterrdef.h.
"""

MIN_PART_PX = 64
"""Width below which a shape that FreeType does not paint is not halved."""


@dataclass(frozen=True)
class Outline:
    """The curves of a glyph.

    Attributes:
        points: float64 (n, 2), in ems from the glyph's origin, y downwards.
        tags: uint8 (n,), FreeType's tag of each point: on a curve, or a control point.
        ends: int64 (c,), index of the last point of each contour.
    """

    points: Points
    tags: NDArray[np.uint8]
    ends: NDArray[np.int64]


def join(outlines: Sequence[Outline]) -> Outline:
    """Return outlines as one, with their points in order."""
    starts = itertools.accumulate((len(each.points) for each in outlines[:-1]), initial=0)
    ends = np.concatenate([each.ends for each in outlines])
    return Outline(
        np.concatenate([each.points for each in outlines]),
        np.concatenate([each.tags for each in outlines]),
        ends + np.repeat(list(starts), [len(each.ends) for each in outlines]),
    )


def refine(outline: Outline, step: float) -> Outline:
    """Return the same shape with its straight edges cut into pieces, so that it can be bent.

    Args:
        outline: curves keep their points.
        step: longest piece, in the unit of the points; a shape of many points has longer ones,
            so that `paint` does not refuse it.
    """
    points, ends = outline.points, outline.ends
    after = np.arange(1, len(points) + 1)
    after[ends] = np.concatenate([[0], ends[:-1] + 1])[: len(ends)]
    ways = points[after] - points
    is_on = (outline.tags & 1).astype(bool)
    asked = np.where(is_on & is_on[after], np.ceil(np.linalg.norm(ways, axis=1) / step), 1)
    counts = np.clip(asked, 1, max(1, MAX_POINTS // max(1, len(points)))).astype(np.int64)
    owners = np.repeat(np.arange(len(points)), counts)
    lasts = np.cumsum(counts)
    shares = (np.arange(len(owners)) - (lasts - counts)[owners]) / counts[owners]
    return Outline(
        points[owners] + shares[:, None] * ways[owners],
        np.where(shares > 0, 1, outline.tags[owners]).astype(np.uint8),
        lasts[ends] - 1,
    )


def paint(
    library: ft.FT_Library, outline: Outline, name: str
) -> tuple[NDArray[np.uint8], int, int]:
    """Return the coverage of a shape, and its position in the image.

    Args:
        library: FreeType library of the current thread.
        outline: outline with points in px from the top left of the image.
        name: name of the font, for messages.

    Returns:
        uint8 (h, w), 255 is full ink; the column and the row of its top left pixel.

    Raises:
        FontError: a point lies far beyond the image, or there are too many.
    """
    points = outline.points
    if not len(points):
        return np.zeros((0, 0), np.uint8), 0, 0
    if len(points) > MAX_POINTS:
        raise FontError(
            f"{name} takes {len(points):,} points for a text, more than {MAX_POINTS:,};"
            " draw a shorter text or remove the font"
        )
    # Column by column: NumPy takes four times as long over an axis that is not the last.
    x, y = points.T
    low_x, low_y, high_x, high_y = map(float, (x.min(), y.min(), x.max(), y.max()))
    if not all(abs(edge) < MAX_FAR_PX for edge in (low_x, low_y, high_x, high_y)):
        raise FontError(f"{name} has an outline without bounds; remove the font")
    column, row = math.floor(low_x), math.floor(low_y)
    right, bottom = math.ceil(high_x), math.ceil(high_y)
    coverage = np.zeros((max(1, bottom - row), max(1, right - column)), np.uint8)
    code = _fill(library, outline, (column, bottom), coverage)
    if code:
        raise FontError(
            f"{name} has an outline that FreeType cannot paint (error {code}); remove the font"
        )
    return coverage, column, row


def _fill(
    library: ft.FT_Library, outline: Outline, corner: tuple[int, int], coverage: Coverage
) -> int:
    """Paint a part of a shape, and return FreeType's error code, 0 for success.

    Args:
        library: FreeType library of the calling thread.
        outline: its points in px from the image's top left.
        corner: column and row of the bottom left corner of the part.
        coverage: uint8 (h, w), painted in place.
    """
    # FreeType measures in 64ths of a pixel from the bottom left.
    placed = np.rint((outline.points - corner) * (64, -64)).astype("l")
    tags, ends = np.ascontiguousarray(outline.tags), outline.ends.astype(np.int16)
    shape = ft.FT_Outline(
        len(ends),
        len(placed),
        placed.ctypes.data_as(ctypes.POINTER(ft.FT_Vector)),
        tags.ctypes.data_as(ctypes.POINTER(ctypes.c_ubyte)),
        ends.ctypes.data_as(ctypes.POINTER(ctypes.c_short)),
        0,
    )
    height, width = coverage.shape
    bitmap = ft.FT_Bitmap(
        height,
        width,
        coverage.strides[0],
        coverage.ctypes.data_as(ctypes.POINTER(ctypes.c_ubyte)),
        N_GRAYS,
        freetype.FT_PIXEL_MODE_GRAY,
    )
    code = int(ft.FT_Outline_Get_Bitmap(library, ctypes.byref(shape), ctypes.byref(bitmap)))
    if code != OVERFLOW or width < MIN_PART_PX:
        return code
    # FreeType has too little memory for some low shapes of thousands of pixels.
    coverage[:] = 0
    half, (column, bottom) = width // 2, corner
    return _fill(library, outline, corner, coverage[:, :half]) or _fill(
        library, outline, (column + half, bottom), coverage[:, half:]
    )
