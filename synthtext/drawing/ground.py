"""The position of upright text on the canvas."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthtext.drawing.perspective import Matrix, look


class Ground(NamedTuple):
    """A rotation of upright text about (0, 0) and then a translation, in px.

    If the text is seen from the side, the homography `view` replaces both.
    """

    width_px: int
    height_px: int
    angle_rad: float
    shift_x: float
    shift_y: float
    view: Matrix | None = None

    def move(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the positions of points (..., 2) on the canvas."""
        if self.view is not None:
            return look(points, self.view)
        moved = turn(points, self.angle_rad)
        moved[..., 0] += self.shift_x
        moved[..., 1] += self.shift_y
        return moved


def turn(points: NDArray[np.float64], angle_rad: float) -> NDArray[np.float64]:
    """Return points (..., 2), y downwards, rotated counter-clockwise about (0, 0)."""
    if not angle_rad:
        return points.copy()
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    return points @ np.array([[cos, -sin], [sin, cos]])


def grow(polygons: NDArray[np.float64], by_px: float) -> NDArray[np.float64]:
    """Return polygons (n, m, 2), clockwise, with every side moved outwards."""
    places = np.arange(polygons.shape[1])
    along = polygons.take(places - len(places) + 1, axis=1) - polygons
    along /= np.maximum(np.sqrt((along * along).sum(axis=2, keepdims=True)), 1e-9)
    outward = along[..., ::-1] * (1, -1)
    # A corner moves so that both of its sides move by the same distance.
    before = outward.take(places - 1, axis=1)
    cos = (before * outward).sum(axis=2, keepdims=True)
    return polygons + by_px * (before + outward) / np.maximum(1 + cos, 0.1)
