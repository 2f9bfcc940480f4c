"""Other words in an image, beside its text or behind it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from synthtext.drawing.colours import ink_for, mean_colour, parse_hex
from synthtext.drawing.faces import Face
from synthtext.drawing.ground import Ground
from synthtext.drawing.ink_styles import lay_ink
from synthtext.drawing.layout import Placement, list_corners, place_glyphs
from synthtext.drawing.painting import paint_glyphs
from synthtext.errors import DrawError
from synthtext.spec import CASES, Spec

Pixels = NDArray[np.uint8]
Quads = NDArray[np.float32]

SIZES = (0.4, 0.8)
"""Smallest and largest size as a fraction of that of the text, which stays the largest word."""

SHRINKING, N_SIZES = 0.8, 6
"""Factor by which a word that finds no room is reduced, and the number of sizes to try."""

MIN_SIZE_PX = 6.0
"""Size below which no word is reduced further."""

GAP_EM = 0.15
"""Distance between words, as a fraction of the size of the text."""

NO_QUADS: Quads = np.zeros((0, 4, 2), np.float32)


class Patch(NamedTuple):
    """A painted word: coverage, uint8 (h, w), its top left pixel, and the quad of its ink."""

    coverage: Pixels
    column: int
    row: int
    quad: NDArray[np.float64]


def draw_other_words(
    spec: Spec, face: Face, pixels: Pixels, coverage: Pixels, place: tuple[int, int]
) -> tuple[tuple[str, ...], Quads]:
    """Draw other words onto a background, and return them and their quads, float32 (n, 4, 2).

    They have the font, letter case, letter spacing and rotation of the text, its second colour
    at the contrast of the text, and a smaller size. A word is left out if the font cannot draw
    it, or if there is no room for it even at a small size. The first words are the same however
    many there are.

    Args:
        spec: its `other_words`, `other_place`, `other_texts` and `other_seed` are used.
        face: open font of the text.
        pixels: the background, uint8 (H, W, 3), changed in place.
        coverage: uint8 (h, w), the ink of the text.
        place: column and row of the coverage in the image.
    """
    if spec.other_words == 0:
        return (), NO_QUADS
    chance = np.random.Generator(np.random.Philox(key=spec.other_seed))
    column, row = place
    height, width = coverage.shape
    taken = np.zeros(pixels.shape[:2], np.uint8)
    taken[row : row + height, column : column + width] = coverage
    box = column, row, width, height
    words, quads = [], []
    for text in spec.other_texts.split()[: spec.other_words]:
        word = CASES[spec.case](text)
        patch = _fit(spec, face, word, chance.random(3).tolist(), taken, box)
        if patch is not None:
            _lay(spec, patch, pixels, taken)
            words.append(word)
            quads.append(patch.quad)
    return tuple(words), np.array(quads).reshape(-1, 4, 2).round(2).astype(np.float32)


def _fit(
    spec: Spec,
    face: Face,
    word: str,
    units: list[float],
    taken: Pixels,
    box: tuple[int, int, int, int],
) -> Patch | None:
    """Return a word at the largest size for which there is room; None if there is none."""
    if len(word) > max(taken.shape):
        return None  # To shape what cannot fit would take memory that a file has asked for.
    try:
        placement = place_glyphs(word, face, letter_spacing_em=spec.letter_spacing_em)
    except DrawError:
        return None
    share, *spot = units
    find: Callable[[tuple[int, ...]], tuple[int, int] | None]
    if spec.other_place == "behind":
        find = partial(_find_behind, box=box, image=taken.shape, units=spot)
    else:
        gap_px = round(GAP_EM * spec.size_px)
        sums = cv2.integral(np.pad(np.minimum(taken, 1), gap_px))
        find = partial(
            _find_beside, sums=sums, gap_px=gap_px, margin_px=spec.margin_px, units=spot
        )
    low, high = SIZES
    for step in range(N_SIZES):
        size_px = spec.size_px * (low + share * (high - low)) * SHRINKING**step
        if size_px < MIN_SIZE_PX:
            return None
        patch = _paint(replace(spec, size_px=size_px), placement, taken.shape)
        if patch is None:
            continue
        place = find(patch.coverage.shape)
        if place is not None:
            shift = place[0] - patch.column, place[1] - patch.row
            return Patch(patch.coverage, *place, patch.quad + shift)
    return None


def _paint(spec: Spec, placement: Placement, shape: tuple[int, ...]) -> Patch | None:
    """Return a word on a canvas of its own; None if it is larger than the image, or blank."""
    left, top, right, bottom = placement.box
    if math.hypot(right - left, bottom - top) * spec.size_px > math.hypot(*shape):
        return None
    ground = Ground(0, 0, math.radians(spec.rotation_deg), 0.0, 0.0)
    coverage, column, row = paint_glyphs(spec, placement, ground)
    if not coverage.max(initial=0):
        return None
    quad = ground.move(list_corners(np.array([placement.box]), None)[0] * spec.size_px)
    # The corners of a rotated quad, where there is no ink, have to lie in the image as well.
    (left, top), (right, bottom) = np.floor(quad.min(axis=0)), np.ceil(quad.max(axis=0))
    height, width = coverage.shape
    before = max(0, column - int(left)), max(0, row - int(top))
    after = max(0, int(right) - column - width), max(0, int(bottom) - row - height)
    coverage = np.pad(coverage, [(before[1], after[1]), (before[0], after[0])])
    if coverage.shape[0] > shape[0] or coverage.shape[1] > shape[1]:
        return None
    return Patch(coverage, column - before[0], row - before[1], quad)


def _find_beside(
    shape: tuple[int, ...],
    sums: NDArray[np.int32],
    gap_px: int,
    margin_px: int,
    units: Sequence[float],
) -> tuple[int, int] | None:
    """Return a random place where a word touches no other; None if there is none.

    Args:
        shape: height and width of the word.
        sums: the number of taken pixels above and to the left of each pixel, of an image that
            has a border as wide as the gap.
        gap_px: distance between words.
        margin_px: distance from the edges of the image.
        units: two numbers in [0, 1) that choose the place.

    Returns:
        Column and row of its top left pixel.
    """
    high, wide = (side + 2 * gap_px for side in shape)
    # The number of taken pixels around the word, for each place of its top left pixel.
    around = (
        sums[high:, wide:] - sums[high:, :-wide] - sums[:-high, wide:] + sums[:-high, :-wide]
    )
    free = np.zeros_like(around, dtype=bool)
    middle = np.s_[margin_px : free.shape[0] - margin_px, margin_px : free.shape[1] - margin_px]
    free[middle] = around[middle] == 0
    rows = np.flatnonzero(free.any(axis=1))
    if not len(rows):
        return None
    row = int(rows[int(units[1] * len(rows))])
    columns = np.flatnonzero(free[row])
    return int(columns[int(units[0] * len(columns))]), row


def _find_behind(
    shape: tuple[int, ...],
    box: tuple[int, int, int, int],
    image: tuple[int, ...],
    units: Sequence[float],
) -> tuple[int, int]:
    """Return the place of a word whose middle is at a random place in the box of the text.

    Args:
        shape: height and width of the word.
        box: column, row, width and height of the text.
        image: height and width of the image.
        units: two numbers in [0, 1) that choose the place.

    Returns:
        Column and row of its top left pixel.
    """
    column, row, width, height = box
    high, wide = shape[:2]
    left = round(column + units[0] * width - wide / 2)
    top = round(row + units[1] * height - high / 2)
    return min(max(0, left), image[1] - wide), min(max(0, top), image[0] - high)


def _lay(spec: Spec, patch: Patch, pixels: Pixels, taken: Pixels) -> None:
    """Draw a word onto the background, and mark its place as taken."""
    height, width = patch.coverage.shape
    there = np.s_[patch.row : patch.row + height, patch.column : patch.column + width]
    behind = pixels[there]
    ink = ink_for(parse_hex(spec.ink2), mean_colour(behind, patch.coverage), spec.contrast)
    behind[:] = lay_ink(behind, patch.coverage, ink, opacity=1)
    np.maximum(taken[there], patch.coverage, out=taken[there])
