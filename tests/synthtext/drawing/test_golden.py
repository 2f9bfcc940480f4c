from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pytest
from PIL import Image

from rewrite import FOLDER, N_IMAGES, golden_renderings, golden_specs
from synthtext.drawing.rendering import Rendering
from synthtext.spec import spec_from_dict

FAILED = Path(__file__).parents[2] / "failed"

MEAN_DIFFERENCE = 0.5
"""Levels of 255: other builds of FreeType and OpenCV may round a pixel the other way."""


@pytest.fixture(scope="module")
def renderings() -> list[Rendering]:
    return golden_renderings()


def test_specs_are_those_of_the_release() -> None:
    lines = (FOLDER / "specs.jsonl").read_bytes().splitlines()
    assert [spec_from_dict(orjson.loads(line)) for line in lines] == golden_specs()


@pytest.mark.parametrize("index", range(N_IMAGES))
def test_images_are_those_of_the_release(renderings: list[Rendering], index: int) -> None:
    drawn = renderings[index].pixels.astype(int)
    kept = np.asarray(Image.open(FOLDER / f"{index:09d}.png")).astype(int)
    assert drawn.shape == kept.shape
    difference = np.abs(drawn - kept)
    if difference.mean() > MEAN_DIFFERENCE:
        FAILED.mkdir(exist_ok=True)
        pair = np.hstack([kept, drawn, np.minimum(255, 8 * difference)]).astype(np.uint8)
        Image.fromarray(pair).save(FAILED / f"{index:09d}.png")
    assert difference.mean() <= MEAN_DIFFERENCE
