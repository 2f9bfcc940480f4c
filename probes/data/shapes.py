"""Simple images to write a wrong word on: shapes that any model can name."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from synthtext.rng import unfold

Pixels = NDArray[np.uint8]

SUBPIXEL_BITS = 4
"""Corners are placed to 1/16 pixel; otherwise circles would look polygonal."""

COLOURS = ((204, 60, 50), (60, 110, 200), (70, 150, 80), (220, 150, 40), (140, 90, 170))


def lay_picture(pixels: Pixels, name: str, seed: int) -> Pixels:
    """Return the image with a shape behind its text.

    Args:
        pixels: uint8 (H, W, 3), dark text on white.
        name: one of `PICTURES`.
        seed: 32 bits; chooses colour, size and position.
    """
    height, width = pixels.shape[:2]
    hue, scale, across, down = unfold(seed, 4)
    reach = (0.26 + 0.12 * scale) * min(width, height)
    centre = np.array([width * (0.42 + 0.16 * across), height * (0.42 + 0.16 * down)])
    shape = np.full_like(pixels, 255)
    colour = COLOURS[int(hue * len(COLOURS))]
    outline = np.rint((centre + reach * PICTURES[name]()) * 2**SUBPIXEL_BITS)
    cv2.fillPoly(shape, [outline.astype(np.int32)], colour, cv2.LINE_AA, SUBPIXEL_BITS)
    # The text stays dark on top of the shape.
    return np.minimum(pixels, shape)


def _round(n_corners: int, *, turn: float = 0.0) -> NDArray[np.float64]:
    """Return the corners of a regular polygon around (0, 0), with one at the top."""
    angles = (np.arange(n_corners) / n_corners + turn) * 2 * np.pi
    return np.stack([np.sin(angles), -np.cos(angles)], axis=1)


def _circle() -> NDArray[np.float64]:
    return _round(96)


def _square() -> NDArray[np.float64]:
    return _round(4, turn=1 / 8)


def _triangle() -> NDArray[np.float64]:
    return _round(3)


def _star() -> NDArray[np.float64]:
    return _round(10) * np.where(np.arange(10) % 2, 0.42, 1.0)[:, None]


def _heart() -> NDArray[np.float64]:
    t = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([x, -y], axis=1) / 17


def _cross() -> NDArray[np.float64]:
    a, b = 0.32, 1.0
    return np.array(
        [(-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a),
         (a, b), (-a, b), (-a, a), (-b, a), (-b, -a), (-a, -a)]
    )  # fmt: skip


def _arrow() -> NDArray[np.float64]:
    return np.array(
        [(-1, -0.25), (0.1, -0.25), (0.1, -0.7), (1, 0), (0.1, 0.7), (0.1, 0.25), (-1, 0.25)]
    )


def _moon() -> NDArray[np.float64]:
    t = np.linspace(-0.75 * np.pi, 0.75 * np.pi, 48)
    outer = np.stack([-np.cos(t), np.sin(t)], axis=1)
    bend = np.linspace(outer[-1, 1], outer[0, 1], 48)
    inner = np.stack([0.7 - 0.75 * np.sqrt(np.maximum(0, 1 - bend**2 / 0.52)), bend], axis=1)
    return np.concatenate([outer, inner])


PICTURES: dict[str, Callable[[], NDArray[np.float64]]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "heart": _heart,
    "cross": _cross,
    "arrow": _arrow,
    "moon": _moon,
}
