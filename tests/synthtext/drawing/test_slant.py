from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from letter_masks import check_letters_lie_in_quads
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layers import draw_layer
from synthtext.drawing.layout import Placement, place_glyphs
from synthtext.drawing.rendering import render
from synthtext.spec import Spec, make_spec

SANS = "DejaVuSans.ttf"


def _place(text: str, fonts: Catalogue, slant: float) -> Placement:
    return place_glyphs(text, fonts.open(SANS), slant=slant)


@pytest.mark.parametrize("slant_deg", [-20.0, 12.0, 40.0])
def test_ink_moves_to_the_right_with_its_height(fonts: Catalogue, slant_deg: float) -> None:
    spec = make_spec("l", font=SANS, size_px=120, slant_deg=slant_deg, width_px=400)
    rows = np.asarray(draw_layer("ink", spec, fonts)).astype(float)
    heights = np.flatnonzero(rows.sum(axis=1) > 255)[10:-10]
    middles = (rows[heights] * np.arange(400)).sum(axis=1) / rows[heights].sum(axis=1)
    slope = np.polyfit(heights, middles, 1)[0]
    assert math.degrees(math.atan(-slope)) == pytest.approx(slant_deg, abs=0.3)


def test_letters_keep_their_advances_and_their_baseline(fonts: Catalogue) -> None:
    plain, slanted = _place("hill", fonts, 0.0), _place("hill", fonts, 0.3)
    assert np.allclose(plain.pens, slanted.pens)
    assert np.allclose(plain.char_boxes[:, [1, 3]], slanted.char_boxes[:, [1, 3]])
    assert (slanted.char_boxes[:, 2] > plain.char_boxes[:, 2]).all()


def test_marks_follow_their_letter(fonts: Catalogue) -> None:
    # The tilde lies higher above a capital than its glyph has it.
    plain, slanted = (_place("Q\u0303", fonts, slant) for slant in (0.0, 0.5))
    assert len(plain.glyphs) == 2
    up = plain.baselines[1] - plain.pens[1, 1]
    assert up > 0.1
    assert slanted.pens[1, 0] - plain.pens[1, 0] == pytest.approx(0.5 * up)


@pytest.mark.parametrize(
    "change",
    [
        {}, {"direction": "vertical"}, {"direction": "vertical-mixed"}, {"arc_deg": 90.0},
        {"rotation_deg": 25.0, "yaw_deg": 40.0}, {"warp_em": 0.06}, {"jitter_em": 0.05},
        {"superscript_frac": 0.4, "word_size_frac": 0.3}, {"outline_em": 0.08},
    ],
)  # fmt: skip
@pytest.mark.parametrize("slant_deg", [-30.0, 30.0])
def test_letters_lie_in_their_quads(
    spec: Spec, fonts: Catalogue, change: dict[str, Any], slant_deg: float
) -> None:
    changed = replace(spec, text="Jumping fox", shrink=True, slant_deg=slant_deg, **change)
    check_letters_lie_in_quads(changed, fonts)


def test_a_line_under_slanted_text_is_straight(fonts: Catalogue) -> None:
    spec = make_spec("nm", font=SANS, size_px=60, underline_em=0.1, slant_deg=20.0)
    drawn, plain = render(spec, fonts), render(replace(spec, slant_deg=0.0), fonts)
    assert drawn.x_height_px == plain.x_height_px
    rows = (np.asarray(draw_layer("ink", spec, fonts)) > 250).sum(axis=1)
    assert rows.max() > 0.9 * np.ptp(drawn.word_quads[0][:, 0])
