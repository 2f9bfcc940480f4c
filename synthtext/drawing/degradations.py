"""Degradations of pixels: dots, folds, light, blur, noise. Neutral values change nothing."""

from __future__ import annotations

import math
from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from synthtext.drawing.screens import add_moire, halftone
from synthtext.rng import unfold
from synthtext.spec import Spec

Pixels = NDArray[np.uint8]

POOL_PX = 1024

MAX_TILT_RAD = 0.05
"""How far the creases of a sheet may be turned against the image."""

CREASE_FRAC = 0.3
"""How far the light is lost gradually beside a crease, as a fraction of the way to the next."""

POOL_STD = 32
"""Standard deviation of the noise pool; four of them reach from its mean to 0 and to 255."""


def damage(spec: Spec, pixels: Pixels) -> Pixels:
    """Return the image with all degradations applied, in the order of a camera pipeline."""
    pixels = halftone(pixels, spec.halftone_px, spec.damage_seed)
    pixels = fold(pixels, spec.fold_frac, spec.damage_seed)
    pixels = dim(pixels, spec.light_frac, spec.damage_seed)
    pixels = shade(pixels, spec.shade_frac, spec.damage_seed)
    pixels = downscale(pixels, spec.downscale)
    pixels = blur_by_motion(pixels, spec.motion_px, spec.motion_angle_deg)
    pixels = defocus(pixels, spec.defocus_px)
    pixels = blur(pixels, spec.blur_px)
    pixels = add_moire(pixels, spec.moire_frac, spec.damage_seed)
    pixels = add_shot_noise(pixels, spec.shot_noise_std, spec.noise_seed)
    pixels = add_noise(pixels, spec.noise_std, spec.noise_seed)
    pixels = add_salt(pixels, spec.salt_frac, spec.damage_seed)
    pixels = take_medians(pixels, spec.median_px)
    pixels = webp(pixels, spec.prior_webp_quality)
    return jpeg(pixels, spec.prior_jpeg_quality)


def blur(pixels: Pixels, radius_px: float) -> Pixels:
    """Return the image blurred by a Gaussian.

    Args:
        pixels: uint8 (H, W, 3).
        radius_px: standard deviation; 0 changes nothing.
    """
    if radius_px == 0:
        return pixels
    return cv2.GaussianBlur(pixels, (0, 0), radius_px, borderType=cv2.BORDER_REFLECT_101)


def downscale(pixels: Pixels, ratio: float) -> Pixels:
    """Return the image shrunk and enlarged again, like an enlarged thumbnail.

    Args:
        pixels: uint8 (H, W, 3).
        ratio: ratio of the sides, 1 or more; 1 changes nothing.
    """
    if ratio == 1:
        return pixels
    height, width = pixels.shape[:2]
    size = max(1, round(width / ratio)), max(1, round(height / ratio))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def blur_by_motion(pixels: Pixels, length_px: float, angle_deg: float) -> Pixels:
    """Return the image blurred by a camera that moves along a line at constant speed.

    Args:
        pixels: uint8 (H, W, 3).
        length_px: length of the line; 0 changes nothing.
        angle_deg: its direction, clockwise from the right.
    """
    if length_px == 0:
        return pixels
    return _filter(pixels, _make_line(round(length_px, 3), round(angle_deg, 3)))


def defocus(pixels: Pixels, radius_px: float) -> Pixels:
    """Return the image out of focus: each point becomes a disc.

    Args:
        pixels: uint8 (H, W, 3).
        radius_px: radius of the disc; 0 changes nothing.
    """
    if radius_px == 0:
        return pixels
    reach = math.ceil(radius_px)
    places = np.arange(-reach, reach + 1)
    # Pixels on the edge of the disc are partly covered.
    disc = np.clip(radius_px + 0.5 - np.hypot(places[:, None], places), 0, 1)
    return _filter(pixels, disc / disc.sum())


def dim(pixels: Pixels, fraction: float, seed: int) -> Pixels:
    """Return the image lit from one side, with linear falloff towards the other.

    Args:
        pixels: uint8 (H, W, 3).
        fraction: fraction of the light that is lost at the dark end; 0 changes nothing.
        seed: 32 bits; chooses the direction.
    """
    if fraction == 0:
        return pixels
    depth, _ = _measure_depth(pixels, seed)
    return darken(pixels, depth, fraction)


def shade(pixels: Pixels, fraction: float, seed: int) -> Pixels:
    """Return the image with a shadow across a part of it, with a more or less sharp edge.

    Args:
        pixels: uint8 (H, W, 3).
        fraction: fraction of the light that the shadow removes, 0 to 1; 0 changes nothing.
        seed: 32 bits; chooses the position of the shadow.
    """
    if fraction == 0:
        return pixels
    depth, extent_px = _measure_depth(pixels, seed)
    place, softness = unfold(seed, 4)[2:]
    width = 2 + 0.2 * softness * extent_px
    edge = (depth - (0.25 + 0.5 * place)) * (extent_px / width) + 0.5
    return darken(pixels, np.clip(edge, 0, 1), fraction)


def fold(pixels: Pixels, fraction: float, seed: int) -> Pixels:
    """Return the image of a sheet that was folded, across or lengthwise or both ways.

    At each crease the light is lost at once on one side and gradually on the other.

    Args:
        pixels: uint8 (H, W, 3).
        fraction: of the light that is lost at a crease, 0 to 1; 0 changes nothing.
        seed: 32 bits; chooses the creases.
    """
    if fraction == 0:
        return pixels
    kind, tilt, *places = unfold(seed, 16)[8:]
    slope = np.float32(math.tan(MAX_TILT_RAD * (2 * tilt - 1)))
    down, across = (np.arange(side, dtype=np.float32) for side in pixels.shape[:2])
    depth = np.zeros(pixels.shape[:2], np.float32)
    if kind < 2 / 3:
        along = across + slope * down[:, None]
        depth = _measure_creases(along, pixels.shape[1], *places[:3])
    if kind > 1 / 3:
        along = down[:, None] - slope * across
        depth = np.maximum(depth, _measure_creases(along, pixels.shape[0], *places[3:]))
    return darken(pixels, depth, fraction)


def add_noise(pixels: Pixels, std: float, seed: int) -> Pixels:
    """Return the image with Gaussian noise, independent for each pixel and channel.

    Args:
        pixels: uint8 (H, W, 3).
        std: standard deviation in levels of 255; 0 changes nothing.
        seed: 32 bits; chooses the part of the noise pool that is used.
    """
    if std == 0:
        return pixels
    height, width = pixels.shape[:2]
    x, y = unfold(seed, 2)
    grain = cut(noise_pool(), x, y, height, width)
    gain = std / POOL_STD
    return cv2.addWeighted(pixels, 1, grain, gain, -128 * gain)


def add_shot_noise(pixels: Pixels, std: float, seed: int) -> Pixels:
    """Return the image with the noise of light, a Gaussian in place of Poisson's distribution.

    Args:
        pixels: uint8 (H, W, 3).
        std: standard deviation at white, in levels of 255; elsewhere it is in proportion to the
            square root of the level. 0 changes nothing.
        seed: 32 bits; chooses the part of the noise pool that is used.
    """
    if std == 0:
        return pixels
    x, y = unfold(seed, 4)[2:]
    grain = cut(noise_pool(), x, y, *pixels.shape[:2])
    deviations = np.sqrt(np.arange(256, dtype=np.float32) / 255) * np.float32(std / POOL_STD)
    noise = cv2.subtract(grain, (128, 128, 128, 0), dtype=cv2.CV_32F)
    noise = cv2.multiply(noise, cv2.LUT(pixels, deviations))
    return cv2.add(pixels, noise, dtype=cv2.CV_8U)


def add_salt(pixels: Pixels, fraction: float, seed: int) -> Pixels:
    """Return the image with some pixels turned black and as many turned white.

    Args:
        pixels: uint8 (H, W, 3).
        fraction: fraction of the pixels, 0 to 1; 0 changes nothing.
        seed: 32 bits; chooses the pixels.
    """
    if fraction == 0:
        return pixels
    height, width = pixels.shape[:2]
    chance = np.random.Generator(np.random.Philox(key=seed)).random((height, width), np.float32)
    salted = pixels.copy()
    salted[chance < fraction / 2] = 0
    salted[chance > 1 - fraction / 2] = 255
    return salted


def take_medians(pixels: Pixels, radius_px: int) -> Pixels:
    """Return the image with each pixel replaced by the median of a square around it.

    Args:
        pixels: uint8 (H, W, 3).
        radius_px: half of the side, 0 to 32; 0 changes nothing.
    """
    return cv2.medianBlur(pixels, 2 * radius_px + 1) if radius_px else pixels


def webp(pixels: Pixels, quality: int) -> Pixels:
    """Return the image as it is after it was saved as lossy WebP and read again.

    Args:
        pixels: uint8 (H, W, 3).
        quality: 1 to 100; 100 changes nothing.
    """
    return _save(pixels, ".webp", cv2.IMWRITE_WEBP_QUALITY, quality)


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Return the image after JPEG compression.

    Args:
        pixels: uint8 (H, W, 3), RGB.
        quality: 1 to 100; 100 changes nothing.
    """
    return _save(pixels, ".jpg", cv2.IMWRITE_JPEG_QUALITY, quality)


def _save(pixels: Pixels, suffix: str, setting: int, quality: int) -> Pixels:
    """Return the image after it was saved in a format and read again; 100 changes nothing."""
    if quality == 100:
        return pixels
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    raw = cv2.imencode(suffix, bgr, [setting, quality])[1]
    return cv2.cvtColor(cv2.imdecode(raw, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@cache
def noise_pool() -> Pixels:
    """Return a pool of Gaussian noise: uint8 (1024, 1024, 3), mean 128, standard deviation 32.

    Drawing noise for every image would cost more than the rest of the image.
    """
    bits = np.random.Generator(np.random.Philox(key=0))
    normal = bits.standard_normal((POOL_PX, POOL_PX, 3), dtype=np.float32)
    return np.clip(np.rint(128 + POOL_STD * normal), 0, 255).astype(np.uint8)


def hide_fraction(
    field: NDArray[np.float32], coverage: Pixels, fraction: float, softness: float
) -> Pixels:
    """Return a mask that hides a fraction of the ink, where a field has its lowest values.

    Args:
        field: float32 (H, W), 0 or more, such as the distance from a line.
        coverage: uint8 (H, W), the ink.
        fraction: fraction of the ink to hide, above 0 and below 1.
        softness: width of the mask's edge, in units of the field.

    Returns:
        uint8 (H, W), 255 where a pixel is hidden completely.
    """
    inked = coverage > 0
    values, weights = field[inked], coverage[inked]
    order = np.argsort(values)
    ink = np.cumsum(weights[order], dtype=np.int64)
    edge = values[order[int(np.searchsorted(ink, fraction * ink[-1]))]]
    return np.clip((edge - field) * (255 / softness) + 127.5, 0, 255).astype(np.uint8)


def smooth_noise(
    channel: int, place: tuple[float, float], shape: tuple[int, ...], deviation_px: float
) -> NDArray[np.float32]:
    """Return blurred noise, float32 (h, w), whose patches are as large as the blur.

    Args:
        channel: 0, 1 or 2, of the noise pool; what has one of its own shares no patches.
        place: x and y of the piece in the pool, as `cut` takes them.
        shape: height and width.
        deviation_px: standard deviation of the blur.
    """
    grain = cut(noise_pool()[:, :, channel], *place, *shape[:2]).astype(np.float32)
    return cv2.GaussianBlur(grain, (0, 0), deviation_px)


def cut(pool: Pixels, x: float, y: float, height: int, width: int) -> Pixels:
    """Return a crop of a pool, extended beyond its edges by reflection.

    Args:
        pool: uint8 (H, W, ...).
        x: position of the crop, from 0 at the left edge of the pool to 1 at the right.
        y: the same from top to bottom.
        height: rows of the crop, any number.
        width: columns of the crop, any number.
    """
    top = int(y * _count_places(height, pool.shape[0]))
    left = int(x * _count_places(width, pool.shape[1]))
    bottom, right = top + height, left + width
    below, beside = max(0, bottom - pool.shape[0]), max(0, right - pool.shape[1])
    if below or beside:
        pool = cv2.copyMakeBorder(pool, 0, below, 0, beside, cv2.BORDER_REFLECT)
    return pool[top:bottom, left:right]


def darken(pixels: Pixels, depth: NDArray[np.float32], fraction: float) -> Pixels:
    """Return the image with a fraction of its light lost where the depth, (H, W), is 1."""
    left = np.rint(255 - (255 * fraction) * depth).astype(np.uint8)
    return cv2.multiply(pixels, cv2.merge([left] * 3), scale=1 / 255)


def _filter(pixels: Pixels, kernel: NDArray[np.float64]) -> Pixels:
    return cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REFLECT_101)


@lru_cache(maxsize=256)
def _make_line(length_px: float, angle_deg: float) -> NDArray[np.float64]:
    """Return the kernel of a line through its centre, with odd sides and sum 1."""
    reach = math.ceil(length_px / 2)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    # Each sample is divided among the four pixels around it.
    n_samples = 8 * reach + 1
    along = (np.arange(n_samples) / (n_samples - 1) - 0.5) * length_px
    xs, ys = (reach + along * f(math.radians(angle_deg)) for f in (math.cos, math.sin))
    columns, rows = np.floor(xs).astype(int), np.floor(ys).astype(int)
    for right, below in ((0, 0), (0, 1), (1, 0), (1, 1)):
        part_x = xs - columns if right else 1 - (xs - columns)
        part_y = ys - rows if below else 1 - (ys - rows)
        at = np.minimum(rows + below, 2 * reach), np.minimum(columns + right, 2 * reach)
        np.add.at(kernel, at, part_x * part_y)
    return kernel / kernel.sum()


def _measure_depth(pixels: Pixels, seed: int) -> tuple[NDArray[np.float32], float]:
    """Return how far each pixel lies along a direction, 0 to 1, and the full length in px."""
    angle_rad = 2 * math.pi * unfold(seed, 1)[0]
    height, width = pixels.shape[:2]
    across = np.float32(math.cos(angle_rad)) * np.arange(width, dtype=np.float32)
    down = np.float32(math.sin(angle_rad)) * np.arange(height, dtype=np.float32)
    # Both rise or fall evenly, so that their extremes are at their ends.
    low = min(across[0], across[-1]) + min(down[0], down[-1])
    high = max(across[0], across[-1]) + max(down[0], down[-1])
    extent_px = max(high - low, np.float32(1))
    depth = down[:, None] + (across - low)
    depth /= extent_px
    return depth, float(extent_px)


def _measure_creases(
    along: NDArray[np.float32], side_px: int, start: float, gap: float, turn: float
) -> NDArray[np.float32]:
    """Return how much of the light that creases take is lost at each pixel, 0 to 1.

    Args:
        along: how far each pixel lies along the image, in px.
        side_px: length of the image.
        start: where the first crease lies, as a fraction of the distance between two.
        gap: 0 to 1; how far creases lie apart.
        turn: the light is lost gradually after a crease below 0.5, else before it.
    """
    gap_px = np.float32(1 + (0.4 + 0.5 * gap) * side_px)
    after = np.mod(along - np.float32(start) * gap_px, gap_px)
    before = gap_px - after
    gradual, sudden = (after, before) if turn < 0.5 else (before, after)
    # All pixels that a crease runs through are of its depth.
    slow = 1 - (gradual - np.float32(0.5)) / (np.float32(CREASE_FRAC) * gap_px)
    return np.clip(np.maximum(slow, np.float32(2) - sudden), 0, 1) ** 2


def _count_places(length: int, room: int) -> int:
    # A long crop has few positions within the pool, so many seeds would give the same one.
    return room - length + 1 if length <= room // 2 else room
