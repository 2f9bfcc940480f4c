"""Crops -> the input of the estimator: small views, numbers and colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from probes.arrays import Pixels

VIEW_PX = (32, 96)
"""Height and width of the view of a whole crop."""

PATCH_PX = (32, 64)
"""Height and width of the patch, which is not scaled, so that it shows blur, noise and JPEG."""

MAX_HEIGHT_PX = 256
"""Taller crops are shrunk to this height first."""


@dataclass(frozen=True)
class Crops:
    """The input of the estimator for N crops.

    Attributes:
        views: uint8 (N, 32, 96, 3); each crop scaled to fit, padded by repeating its edge.
        patches: uint8 (N, 32, 64, 3); the part of each crop with the strongest edges, unscaled.
        scalars: float32 (N, k); size and statistics of the pixels.
        paper: uint8 (N, 3); background colour.
        paper2: uint8 (N, 3); second background colour.
        ink: uint8 (N, 3); colour of the text.
    """

    views: NDArray[np.uint8]
    patches: NDArray[np.uint8]
    scalars: NDArray[np.float32]
    paper: NDArray[np.uint8]
    paper2: NDArray[np.uint8]
    ink: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.views)

    def take(self, rows: NDArray[np.int64] | slice) -> Crops:
        """Return the crops of these rows."""
        return Crops(*(getattr(self, field.name)[rows] for field in fields(self)))


def join(parts: Sequence[Crops]) -> Crops:
    """Return the crops of several parts as one."""
    return Crops(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Crops)
        )
    )


def look_at(images: Sequence[Pixels]) -> Crops:
    """Return the input of the estimator for images, uint8 (H, W, 3) each, of any size."""
    rows = [_look_at_one(pixels) for pixels in images]
    views, patches, scalars, colours = zip(*rows, strict=True)
    paper, paper2, ink = np.stack(colours).transpose(1, 0, 2)
    return Crops(
        np.stack(views), np.stack(patches), np.stack(scalars).astype(np.float32), paper, paper2,
        ink,
    )  # fmt: skip


def _look_at_one(
    pixels: Pixels,
) -> tuple[Pixels, Pixels, NDArray[np.float64], NDArray[np.uint8]]:
    height, width = pixels.shape[:2]
    if height > MAX_HEIGHT_PX:
        size = (max(1, round(width * MAX_HEIGHT_PX / height)), MAX_HEIGHT_PX)
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    view = _fit(pixels, *VIEW_PX)
    patch, noise = _cut_patch(pixels)
    colours = find_colours(view)
    shares = colours.ravel() / 255
    size = (np.log2(pixels.shape[0]), np.log2(pixels.shape[1]))
    ratio = size[1] - size[0]
    return view, patch, np.array([*size, ratio, *noise, *shares]), colours


def _fit(pixels: Pixels, height: int, width: int) -> Pixels:
    """Return an image scaled to fit a frame and padded by repeating its edge."""
    scale = min(height / pixels.shape[0], width / pixels.shape[1])
    size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fitted = cv2.resize(pixels, size, interpolation=method)
    below, beside = height - fitted.shape[0], width - fitted.shape[1]
    return cv2.copyMakeBorder(fitted, 0, below, 0, beside, cv2.BORDER_REPLICATE)


def _cut_patch(pixels: Pixels) -> tuple[Pixels, tuple[float, ...]]:
    """Return the patch with the strongest edges, and statistics of the edges of the image."""
    height, width = PATCH_PX
    below, beside = max(0, height - pixels.shape[0]), max(0, width - pixels.shape[1])
    padded = cv2.copyMakeBorder(pixels, 0, below, 0, beside, cv2.BORDER_REFLECT)
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    bend = np.abs(cv2.Laplacian(gray, cv2.CV_32F, borderType=cv2.BORDER_REFLECT))
    edges = cv2.boxFilter(
        cv2.copyMakeBorder(bend, 0, below, 0, beside, cv2.BORDER_CONSTANT), -1, (width, height),
        anchor=(0, 0), borderType=cv2.BORDER_CONSTANT,
    )  # fmt: skip
    inside = edges[: padded.shape[0] - height + 1, : padded.shape[1] - width + 1]
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    levels = np.quantile(bend, [0.1, 0.3, 0.5, 0.9, 0.99]) + 1
    spread = float(gray.std()) + 1
    patch = padded[top : top + height, left : left + width]
    return np.ascontiguousarray(patch), (*np.log2(levels).tolist(), float(np.log2(spread)))


def find_colours(view: Pixels) -> NDArray[np.uint8]:
    """Return the colours of a crop, uint8 (3, 3): background, second background colour, text.

    The background is the more common of two colours of the border; the text is the colour
    farthest from it.
    """
    levels = view.astype(np.float32)
    thick = max(1, len(view) // 10)
    border = np.concatenate(
        [levels[:thick].reshape(-1, 3), levels[-thick:].reshape(-1, 3), levels[:, 0],
         levels[:, -1]]
    )  # fmt: skip
    centred = border - border.mean(axis=0)
    axis = np.linalg.svd(centred.T @ centred)[0][:, 0]
    is_high = centred @ axis > 0
    if not 0 < is_high.sum() < len(border):
        is_high = np.arange(len(border)) % 2 == 0
    sides = [np.median(border[is_high == side], axis=0) for side in (True, False)]
    paper, paper2 = sides if is_high.mean() >= 0.5 else sides[::-1]
    apart = np.linalg.norm(levels - paper, axis=2)
    far = apart >= np.quantile(apart, 0.93)
    ink = np.median(levels[far], axis=0)
    return np.stack([paper, paper2, ink]).round().astype(np.uint8)
