from __future__ import annotations

import numpy as np
import pytest

from synthtext.degradations import add_noise, blur, cut, jpeg

GRAY = np.full((200, 220, 3), 128, np.uint8)


def test_neutral_values_change_nothing() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    assert blur(pixels, 0.0) is pixels
    assert add_noise(pixels, 0.0, 7) is pixels
    assert jpeg(pixels, 100) is pixels


def test_blur_spreads_a_point_by_its_deviation() -> None:
    pixels = np.zeros((81, 81, 3), np.uint8)
    pixels[38:43, 38:43] = 255
    spread = blur(pixels, 4.0)[:, :, 0].astype(float)
    places = np.arange(81) - 40
    variance = (spread.sum(axis=0) * places**2).sum() / spread.sum()
    # The square of five pixels has a variance of (25 - 1) / 12 = 2 of its own.
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


def test_noise_is_clipped_not_wrapped() -> None:
    assert add_noise(np.full_like(GRAY, 255), 20.0, 5).min() > 100


def test_a_lower_quality_loses_more() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    lost = [np.abs(jpeg(pixels, q).astype(int) - pixels).mean() for q in (90, 50, 10)]
    assert lost == sorted(lost)


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (0.999999, 0.999999)])
def test_a_piece_lies_within_its_pool(x: float, y: float) -> None:
    pool = np.arange(35, dtype=np.uint8).reshape(5, 7)
    assert cut(pool, x, y, 3, 2).shape == (3, 2)


def test_a_piece_larger_than_its_pool_repeats_it() -> None:
    pool = np.arange(35, dtype=np.uint8).reshape(5, 7)
    piece = cut(pool, 0.0, 0.0, 12, 9)
    assert (piece[5:10] == piece[:5]).all()
    assert (piece[:, 7:] == piece[:, :2]).all()
