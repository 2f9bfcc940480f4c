from __future__ import annotations

import numpy as np
import pytest

from synthtext.drawing.screens import add_moire, halftone


def test_neutral_values_change_nothing() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    assert halftone(pixels, 0.0, 7) is pixels
    assert add_moire(pixels, 0.0, 7) is pixels


@pytest.mark.parametrize("pitch_px", [2.0, 4.5, 12.0])
@pytest.mark.parametrize("level", [0, 20, 128, 230, 255])
def test_halftone_keeps_the_mean_level(pitch_px: float, level: int) -> None:
    dots = halftone(np.full((240, 240, 3), level, np.uint8), pitch_px, seed=3)
    assert dots.mean((0, 1)) == pytest.approx([level] * 3, abs=2)


def test_dots_repeat_at_their_pitch() -> None:
    # The third channel is turned by 45 degrees, so its dots repeat along a row every 8 sqrt(2).
    dots = halftone(np.full((128, 400, 3), 128, np.uint8), 8.0, seed=3)[:, :, 2]
    power = (np.abs(np.fft.rfft(dots - dots.mean(), axis=1)) ** 2).sum(axis=0)
    assert 400 / np.argmax(power) == pytest.approx(8 * np.sqrt(2), rel=0.03)


@pytest.mark.parametrize("fraction", [0.3, 1.0])
def test_fringes_take_their_fraction_of_the_light(fraction: float) -> None:
    lit = add_moire(np.full((200, 220, 3), 250, np.uint8), fraction, seed=5) / 250
    assert lit.min() == pytest.approx(1 - fraction, abs=0.02)
    assert lit.max() == pytest.approx(1, abs=0.02)
    assert lit.mean() == pytest.approx(1 - fraction / 2, abs=0.05)


def test_seeds_move_dots_and_fringes() -> None:
    pixels = np.full((40, 50, 3), 128, np.uint8)
    for effect, value in ((halftone, 5.0), (add_moire, 0.5)):
        assert not np.array_equal(effect(pixels, value, 1), effect(pixels, value, 2))
