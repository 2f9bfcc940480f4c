from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.ink_styles import (
    Coverage,
    cast_shadow,
    embolden,
    emboss,
    extrude,
    fill_ink,
    make_glow,
    spread_ink,
    wear_off,
)
from synthtext.drawing.layers import draw_layer
from synthtext.drawing.photos import read_photos
from synthtext.drawing.rendering import render
from synthtext.errors import PhotoError
from synthtext.spec import Spec, make_spec

STYLES = {
    "outline_em": (0.02, 0.05, 0.1, 0.2, 0.3),
    "extrude_em": (0.02, 0.05, 0.1, 0.25, 0.5),
    "glow_em": (0.02, 0.05, 0.1, 0.2, 0.3),
    "ink_bleed_em": (0.01, 0.02, 0.04, 0.06, 0.1),
    "embolden_em": (-0.05, -0.02, 0.0, 0.03, 0.1),
}
"""Levels, each of which covers more of the image than the one before."""


@pytest.fixture
def stroke() -> Coverage:
    coverage = np.zeros((80, 120), np.uint8)
    cv2.rectangle(coverage, (40, 30), (79, 49), 255, cv2.FILLED)
    return coverage


def count_ink(coverage: Coverage) -> float:
    return float(coverage.sum()) / 255


def test_neutral_values_change_nothing(stroke: Coverage) -> None:
    assert embolden(stroke, 0.0) is stroke
    assert wear_off(stroke, 0.0, 7, 2.0) is stroke
    assert extrude(stroke, 0.0, 30.0) is stroke
    assert spread_ink(stroke, 0.0, 7) is stroke
    pixels = cv2.merge([stroke] * 3)
    assert emboss(pixels, stroke, 0.0, 30.0, 2.0) is pixels


@pytest.mark.parametrize("radius_px", [-5.0, -1.5, 0.5, 2.0, 5.9, 6.1, 12.0])
def test_a_stroke_grows_by_its_radius_on_each_side(stroke: Coverage, radius_px: float) -> None:
    grown = embolden(stroke, radius_px)
    assert count_ink(grown[40:41]) == pytest.approx(40 + 2 * radius_px, abs=0.6)
    assert count_ink(grown[:, 60:61]) == pytest.approx(20 + 2 * radius_px, abs=0.6)


@pytest.mark.parametrize("width_px", [0.5, 2.0, 7.0])
@pytest.mark.parametrize("seed", [0, 99])
def test_ink_spreads_unevenly_and_no_farther_than_asked(
    stroke: Coverage, width_px: float, seed: int
) -> None:
    spread = spread_ink(stroke, width_px, seed)
    assert (spread >= stroke).all()
    # Kernels leave out the corners, which lie within the distance.
    assert not spread[embolden(stroke, width_px + 1) == 0].any()
    widths = (spread[30:50].astype(float).sum(axis=1) - stroke[30:50].sum(axis=1)) / 255
    assert 0.2 * width_px < widths.mean() < 1.8 * width_px
    assert widths.std() > 0.1 * width_px
    assert not np.array_equal(spread, spread_ink(stroke, width_px, seed + 1))


@pytest.mark.parametrize(
    ("angle_deg", "x", "y"), [(0, 10, 0), (90, 0, 10), (225, -7.07, -7.07)]
)
def test_a_shadow_lies_where_its_angle_points(
    stroke: Coverage, angle_deg: float, x: float, y: float
) -> None:
    shadow = cast_shadow(stroke, 10.0, angle_deg, blur_px=1.5)
    rows, columns = np.indices(shadow.shape)
    total = shadow.sum(dtype=float)
    middle = (columns * shadow).sum() / total, (rows * shadow).sum() / total
    assert middle == pytest.approx((59.5 + x, 39.5 + y), abs=0.1)


@pytest.mark.parametrize("depth_px", [0.5, 3.0, 10.0, 27.5])
def test_an_extrusion_is_as_deep_as_asked_and_without_gaps(
    stroke: Coverage, depth_px: float
) -> None:
    body = extrude(stroke, depth_px, 0.0)
    assert count_ink(body[40:41]) == pytest.approx(40 + depth_px, abs=0.6)
    assert (body >= stroke).all()


def test_a_glow_fades_with_the_distance_and_ends_within_twice_its_width(
    stroke: Coverage,
) -> None:
    glow = make_glow(stroke, 8.0)[:, 60].tolist()
    below = glow[50:]
    assert below == sorted(below, reverse=True)
    assert below[4] == pytest.approx(128, abs=20)
    assert max(below[16:]) <= 3


@pytest.mark.parametrize("angle_deg", [0.0, 90.0, 225.0])
def test_the_edges_that_face_the_light_are_lit_and_the_others_dark(
    stroke: Coverage, angle_deg: float
) -> None:
    pixels = np.full((80, 120, 3), 100, np.uint8)
    raised = emboss(pixels, stroke, 0.5, angle_deg, 2.0)[..., 0].astype(float) - 100
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    first, last = raised[40, 36:44].sum(), raised[40, 76:84].sum()
    top, bottom = raised[26:34, 60].sum(), raised[46:54, 60].sum()
    for facing, away, share in ((first, last, cos), (top, bottom, sin)):
        lit, dark = (facing, away) if share >= 0 else (away, facing)
        assert lit == pytest.approx(abs(share) * 0.5 * 155 * 2.5 * 2, rel=0.1, abs=3)
        assert dark == pytest.approx(-abs(share) * 0.5 * 100 * 2.5 * 2, rel=0.1, abs=3)
    assert np.abs(raised[38:42, 52:68]).max() <= 1


def test_embossing_shows_letters_of_the_colour_of_their_paper(
    spec: Spec, fonts: Catalogue
) -> None:
    hidden = replace(spec, ink="#808080", paper="#808080", contrast=0.0, emboss_frac=0.0)
    assert np.ptp(render(hidden, fonts).pixels) == 0
    seen = [
        np.ptp(render(replace(hidden, emboss_frac=fraction), fonts).pixels)
        for fraction in (0.2, 0.5, 1.0)
    ]
    assert 20 < seen[0] < seen[1] < seen[2]
    invisible = replace(hidden, emboss_frac=1.0, opacity=0.0)
    assert np.ptp(render(invisible, fonts).pixels) == 0


@given(fraction=st.floats(0.05, 0.9), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_as_much_ink_wears_off_as_asked(fraction: float, seed: int) -> None:
    coverage = np.zeros((40, 200), np.uint8)
    coverage[8:32] = 255
    worn = wear_off(coverage, fraction, seed, 2.0)
    assert 1 - count_ink(worn) / count_ink(coverage) == pytest.approx(fraction, abs=0.06)
    assert (worn <= coverage).all()


@pytest.mark.parametrize("kind", ["gradient", "texture"])
def test_a_fill_goes_from_the_first_colour_towards_the_second(kind: str) -> None:
    spec = make_spec("quartz", ink_fill=kind, ink2="#0000c8", ink_seed=5)
    fill = fill_ink(spec, (200, 0, 0), (60, 90), None)
    red, blue = fill[..., 0].astype(int), fill[..., 2].astype(int)
    assert red.max() - red.min() > 60
    assert np.abs(red + blue - 200).max() <= 1
    assert red.min() >= 79


def test_a_fill_shows_a_photograph_in_the_letters_alone(
    tmp_path: Path, spec: Spec, fonts: Catalogue
) -> None:
    halves = np.zeros((40, 40, 3), np.uint8)
    halves[:, 20:] = 255
    Image.fromarray(halves).save(tmp_path / "halves.png")
    photos = read_photos(tmp_path)
    plain = replace(spec, ink="#640000", paper="#ffffff", contrast=0.0, size_px=60.0)
    filled = replace(plain, ink_fill="photo", ink_photo="halves.png")
    letters = draw_layer("ink", plain, fonts) == 255
    before = render(plain, fonts).pixels
    after = render(filled, fonts, photos).pixels
    assert (after[draw_layer("ink", plain, fonts) == 0] == 255).all()
    assert (before[letters] == (100, 0, 0)).all()
    greens = np.unique(after[letters][:, 1])
    assert greens.min() == 0
    # Of a white half, 0.6 is in the fill.
    assert greens.max() == 153
    with pytest.raises(PhotoError, match="give its folder with --backgrounds"):
        render(filled, fonts)


@pytest.mark.parametrize("name", STYLES)
def test_a_stronger_style_covers_more(name: str, spec: Spec, fonts: Catalogue) -> None:
    blank = render(replace(spec, opacity=0.0), fonts).pixels.astype(int)
    covered = []
    for level in STYLES[name]:
        styled = replace(spec, ink2=spec.ink, shadow_angle_deg=30.0)
        pixels = render(replace(styled, **{name: level}), fonts).pixels  # type: ignore[arg-type]
        covered.append(np.abs(pixels - blank).sum())
    assert covered == sorted(covered)
    assert len(set(covered)) == len(covered)


def test_letters_lie_upon_outline_upon_extrusion_upon_shadow(
    spec: Spec, fonts: Catalogue
) -> None:
    red, blue = (255, 0, 0), (0, 0, 255)
    styled = replace(
        spec, ink="#ff0000", ink2="#0000ff", contrast=0.0, size_px=60.0, outline_em=0.05,
        extrude_em=0.1, shadow_em=0.3, shadow_angle_deg=90.0, shadow_blur_em=0.0,
    )  # fmt: skip
    plain = render(replace(spec, size_px=60.0, contrast=0.0), fonts).pixels
    letters = (plain == 0).all(axis=2)
    pixels = render(styled, fonts).pixels
    assert (pixels[letters] == red).all()
    assert (pixels == blue).all(axis=2).sum() > 0.3 * letters.sum()
    assert (pixels == 102).all(axis=2).sum() > 0.1 * letters.sum()


def test_a_style_near_the_edge_is_cut_off_by_it(spec: Spec, fonts: Catalogue) -> None:
    styled = replace(
        spec, width_px=0, height_px=0, margin_px=1, shadow_em=1.0, shadow_angle_deg=45.0
    )
    plain = render(replace(styled, shadow_em=0.0), fonts)
    assert render(styled, fonts).pixels.shape == plain.pixels.shape
