"""Occlusion: an object over the text that hides a given fraction of its ink."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from synthtext.drawing.degradations import hide_fraction, smooth_noise
from synthtext.drawing.ink_styles import lay_ink
from synthtext.rng import unfold

Pixels = NDArray[np.uint8]
Field = NDArray[np.float32]

SOFTNESS = {"bar": 1.0, "disc": 1.0, "fence": 1.0, "dirt": 0.5}
"""Width of the edges of an occluder, in units of its field."""


def occlude(
    pixels: Pixels, coverage: Pixels, place: tuple[int, int], fraction: float, seed: int
) -> tuple[Pixels, float]:
    """Return the image with an occluder over its text, and the fraction of ink still visible.

    Args:
        pixels: uint8 (H, W, 3).
        coverage: uint8 (h, w), the ink.
        place: column and row of the coverage in the image.
        fraction: fraction of the ink to hide, 0 to 0.95; 0 changes nothing.
        seed: 32 bits; chooses the occluder, its position and its colour.
    """
    if fraction == 0:
        return pixels, 1.0
    column, row = place
    height, width = coverage.shape
    kind, x, y, angle, size, *levels = unfold(seed, 8)
    name = list(SOFTNESS)[int(kind * len(SOFTNESS))]
    ink = np.zeros(pixels.shape[:2], np.uint8)
    ink[row : row + height, column : column + width] = coverage
    # The centre lies in the box of the text, so that little else of the image is hidden.
    middle = column + x * width, row + y * height
    field = FIELDS[name](pixels.shape[:2], middle, math.pi * angle, size * height)
    mask = hide_fraction(field, ink, fraction, SOFTNESS[name])
    red, green, blue = (int(256 * level) for level in levels)
    hidden = lay_ink(pixels, mask, (red, green, blue), opacity=1)
    # BLAS would start threads for a dot product, which then wait for more work at full load.
    n_hidden = int(np.multiply(ink, mask, dtype=np.uint32).sum(dtype=np.int64)) / 255
    return hidden, round(1 - n_hidden / float(ink.sum(dtype=np.int64)), 4)


def _measure_along(
    shape: tuple[int, int], middle: tuple[float, float], angle_rad: float
) -> Field:
    """Return the distance of each pixel from the centre along a direction."""
    down, across = (
        np.arange(side, dtype=np.float32) - at
        for side, at in zip(shape, reversed(middle), strict=True)
    )
    return (
        across * np.float32(math.cos(angle_rad))
        + (down * np.float32(math.sin(angle_rad)))[:, None]
    )


def _measure_bar(
    shape: tuple[int, int], middle: tuple[float, float], angle_rad: float, size_px: float
) -> Field:
    return np.abs(_measure_along(shape, middle, angle_rad))


def _measure_disc(
    shape: tuple[int, int], middle: tuple[float, float], angle_rad: float, size_px: float
) -> Field:
    along = _measure_along(shape, middle, angle_rad)
    return np.hypot(along, _measure_along(shape, middle, angle_rad + math.pi / 2))


def _measure_fence(
    shape: tuple[int, int], middle: tuple[float, float], angle_rad: float, size_px: float
) -> Field:
    gap_px = 6 + size_px
    along = _measure_along(shape, middle, angle_rad)
    return np.abs(np.mod(along + gap_px / 2, gap_px) - gap_px / 2)


def _measure_dirt(
    shape: tuple[int, int], middle: tuple[float, float], angle_rad: float, size_px: float
) -> Field:
    x, y = (at / side % 1 for at, side in zip(middle, reversed(shape), strict=True))
    patches = smooth_noise(1, (x, y), shape, 1 + size_px / 6)
    return (patches - patches.min()) / (patches.std() + np.float32(1e-6))


FIELDS: dict[str, Callable[[tuple[int, int], tuple[float, float], float, float], Field]] = {
    "bar": _measure_bar,
    "disc": _measure_disc,
    "fence": _measure_fence,
    "dirt": _measure_dirt,
}
"""Occluders, each as a field: pixels with the lowest values are hidden first."""
