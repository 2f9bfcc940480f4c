"""Ink styles: effects on painted letters, and layers between them and the background.

All of them work on coverage, uint8 (H, W), 255 where ink covers a pixel completely. At its
neutral value, each returns the coverage unchanged.
"""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from synthtext.drawing.backgrounds import make_gradient, make_texture, mix
from synthtext.drawing.colours import Colour, parse_hex, scale_levels
from synthtext.drawing.degradations import hide_fraction, smooth_noise
from synthtext.drawing.photos import Photos, crop_photo
from synthtext.rng import unfold
from synthtext.spec import Spec

Coverage = NDArray[np.uint8]
Pixels = NDArray[np.uint8]

SHADOW_OPACITY = 0.6
"""Fraction of the light that a shadow removes."""

FILL_FRACTION = 0.6
"""Maximum fraction of the second colour, or of a photograph, in a fill."""

MAX_KERNEL_PX = 6
"""Maximum radius at which a kernel dilates strokes, which keeps the soft edges of thin ones."""

EMBOSS_EM = 0.03
"""Standard deviation, in ems, of the blur that rounds the edges of embossed letters."""

WEAR_EM = 0.05
"""Standard deviation, in ems, of the blur that determines the size of worn patches."""


def measure_growth(spec: Spec) -> float:
    """Return how far letters extend beyond their outlines, in px."""
    # Styles are painted with subpixel accuracy, so the last pixel of each is faint.
    widths_em = max(spec.embolden_em, 0.0), spec.ink_bleed_em, spec.outline_em
    return sum(math.ceil(width_em * spec.size_px) for width_em in widths_em)


def lay_ink(paper: Pixels, coverage: Pixels, ink: Colour | Pixels, opacity: float) -> Pixels:
    """Return the background with ink on it.

    Args:
        paper: the background, uint8 (H, W, 3).
        coverage: uint8 (H, W), 255 where the ink covers a pixel completely.
        ink: colour of the ink, or a colour for each pixel, uint8 (H, W, 3).
        opacity: 0 to 1; 0 changes nothing.
    """
    if opacity < 1:
        coverage = cv2.LUT(coverage, scale_levels(opacity))
    if isinstance(ink, tuple):
        # Three tables of one channel cost OpenCV a fifth of one table of three.
        laid = cv2.merge([cv2.LUT(coverage, scale_levels(level / 255)) for level in ink])
    else:
        full = cv2.cvtColor(coverage, cv2.COLOR_GRAY2RGB)
        laid = cv2.multiply(ink, full, scale=1 / 255)
    left = cv2.cvtColor(cv2.bitwise_not(coverage), cv2.COLOR_GRAY2RGB)
    return cv2.add(laid, cv2.multiply(paper, left, scale=1 / 255))


def is_styled(spec: Spec) -> bool:
    """Return whether the letters have a style, or a layer under them."""
    return any(
        (
            spec.embolden_em, spec.ink_bleed_em, spec.wear_frac, spec.outline_em,
            spec.extrude_em, spec.shadow_em, spec.glow_em, spec.emboss_frac,
        )
    )  # fmt: skip


def make_room(
    spec: Spec, coverage: Pixels, place: tuple[int, int], shape: tuple[int, int]
) -> tuple[Pixels, int, int]:
    """Return the coverage, padded for what a style adds but not beyond the canvas."""
    reach = measure_growth(spec) + spec.size_px * max(
        spec.extrude_em,
        spec.shadow_em + 3 * spec.shadow_blur_em if spec.shadow_em else 0.0,
        2 * spec.glow_em,
        3 * EMBOSS_EM if spec.emboss_frac else 0.0,
    )
    room = math.ceil(reach) + 1
    column, row = place
    left, top = max(0, column - room), max(0, row - room)
    right = min(shape[1], column + coverage.shape[1] + room)
    bottom = min(shape[0], row + coverage.shape[0] + room)
    roomy = np.zeros((bottom - top, right - left), np.uint8)
    height, width = coverage.shape
    roomy[row - top : row - top + height, column - left : column - left + width] = coverage
    return roomy, left, top


def style_letters(spec: Spec, coverage: Coverage) -> Coverage:
    """Return the letters, emboldened, spread and worn according to their spec."""
    coverage = embolden(coverage, spec.embolden_em * spec.size_px)
    coverage = spread_ink(coverage, spec.ink_bleed_em * spec.size_px, spec.ink_seed)
    return wear_off(coverage, spec.wear_frac, spec.ink_seed, WEAR_EM * spec.size_px)


def lay_styled(
    spec: Spec, behind: Pixels, coverage: Pixels, ink: Colour, photos: Photos | None
) -> None:
    """Draw shadow, glow, extrusion, outline and letters onto the background, in this order."""
    ink2, size_px, angle_deg = parse_hex(spec.ink2), spec.size_px, spec.shadow_angle_deg
    letters = coverage
    if spec.outline_em:
        letters = embolden(coverage, spec.outline_em * size_px)
    if spec.shadow_em:
        blur_px = spec.shadow_blur_em * size_px
        shadow = cast_shadow(letters, spec.shadow_em * size_px, angle_deg, blur_px)
        behind[:] = lay_ink(behind, shadow, (0, 0, 0), SHADOW_OPACITY * spec.opacity)
    if spec.glow_em:
        glow = make_glow(letters, spec.glow_em * size_px)
        behind[:] = lay_ink(behind, glow, ink2, spec.opacity)
    if spec.extrude_em:
        body = extrude(letters, spec.extrude_em * size_px, angle_deg)
        behind[:] = lay_ink(behind, body, ink2, spec.opacity)
    if spec.outline_em:
        behind[:] = lay_ink(behind, letters, ink2, spec.opacity)
    fill: Colour | Pixels = ink
    if spec.ink_fill != "plain":
        fill = fill_ink(spec, ink, coverage.shape, photos)
    behind[:] = lay_ink(behind, coverage, fill, spec.opacity)
    if spec.emboss_frac:
        strength = spec.emboss_frac * spec.opacity
        behind[:] = emboss(behind, letters, strength, angle_deg, EMBOSS_EM * size_px)


def embolden(coverage: Coverage, radius_px: float) -> Coverage:
    """Return letters with strokes thicker by a radius on each side; a negative one thins them.

    Args:
        coverage: coverage of the letters, padded for what is added.
        radius_px: 0 changes nothing.
    """
    if radius_px == 0:
        return coverage
    if radius_px < 0:
        return cv2.bitwise_not(embolden(cv2.bitwise_not(coverage), -radius_px))
    if radius_px > MAX_KERNEL_PX:
        # The cost of this does not grow with the radius, unlike that of a kernel.
        return _grow(coverage, radius_px)
    whole = math.floor(radius_px)
    smaller, larger = (_dilate(coverage, radius) for radius in (whole, whole + 1))
    part = radius_px - whole
    return cv2.addWeighted(smaller, 1 - part, larger, part, 0)


def _grow(coverage: Coverage, reach_px: float | NDArray[np.float32]) -> Coverage:
    """Return the pixels up to a distance from the ink, which may differ between pixels."""
    away = cv2.compare(coverage, 127, cv2.CMP_LE)
    distance = cv2.distanceTransform(away, cv2.DIST_L2, 5)
    # The pixel beside the ink is 1 away, and the last one is reached in part.
    return np.clip((reach_px + 1 - distance) * 255, 0, 255).astype(np.uint8)


def spread_ink(coverage: Coverage, width_px: float, seed: int) -> Coverage:
    """Return letters whose ink has spread into the paper, farther in some places than others.

    Args:
        coverage: coverage of the letters, padded for what is added.
        width_px: largest distance; 0 changes nothing.
        seed: 32 bits; chooses the places.
    """
    if width_px == 0:
        return coverage
    # The first twenty numbers choose where letters are worn and how they are warped.
    x, y = unfold(seed, 22)[20:]
    field = smooth_noise(2, (x, y), coverage.shape, max(0.5, width_px / 2))
    # Two standard deviations about its mean are all of the distance, and none.
    field -= field.mean()
    reach_px = np.clip(0.5 + field / (4 * field.std() + 1e-6), 0, 1) * width_px
    return np.maximum(coverage, _grow(coverage, reach_px))


def wear_off(coverage: Coverage, fraction: float, seed: int, patch_px: float) -> Coverage:
    """Return letters from which a fraction of the ink has worn off, in patches.

    Args:
        coverage: coverage of the letters.
        fraction: fraction of the ink, 0 to 1; 0 changes nothing.
        seed: 32 bits; chooses the patches.
        patch_px: size of the patches: standard deviation of the blur that smooths their noise.
    """
    if fraction == 0:
        return coverage
    x, y = unfold(seed, 2)
    field = smooth_noise(0, (x, y), coverage.shape, patch_px)
    worn = hide_fraction(field, coverage, fraction, softness=float(field.std()) / 2)
    return cv2.multiply(coverage, cv2.bitwise_not(worn), scale=1 / 255)


def extrude(coverage: Coverage, depth_px: float, angle_deg: float) -> Coverage:
    """Return the coverage of extruded letters, including the letters themselves.

    Args:
        coverage: coverage of the letters, padded for what is added.
        depth_px: depth of the extrusion; 0 changes nothing.
        angle_deg: its direction, clockwise from the right.
    """
    done_px = 0.0
    while done_px < depth_px:
        # Each step doubles the length that is covered.
        step_px = min(max(done_px, 1.0), depth_px - done_px)
        moved = _shift(coverage, step_px, angle_deg)
        coverage = np.maximum(coverage, moved)
        done_px += step_px
    return coverage


def cast_shadow(
    coverage: Coverage, distance_px: float, angle_deg: float, blur_px: float
) -> Coverage:
    """Return the shadow of letters.

    Args:
        coverage: coverage of the letters, padded for what is added.
        distance_px: distance from the letters to their shadow.
        angle_deg: direction of the shadow, clockwise from the right.
        blur_px: standard deviation of its blur; 0 leaves its edge sharp.
    """
    shadow = _shift(coverage, distance_px, angle_deg)
    if blur_px:
        shadow = cv2.GaussianBlur(shadow, (0, 0), blur_px, borderType=cv2.BORDER_CONSTANT)
    return shadow


def make_glow(coverage: Coverage, width_px: float) -> Coverage:
    """Return the glow of letters.

    Args:
        coverage: coverage of the letters, padded for what is added.
        width_px: more than 0; beside a straight edge, half of the glow is left at half this
            distance, and nothing at twice it.
    """
    full = embolden(coverage, width_px / 2)
    return cv2.GaussianBlur(full, (0, 0), width_px / 2, borderType=cv2.BORDER_CONSTANT)


def emboss(
    pixels: Pixels, coverage: Coverage, fraction: float, angle_deg: float, round_px: float
) -> Pixels:
    """Return letters as if raised: lit on the edges that face the light, dark on the others.

    Args:
        pixels: the letters on their background, uint8 (H, W, 3).
        coverage: coverage of the letters, of the same height and width.
        fraction: maximum fraction of the distance to white, or to black, by which an edge
            changes; 0 changes nothing.
        angle_deg: direction of the light, clockwise from the right.
        round_px: standard deviation of the blur that rounds the edges.
    """
    if fraction == 0:
        return pixels
    height = cv2.GaussianBlur(
        coverage.astype(np.float32) / 255, (0, 0), round_px, borderType=cv2.BORDER_CONSTANT
    )
    down, right = np.gradient(height)
    angle_rad = math.radians(angle_deg)
    # The slope of a straight edge after this blur is 1 / (round_px * sqrt(2 * pi)).
    steepest = max(round_px, 0.5) * math.sqrt(2 * math.pi)
    slope = (right * math.cos(angle_rad) + down * math.sin(angle_rad)) * steepest
    light = (fraction * np.clip(slope, -1, 1))[..., None]
    room = np.where(light > 0, 255 - pixels.astype(np.float32), pixels)
    return np.rint(pixels + light * room).astype(np.uint8)


def fill_ink(spec: Spec, ink: Colour, shape: tuple[int, int], photos: Photos | None) -> Pixels:
    """Return the colours of ink that is not plain: uint8 (H, W, 3).

    Args:
        spec: its `ink_fill`, `ink2` or `ink_photo`, and `ink_seed` are used.
        ink: first colour.
        shape: H and W.
        photos: a collection with the photograph of the fill, if it has one.

    Raises:
        PhotoError: the photograph is missing.
    """
    height, width = shape
    if spec.ink_fill == "photo":
        photo = crop_photo(photos, spec.ink_photo, spec.ink_seed, width, height)
        plain = np.full_like(photo, ink)
        return cv2.addWeighted(photo, FILL_FRACTION, plain, 1 - FILL_FRACTION, 0)
    make = {"gradient": make_gradient, "texture": make_texture}[spec.ink_fill]
    share = make(spec.ink_seed, width, height)
    return mix(share, ink, parse_hex(spec.ink2), FILL_FRACTION)


def _dilate(coverage: Coverage, radius_px: int) -> Coverage:
    return cv2.dilate(coverage, _make_disc(radius_px), borderValue=0) if radius_px else coverage


@cache
def _make_disc(radius_px: int) -> NDArray[np.uint8]:
    # OpenCV's ellipses extend beyond their radius, and would push letters beyond their quads.
    places = np.arange(-radius_px, radius_px + 1)
    return (np.hypot(places[:, None], places) <= radius_px).astype(np.uint8)


def _shift(coverage: Coverage, distance_px: float, angle_deg: float) -> Coverage:
    """Return coverage moved in one direction, with subpixel accuracy."""
    x = distance_px * math.cos(math.radians(angle_deg))
    y = distance_px * math.sin(math.radians(angle_deg))
    height, width = coverage.shape
    return cv2.warpAffine(coverage, np.array([[1, 0, x], [0, 1, y]]), (width, height))
