"""Pixels only: blur, noise and JPEG. Each returns its image untouched at its neutral value."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from synthtext.rng import unfold

Pixels = NDArray[np.uint8]

POOL_PX = 1024

POOL_STD = 32
"""Deviation of the noise pool; four of them reach either end of a byte."""


def blur(pixels: Pixels, radius_px: float) -> Pixels:
    """Return the image blurred by a Gaussian.

    Args:
        pixels: uint8 (H, W, 3).
        radius_px: standard deviation; 0 changes nothing.
    """
    if radius_px == 0:
        return pixels
    return cv2.GaussianBlur(pixels, (0, 0), radius_px, borderType=cv2.BORDER_REFLECT_101)


def add_noise(pixels: Pixels, std: float, seed: int) -> Pixels:
    """Return the image with Gaussian noise, drawn again for each pixel and channel.

    Args:
        pixels: uint8 (H, W, 3).
        std: standard deviation in levels of 255; 0 changes nothing.
        seed: 32 bits; chooses where the noise is cut from its pool.
    """
    if std == 0:
        return pixels
    height, width = pixels.shape[:2]
    x, y = unfold(seed, 2)
    grain = cut(noise_pool(), x, y, height, width)
    gain = std / POOL_STD
    return cv2.addWeighted(pixels, 1, grain, gain, -128 * gain)


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Return the image after a round through JPEG.

    Args:
        pixels: uint8 (H, W, 3), RGB.
        quality: 1 to 100; 100 changes nothing.
    """
    if quality == 100:
        return pixels
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    raw = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.cvtColor(cv2.imdecode(raw, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@cache
def noise_pool() -> Pixels:
    """Return Gaussian noise to cut from: uint8 (1024, 1024, 3), mean 128, deviation 32.

    Drawing noise afresh for each image would cost more than all the rest of it.
    """
    bits = np.random.Generator(np.random.Philox(key=0))
    normal = bits.standard_normal((POOL_PX, POOL_PX, 3), dtype=np.float32)
    return np.clip(np.rint(128 + POOL_STD * normal), 0, 255).astype(np.uint8)


def cut(pool: Pixels, x: float, y: float, height: int, width: int) -> Pixels:
    """Return a piece of a pool, extended beyond its edges by reflection.

    Args:
        pool: uint8 (H, W, ...).
        x: where the piece lies in the room it has, 0 to 1 from left to right.
        y: the same from top to bottom.
        height: rows of the piece, of any number.
        width: columns of the piece, of any number.
    """
    top = int(y * _count_places(height, pool.shape[0]))
    left = int(x * _count_places(width, pool.shape[1]))
    bottom, right = top + height, left + width
    below, beside = max(0, bottom - pool.shape[0]), max(0, right - pool.shape[1])
    if below or beside:
        pool = cv2.copyMakeBorder(pool, 0, below, 0, beside, cv2.BORDER_REFLECT)
    return pool[top:bottom, left:right]


def _count_places(length: int, room: int) -> int:
    # A long piece has few places within the pool, or one, and seeds would draw alike.
    return room - length + 1 if length <= room // 2 else room
