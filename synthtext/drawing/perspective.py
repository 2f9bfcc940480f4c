"""Text seen from the side: the perspective projection of a page turned by yaw and pitch."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Matrix = NDArray[np.float64]

DISTANCE = 2.0
"""Viewing distance as a multiple of the size of the text: a sign of 1 m is seen from 2 m."""


def make_view(
    yaw_deg: float, pitch_deg: float, box: tuple[float, float, float, float]
) -> Matrix | None:
    """Return the homography of a view, float64 (3, 3); None for text seen head-on.

    The page turns about the centre of the text, which stays in place.

    Args:
        yaw_deg: turns the right end away from the viewer, -75 to 75.
        pitch_deg: tilts the top away from the viewer, -75 to 75.
        box: left, top, right, bottom of the text, y downwards.
    """
    if not yaw_deg and not pitch_deg:
        return None
    left, top, right, bottom = box
    yaw, pitch = math.radians(yaw_deg), math.radians(pitch_deg)
    far = DISTANCE * max(right - left, bottom - top)
    away = [math.sin(yaw) * math.cos(pitch) / far, -math.sin(pitch) / far, 1]
    turned = np.array(
        [
            [math.cos(yaw), 0, 0],
            [math.sin(yaw) * math.sin(pitch), math.cos(pitch), 0],
            away,
        ]
    )
    x, y = (left + right) / 2, (top + bottom) / 2
    there = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])
    back = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]])
    return there @ turned @ back


def look(points: Points, view: Matrix) -> Points:
    """Return the projections of points (..., 2)."""
    seen = points @ view[:, :2].T + view[:, 2]
    return seen[..., :2] / seen[..., 2:]
