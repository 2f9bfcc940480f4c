from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtext.drawing.curves import Curve, bend
from synthtext.drawing.faces import Face
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layout import place_glyphs
from synthtext.drawing.rendering import render
from synthtext.errors import DrawError
from synthtext.spec import Spec, make_spec


@pytest.fixture(scope="module")
def face(fonts: Catalogue) -> Face:
    return fonts.open("DejaVuSans.ttf")


def test_a_curve_of_nothing_is_the_text_itself(face: Face) -> None:
    placement = place_glyphs("jumping", face)
    assert bend(placement, make_spec("jumping")) is placement


@given(arc_deg=st.floats(1, 360), sign=st.sampled_from([-1, 1]))
def test_an_arc_is_as_long_as_its_text_and_turns_as_asked(arc_deg: float, sign: int) -> None:
    curve = Curve(0, 5, math.radians(sign * arc_deg), 0)
    points = np.array([curve.at(x, 0) for x in np.linspace(0, 5, 501)])
    length = np.linalg.norm(np.diff(points[:, :2], axis=0), axis=1).sum()
    assert length == pytest.approx(5, rel=1e-4)
    assert points[-1, 2] - points[0, 2] == pytest.approx(math.radians(sign * arc_deg))
    # The angle is that of the tangent, and the middle stays in place.
    way = points[251, :2] - points[249, :2]
    assert math.atan2(way[1], way[0]) == pytest.approx(points[250, 2], abs=1e-3)
    assert curve.at(2.5, 0) == pytest.approx((2.5, 0, 0))


def test_the_middle_of_an_arc_is_its_highest_point_above_0(face: Face) -> None:
    placement = place_glyphs("nnnnnnn", face)
    for arc_deg, is_higher in ((60, True), (-60, False)):
        middles = bend(placement, make_spec("nnnnnnn", arc_deg=arc_deg)).char_corners.mean(
            axis=1
        )
        assert (middles[3, 1] < middles[0, 1]) == is_higher
        assert middles[0, 1] == pytest.approx(middles[6, 1], abs=0.05)


def test_letters_keep_their_shape_along_a_curve(face: Face) -> None:
    placement = place_glyphs("affix", face)
    bent = bend(placement, make_spec("affix", arc_deg=80, wave_em=0.2))
    sides = np.linalg.norm(np.diff(bent.char_corners, axis=1), axis=2)
    assert np.allclose(sides[:, 0], np.ptp(placement.char_boxes[:, [0, 2]], axis=1))
    assert np.allclose(sides[:, 1], np.ptp(placement.char_boxes[:, [1, 3]], axis=1))
    # The letters of a ligature, and a mark and its letter, move as one.
    assert len({round(turn, 9) for turn in bent.turns_rad}) == len(placement.glyphs)


def test_a_word_box_holds_the_corners_of_its_letters(face: Face) -> None:
    text = "far away"
    bent = bend(place_glyphs(text, face), make_spec(text, arc_deg=150, wave_em=0.1))
    for word, letters in zip(
        bent.word_corners, (bent.char_corners[:3], bent.char_corners[3:]), strict=True
    ):
        along, down = word[1] - word[0], word[3] - word[0]
        offsets = letters.reshape(-1, 2) - word[0]
        for side in (along, down):
            shares = offsets @ side / (side @ side)
            assert -1e-9 <= shares.min() <= shares.max() <= 1 + 1e-9


def test_marks_move_with_their_letters_in_every_direction(spec: Spec, fonts: Catalogue) -> None:
    for text in ("e\u0301te\u0301", "שָלוֹם", "مرحبا"):
        drawn = render(
            replace(
                spec, text=text, font="DejaVuSans.ttf", arc_deg=60.0, width_px=0, height_px=0
            ),
            fonts,
        )
        rows, columns = np.nonzero(drawn.pixels.min(axis=2) < 128)
        low, high = drawn.word_quads.min(axis=(0, 1)), drawn.word_quads.max(axis=(0, 1))
        assert (low <= (columns.min() + 1, rows.min() + 1)).all()
        assert (high >= (columns.max(), rows.max())).all()


def test_a_word_too_short_for_its_arc_is_refused(spec: Spec, fonts: Catalogue) -> None:
    with pytest.raises(DrawError) as caught:
        render(replace(spec, text="it", arc_deg=300.0), fonts)
    assert str(caught.value) == "'it' is too short for an arc of 300 degrees; lower arc_deg"


def test_old_specs_are_straight(spec: Spec) -> None:
    assert (spec.arc_deg, spec.wave_em) == (0.0, 0.0)
