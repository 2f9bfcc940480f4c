"""Bands: the polygons of words along a curve or in a warped text, which follow their edges.

The band of a word is the region that its straight box becomes. Its boundary is kept as a closed
loop of many points, each moved like the points of the letters, of which few make the polygon.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthtext.drawing.ground import Ground, grow

if TYPE_CHECKING:
    from synthtext.drawing.layout import Placement

Points = NDArray[np.float64]
Quads = NDArray[np.float32]

N_ALONG, N_ACROSS = 48, 8
"""Pieces of the upper and of the lower edge of a loop, and of each of its ends."""

N_SIDES = (1, 2, 3, 4, 6, 8, 12, 16)
"""Numbers of sides along the upper edge, and along the lower one, that a polygon may have."""

MAX_POINTS = 2 * (N_SIDES[-1] + 1)
"""Maximum number of points of a polygon."""

N_TRIAL = 4
"""Sides along an edge, by whose distance from the loop the number of sides is chosen."""

N_WITHIN = 8
"""Pieces of a loop that are looked at along each side of a polygon."""

TOLERANCE_EM = 0.03
"""How far the edge of a band may lie from a side of the polygon."""

CUT_EM = 0.02
"""Width of the gap between the ends of a band that is a whole ring."""

NEAR_EM = 0.1
"""Gap between the ends of a band below which it becomes such a ring."""

MAX_COS = 0.8
"""Cosine of the angle between two sides above which they count as one edge."""

N_SAMPLES = 4
"""Pieces into which each side of a letter's box is cut to find how far it extends."""


def find_polygons(
    placement: Placement, size_px: float, ground: Ground, grown_px: float, quads: Quads
) -> tuple[Quads, ...]:
    """Return the polygon of each word on the canvas, float32 (n, 2); empty for straight text.

    It is the quad of the word if that is smaller, as for a letter by itself, or if the polygon
    would cross itself, as the outlined ring of a whole circle does.

    Args:
        placement: the text, of which the loops are used.
        size_px: its em size.
        ground: its position.
        grown_px: how far ink extends beyond the loops.
        quads: float32 (k, 4, 2), of the words.
    """
    loops = placement.word_loops
    if loops is None:
        return ()
    counts = _choose_counts(loops)
    polygons = list(quads)
    for n in {*counts}:
        words = [word for word, count in enumerate(counts) if count == n]
        found = ground.move(simplify(loops[words], n) * size_px)
        if grown_px:
            found = grow(found, grown_px)
        found = found.round(2)
        is_smaller = measure_areas(found) < measure_areas(quads[words])
        is_better = is_smaller & are_simple(found)
        for word, polygon, better in zip(words, found, is_better.tolist(), strict=True):
            if better:
                polygons[word] = polygon.astype(np.float32)
    return tuple(polygons)


def sample_loops(corners: Points) -> Points:
    """Return loops (k, 2 * (N_ALONG + N_ACROSS), 2) around quads (k, 4, 2)."""
    return _list_shares(N_ALONG, N_ACROSS) @ corners


def sample_boxes(corners: Points) -> Points:
    """Return points (m, 4 * N_SAMPLES, 2) on the sides of the boxes of letters (m, 4, 2)."""
    return _list_shares(N_SAMPLES, N_SAMPLES) @ corners


@cache
def _list_shares(n_along: int, n_across: int) -> Points:
    """Return how much of each corner of a quad each point on its sides has, (n, 4)."""
    shares = []
    for side, n in enumerate((n_along, n_across, n_along, n_across)):
        passed = np.arange(n) / n
        part = np.zeros((n, 4))
        part[:, side], part[:, (side + 1) % 4] = 1 - passed, passed
        shares.append(part)
    return np.concatenate(shares)


def frame_word(letters: Points, length: float) -> list[list[float]]:
    """Return the corners of the region that holds the letters of a word.

    Its upper and lower edges run along the curve, its ends along the sides of its first and
    its last letter.

    Args:
        letters: float64 (m, 4 * N_SAMPLES, 2), of `sample_boxes`, in coordinates along the
            curve and across it.
        length: after which the curve meets itself, in ems; infinite if it does not.
    """
    along, across = letters[..., 0], letters[..., 1]
    top, bottom = float(across.min()), float(across.max())
    first, last = letters[along.min(axis=1).argmin()], letters[along.max(axis=1).argmax()]
    # Sides begin at the top left, top right, bottom right and bottom left of a letter.
    left = _measure_slope(first[0], first[3 * N_SAMPLES])
    right = _measure_slope(last[N_SAMPLES], last[2 * N_SAMPLES])
    start, end = float((along - left * across).min()), float((along - right * across).max())
    upper, lower = [(start + left * y, end + right * y) for y in (top, bottom)]
    if max(upper[1] - upper[0], lower[1] - lower[0]) > length - NEAR_EM:
        # The band is a ring, cut open between its ends.
        middle = (float(along.min()) + float(along.max())) / 2
        upper = lower = middle - (length - CUT_EM) / 2, middle + (length - CUT_EM) / 2
    return [[upper[0], top], [upper[1], top], [lower[1], bottom], [lower[0], bottom]]


def _measure_slope(top: Points, bottom: Points) -> float:
    """Return how far a side leans along the curve per length across it, at most 1."""
    along, across = (bottom - top).tolist()
    return max(-1.0, min(1.0, along / across)) if abs(across) > 1e-6 else 0.0


def _choose_counts(loops: Points) -> list[int]:
    """Return how many sides along each edge of a loop keep to it."""
    pieces = loops.take(_list_pieces(N_TRIAL), axis=1)
    outward = _find_normals(pieces[:, :, -1] - pieces[:, :, 0])
    off = np.abs(_measure_beyond(pieces, outward)).max(axis=(1, 2))
    # The distance between an arc and its chord grows with the square of their length.
    asked = N_TRIAL * np.sqrt(off / TOLERANCE_EM)
    places = np.searchsorted(N_SIDES, np.minimum(asked, N_SIDES[-1]))
    return [N_SIDES[place] for place in places.tolist()]


def simplify(loops: Points, n: int) -> Points:
    """Return a polygon around each loop, (k, 2 * n + 2, 2), with n sides along each edge.

    The first half of its points lie along the upper edge, from left to right, the others along
    the lower edge, from right to left. A side beyond which the loop extends is moved outwards.
    """
    pieces = loops.take(_list_pieces(n), axis=1)
    outward = _find_normals(pieces[:, :, -1] - pieces[:, :, 0])
    return _push(pieces[:, :, 0], outward, _measure_beyond(pieces, outward).max(axis=2))


@cache
def _list_pieces(n: int) -> NDArray[np.int64]:
    """Return the points of a loop from end to end of each side of a polygon, (2 * n + 2, 9)."""
    along, across = np.linspace(0, N_ALONG, n + 1), np.array([N_ALONG + N_ACROSS])
    half = np.concatenate([along, across])
    stations = np.concatenate([half, half[1:] + N_ALONG + N_ACROSS])
    shares = np.arange(N_WITHIN + 1) / N_WITHIN
    places = stations[:-1, None] + np.diff(stations)[:, None] * shares
    return np.rint(places).astype(np.int64) % (2 * (N_ALONG + N_ACROSS))


def _find_normals(ways: Points) -> Points:
    """Return the outward directions of the sides (k, m, 2) of clockwise polygons."""
    lengths = np.sqrt((ways * ways).sum(axis=2, keepdims=True))
    return ways[..., ::-1] * (1, -1) / np.maximum(lengths, 1e-9)


def _measure_beyond(pieces: Points, outward: Points) -> NDArray[np.float64]:
    """Return how far each point of a loop, (k, m, 9, 2), lies outside its side: (k, m, 9)."""
    return ((pieces - pieces[:, :, :1]) @ outward[..., None])[..., 0]


def _push(points: Points, outward: Points, by: NDArray[np.float64]) -> Points:
    """Return polygons (k, m, 2) with each side moved outwards by a distance of its own."""
    places = np.arange(points.shape[1]) - 1
    before, far = outward.take(places, axis=1), by.take(places, axis=1)
    cos = (before * outward).sum(axis=2)
    # Where two sides have nearly one direction, both move by the larger distance: the point
    # where they would meet could lie far away.
    is_flat = np.abs(cos) > MAX_COS
    larger = np.maximum(far, by) / np.maximum(1 + cos, 0.1)
    apart = np.where(is_flat, 1, 1 - cos * cos)
    first = np.where(is_flat, larger, (far - by * cos) / apart)
    second = np.where(is_flat, larger, (by - far * cos) / apart)
    return points + first[..., None] * before + second[..., None] * outward


def measure_areas(polygons: Points | Quads) -> NDArray[np.float64]:
    """Return the areas of polygons (k, m, 2), y downwards; positive if they run clockwise."""
    x, y = polygons[..., 0].astype(np.float64), polygons[..., 1].astype(np.float64)
    places = np.arange(x.shape[1]) - 1
    return ((x.take(places, axis=1) * y - x * y.take(places, axis=1)).sum(axis=1)) / 2


def are_simple(polygons: Points) -> NDArray[np.bool_]:
    """Return for each of polygons (k, m, 2) whether none of its sides cross."""
    m = polygons.shape[1]
    x, y = polygons[..., 0], polygons[..., 1]
    following = np.arange(m) - m + 1
    right, down = x.take(following, axis=1) - x, y.take(following, axis=1) - y
    # Which points (columns) lie on the right of each side (row).
    sides = (
        right[:, :, None] * y[:, None] - down[:, :, None] * x[:, None]
        > (right * y - down * x)[:, :, None]
    )
    parts = sides != sides.take(following, axis=2)
    crossing = parts & parts.transpose(0, 2, 1) & _list_strangers(m)
    return ~crossing.any(axis=(1, 2))


@cache
def _list_strangers(m: int) -> NDArray[np.bool_]:
    """Return which sides of a polygon share no point with which others, (m, m)."""
    steps = (np.arange(m)[:, None] - np.arange(m)) % m
    return (steps > 1) & (steps < m - 1)
