"""Backgrounds, each drawn from its spec alone.

Grain and texture are cut from pools that each process builds once: drawing them for every image
would cost more than the rest of the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from string import ascii_letters

import cv2
import numpy as np
from numpy.typing import NDArray

from synthtext.drawing.colours import Colour, parse_hex
from synthtext.drawing.degradations import POOL_PX, POOL_STD, cut, darken, noise_pool
from synthtext.drawing.faces import open_face
from synthtext.drawing.fonts import bundled_folder
from synthtext.drawing.photos import Photos, crop_photo
from synthtext.errors import SpecError
from synthtext.rng import unfold
from synthtext.spec import Spec

Pixels = NDArray[np.uint8]

GRAIN_STD = (3.0, 18.0)
"""Minimum and maximum deviation of the grain of a noisy background, in levels of 255."""

WRITING_FONTS = (
    "DejaVuSans.ttf", "Lato_700Bold.ttf", "CrimsonText_400Regular.ttf",
    "BarlowCondensed_400Regular.ttf", "PatrickHand_400Regular.ttf",
)  # fmt: skip

TEXTURE_SHARE = 0.35
"""Maximum fraction of the second colour in a texture, so that text stays legible."""

WRITING_SHARE = 0.5
"""Maximum fraction of it in other writing, which must not hide the text."""

CLUTTER_SHARE = 0.6
"""Maximum fraction of it in clutter, whose edges are as sharp as those of text."""


def draw_paper(
    spec: Spec, width_px: int, height_px: int, photos: Photos | None = None
) -> Pixels:
    """Return the background of a spec: a new array, uint8 (H, W, 3), RGB.

    Args:
        spec: names the kind of background, its colours and its seed.
        width_px: 1 or more.
        height_px: 1 or more.
        photos: collection with the photograph that the spec names, if it names one.

    Raises:
        PhotoError: the photograph is missing.
        SpecError: there is no such kind of background.
    """
    if spec.background == "photo":
        paper = crop_photo(photos, spec.photo, spec.paper_seed, width_px, height_px)
    elif spec.background in BACKGROUNDS:
        paper = BACKGROUNDS[spec.background](spec, width_px, height_px)
    else:
        listed = ", ".join([*BACKGROUNDS, "photo"])
        raise SpecError(f"background is {spec.background!r}; it is one of {listed}")
    return show_through(paper, spec.bleed_through_frac, spec.paper_seed)


def show_through(paper: Pixels, fraction: float, seed: int) -> Pixels:
    """Return a sheet with the letters on its back showing through, mirrored and soft.

    Args:
        paper: uint8 (H, W, 3).
        fraction: fraction of the light that they take, 0 to 1; 0 changes nothing.
        seed: 32 bits; chooses the letters.
    """
    if fraction == 0:
        return paper
    column, row = unfold(seed, 6)[4:]
    letters = cut(_writing_behind(), column, row, *paper.shape[:2])
    return darken(paper, (letters / 255).astype(np.float32), fraction)


def _draw_plain(spec: Spec, width_px: int, height_px: int) -> Pixels:
    return _fill(spec.paper, width_px, height_px)


def _draw_gradient(spec: Spec, width_px: int, height_px: int) -> Pixels:
    return _mix(make_gradient(spec.paper_seed, width_px, height_px), spec, 1.0)


def make_gradient(seed: int, width_px: int, height_px: int) -> Pixels:
    """Return a ramp from 0 at one edge or corner to 255 at the opposite one: uint8 (H, W)."""
    angle = unfold(seed, 1)[0] * 2 * math.pi
    across = math.cos(angle) * (np.arange(width_px, dtype=np.float32) - (width_px - 1) / 2)
    down = math.sin(angle) * (np.arange(height_px, dtype=np.float32) - (height_px - 1) / 2)
    # The two corners that are farthest apart along the angle get the pure colours.
    reach = float(abs(across[0]) + abs(down[0])) or 1.0
    share = across + down[:, None]
    # In place, because each new array of this size costs more than its arithmetic.
    share *= 127.5 / reach
    share += 127.5
    return share.astype(np.uint8)


def _draw_noise(spec: Spec, width_px: int, height_px: int) -> Pixels:
    column, row, strength, is_gray = unfold(spec.paper_seed, 4)
    pool = _gray_pool() if is_gray < 0.5 else noise_pool()
    grain = cut(pool, column, row, height_px, width_px)
    low, high = GRAIN_STD
    # Grain is clipped at black and white, which would shift the mean of colours near them.
    headroom = min(min(level, 255 - level) for level in parse_hex(spec.paper))
    gain = min(low + strength * (high - low), 4 + headroom / 1.2) / POOL_STD
    paper = _fill(spec.paper, width_px, height_px)
    return cv2.addWeighted(paper, 1, grain, gain, -128 * gain)


def _draw_texture(spec: Spec, width_px: int, height_px: int) -> Pixels:
    return _mix(make_texture(spec.paper_seed, width_px, height_px), spec, TEXTURE_SHARE)


def make_texture(seed: int, width_px: int, height_px: int) -> Pixels:
    """Return a piece of one of `TEXTURES`: uint8 (H, W)."""
    kind, column, row, turned = unfold(seed, 4)
    pool = list(TEXTURES.values())[int(kind * len(TEXTURES))]()
    if turned < 0.5:
        return cut(pool, column, row, height_px, width_px)
    return cv2.transpose(cut(pool, column, row, width_px, height_px))


def _draw_clutter(spec: Spec, width_px: int, height_px: int) -> Pixels:
    column, row = unfold(spec.paper_seed, 2)
    return _mix(cut(_shapes(), column, row, height_px, width_px), spec, CLUTTER_SHARE)


def _draw_writing(spec: Spec, width_px: int, height_px: int) -> Pixels:
    column, row = unfold(spec.paper_seed, 2)
    return _mix(cut(_writing(), column, row, height_px, width_px), spec, WRITING_SHARE)


def _fill(colour: str, width_px: int, height_px: int) -> Pixels:
    pixels = np.empty((height_px, width_px, 3), np.uint8)
    # Filling one row and copying it is ten times as fast as filling all of them.
    pixels[0] = parse_hex(colour)
    pixels[1:] = pixels[0]
    return pixels


def _mix(share: Pixels, spec: Spec, greatest: float) -> Pixels:
    return mix(share, parse_hex(spec.paper), parse_hex(spec.paper2), greatest)


def mix(share: Pixels, one: Colour, other: Colour, greatest: float) -> Pixels:
    """Return a colour mixed with a second one: uint8 (H, W, 3).

    Args:
        share: uint8 (H, W); 255 where the fraction of the second colour is at its maximum.
        one: the first colour.
        other: the second colour.
        greatest: maximum fraction of the second colour, 0 to 1.
    """
    ends = zip(one, other, strict=True)
    # In OpenCV, a linear map costs a third of a lookup table.
    return cv2.merge(
        [
            cv2.convertScaleAbs(share, alpha=(second - first) * greatest / 255, beta=first)
            for first, second in ends
        ]
    )


@cache
def _gray_pool() -> Pixels:
    return cv2.merge([noise_pool()[:, :, 0]] * 3)


@cache
def clouds() -> Pixels:
    """Return smooth noise of many scales, like stone or handmade paper."""
    total = np.zeros((POOL_PX, POOL_PX), np.float32)
    for octave in range(2, 9):
        total += 1.5**octave * _smooth(octave, POOL_PX >> octave, POOL_PX >> octave)
    return _stretch(total)


@cache
def _fibres() -> Pixels:
    """Return short fibres in random directions, like rag paper."""
    bits = np.random.Generator(np.random.Philox(key=11))
    canvas = np.zeros((POOL_PX, POOL_PX), np.uint8)
    n_fibres = 9000
    starts = bits.uniform(-20, POOL_PX + 20, (n_fibres, 2))
    bends = np.cumsum(bits.normal(0, 0.16, (n_fibres, 12)), axis=1)
    headings = bits.uniform(0, 2 * np.pi, (n_fibres, 1)) + bends
    steps = np.stack([np.cos(headings), np.sin(headings)], axis=2)
    lines = starts[:, None] + np.cumsum(steps * bits.uniform(1, 5, (n_fibres, 1, 1)), axis=1)
    shades = (bits.uniform(0, 1, n_fibres) ** 3 * 150 + 12).tolist()
    # Coordinates are in sixteenths of a pixel, so that short fibres do not look like steps.
    for line, shade in zip(np.rint(lines * 16).astype(np.int32), shades, strict=True):
        cv2.polylines(canvas, [line], False, shade, 1, cv2.LINE_AA, 4)  # noqa: FBT003 - open line
    soft = cv2.GaussianBlur(canvas.astype(np.float32), (0, 0), 0.6)
    return _stretch(soft + clouds() * 0.35 + noise_pool()[:, :, 2] * 0.25)


@cache
def _linen() -> Pixels:
    """Return threads of uneven thickness that cross at right angles."""
    across = _smooth(21, 8, POOL_PX // 3)
    down = _smooth(22, POOL_PX // 3, 8)
    grid = np.arange(POOL_PX) * (2 * np.pi / 4)
    weave = np.sin(grid)[:, None] * 0.25 + np.sin(grid)[None, :] * 0.25
    return _stretch(across + down + weave.astype(np.float32))


@cache
def _wood() -> Pixels:
    """Return long wavering stripes."""
    waver = _smooth(31, 2, 5) * 0.9 + _smooth(32, 4, 40) * 0.12
    rings = np.arange(POOL_PX, dtype=np.float32)[:, None] * (24 / POOL_PX)
    stripes = 0.5 * np.sin((rings + waver) * (2 * np.pi))
    grain = _smooth(33, 8, POOL_PX) + 0.7 * _smooth(34, 24, POOL_PX // 2) + _smooth(35, 3, 90)
    return _stretch(stripes + 0.45 * grain)


@cache
def _concrete() -> Pixels:
    """Return clouds with specks."""
    specks = cv2.GaussianBlur(noise_pool()[:, :, 1].astype(np.float32), (0, 0), 0.9)
    return _stretch(clouds().astype(np.float32) + 1.5 * specks)


@cache
def _shapes() -> Pixels:
    """Return overlapping bars, rectangles, discs and arcs of all sizes, like a street scene."""
    bits = np.random.Generator(np.random.Philox(key=41))
    canvas = (clouds() // 4 + 96).astype(np.uint8)
    for _ in range(1400):
        x, y = bits.integers(0, POOL_PX, 2).tolist()
        size = 6 * 16 ** bits.uniform()
        shade = int(bits.integers(0, 256))
        middle, sides = (x, y), (size * bits.uniform(0.2, 2), size)
        angle = float(bits.choice([0, 90, bits.uniform(0, 180)]))
        thickness = int(bits.integers(1, 7))
        kind = bits.integers(4)
        if kind < 2:
            # Most edges in a street are straight.
            corners = np.rint(cv2.boxPoints((middle, sides, angle))).astype(np.int32)
            if kind:
                cv2.fillConvexPoly(canvas, corners, shade, cv2.LINE_AA)
            else:
                cv2.line(canvas, corners[0], corners[2], shade, thickness, cv2.LINE_AA)
        else:
            axes = (round(sides[0] / 2), round(sides[1] / 2))
            sweep = 360 if kind == 2 else float(bits.uniform(60, 300))
            fill = cv2.FILLED if kind == 2 else thickness
            cv2.ellipse(canvas, middle, axes, angle, 0, sweep, shade, fill, cv2.LINE_AA)
    return canvas


@cache
def _writing() -> Pixels:
    """Return lines of random letters in all sizes, like a page or a wall of notices."""
    bits = np.random.Generator(np.random.Philox(key=43))
    canvas = np.zeros((POOL_PX, POOL_PX), np.uint8)
    top = 0.0
    while top < POOL_PX:
        size_px = 8 * 6 ** bits.uniform()
        face = open_face(bundled_folder() / str(bits.choice(WRITING_FONTS)))
        face.set_size(size_px)
        x, baseline = -size_px * bits.uniform(), top + size_px
        while x < POOL_PX:
            letters = "".join(bits.choice(list(ascii_letters), bits.integers(2, 10)).tolist())
            run = face.shape(letters, ligatures=False)
            for glyph, advance in zip(run.glyphs, run.advances, strict=True):
                _stamp(canvas, *face.paint(glyph, x, baseline, None))
                x += advance * size_px
            x += size_px * bits.uniform(0.3, 3)
        top += size_px * bits.uniform(1.1, 1.8)
    return canvas


@cache
def _writing_behind() -> Pixels:
    return cv2.GaussianBlur(cv2.flip(_writing(), 1), (0, 0), 1.0)


def _stamp(canvas: Pixels, part: Pixels, column: int, row: int) -> None:
    """Paste a part onto a canvas, cut off at its edges."""
    left, top = max(0, column), max(0, row)
    right = min(canvas.shape[1], column + part.shape[1])
    bottom = min(canvas.shape[0], row + part.shape[0])
    if left < right and top < bottom:
        place = canvas[top:bottom, left:right]
        np.maximum(
            place, part[top - row : bottom - row, left - column : right - column], out=place
        )


def _smooth(key: int, n_columns: int, n_rows: int) -> NDArray[np.float32]:
    """Return noise enlarged from a grid, float32 (1024, 1024), with mean 0; it can be tiled."""
    bits = np.random.Generator(np.random.Philox(key=key))
    grid = bits.standard_normal((max(2, n_rows), max(2, n_columns)), dtype=np.float32)
    # A border that wraps around lets the enlarged grid repeat without a seam.
    wrapped = cv2.copyMakeBorder(grid, 2, 2, 2, 2, cv2.BORDER_WRAP)
    fx, fy = POOL_PX / grid.shape[1], POOL_PX / grid.shape[0]
    size = (round(wrapped.shape[1] * fx), round(wrapped.shape[0] * fy))
    large = cv2.resize(wrapped, size, interpolation=cv2.INTER_CUBIC)
    top, left = round(2 * fy), round(2 * fx)
    return large[top : top + POOL_PX, left : left + POOL_PX]


def _stretch(values: NDArray[np.float32]) -> Pixels:
    """Return values as bytes, with the middle 98 % of them spread from 0 to 255."""
    low, high = np.quantile(values, (0.01, 0.99))
    return np.clip((values - low) * (255 / (high - low)), 0, 255).astype(np.uint8)


TEXTURES: dict[str, Callable[[], Pixels]] = {
    "clouds": clouds,
    "fibres": _fibres,
    "linen": _linen,
    "wood": _wood,
    "concrete": _concrete,
}

BACKGROUNDS: dict[str, Callable[[Spec, int, int], Pixels]] = {
    "plain": _draw_plain,
    "gradient": _draw_gradient,
    "noise": _draw_noise,
    "texture": _draw_texture,
    "clutter": _draw_clutter,
    "writing": _draw_writing,
}
