from __future__ import annotations

from pathlib import Path

import pytest

from exported import TEXTS
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.map_style import load
from synthtext.dataset.plan import make_plan
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.rendering import Rendering
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.words import make_texts


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, fonts: Catalogue) -> Path:
    folder = tmp_path_factory.mktemp("data") / "out"
    recipe = edit_recipe(
        default_recipe(), {"shard_size": "20", "splits": "0.7,0,0.3", "blur_px": "0"}
    )
    texts = make_texts(TEXTS, [None] * len(TEXTS), "texts")
    render_dataset(make_plan(recipe, {"word": texts}, fonts), folder)
    return folder


@pytest.fixture(scope="module")
def drawn(data: Path) -> dict[str, list[Rendering]]:
    return {split: list(load(data, split)) for split in ("train", "test")}
