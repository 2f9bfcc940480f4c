"""Regular patterns over an image: the dots of a halftone print, the fringes of a moiré."""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from synthtext.rng import unfold

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

SCREEN_ANGLES_RAD = tuple(math.radians(angle) for angle in (15, 75, 45))
"""Angles of the dots of the three channels, 30 degrees apart as in print."""

FRINGE_PX = (4.0, 24.0)
"""Minimum and maximum distance between two fringes of a moiré."""


def halftone(pixels: Pixels, pitch_px: float, seed: int) -> Pixels:
    """Return the image printed in dots, larger where a channel is darker.

    Black and white have no dots, and mean levels stay as they are.

    Args:
        pixels: uint8 (H, W, 3).
        pitch_px: distance between neighbouring dots; 0 changes nothing. Below 2, the dots are
            too fine for the pixels and form coarser patterns.
        seed: 32 bits; chooses the positions of the dots.
    """
    if pitch_px == 0:
        return pixels
    shifts = unfold(seed, 22)[16:]
    # The edges of dots are about a pixel wide: thresholds go from 0 to 1 over half a pitch.
    gain = max(pitch_px / 2, 1.0)
    tones = cv2.LUT(pixels, _find_tones(gain))
    printed = []
    for number, angle_rad in enumerate(SCREEN_ANGLES_RAD):
        across, down = _turn_grid(pixels.shape, angle_rad)
        wave = np.cos((across / pitch_px + shifts[2 * number]) * np.float32(2 * math.pi))
        wave += np.cos((down / pitch_px + shifts[2 * number + 1]) * np.float32(2 * math.pi))
        places = np.rint((wave + 2) * np.float32(255 / 4)).astype(np.uint8)
        threshold = cv2.LUT(places, _rank_screen())
        dots = (tones[:, :, number] - threshold) * np.float32(gain)
        printed.append(np.rint(np.clip(dots, 0, 1) * 255).astype(np.uint8))
    return cv2.merge(printed)


def add_moire(pixels: Pixels, fraction: float, seed: int) -> Pixels:
    """Return the image with the coloured fringes of a photographed display.

    Args:
        pixels: uint8 (H, W, 3).
        fraction: fraction of the light that is lost in the middle of a fringe, 0 to 1; 0
            changes nothing.
        seed: 32 bits; chooses direction, distance, curvature and colours of the fringes.
    """
    if fraction == 0:
        return pixels
    turn, spread, bend, start, colour = unfold(seed, 29)[24:]
    low_px, high_px = FRINGE_PX
    across, down = _turn_grid(pixels.shape, math.pi * turn)
    side_px = max(pixels.shape[:2])
    along = across / (low_px * (high_px / low_px) ** spread)
    along += (2 * bend - 1) * (down / side_px) ** 2 + start
    left = [
        255
        - 255 * fraction * (0.5 + 0.5 * np.cos(2 * math.pi * (along + channel * colour / 6)))
        for channel in range(3)
    ]
    light = cv2.merge([np.rint(channel).astype(np.uint8) for channel in left])
    return cv2.multiply(pixels, light, scale=1 / 255)


def _turn_grid(shape: tuple[int, ...], angle_rad: float) -> tuple[Floats, Floats]:
    """Return how far each pixel lies along a direction and across it, in px: float32 (H, W)."""
    height, width = shape[:2]
    x = np.arange(width, dtype=np.float32)
    y = np.arange(height, dtype=np.float32)[:, None]
    cos, sin = np.float32(math.cos(angle_rad)), np.float32(math.sin(angle_rad))
    return x * cos + y * sin, y * cos - x * sin


def _find_tones(gain: float) -> Floats:
    """Return the tone, for each of 256 levels, whose dots have that level as their mean.

    A dot's level is `gain * (tone - threshold)`, from 0 to 1, where thresholds are spread
    evenly from 0 to 1; this inverts its mean. float32 (256,).
    """
    levels = np.arange(256) / 255
    dark, light = np.sqrt(2 * levels / gain), 1 + 1 / gain - np.sqrt(2 * (1 - levels) / gain)
    edge = 1 / (2 * gain)
    middle = np.where(levels < 1 - edge, levels + edge, light)
    return np.where(levels < edge, dark, middle).astype(np.float32)


@cache
def _rank_screen() -> Floats:
    """Return the fraction of a screen that lies below each of 256 levels: float32 (256,)."""
    wave = np.cos(2 * math.pi * np.arange(512) / 512)
    levels = np.sort(((wave[:, None] + wave + 2) / 4).ravel())
    ranks = np.searchsorted(levels, np.arange(256) / 255) / len(levels)
    return ranks.astype(np.float32)
