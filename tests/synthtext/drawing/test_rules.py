from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layers import draw_layer
from synthtext.drawing.layout import place_glyphs
from synthtext.drawing.outlines import Outline, refine
from synthtext.drawing.painting import cover
from synthtext.drawing.rendering import fit, render, set_text
from synthtext.drawing.rules import add_rules
from synthtext.spec import Spec, make_spec

LINES = {"underline_em": 0.08, "strike_em": 0.06}


def find_rows(spec: Spec, fonts: Catalogue) -> tuple[float, float]:
    """Return where the line between two words begins and ends, below the image's top edge."""
    rendering = render(spec, fonts)
    (_, first), (second, _) = (
        (quad[:, 0].min(), quad[:, 0].max()) for quad in rendering.word_quads
    )
    middle = int((first + second) / 2)
    ink = draw_layer("ink", spec, fonts)[:, middle].astype(float) / 255
    places = np.flatnonzero(ink)
    top = places[0] + 1 - ink[places[0]]
    return top, top + ink.sum()


def test_a_text_without_lines_is_the_text_itself(fonts: Catalogue) -> None:
    face = fonts.open("DejaVuSans.ttf")
    placement = place_glyphs("jumping", face)
    assert add_rules(placement, make_spec("jumping"), face) is placement


@pytest.mark.parametrize("thickness_em", [0.02, 0.1, 0.3])
@pytest.mark.parametrize(
    ("font", "below_em"),
    [("OpenSans_400Regular.ttf", 0.05), ("GrenzeGotisch_400Regular.ttf", 0.16),
     ("Rokkitt_400Regular.ttf", 0.05)],
)  # fmt: skip
def test_a_line_under_a_text_is_as_thick_as_asked_and_where_its_font_says(
    fonts: Catalogue, thickness_em: float, font: str, below_em: float
) -> None:
    # The font of the second states 0.16, that of the first too little, the third nothing.
    spec = make_spec("xi ix", font=font, size_px=80, underline_em=thickness_em)
    top, bottom = find_rows(spec, fonts)
    baseline = render(spec, fonts).char_quads[0, :, 1].max()
    assert bottom - top == pytest.approx(80 * thickness_em, abs=0.1)
    assert top - baseline == pytest.approx(80 * below_em, abs=1.5)


def test_a_line_through_a_text_lies_at_half_the_x_height(fonts: Catalogue) -> None:
    spec = make_spec("xi ix", font="DejaVuSans.ttf", size_px=80, strike_em=0.1)
    top, bottom = find_rows(spec, fonts)
    letter = render(spec, fonts).char_quads[0, :, 1]
    assert bottom - top == pytest.approx(8, abs=0.1)
    assert (top + bottom) / 2 == pytest.approx((letter.min() + letter.max()) / 2, abs=0.1)


def test_every_line_of_a_sentence_has_its_own(fonts: Catalogue) -> None:
    text = "jumping over nine lazy dogs"
    spec = make_spec(text, kind="sentence", font="DejaVuSans.ttf", size_px=40, **LINES)
    placement = set_text(spec, fonts.open(spec.font))
    assert placement.rules is not None
    n_lines = len(set(placement.baselines))
    assert n_lines > 2
    assert len(placement.rules.ends) == 2 * n_lines


@pytest.mark.parametrize(
    "turned",
    [
        {},
        {"rotation_deg": 70.0},
        {"arc_deg": -120.0},
        {"wave_em": 0.4, "yaw_deg": 50.0, "pitch_deg": -30.0},
        {"jitter_em": 0.1, "letter_rotation_deg": 20.0, "outline_em": 0.1},
    ],
)
def test_letters_stay_in_their_quads_and_lines_within_the_margins(
    spec: Spec, fonts: Catalogue, turned: dict[str, float]
) -> None:
    lined = replace(spec, text="jumping fox", shrink=True, **LINES, **turned)  # type: ignore[arg-type]
    face = fonts.open(lined.font)
    fitted, placement, ground = fit(lined, face)
    letters, column, row = cover(fitted, replace(placement, rules=None), ground)
    quads = render(lined, fonts).word_quads
    outside = [
        min(
            -cv2.pointPolygonTest(
                quad.reshape(-1, 1, 2), (x + column + 0.5, y + row + 0.5), True
            )
            for quad in quads
        )
        for y, x in np.argwhere(letters).tolist()
    ]
    assert max(outside) < 0.75
    ink = draw_layer("ink", lined, fonts)
    rows, columns = np.nonzero(ink > 0)
    assert ink.sum() > letters.sum()
    assert min(rows.min(), columns.min()) >= spec.margin_px - 1
    assert max(rows.max(), columns.max()) <= 224 - spec.margin_px


def test_a_line_follows_its_arc(fonts: Catalogue) -> None:
    spec = make_spec("jumping", font="DejaVuSans.ttf", arc_deg=120.0, underline_em=0.1)
    straight = place_glyphs("jumping", fonts.open(spec.font))
    left, _, right, _ = straight.box
    radius = (right - left) / np.radians(120)
    rules = set_text(spec, fonts.open(spec.font)).rules
    assert rules is not None
    distances = np.linalg.norm(rules.points - ((left + right) / 2, radius), axis=1)
    assert radius - distances.max() == pytest.approx(0.05)
    assert radius - distances.min() == pytest.approx(0.15)
    assert np.linalg.norm(np.diff(rules.points, axis=0), axis=1).max() < 0.12


def test_pieces_of_an_edge_lie_on_it() -> None:
    points = np.array([[0.0, 0], [1, 0], [1, 0.3], [5, 5], [6, 5], [6, 6]])
    tags = np.array([1, 1, 1, 1, 0, 1], np.uint8)
    fine = refine(Outline(points, tags, np.array([2, 5])), 0.26)
    assert fine.ends.tolist() == [10, 10 + 8]
    assert fine.points[:5].tolist() == [[0, 0], [0.25, 0], [0.5, 0], [0.75, 0], [1, 0]]
    # The two edges at the point that controls a curve stay whole.
    assert fine.tags.tolist() == [1] * 12 + [0] + [1] * 6
    assert refine(Outline(points, tags, np.array([2, 5])), 9).points.tolist() == points.tolist()
    assert not len(refine(Outline(points[:0], tags[:0], np.array([], int)), 1).points)


def test_lines_are_ink_and_no_letters(spec: Spec, fonts: Catalogue) -> None:
    lined = replace(spec, **LINES)  # type: ignore[arg-type]
    ink, letters = draw_layer("ink", lined, fonts), draw_layer("letters", lined, fonts)
    changed = (render(lined, fonts).pixels != draw_layer("background", lined, fonts)).any(
        axis=2
    )
    assert (changed <= (ink > 0)).all()
    assert changed[ink > 8].all()
    assert (ink > 16).sum() > 1.2 * (letters > 0).sum()
    # What hides the ink hides the lines too.
    hidden = render(replace(lined, occlusion_frac=0.4, damage_seed=3), fonts)
    assert hidden.ink_visible_frac == pytest.approx(0.6, abs=0.1)
