from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtext.drawing.faces import open_face
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.outlines import Outline, join
from synthtext.drawing.perspective import DISTANCE, look, make_view
from synthtext.drawing.rendering import render
from synthtext.errors import FontError, SpecError
from synthtext.spec import Spec, spec_from_dict, spec_to_dict
from synthtext.spec_edits import edit_spec

BOX = (-4.0, 2.0, 36.0, 14.0)

MIDDLE = np.array([16.0, 8.0])

ANGLES = st.floats(-75, 75)


def measure_sides(quad: np.ndarray) -> tuple[float, float, float, float]:
    """Return the lengths of the top, right, bottom and left side."""
    top, right, bottom, left = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    return top, right, bottom, left


def test_text_seen_head_on_stays_as_it_is() -> None:
    assert make_view(0, 0, BOX) is None


@given(yaw_deg=ANGLES, pitch_deg=ANGLES.filter(bool))
def test_the_middle_stays(yaw_deg: float, pitch_deg: float) -> None:
    view = make_view(yaw_deg, pitch_deg, BOX)
    assert view is not None
    assert look(MIDDLE, view) == pytest.approx(MIDDLE)


@given(yaw_deg=ANGLES, pitch_deg=ANGLES.filter(bool), share=st.floats(0, 1))
def test_straight_lines_stay_straight(yaw_deg: float, pitch_deg: float, share: float) -> None:
    view = make_view(yaw_deg, pitch_deg, BOX)
    assert view is not None
    ends = np.array([BOX[:2], BOX[2:]])
    first, last = look(ends, view)
    between = look(ends[0] + share * (ends[1] - ends[0]), view)
    (x1, y1), (x2, y2) = last - first, between - first
    assert x1 * y2 - y1 * x2 == pytest.approx(0, abs=1e-6)


def test_a_turned_page_shrinks_by_the_laws_of_sight() -> None:
    view = make_view(60, 0, BOX)
    assert view is not None
    # Half of the width, 20 px, lies cos 60 degrees to the side and sin 60 degrees away from an
    # eye at twice the width.
    far = DISTANCE * 40
    expected = 16 + 10 * far / (far + 20 * np.sin(np.pi / 3))
    assert look(np.array([36.0, 8.0]), view) == pytest.approx([expected, 8])


@pytest.mark.parametrize(
    ("angles", "small", "large"),
    [({"yaw_deg": 50.0}, 1, 3), ({"yaw_deg": -50.0}, 3, 1),
     ({"pitch_deg": 50.0}, 0, 2), ({"pitch_deg": -50.0}, 2, 0)],
)  # fmt: skip
def test_what_is_farther_away_is_smaller(
    spec: Spec, fonts: Catalogue, angles: dict[str, float], small: int, large: int
) -> None:
    (quad,) = render(replace(spec, text="hhh", **angles), fonts).word_quads
    sides = measure_sides(quad)
    assert sides[small] < 0.9 * sides[large]


def test_a_whole_pixel_of_movement_paints_the_same(fonts: Catalogue) -> None:
    face = open_face(fonts.path_of("Lato_700Bold.ttf"))
    face.set_size(30)
    (glyph,) = face.shape("g", ligatures=False).glyphs
    still, column, row = face.paint(glyph, 7, 40, None)
    outline = face.outline(glyph)
    moved = replace(outline, points=outline.points * 30 + (7, 40))
    seen, column_seen, row_seen = face.paint_outline(moved)
    assert (column, row) == (column_seen, row_seen)
    # FreeType rounds a glyph to 64ths of a pixel at its size, and once more where it lies.
    assert np.abs(still.astype(int) - seen).max() <= 8


def test_a_blank_leaves_no_ink(fonts: Catalogue) -> None:
    face = open_face(fonts.path_of("Lato_700Bold.ttf"))
    (glyph,) = face.shape(" ", ligatures=False).glyphs
    assert face.paint_outline(face.outline(glyph))[0].size == 0


def test_a_wide_and_low_shape_is_painted_in_parts(fonts: Catalogue) -> None:
    # FreeType paints the tall one at once, and of the other no more than a part.
    face = open_face(fonts.path_of("Lato_700Bold.ttf"))
    edge = np.linspace(0, 6000, 600)
    for height in (10, 200):
        upper = np.stack([edge, height * np.sin(edge / 60) ** 2], axis=1)
        points = np.concatenate([upper, upper[::-1] + np.array([0, 3])])
        band = Outline(points, np.ones(len(points), np.uint8), np.array([len(points) - 1]))
        coverage, column, row = face.paint_outline(band)
        assert (column, row) == (0, 0)
        assert coverage.sum(dtype=float) / 255 == pytest.approx(6000 * 3, rel=1e-3)
        assert coverage.sum(axis=0).min() > 2.5 * 255


@pytest.mark.parametrize("far", [1e6, np.inf])
def test_an_outline_without_bounds_is_refused(fonts: Catalogue, far: float) -> None:
    face = open_face(fonts.path_of("Lato_700Bold.ttf"))
    (glyph,) = face.shape("g", ligatures=False).glyphs
    outline = face.outline(glyph)
    with pytest.raises(FontError, match="outline without bounds"):
        face.paint_outline(replace(outline, points=outline.points + far))


def test_a_text_of_too_many_points_is_refused(fonts: Catalogue) -> None:
    face = open_face(fonts.path_of("Lato_700Bold.ttf"))
    (glyph,) = face.shape("g", ligatures=False).glyphs
    with pytest.raises(FontError, match="draw a shorter text or remove the font"):
        face.paint_outline(join([face.outline(glyph)] * 2000))


def test_text_is_never_seen_edge_on(spec: Spec) -> None:
    with pytest.raises(SpecError, match=r"yaw_deg is 90\.0; it is an angle .* edge-on"):
        edit_spec(spec, {"yaw_deg": "90"})


def test_the_first_shards_knew_no_angles(spec: Spec) -> None:
    fields = spec_to_dict(spec)
    del fields["yaw_deg"], fields["pitch_deg"]
    assert spec_from_dict(fields) == spec
