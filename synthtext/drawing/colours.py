"""WCAG luminance and contrast, and the text colour that has a requested contrast.

Source: W3C, Web Content Accessibility Guidelines 2.2, "relative luminance", "contrast ratio"
(with the threshold of IEC 61966-2-1, 0.04045, which gives the same for 8-bit colours).
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]

WEIGHTS = (0.2126, 0.7152, 0.0722)


def parse_hex(text: str) -> Colour:
    """Return red, green, blue of `#rrggbb`, 0 to 255."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def format_hex(colour: Colour) -> str:
    """Return `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


@lru_cache(maxsize=2048)
def scale_levels(fraction: float) -> NDArray[np.uint8]:
    """Return a table of the levels 0 to 255 times a fraction, for `cv2.LUT`: uint8 (256,)."""
    table = np.rint(np.arange(256) * fraction).astype(np.uint8)
    table.flags.writeable = False
    return table


@lru_cache(maxsize=2048)
def to_linear(level: float) -> float:
    """Return the light of an sRGB level of 0 to 255: 0 to 1."""
    share = level / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def to_level(light: float) -> int:
    """Return the sRGB level, 0 to 255, nearest to a light of 0 to 1."""
    share = light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    return min(255, max(0, round(share * 255)))


def measure_luminance(colour: tuple[float, float, float]) -> float:
    """Return the relative luminance of an sRGB colour: 0 for black, 1 for white."""
    red, green, blue = (to_linear(level) for level in colour)
    return WEIGHTS[0] * red + WEIGHTS[1] * green + WEIGHTS[2] * blue


def measure_contrast(
    one: tuple[float, float, float], other: tuple[float, float, float]
) -> float:
    """Return the WCAG contrast ratio of two sRGB colours: 1 if they are equal, at most 21."""
    dim, bright = sorted((measure_luminance(one), measure_luminance(other)))
    return (bright + 0.05) / (dim + 0.05)


def mean_colour(pixels: NDArray[np.uint8], coverage: NDArray[np.uint8]) -> Colour:
    """Return the mean colour of a background, uint8 (H, W, 3), where ink covers it."""
    red, green, blue, _ = cv2.mean(pixels, coverage)
    return round(red), round(green), round(blue)


@lru_cache(maxsize=4096)
def ink_for(ink: Colour, paper: Colour, contrast: float) -> Colour:
    """Return a text colour, darkened or lightened to a contrast with its background.

    Text darker than its background stays darker if that can reach the ratio, and lighter text
    stays lighter. If neither can reach it, the result is black or white, whichever has the
    higher contrast.

    Args:
        ink: colour to start from; its hue is kept: it is scaled in linear light towards black,
            or mixed with white.
        paper: colour of the background.
        contrast: WCAG ratio, 1 to 21; 0 returns the colour as it is.
    """
    if not contrast:
        return ink
    behind = measure_luminance(paper)
    darker = (behind + 0.05) / contrast - 0.05
    lighter = (behind + 0.05) * contrast - 0.05
    can_darken, can_lighten = darker >= 0, lighter <= 1
    prefers_dark = measure_luminance(ink) <= behind
    if can_darken and (prefers_dark or not can_lighten):
        return _set_luminance(ink, darker)
    if can_lighten:
        return _set_luminance(ink, lighter)
    return (0, 0, 0) if (behind + 0.05) / 0.05 >= 1.05 / (behind + 0.05) else (255, 255, 255)


def _set_luminance(ink: Colour, target: float) -> Colour:
    light = [to_linear(level) for level in ink]
    have = measure_luminance(ink)
    if have >= target:
        share = target / have if have else 0.0
        light = [value * share for value in light]
    else:
        share = (target - have) / (1 - have)
        light = [value + (1 - value) * share for value in light]
    red, green, blue = (to_level(value) for value in light)
    return red, green, blue
