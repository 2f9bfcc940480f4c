from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from command_line import run
from synthtext.dataset.codec import encode
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.map_style import load
from synthtext.dataset.plan import make_plan
from synthtext.dataset.shards import pack_samples
from synthtext.dataset.statistics import count_dataset
from synthtext.drawing.fonts import Catalogue
from synthtext.errors import DatasetError, ShardError
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.words import Texts


@pytest.fixture
def folder(words: Texts, fonts: Catalogue, tmp_path: Path) -> Path:
    recipe = edit_recipe(default_recipe(), {"splits": "0.7,0.1,0.2", "size_px": "20:30"})
    plan = make_plan(recipe, {"word": words}, fonts, seed=2, count=80)
    render_dataset(plan, tmp_path / "out")
    return tmp_path / "out"


def test_what_is_counted_is_what_was_drawn(folder: Path) -> None:
    found = count_dataset(folder)
    splits = {split: list(load(folder, split)) for split in found.images}
    drawn = [rendering for images in splits.values() for rendering in images]
    assert found.images == {split: len(images) for split, images in splits.items()}
    assert found.texts == {
        split: len({image.spec.drawn_text for image in images})
        for split, images in splits.items()
    }
    letters = Counter("".join(image.spec.drawn_text for image in drawn).replace(" ", ""))
    assert found.characters == letters
    assert list(found.characters.values()) == sorted(letters.values(), reverse=True)
    for name in ("size_px", "rotation_deg", "blur_px"):
        values = np.array([getattr(image.spec, name) for image in drawn])
        spread = found.numbers[name]
        assert spread.quantiles == pytest.approx(np.quantile(values, [0, 0.05, 0.5, 0.95, 1]))
        assert sum(spread.counts) == len(drawn)
    assert found.categories["case"] == Counter(image.spec.case for image in drawn)
    assert found.categories["font"] == Counter(image.spec.font for image in drawn)
    assert found.constants["jpeg_quality"] == 90
    assert found.constants["kind"] == "word"


def test_the_command_prints_and_writes_it(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "stats.json"
    done = run("stats", folder, "--json", out)
    found = count_dataset(folder)
    words = done.stdout.split()
    assert words[words.index("train") + 1] == str(found.images["train"])
    assert "size_px" in done.stdout
    assert "█" in done.stdout
    assert "width_px 224, height_px 224" in done.stdout
    assert json.loads(out.read_text())["characters"] == found.characters


def test_what_is_not_whole_is_one_sentence(folder: Path, fonts: Catalogue) -> None:
    shard = folder / "train/000000.tar"
    drawn = load(folder)[0]
    sample = encode(replace(drawn, x_height_px="high"), "png")  # type: ignore[arg-type]
    shard.write_bytes(b"".join(pack_samples([sample])) + bytes(1024))
    with pytest.raises(ShardError, match="is not the file that was written"):
        count_dataset(folder)
    with pytest.raises(ShardError, match="json has no valid x_height_px; render it again"):
        count_dataset(folder, verify=False)
    with pytest.raises(DatasetError):
        count_dataset(folder / "train")
