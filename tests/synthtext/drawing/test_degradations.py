from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtext.drawing.degradations import (
    Pixels,
    add_noise,
    add_salt,
    add_shot_noise,
    blur,
    blur_by_motion,
    cut,
    damage,
    defocus,
    dim,
    downscale,
    fold,
    jpeg,
    shade,
    take_medians,
    webp,
)
from synthtext.spec import DAMAGES, Spec

NOT_PIXELS = {"occlusion_frac", "jpeg_quality"}
"""Damages of the ink and of the file."""

ASIDE = {"damage_seed", "noise_seed", "motion_angle_deg"}
"""What `damage` reads besides: how a damage happens, and not how much of it."""

GRAY = np.full((200, 220, 3), 128, np.uint8)


class Watched:
    """A neutral spec that notes which of its fields are read."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.read: set[str] = set()

    def __getattr__(self, name: str) -> object:
        self.read.add(name)
        return getattr(self.spec, name)


def test_what_happens_to_pixels_is_a_damage(spec: Spec) -> None:
    watched = Watched(spec)
    damage(watched, GRAY)  # type: ignore[arg-type]
    assert watched.read - ASIDE == set(DAMAGES) - NOT_PIXELS


def test_neutral_values_change_nothing() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    assert blur(pixels, 0.0) is pixels
    assert add_noise(pixels, 0.0, 7) is pixels
    assert add_shot_noise(pixels, 0.0, 7) is pixels
    assert jpeg(pixels, 100) is pixels
    assert downscale(pixels, 1.0) is pixels
    assert blur_by_motion(pixels, 0.0, 30.0) is pixels
    assert defocus(pixels, 0.0) is pixels
    assert dim(pixels, 0.0, 7) is pixels
    assert shade(pixels, 0.0, 7) is pixels
    assert fold(pixels, 0.0, 7) is pixels
    assert add_salt(pixels, 0.0, 7) is pixels
    assert take_medians(pixels, 0) is pixels
    assert webp(pixels, 100) is pixels


def spread_of_a_point(pixels: Pixels) -> tuple[float, float]:
    """Return the variances of a blurred small square along x and y, minus its own."""
    light = pixels[:, :, 0].astype(float)
    places = np.arange(len(light)) - len(light) // 2
    across = (light.sum(axis=0) * places**2).sum() / light.sum()
    down = (light.sum(axis=1) * places**2).sum() / light.sum()
    return across - 2, down - 2


@pytest.fixture
def point() -> Pixels:
    pixels = np.zeros((81, 81, 3), np.uint8)
    pixels[38:43, 38:43] = 255
    return pixels


@pytest.mark.parametrize("length_px", [4.0, 11.0, 30.0])
@pytest.mark.parametrize("angle_deg", [0.0, 60.0, 90.0])
def test_motion_spreads_a_point_along_its_line(
    point: Pixels, length_px: float, angle_deg: float
) -> None:
    across, down = spread_of_a_point(blur_by_motion(point, length_px, angle_deg))
    # An even line of length n has a variance of n^2 / 12.
    assert across + down == pytest.approx(length_px**2 / 12, rel=0.15, abs=0.5)
    share = np.cos(np.radians(angle_deg)) ** 2
    assert across / (across + down) == pytest.approx(share, abs=0.1)


@pytest.mark.parametrize("radius_px", [2.0, 5.5, 12.0])
def test_a_point_out_of_focus_becomes_a_disc(point: Pixels, radius_px: float) -> None:
    across, down = spread_of_a_point(defocus(point, radius_px))
    # A disc of radius r has a variance of r^2 / 4 along each axis.
    assert (across, down) == pytest.approx((radius_px**2 / 4,) * 2, rel=0.15, abs=0.3)


def test_a_reduced_image_keeps_its_size_and_loses_detail() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 91, 3), np.uint8)
    spreads = []
    for ratio in (1.0, 1.5, 3.0, 8.0, 1000.0):
        small = downscale(pixels, ratio)
        assert small.shape == pixels.shape
        spreads.append(small.std())
    assert spreads == sorted(spreads, reverse=True)


@pytest.mark.parametrize("darken", [dim, shade, fold])
@pytest.mark.parametrize("fraction", [0.2, 0.7, 1.0])
def test_light_is_lost_in_a_part_alone(darken: object, fraction: float) -> None:
    assert callable(darken)
    for seed in range(6):
        light = darken(GRAY, fraction, seed)[:, :, 0]
        assert light.min() == pytest.approx(128 * (1 - fraction), abs=2)
        assert light.max() == pytest.approx(128, abs=2)


def test_creases_are_lines_across_or_lengthwise() -> None:
    ways = set()
    for seed in range(12):
        dark = fold(GRAY, 1.0, seed)[:, :, 0] < 32
        assert 0.005 < dark.mean() < 0.35
        # A crease runs through nearly every row or column of the image.
        ways.add((dark.any(axis=1).mean() > 0.9, dark.any(axis=0).mean() > 0.9))
    assert ways == {(True, False), (False, True), (True, True)}


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 90, 3), (90, 1, 3)])
def test_the_smallest_image_can_be_folded(shape: tuple[int, int, int]) -> None:
    assert fold(np.full(shape, 200, np.uint8), 0.5, 3).shape == shape


@pytest.mark.parametrize("fraction", [0.02, 0.3, 1.0])
def test_as_many_pixels_turn_black_and_white_as_asked(fraction: float) -> None:
    salted = add_salt(GRAY, fraction, 11)
    assert (salted == 0).mean() == pytest.approx(fraction / 2, abs=0.01)
    assert (salted == 255).mean() == pytest.approx(fraction / 2, abs=0.01)


def test_blur_spreads_a_point_by_its_deviation() -> None:
    pixels = np.zeros((81, 81, 3), np.uint8)
    pixels[38:43, 38:43] = 255
    spread = blur(pixels, 4.0)[:, :, 0].astype(float)
    places = np.arange(81) - 40
    variance = (spread.sum(axis=0) * places**2).sum() / spread.sum()
    # The square of five pixels itself has a variance of (25 - 1) / 12 = 2.
    assert np.sqrt(variance - 2) == pytest.approx(4, rel=0.05)


def test_blur_keeps_the_mean() -> None:
    pixels = np.zeros((60, 60, 3), np.uint8)
    pixels[20:40, 25:35] = 200
    assert blur(pixels, 2.0).mean() == pytest.approx(pixels.mean(), abs=0.5)


@pytest.mark.parametrize("std", [2.0, 8.0, 30.0])
def test_noise_has_the_deviation_asked_for(std: float) -> None:
    noise = add_noise(GRAY, std, 123456789).astype(float) - 128
    assert noise.std() == pytest.approx(std, rel=0.05)
    assert noise.mean() == pytest.approx(0, abs=0.3)


def test_noise_differs_between_seeds() -> None:
    assert (add_noise(GRAY, 8.0, 1) != add_noise(GRAY, 8.0, 2)).any()


@pytest.mark.parametrize(("level", "low", "high"), [(0, 0, 100), (255, 155, 255)])
def test_noise_is_clipped_not_wrapped(level: int, low: int, high: int) -> None:
    noise = add_noise(np.full_like(GRAY, level), 20.0, 5)
    assert low <= noise.min() <= noise.max() <= high


def test_a_lower_quality_loses_more() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    lost = [np.abs(jpeg(pixels, q).astype(int) - pixels).mean() for q in (90, 50, 10)]
    assert lost == sorted(lost)


@pytest.mark.parametrize("save", [jpeg, webp])
def test_a_lower_quality_of_each_format_is_farther_from_the_image(save: object) -> None:
    assert callable(save)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    lost = [np.abs(save(pixels, q).astype(int) - pixels).mean() for q in (90, 50, 10, 1)]
    assert lost == sorted(lost)
    red = np.full((64, 64, 3), (200, 20, 20), np.uint8)
    assert np.abs(save(red, 20).astype(int) - red).max() < 12


@pytest.mark.parametrize("radius_px", [1, 3, 32])
def test_medians_remove_lines_thinner_than_their_radius_alone(radius_px: int) -> None:
    pixels = np.full((200, 200, 3), 255, np.uint8)
    pixels[:, 90 : 90 + radius_px] = 0
    assert (take_medians(pixels, radius_px) == 255).all()
    pixels[:, 90 : 90 + radius_px + 1] = 0
    kept = take_medians(pixels, radius_px)[100, :, 0] == 0
    assert kept.sum() == radius_px + 1


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (0.999999, 0.999999)])
def test_a_piece_lies_within_its_pool(x: float, y: float) -> None:
    pool = np.arange(35, dtype=np.uint8).reshape(5, 7)
    assert cut(pool, x, y, 3, 2).shape == (3, 2)


@given(
    x=st.floats(0, 1, exclude_max=True),
    y=st.floats(0, 1, exclude_max=True),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_a_piece_lies_in_the_pool_and_its_mirror_images(
    x: float, y: float, height: int, width: int
) -> None:
    pool = np.arange(35, dtype=np.uint8).reshape(5, 7)
    tiled = np.pad(pool, ((0, 45), (0, 47)), mode="symmetric")
    pieces = np.lib.stride_tricks.sliding_window_view(tiled, (height, width))[:5, :7]
    piece = cut(pool, x, y, height, width)
    assert (pieces == piece).all(axis=(2, 3)).any()


@pytest.mark.parametrize("side_px", [1000, 1024, 1500])
def test_noise_of_large_images_differs_between_seeds(side_px: int) -> None:
    gray = np.full((side_px, side_px, 3), 128, np.uint8)
    assert len({add_noise(gray, 8.0, seed).tobytes() for seed in range(12)}) == 12


def test_noise_is_drawn_anew_for_each_channel() -> None:
    noise = add_noise(GRAY, 16.0, 3).reshape(-1, 3).astype(float)
    between = np.corrcoef(noise, rowvar=False)[np.triu_indices(3, 1)]
    assert np.abs(between).max() < 0.02


@given(
    level=st.integers(0, 255),
    radius_px=st.floats(0, 64),
    height=st.integers(1, 30),
    width=st.integers(1, 30),
)
def test_blur_leaves_a_flat_image_flat(
    level: int, radius_px: float, height: int, width: int
) -> None:
    assert (blur(np.full((height, width, 3), level, np.uint8), radius_px) == level).all()


def test_jpeg_keeps_the_order_of_the_channels() -> None:
    pixels = np.full((16, 16, 3), (200, 100, 20), np.uint8)
    assert np.abs(jpeg(pixels, 95).astype(int) - pixels).max() <= 3


@pytest.mark.parametrize("level", [10, 64, 160])
def test_shot_noise_grows_with_the_root_of_the_level(level: int) -> None:
    pixels = np.full((200, 200, 3), level, np.uint8)
    noisy = add_shot_noise(pixels, 16.0, 3).astype(float)
    assert noisy.mean() == pytest.approx(level, abs=0.5)
    assert noisy.std() == pytest.approx(16 * np.sqrt(level / 255), rel=0.05)
