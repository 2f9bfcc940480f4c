from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthtext.dataset.plan import list_shards, make_plan, source_of
from synthtext.drawing.backgrounds import BACKGROUNDS
from synthtext.drawing.colours import measure_contrast, parse_hex
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.rendering import Rendering, render
from synthtext.errors import DrawError, FontError, SpecError
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.sampling import sample_specs
from synthtext.spec import Spec
from synthtext.texts.words import read_words


def list_ink(rendering: Rendering, fonts: Catalogue) -> np.ndarray:
    """Return the centres of pixels that the text has changed: (n, 2)."""
    bare = render(replace(rendering.spec, opacity=0.0), fonts)
    rows, columns = np.nonzero((rendering.pixels != bare.pixels).any(axis=2))
    return np.stack([columns, rows], axis=1) + 0.5


def measure_overhang(points: np.ndarray, quads: np.ndarray) -> float:
    """Return how far outside of its nearest quad the farthest point lies, in px."""
    nearest = np.full(len(points), np.inf)
    for quad in quads:
        contour = quad.reshape(-1, 1, 2)
        outside = [-cv2.pointPolygonTest(contour, (x, y), True) for x, y in points.tolist()]
        nearest = np.minimum(nearest, outside)
    return float(nearest.max())


@pytest.mark.parametrize("rotation_deg", [0, 15, -40, 90, 180])
@pytest.mark.parametrize("kind", ["word", "sentence"])
def test_quads_enclose_the_ink(
    spec: Spec, fonts: Catalogue, rotation_deg: float, kind: str
) -> None:
    text = "quartz" if kind == "word" else "jumping over nine lazy dogs"
    spec = replace(spec, kind=kind, text=text, rotation_deg=rotation_deg, shrink=True)
    rendering = render(spec, fonts)
    points = list_ink(rendering, fonts)
    # The centre of a pixel touched by ink at its edge is half a diagonal away.
    assert measure_overhang(points, rendering.word_quads) < 0.75
    assert measure_overhang(points, rendering.char_quads) < 0.75


@pytest.mark.parametrize(
    "turned",
    [
        {},
        {"yaw_deg": "-70:70", "pitch_deg": "-60:60"},
        {"arc_deg": "-170:170", "wave_em": "0:0.5"},
        {
            "arc_deg": "-170:170",
            "wave_em": "0:0.5",
            "yaw_deg": "-50:50",
            "pitch_deg": "-40:40",
            "warp_em": "0,0.12",
            "barrel_frac": "0,-0.25,0.25",
        },
        {
            "jitter_em": "0:0.2",
            "letter_rotation_deg": "0:40",
            "embolden_em": "-0.02:0.06",
            "outline_em": "0,0.05,0.2",
            "warp_em": "0,0.05,0.1",
            "wear_frac": "0,0.3",
            "occlusion_frac": "0,0.4",
            "ink_fill": "any",
            "rotation_deg": "-180:180",
            "yaw_deg": "-40:40",
        },
    ],
)
def test_quads_enclose_the_ink_over_all_factors(
    fonts: Catalogue, turned: dict[str, str]
) -> None:
    recipe = edit_recipe(default_recipe(), {"blur_px": "0", "opacity": "0.5:1", **turned})
    plan = make_plan(recipe, {"word": read_words("en")}, fonts, count=120)
    shard = next(list_shards(plan))
    specs = sample_specs(recipe, source_of(plan, "train"), fonts, seed=0, indices=shard.indices)
    for spec in specs:
        try:
            rendering = render(spec, fonts)
        except DrawError as error:
            # A short word may not be bent that far.
            assert "lower arc_deg" in str(error)  # noqa: PT017
            continue
        assert measure_overhang(list_ink(rendering, fonts), rendering.char_quads) < 0.75, spec


def test_quads_reach_no_farther_than_the_ink(spec: Spec, fonts: Catalogue) -> None:
    rendering = render(spec, fonts)
    points = list_ink(rendering, fonts)
    (quad,) = rendering.word_quads
    assert np.abs(points.min(axis=0) - 0.5 - quad.min(axis=0)).max() < 1
    assert np.abs(points.max(axis=0) + 0.5 - quad.max(axis=0)).max() < 1


@given(
    rotation_deg=st.floats(-180, 180),
    arc_deg=st.just(0.0) | st.floats(-120, 120),
    yaw_deg=st.just(0.0) | st.floats(-75, 75),
    pitch_deg=st.just(0.0) | st.floats(-75, 75),
    warp_em=st.just(0.0) | st.floats(0, 0.12),
    barrel_frac=st.just(0.0) | st.floats(-0.25, 0.25),
    x_frac=st.floats(0, 1),
    y_frac=st.floats(0, 1),
    size_px=st.floats(4, 200),
    margin_px=st.integers(1, 40),
)
@settings(max_examples=60)
def test_quads_stay_within_the_margins(
    fonts: Catalogue,
    rotation_deg: float,
    arc_deg: float,
    yaw_deg: float,
    pitch_deg: float,
    warp_em: float,
    barrel_frac: float,
    x_frac: float,
    y_frac: float,
    size_px: float,
    margin_px: int,
) -> None:
    spec = Spec(
        seed=0, index=0, split="train", kind="word", text="Sphinx", font="DejaVuSans.ttf"
    )
    spec = replace(
        spec,
        rotation_deg=rotation_deg,
        arc_deg=arc_deg,
        yaw_deg=yaw_deg,
        pitch_deg=pitch_deg,
        warp_em=warp_em,
        barrel_frac=barrel_frac,
        x_frac=x_frac,
        y_frac=y_frac,
        size_px=size_px,
        margin_px=margin_px,
        shrink=True,
    )
    quads = render(spec, fonts).word_quads
    assert quads.min() >= margin_px - 0.01
    assert quads.max() <= 224 - margin_px + 0.01


@pytest.mark.parametrize("opacity", [1.0, 0.6])
@pytest.mark.parametrize(
    ("ink", "contrast"), [("#8040c0", 0), ("#8040c0", 5.5), ("#ffffff", 1.3)]
)
def test_contrast_is_that_of_the_pixels(
    spec: Spec, fonts: Catalogue, opacity: float, ink: str, contrast: float
) -> None:
    spec = replace(
        spec,
        text="Mil",
        size_px=90,
        ink=ink,
        contrast=contrast,
        opacity=opacity,
        paper="#e0e8c0",
    )
    rendering = render(spec, fonts)
    paper = parse_hex(spec.paper)
    colours, counts = np.unique(rendering.pixels.reshape(-1, 3), axis=0, return_counts=True)
    # After the background, the most frequent colour is that of fully covered pixels.
    inked = tuple(colours[np.argsort(counts)[-2]].tolist())
    assert measure_contrast(inked, paper) == pytest.approx(rendering.contrast_drawn, abs=5e-4)


def test_one_factor_changed_leaves_the_rest(spec: Spec, fonts: Catalogue) -> None:
    noisy = replace(spec, background="noise", paper_seed=5, noise_std=6.0, noise_seed=9)
    one, other = render(noisy, fonts), render(replace(noisy, x_frac=0.0), fonts)
    assert (one.pixels[:60] == other.pixels[:60]).all()


def test_x_height_is_that_of_the_pixels(spec: Spec, fonts: Catalogue) -> None:
    rendering = render(replace(spec, text="x", size_px=100), fonts)
    rows = np.unique(list_ink(rendering, fonts)[:, 1])
    assert abs(len(rows) - rendering.x_height_px) <= 1.5


def test_text_that_does_not_fit_is_refused(spec: Spec, fonts: Catalogue) -> None:
    with pytest.raises(DrawError) as caught:
        render(replace(spec, size_px=100), fonts)
    assert str(caught.value) == (
        "'quartz' does not fit 224x224 px at 100 px; let it shrink or widen the image"
    )


def test_text_that_may_shrink_is_as_large_as_fits(spec: Spec, fonts: Catalogue) -> None:
    rendering = render(replace(spec, size_px=100, shrink=True), fonts)
    extent = np.ptp(rendering.word_quads[0, :, 0])
    assert 224 - 2 * 4 - 1 < extent <= 224 - 2 * 4
    assert rendering.size_asked_px == 100


def test_text_too_long_for_any_size_is_refused(spec: Spec, fonts: Catalogue) -> None:
    with pytest.raises(DrawError) as caught:
        render(replace(spec, text="m" * 150, shrink=True), fonts)
    assert str(caught.value).endswith(
        "does not fit 224x224 px even at 4 px; shorten it or widen the image"
    )


def test_a_shrunk_image_is_drawn_again_from_its_spec(spec: Spec, fonts: Catalogue) -> None:
    first = render(replace(spec, size_px=100, shrink=True), fonts)
    assert (render(first.spec, fonts).pixels == first.pixels).all()


def test_an_image_without_size_fits_its_text(spec: Spec, fonts: Catalogue) -> None:
    rendering = render(replace(spec, width_px=0, height_px=0, margin_px=3), fonts)
    height, width = rendering.pixels.shape[:2]
    extent = np.ptp(rendering.word_quads[0], axis=0)
    assert 6 <= width - extent[0] <= 7.01
    assert 6 <= height - extent[1] <= 7.01


def test_no_ink_is_seen_through_an_opacity_of_zero(spec: Spec, fonts: Catalogue) -> None:
    assert (render(replace(spec, opacity=0.0), fonts).pixels == 255).all()


def test_a_text_that_no_font_covers_is_refused(spec: Spec, fonts: Catalogue) -> None:
    with pytest.raises(DrawError) as caught:
        render(replace(spec, text="漢字", font=""), fonts)
    assert str(caught.value) == "no font has all characters of '漢字'; add one with --fonts"


def test_a_text_that_is_empty_is_refused(spec: Spec, fonts: Catalogue) -> None:
    with pytest.raises(DrawError) as caught:
        render(replace(spec, text=""), fonts)
    assert str(caught.value) == "the text is empty; give a text to draw"


def test_an_unknown_background_is_named(spec: Spec, fonts: Catalogue) -> None:
    with pytest.raises(SpecError) as caught:
        render(replace(spec, background="x"), fonts)
    known = ", ".join([*BACKGROUNDS, "photo"])
    assert str(caught.value) == f"background is 'x'; it is one of {known}"


def test_an_unknown_font_is_named(spec: Spec, fonts: Catalogue) -> None:
    with pytest.raises(FontError) as caught:
        render(replace(spec, font="DejaVuSanz.ttf"), fonts)
    assert str(caught.value).startswith(
        "no font 'DejaVuSanz.ttf' in the catalogue; did you mean DejaVuSans.ttf"
    )


def test_rotation_turns_counter_clockwise(spec: Spec, fonts: Catalogue) -> None:
    (quad,) = render(replace(spec, rotation_deg=90.0), fonts).word_quads
    top_left, top_right = quad[:2]
    assert top_right[1] < top_left[1] - 50
    assert abs(top_right[0] - top_left[0]) < 0.01


def test_threads_draw_what_one_alone_draws(spec: Spec, fonts: Catalogue) -> None:
    files = list(fonts.fonts)
    specs = [replace(spec, font=files[i % 5], size_px=14.0 + i % 7) for i in range(200)]
    alone = [render(each, fonts).pixels for each in specs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda each: render(each, fonts).pixels, specs))
    assert all((a == b).all() for a, b in zip(alone, together, strict=True))


def test_two_blanks_in_a_row_are_drawn(spec: Spec, fonts: Catalogue) -> None:
    drawn = render(replace(spec, kind="sentence", text="a  b"), fonts)
    assert len(drawn.word_quads) == 2


def test_a_mark_that_stands_alone_is_refused(spec: Spec, fonts: Catalogue) -> None:
    text = "NA\u0308IVE WO\u0302RD \u0301"
    with pytest.raises(DrawError, match="has a combining mark without a letter; remove it"):
        render(replace(spec, text=text, shrink=True), fonts)
