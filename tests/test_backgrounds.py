from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from synthtext.backgrounds import BACKGROUNDS, TEXTURES, draw_paper
from synthtext.colours import parse_hex
from synthtext.recipe import PAPERS
from synthtext.spec import Spec

SIZES = [(224, 224), (1, 1), (3, 700), (1500, 20), (2100, 1100)]


def paper_of(spec: Spec, kind: str, seed: int = 5) -> Spec:
    return replace(spec, background=kind, paper="#e0d0b0", paper2="#305070", paper_seed=seed)


def test_a_recipe_knows_every_kind() -> None:
    assert set(PAPERS) == {*BACKGROUNDS, "photo"}


@pytest.mark.parametrize("kind", BACKGROUNDS)
@pytest.mark.parametrize(("width_px", "height_px"), SIZES)
def test_paper_has_the_size_asked_for(
    spec: Spec, kind: str, width_px: int, height_px: int
) -> None:
    paper = draw_paper(paper_of(spec, kind), width_px, height_px)
    assert paper.shape == (height_px, width_px, 3)
    assert paper.dtype == np.uint8
    assert paper.flags.writeable


@pytest.mark.parametrize("kind", BACKGROUNDS)
def test_paper_is_the_callers_own(spec: Spec, kind: str) -> None:
    before = draw_paper(paper_of(spec, kind), 90, 80)
    draw_paper(paper_of(spec, kind), 90, 80)[:] = 0
    assert (draw_paper(paper_of(spec, kind), 90, 80) == before).all()


@pytest.mark.parametrize("kind", sorted(set(BACKGROUNDS) - {"plain"}))
def test_another_seed_draws_another_paper(spec: Spec, kind: str) -> None:
    one, other = (draw_paper(paper_of(spec, kind, seed), 90, 80) for seed in (1, 2))
    assert (one != other).any()


@pytest.mark.parametrize("kind", BACKGROUNDS)
def test_other_processes_draw_the_same_paper(spec: Spec, kind: str) -> None:
    drawn = draw_paper(paper_of(spec, kind), 224, 224)
    script = (
        "import hashlib; from synthtext.backgrounds import draw_paper;"
        "from synthtext.spec import Spec;"
        f"print(hashlib.sha256(draw_paper({paper_of(spec, kind)!r}, 224, 224)).hexdigest())"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    assert said.stdout.strip() == hashlib.sha256(drawn).hexdigest()


def test_plain_paper_has_one_colour(spec: Spec) -> None:
    paper = draw_paper(paper_of(spec, "plain"), 20, 10)
    assert (paper == parse_hex("#e0d0b0")).all()


@pytest.mark.parametrize("seed", range(6))
def test_a_gradient_has_its_two_colours_in_opposite_corners(spec: Spec, seed: int) -> None:
    paper = draw_paper(paper_of(spec, "gradient", seed), 120, 80).astype(int)
    pairs = [(paper[0, 0], paper[-1, -1]), (paper[0, -1], paper[-1, 0])]
    ends = [parse_hex("#e0d0b0"), parse_hex("#305070")]
    off = [
        np.abs(np.array(pair) - np.array(order)).max()
        for pair in pairs
        for order in (ends, ends[::-1])
    ]
    assert min(off) <= 2


@pytest.mark.parametrize("seed", range(8))
def test_grain_keeps_the_mean_colour(spec: Spec, seed: int) -> None:
    spec = replace(paper_of(spec, "noise", seed), paper="#8090a0")
    mean = draw_paper(spec, 224, 224).mean(axis=(0, 1))
    assert np.abs(mean - parse_hex("#8090a0")).max() < 1


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
