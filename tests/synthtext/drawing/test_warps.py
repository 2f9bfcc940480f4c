from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layout import place_glyphs
from synthtext.drawing.rendering import render, set_text
from synthtext.drawing.warps import make_move, warp
from synthtext.spec import Spec, make_spec

BOX = (0.0, -1.0, 8.0, 2.0)

SEEDS = [number * 2654435761 % 2**32 for number in range(100)]

PLACES = np.stack(np.meshgrid(np.arange(0, 8.1, 0.2), np.arange(-1, 2.1, 0.2)), axis=-1)


def test_a_text_that_is_not_warped_is_the_text_itself(fonts: Catalogue) -> None:
    placement = place_glyphs("jumping", fonts.open("DejaVuSans.ttf"))
    assert warp(placement, make_spec("jumping")) is placement


@pytest.mark.parametrize("warp_em", [0.02, 0.12])
def test_points_are_displaced_by_the_deviation_asked_for(warp_em: float) -> None:
    moved = np.array(
        [make_move(make_spec("x", ink_seed=s, warp_em=warp_em), BOX)(PLACES) for s in SEEDS]
    )
    displaced = moved - PLACES
    assert displaced.std(axis=(0, 1, 2)) == pytest.approx([warp_em, warp_em], rel=0.1)
    assert displaced.mean(axis=(0, 1, 2)) == pytest.approx([0, 0], abs=0.15 * warp_em)
    assert np.abs(displaced).max() <= np.sqrt(6) * warp_em


def test_a_stronger_warp_of_one_seed_is_the_same_but_larger() -> None:
    weak, strong = (
        make_move(make_spec("x", ink_seed=5, warp_em=em), BOX)(PLACES) - PLACES
        for em in (0.02, 0.1)
    )
    assert strong == pytest.approx(5 * weak)


@pytest.mark.parametrize("barrel_frac", [-0.25, -0.1, 0.1, 0.25])
def test_a_lens_draws_corners_to_the_middle_which_stays(barrel_frac: float) -> None:
    move = make_move(make_spec("x", barrel_frac=barrel_frac), BOX)
    middle, corner = np.array([4.0, 0.5]), np.array([8.0, 2.0])
    assert move(middle) == pytest.approx(middle)
    assert move(corner) - middle == pytest.approx((1 - barrel_frac) * (corner - middle))
    # The loss grows with the square of the distance.
    half = (middle + corner) / 2
    assert move(half) - middle == pytest.approx((1 - barrel_frac / 4) * (half - middle))


@pytest.mark.parametrize("barrel_frac", [-0.25, 0.0, 0.25])
def test_no_warp_folds_the_text_over(barrel_frac: float) -> None:
    step = 1e-5
    for seed in SEEDS:
        spec = make_spec("x", ink_seed=seed, warp_em=0.12, barrel_frac=barrel_frac)
        move = make_move(spec, BOX)
        across, down = (
            (move(PLACES + way) - move(PLACES)) / step for way in ([step, 0.0], [0.0, step])
        )
        area = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
        assert area.min() > 0


def test_quads_are_clockwise_parallelograms(fonts: Catalogue) -> None:
    text = "jumping over nine lazy dogs"
    for seed in SEEDS[:10]:
        spec = make_spec(text, kind="sentence", warp_em=0.12, barrel_frac=0.2, ink_seed=seed)
        placement = set_text(spec, fonts.open(spec.font))
        for quads in (placement.char_corners, placement.word_corners):
            assert quads is not None
            first, second, third, fourth = quads.transpose(1, 0, 2)
            assert second - first == pytest.approx(third - fourth)
            along, down = second - first, fourth - first
            assert (along[:, 0] * down[:, 1] - along[:, 1] * down[:, 0] > 0).all()


def test_a_weak_warp_is_nearly_the_straight_text(spec: Spec, fonts: Catalogue) -> None:
    straight = render(spec, fonts)
    warped = render(replace(spec, warp_em=0.0001), fonts)
    assert np.abs(warped.word_quads - straight.word_quads).max() < 0.05
    assert np.abs(warped.pixels.astype(int) - straight.pixels).max() <= 16


def test_strokes_are_bent_and_not_moved_alone(spec: Spec, fonts: Catalogue) -> None:
    spec = replace(spec, text="lll", size_px=120.0, barrel_frac=0.25)
    ink = render(spec, fonts).pixels[:, :, 0] < 128
    rows, columns = np.nonzero(ink[:, :100])
    rows_of_first = np.unique(rows)
    edge = np.array([columns[rows == row].min() for row in rows_of_first])
    chord = np.interp(rows_of_first, rows_of_first[[0, -1]], edge[[0, -1]])
    assert np.abs(edge - chord).max() > 1.5
