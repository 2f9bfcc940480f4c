"""The windows of a large image: their positions, and which of them contain a box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

N_WINDOWS = 3
"""Windows per row and per column."""


def list_windows(width_px: int, height_px: int) -> list[tuple[int, int, int, int]]:
    """Return the windows of an image as left, top, right, bottom in px, row by row.

    Each is half as wide and half as high as the image, and they overlap by half.
    """
    return [
        (left, top, left + width_px // 2, top + height_px // 2)
        for top in np.linspace(0, height_px - height_px // 2, N_WINDOWS).astype(int).tolist()
        for left in np.linspace(0, width_px - width_px // 2, N_WINDOWS).astype(int).tolist()
    ]


def hold_box(box: Sequence[float], width_px: int, height_px: int) -> list[bool]:
    """Return which windows fully contain a box, given as left, top, right, bottom in px."""
    left, top, right, bottom = box
    return [
        x0 <= left and y0 <= top and right <= x1 and bottom <= y1
        for x0, y0, x1, y1 in list_windows(width_px, height_px)
    ]
