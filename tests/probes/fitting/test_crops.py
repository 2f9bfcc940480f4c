from __future__ import annotations

import numpy as np
import pytest

from probes.arrays import Pixels
from probes.fitting.crops import PATCH_PX, VIEW_PX, find_colours, look_at
from synthtext import make_spec, render


def draw_crop(text: str = "quartz", **factors: object) -> Pixels:
    spec = make_spec(text, width_px=0, height_px=0, **factors)
    return render(spec).pixels


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (300, 5), (9, 40), (900, 1600)])
def test_every_size_is_looked_at_alike(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    crops = look_at([pixels])
    assert crops.views.shape == (1, *VIEW_PX, 3)
    assert crops.patches.shape == (1, *PATCH_PX, 3)
    assert np.isfinite(crops.scalars).all()


@pytest.mark.parametrize(
    ("paper", "ink"), [((250, 240, 10), (0, 0, 120)), ((20, 20, 40), (220, 210, 200))]
)
def test_colours_are_those_drawn(paper: tuple[int, ...], ink: tuple[int, ...]) -> None:
    hexes = ["#" + "".join(f"{level:02x}" for level in colour) for colour in (paper, ink)]
    pixels = draw_crop(size_px=60, paper=hexes[0], ink=hexes[1])
    found = look_at([pixels])
    assert found.paper[0] == pytest.approx(paper, abs=2)
    assert found.ink[0] == pytest.approx(ink, abs=30)


def test_a_flat_view_has_one_colour() -> None:
    assert (find_colours(np.full((32, 96, 3), 77, np.uint8)) == 77).all()
