from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from synthtext.drawing.backgrounds import BACKGROUNDS, TEXTURES, draw_paper
from synthtext.drawing.colours import parse_hex
from synthtext.drawing.photos import Photos, read_photos
from synthtext.errors import PhotoError
from synthtext.factors import FACTORS
from synthtext.spec import Spec

SIZES = [(224, 224), (1, 1), (3, 700), (1500, 20), (2100, 1100)]

NEUTRAL = Spec(seed=0, index=7, split="train", kind="word", text="quartz", font="Sans.ttf")


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    """One photograph, 400x300: red grows from left to right, green from top to bottom."""
    slope = np.zeros((300, 400, 3), np.uint8)
    slope[:, :, 0] = np.linspace(0, 255, 400)
    slope[:, :, 1] = np.linspace(0, 255, 300)[:, None]
    Image.fromarray(slope).save(tmp_path / "slope.png")
    return read_photos(tmp_path)


def paper_of(spec: Spec, kind: str, seed: int = 5) -> Spec:
    return replace(spec, background=kind, paper="#e0d0b0", paper2="#305070", paper_seed=seed)


def test_a_recipe_knows_every_kind() -> None:
    assert set(FACTORS["background"].choices) == {*BACKGROUNDS, "photo"}


@pytest.mark.parametrize("kind", BACKGROUNDS)
@pytest.mark.parametrize(("width_px", "height_px"), SIZES)
def test_paper_has_the_size_asked_for(
    spec: Spec, kind: str, width_px: int, height_px: int
) -> None:
    paper = draw_paper(paper_of(spec, kind), width_px, height_px)
    assert paper.shape == (height_px, width_px, 3)
    assert paper.dtype == np.uint8
    assert paper.flags.writeable


@given(
    kind=st.sampled_from(sorted(BACKGROUNDS)),
    seed=st.integers(0, 2**32 - 1),
    width_px=st.integers(1, 1300),
    height_px=st.integers(1, 1300),
)
def test_every_size_and_seed_gives_whole_pixels(
    kind: str, seed: int, width_px: int, height_px: int
) -> None:
    paper = draw_paper(paper_of(NEUTRAL, kind, seed), width_px, height_px)
    assert paper.shape == (height_px, width_px, 3)
    assert paper.flags.c_contiguous


@pytest.mark.parametrize("kind", BACKGROUNDS)
def test_paper_is_the_callers_own(spec: Spec, kind: str) -> None:
    before = draw_paper(paper_of(spec, kind), 90, 80)
    draw_paper(paper_of(spec, kind), 90, 80)[:] = 0
    assert (draw_paper(paper_of(spec, kind), 90, 80) == before).all()


@pytest.mark.parametrize("kind", sorted(set(BACKGROUNDS) - {"plain"}))
def test_another_seed_draws_another_paper(spec: Spec, kind: str) -> None:
    one, other = (draw_paper(paper_of(spec, kind, seed), 90, 80) for seed in (1, 2))
    assert (one != other).any()


@pytest.mark.parametrize("kind", ["noise", "texture", "clutter", "writing"])
@pytest.mark.parametrize("side_px", [1000, 1024, 1500])
def test_large_papers_differ_between_seeds_too(spec: Spec, kind: str, side_px: int) -> None:
    drawn = {
        draw_paper(paper_of(spec, kind, seed), side_px, side_px).tobytes() for seed in range(12)
    }
    assert len(drawn) == 12


@pytest.mark.parametrize("kind", BACKGROUNDS)
def test_other_processes_draw_the_same_paper(spec: Spec, kind: str) -> None:
    drawn = draw_paper(paper_of(spec, kind), 224, 224)
    script = (
        "import hashlib; from synthtext.drawing.backgrounds import draw_paper;"
        "from synthtext.spec import Spec;"
        f"print(hashlib.sha256(draw_paper({paper_of(spec, kind)!r}, 224, 224)).hexdigest())"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    assert said.stdout.strip() == hashlib.sha256(drawn.tobytes()).hexdigest()


def test_plain_paper_has_one_colour(spec: Spec) -> None:
    paper = draw_paper(paper_of(spec, "plain"), 20, 10)
    assert (paper == parse_hex("#e0d0b0")).all()


@pytest.mark.parametrize("seed", range(6))
def test_a_gradient_has_its_two_colours_in_opposite_corners(spec: Spec, seed: int) -> None:
    paper = draw_paper(paper_of(spec, "gradient", seed), 120, 80)
    pairs = [
        {tuple(paper[0, 0]), tuple(paper[-1, -1])},
        {tuple(paper[0, -1]), tuple(paper[-1, 0])},
    ]
    assert {parse_hex("#e0d0b0"), parse_hex("#305070")} in pairs


def test_the_halves_of_a_mix_lie_midway(spec: Spec) -> None:
    spec = replace(spec, background="gradient", paper="#000000", paper2="#ff6432")
    middle = draw_paper(spec, 101, 101)[50, 50].astype(int)
    assert np.abs(middle - (127.5, 50, 25)).max() <= 1


@pytest.mark.parametrize("seed", range(8))
def test_grain_keeps_the_mean_colour(spec: Spec, seed: int) -> None:
    spec = replace(paper_of(spec, "noise", seed), paper="#8090a0")
    mean = draw_paper(spec, 224, 224).mean(axis=(0, 1))
    assert np.abs(mean - parse_hex("#8090a0")).max() < 1


@pytest.mark.parametrize("paper", ["#ffffff", "#000000", "#f6f0e8", "#ff0000"])
@pytest.mark.parametrize("seed", range(8))
def test_grain_keeps_the_mean_of_colours_near_the_ends(
    spec: Spec, paper: str, seed: int
) -> None:
    spec = replace(paper_of(spec, "noise", seed), paper=paper)
    mean = draw_paper(spec, 224, 224).mean(axis=(0, 1))
    assert np.abs(mean - parse_hex(paper)).max() < 2


@pytest.mark.parametrize("kind", TEXTURES)
def test_a_texture_uses_all_its_levels(kind: str) -> None:
    pool = TEXTURES[kind]()
    assert (np.quantile(pool, 0.02), np.quantile(pool, 0.98)) == pytest.approx((0, 255), abs=30)


@pytest.mark.parametrize("seed", range(8))
def test_a_texture_stays_near_its_first_colour(spec: Spec, seed: int) -> None:
    paper = draw_paper(paper_of(spec, "texture", seed), 224, 224).astype(int)
    ends = np.array([parse_hex("#e0d0b0"), parse_hex("#305070")])
    reach = np.abs(paper - ends[0]).max(axis=(0, 1)) / np.abs(ends[1] - ends[0])
    assert (reach <= 0.36).all()


@pytest.mark.parametrize("seed", range(8))
def test_clutter_has_edges_as_sharp_as_text(spec: Spec, seed: int) -> None:
    cluttered, textured = (
        draw_paper(paper_of(spec, kind, seed), 224, 224)[..., 0].astype(int)
        for kind in ("clutter", "texture")
    )
    steps = [np.abs(np.diff(paper, axis=1)).max() for paper in (cluttered, textured)]
    assert steps[0] > 40 > steps[1] or steps[0] > 1.2 * steps[1]


def test_a_photograph_is_cropped_to_half_of_it_or_more(spec: Spec, photos: Photos) -> None:
    for seed in range(30):
        spec = replace(spec, background="photo", photo="slope.png", paper_seed=seed)
        red, green, _ = np.ptp(draw_paper(spec, 80, 60, photos).astype(int), axis=(0, 1))
        assert 0.48 * 255 <= red <= 255
        assert 0.48 * 255 <= green <= 255


@pytest.mark.parametrize(
    ("width_px", "height_px"), [(40, 30), (120, 90), (400, 300), (900, 675)]
)
def test_a_crop_shows_the_same_place_at_every_size(
    spec: Spec, photos: Photos, width_px: int, height_px: int
) -> None:
    spec = replace(spec, background="photo", photo="slope.png", paper_seed=3)
    small = draw_paper(spec, width_px, height_px, photos)
    large = draw_paper(spec, 1600, 1200, photos)
    off = small.mean(axis=(0, 1)) - large.mean(axis=(0, 1))
    assert np.abs(off).max() < 3


def test_a_crop_passes_over_no_pixel(spec: Spec, tmp_path: Path) -> None:
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    spec = replace(spec, background="photo", photo="stripes.png")
    paper = draw_paper(spec, 64, 64, read_photos(tmp_path)).astype(int)
    assert np.abs(paper - 127.5).max() <= 2


def test_a_crop_is_the_callers_own(spec: Spec, photos: Photos) -> None:
    spec = replace(spec, background="photo", photo="slope.png")
    before = draw_paper(spec, 400, 300, photos)
    draw_paper(spec, 400, 300, photos)[:] = 0
    assert (draw_paper(spec, 400, 300, photos) == before).all()


def test_a_photograph_needs_its_folder(spec: Spec) -> None:
    spec = replace(spec, background="photo", photo="slope.png")
    with pytest.raises(PhotoError) as caught:
        draw_paper(spec, 8, 8)
    assert (
        str(caught.value) == "'slope.png' is a photograph; give its folder with --backgrounds"
    )
