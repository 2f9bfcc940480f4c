from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from probes.errors import ProbeError
from probes.models.pretrained import READER
from probes.reports.finetune import summarize, write_finetune
from probes.training.finetune import run_finetune
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import make_plan
from synthtext.drawing.fonts import read_catalogue
from synthtext.errors import SynthtextError
from synthtext.factors import SPLITS
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.words import make_texts
from tiny_training import PLAIN, set_up, write_model


def write_published(folder: Path, n: int = 48) -> Path:
    """Write a folder in the layout of Rendered SST2; the grey level encodes the label."""
    rng = np.random.default_rng(0)
    for split in ("train", "valid", "test"):
        for label, name in enumerate(("negative", "positive")):
            (folder / split / name).mkdir(parents=True)
            for number in range(n):
                pixels = rng.integers(120 * label, 120 * label + 60, (64, 64, 3), np.uint8)
                cv2.imwrite(str(folder / split / name / f"{number}.png"), pixels)
    return folder


def write_shards(folder: Path) -> Path:
    """Write labelled reviews in separate splits; positive ones contain "good"."""
    rows = [(f"{'good' if k % 2 else 'bad'} {k}", k % 2) for k in range(180)]
    splits = [SPLITS[k // 2 % 3] for k in range(180)]
    texts = make_texts(*zip(*rows, strict=True), "reviews", splits=splits)
    recipe = edit_recipe(default_recipe(), PLAIN)
    render_dataset(make_plan(recipe, {"sentence": texts}, read_catalogue()), folder)
    return folder


@pytest.mark.parametrize("write", [write_published, write_shards])
def test_labels_are_learnt(write, tmp_path: Path) -> None:  # noqa: ANN001
    data, model = write(tmp_path / "data"), write_model(tmp_path / "model")
    config = set_up(
        model, data, task="sentiment", templates=(), schedule={"n_steps": 60, "lr": 1e-2}
    )
    done = run_finetune(config, tmp_path / "out")
    assert done is not None
    assert done.config.templates == ("a {} review of a movie.",)
    assert done.k == 2
    assert done.gains["group"].tolist() == ["held-out reviews"]
    assert done.outcomes[1]["correct"].mean() > 0.9
    write_finetune(done, tmp_path / "out")
    before, after = summarize(done)["sentiment"]
    assert after["accuracy"] > max(0.9, before["accuracy"])
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Sentiment" in page
    assert "rate of answers: negative" in page


def test_words_without_labels_are_refused(tmp_path: Path) -> None:
    texts = make_texts(["one", "two", "three"] * 9, [None] * 27, "words")
    recipe = edit_recipe(default_recipe(), PLAIN | {"splits": "0.34,0.33,0.33"})
    render_dataset(make_plan(recipe, {"word": texts}, read_catalogue()), tmp_path / "data")
    with pytest.raises(SynthtextError, match=r"has no reviews with labels|has no images in"):
        run_finetune(set_up(READER, tmp_path / "data", task="sentiment"), tmp_path / "out")


def test_two_captions_make_no_clusters(tmp_path: Path) -> None:
    data = write_published(tmp_path / "data", n=4)
    with pytest.raises(ProbeError) as caught:
        run_finetune(set_up(READER, data, task="sentiment", batches="text"), tmp_path / "out")
    assert str(caught.value) == (
        "batches is 'text', but sentiment has only two captions; choose random or image"
    )
