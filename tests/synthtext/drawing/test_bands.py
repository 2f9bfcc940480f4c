from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from synthtext.drawing.bands import (
    MAX_POINTS,
    are_simple,
    measure_areas,
    sample_loops,
    simplify,
)
from synthtext.drawing.curves import Curve
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.painting import outline_text
from synthtext.drawing.rendering import Quads, fit, open_face_of, render
from synthtext.spec import Spec, make_spec

BENT = {
    "arc": {"arc_deg": 90.0},
    "arc upwards": {"arc_deg": -120.0},
    "circle": {"arc_deg": 350.0},
    "wave": {"wave_em": 0.3},
    "wave on an arc": {"arc_deg": 160.0, "wave_em": 0.1},
    "warp": {"warp_em": 0.12},
    "barrel": {"barrel_frac": 0.25},
    "warped arc": {"arc_deg": -60.0, "warp_em": 0.1, "barrel_frac": -0.2},
    "jittered arc": {"arc_deg": 60.0, "jitter_em": 0.1, "letter_rotation_deg": 15.0},
    "from the side": {"arc_deg": 60.0, "yaw_deg": 55.0, "pitch_deg": -30.0},
}


def measure_overhang(spec: Spec, fonts: Catalogue, polygons: Sequence[Quads]) -> float:
    """Return how far points on the outlines of a text lie outside polygons, in px."""
    spec, placement, ground = fit(spec, open_face_of(spec, fonts))
    outline = outline_text(spec, placement, ground)
    # Control points lie off their curve, so only points on curves are measured.
    points = outline.points[outline.tags & 1 == 1]
    return max(
        -max(_measure_inside(polygon, point) for polygon in polygons) for point in points
    )


def _measure_inside(polygon: Quads, point: np.ndarray) -> float:
    """Return the distance of a point from a polygon's boundary, negative outside it."""
    start = polygon.astype(float)
    ways = np.roll(start, -1, axis=0) - start
    shares = (((point - start) * ways).sum(axis=1) / (ways**2).sum(axis=1)).clip(0, 1)
    distance = np.linalg.norm(start + shares[:, None] * ways - point, axis=1).min()
    after = np.roll(start, -1, axis=0)
    crosses = (start[:, 1] > point[1]) != (after[:, 1] > point[1])
    # A side that is level is never crossed, and may divide by any number.
    level = np.where(ways[:, 1] == 0, 1, ways[:, 1])
    x = start[:, 0] + (point[1] - start[:, 1]) / level * ways[:, 0]
    return distance if (crosses & (x > point[0])).sum() % 2 else -distance


@pytest.mark.parametrize("change", BENT.values(), ids=BENT)
def test_the_ink_of_bent_words_lies_in_their_polygons(
    spec: Spec, fonts: Catalogue, change: dict[str, float]
) -> None:
    for text in ("typography", "far and wide"):
        bent = replace(
            spec, text=text, kind="sentence", size_px=40.0, width_px=0, height_px=0, **change
        )
        polygons = render(bent, fonts).word_polygons
        assert len(polygons) == len(text.split())
        assert measure_overhang(bent, fonts, polygons) < 0.1


@pytest.mark.parametrize("change", BENT.values(), ids=BENT)
def test_polygons_are_clockwise_bounded_and_do_not_cross(
    spec: Spec, fonts: Catalogue, change: dict[str, float]
) -> None:
    bent = replace(spec, text="typography", width_px=0, height_px=0, **change)
    drawn = render(bent, fonts)
    for polygon, quad in zip(drawn.word_polygons, drawn.word_quads, strict=True):
        assert 4 <= len(polygon) <= MAX_POINTS
        assert len(polygon) % 2 == 0
        assert are_simple(polygon[None])[0]
        assert 0 < measure_areas(polygon[None])[0] <= measure_areas(quad[None])[0]


def test_a_polygon_follows_its_arc_and_a_quad_does_not(spec: Spec, fonts: Catalogue) -> None:
    straight = replace(spec, text="jumping over", width_px=0, height_px=0, size_px=40.0)
    bent = render(replace(straight, arc_deg=120.0), fonts)
    area = measure_areas(render(straight, fonts).word_quads).sum()
    of_polygons = sum(measure_areas(each[None])[0] for each in bent.word_polygons)
    assert area < of_polygons < 1.25 * area
    assert measure_areas(bent.word_quads).sum() > 1.8 * area


def test_the_halves_of_a_polygon_are_its_upper_and_its_lower_edge(
    spec: Spec, fonts: Catalogue
) -> None:
    spec = replace(spec, text="nnnnnn", width_px=0, height_px=0, arc_deg=90.0)
    (polygon,) = render(spec, fonts).word_polygons
    upper, lower = np.split(polygon, 2)
    assert (np.diff(upper[:, 0]) > 0).all()
    assert (np.diff(lower[:, 0]) < 0).all()
    assert (upper[:, 1] < lower[::-1, 1]).all()


def test_the_upper_edge_of_a_column_is_its_right_side(spec: Spec, fonts: Catalogue) -> None:
    spec = replace(spec, text="column", direction="vertical", warp_em=0.05, size_px=24.0)
    (polygon,) = render(spec, fonts).word_polygons
    right, left = np.split(polygon, 2)
    assert (np.diff(right[:, 1]) > 0).all()
    assert (np.diff(left[:, 1]) < 0).all()
    assert right[:, 0].min() > left[:, 0].max()


def test_the_polygons_of_straight_words_are_their_quads(spec: Spec, fonts: Catalogue) -> None:
    straight = replace(spec, text="two words", rotation_deg=20.0, letter_rotation_deg=5.0)
    drawn = render(straight, fonts)
    assert drawn.bent_polygons == ()
    assert all(map(np.array_equal, drawn.word_polygons, drawn.word_quads))


@pytest.mark.parametrize("arc_deg", [0.0, 90.0, -200.0, 360.0])
@pytest.mark.parametrize("wave_em", [0.0, 0.2])
def test_a_curve_finds_the_points_that_it_moves(arc_deg: float, wave_em: float) -> None:
    curve = Curve(1.0, 6.0, math.radians(arc_deg), wave_em)
    points = np.stack(np.meshgrid(np.linspace(1.1, 6.9, 9), [-0.3, 0.0, 0.2]), axis=-1)
    groups = points.reshape(-1, 1, 2)
    moved = curve.move(groups)
    assert np.allclose(moved[:, 0], [curve.at(x, y)[:2] for x, y in groups[:, 0].tolist()])
    assert np.allclose(curve.find(moved), groups)


@pytest.mark.parametrize("n", [3, 8, 16])
def test_a_simplified_loop_holds_the_loop(n: int) -> None:
    quad = np.array([[[0.0, -1.0], [6.0, -1.0], [6.0, 0.3], [0.0, 0.3]]])
    assert np.allclose(simplify(sample_loops(quad), n)[0][[0, n, n + 1, -1]], quad[0])
    loops = Curve(0.0, 6.0, math.radians(200), 0.0).move(sample_loops(quad))
    (polygon,) = simplify(loops, n)
    assert len(polygon) == 2 * n + 2
    assert min(_measure_inside(polygon, point) for point in loops[0]) > -1e-9


def test_the_outlined_ring_of_a_whole_circle_has_its_quad(spec: Spec, fonts: Catalogue) -> None:
    ring = replace(spec, text="typography", width_px=0, height_px=0, arc_deg=360.0)
    assert len(render(ring, fonts).word_polygons[0]) > 4
    outlined = render(replace(ring, outline_em=0.1), fonts)
    assert np.array_equal(outlined.word_polygons[0], outlined.word_quads[0])


def test_polygons_that_cross_themselves_are_found() -> None:
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    assert are_simple(np.stack([square, square[[0, 2, 1, 3]]])).tolist() == [True, False]
    assert measure_areas(np.stack([square, square[::-1]])).tolist() == [1, -1]


def test_a_word_by_hand_has_a_polygon() -> None:
    assert len(render(make_spec("curved", arc_deg=80.0)).bent_polygons) == 1
