from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest

from fake_encoders import BlindReader, model_of
from probes.errors import ProbeError
from probes.metrics.forced_choice import weigh_best
from probes.models.text_readers import make_reader_model
from probes.readers.base import ReaderFacts
from probes.tasks import run as probing
from probes.tasks import scoring
from probes.tasks.scoring import find_scores, score_dataset
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import make_plan
from synthtext.dataset.scoring import parse_keep
from synthtext.dataset.shards import read_samples
from synthtext.dataset.verify import verify_dataset
from synthtext.drawing.fonts import Catalogue
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.words import make_texts

WORDS = [f"{a}{b}ord" for a in "bcdfg" for b in "aeiou"]


@pytest.fixture
def source(fonts: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(probing, "find_cache_folder", lambda: tmp_path / "texts")
    recipe = edit_recipe(default_recipe(), {"shard_size": "8"})
    texts = {"word": make_texts(WORDS, [None] * len(WORDS), "words")}
    render_dataset(make_plan(recipe, texts, fonts, seed=0, count=25), tmp_path / "source")
    return tmp_path / "source"


def list_scores(folder: Path) -> dict[str, float]:
    found = {}
    for file in sorted(folder.rglob("*.tar")):
        for sample in read_samples(file):
            fields = orjson.loads(sample.files["json"])
            found[fields["drawn_text"].casefold()] = fields["p_read"]
    return found


class Saying:
    """Gives preset answers, image by image."""

    def __init__(self, answers: list[object]) -> None:
        self.answers = answers
        self.n_read = 0

    def read_images(self, images: list[np.ndarray]) -> list[object]:
        said = self.answers[self.n_read : self.n_read + len(images)]
        self.n_read += len(images)
        return said


def test_the_score_of_a_reader_is_its_confidence_in_the_text(
    source: Path, tmp_path: Path
) -> None:
    texts = [
        orjson.loads(sample.files["json"])["drawn_text"]
        for split in ("test", "val", "train")
        for file in sorted((source / split).glob("*.tar"))
        for sample in read_samples(file)
    ]
    answers: list[object] = [(text, 0.75) for text in texts]
    answers[:3] = [texts[0].upper(), ("wrong", 0.9), ""]
    reader = Saying([*answers, ""])
    model = make_reader_model("a reader", reader, ReaderFacts("0" * 64))  # type: ignore[arg-type]
    keep = parse_keep("p_read>0.5")
    manifest = score_dataset(model, source, tmp_path / "out", keep=keep)
    expected = {text.casefold(): 0.75 for text in texts} | {texts[0].casefold(): 1.0}
    assert list_scores(tmp_path / "out") == {
        text: score for text, score in expected.items()
        if text not in (texts[1].casefold(), texts[2].casefold())
    }  # fmt: skip
    assert manifest["counts"]["not_drawn"] == 2
    assert manifest["plan"]["scored"]["model"] == "a reader"
    assert "case folded; else 0" in manifest["plan"]["scored"]["computed"]
    assert list(verify_dataset(tmp_path / "out")) == []
    assert not (tmp_path / "out" / scoring.WORK).exists()
    n_read = reader.n_read
    score_dataset(model, source, tmp_path / "out", keep=keep)
    assert reader.n_read == n_read


def test_the_score_of_an_encoder_is_the_softmax_of_the_text() -> None:
    rng = np.random.default_rng(0)
    sims = rng.normal(size=(50, 10)) / 10  # The truth comes first.
    scale = 20.0
    powers = np.exp(scale * sims)
    outcomes = pd.DataFrame(
        {
            "key": [str(i) for i in range(50)],
            "confidence": weigh_best(sims, scale),
            "margin": sims[:, 0] - sims[:, 1:].max(axis=1),
        }
    )
    found = find_scores(outcomes, scale)
    assert list(found.values()) == pytest.approx(powers[:, 0] / powers.sum(axis=1))
    assert list(found) == [str(i) for i in range(50)]


def test_a_blind_encoder_finds_every_text_as_likely(source: Path, tmp_path: Path) -> None:
    class Alike(BlindReader):
        def embed_texts(self, texts: list[str]) -> np.ndarray:  # type: ignore[override]
            return np.tile(np.float32([1, 0]), (len(texts), 1))

        def embed_images(self, images: list[np.ndarray]) -> np.ndarray:  # type: ignore[override]
            return np.tile(np.float32([1, 0]), (len(images), 1))

    score_dataset(model_of(Alike()), source, tmp_path / "out")
    scores = list_scores(tmp_path / "out")
    assert len(scores) == 25
    assert set(scores.values()) == {0.1}  # Among 10, the largest K possible with 25 texts.


def test_a_killed_run_goes_on_with_what_the_model_said(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(BlindReader())
    score_dataset(model, source, tmp_path / "a")

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(scoring, "write_scored", die)
        with pytest.raises(KeyboardInterrupt):
            score_dataset(model, source, tmp_path / "b")
    monkeypatch.setattr(scoring, "run_probe", die)  # It must not be called again.
    score_dataset(model, source, tmp_path / "b")
    one, other = (
        {
            path.name: path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in "ab"
    )
    assert one == other


def test_one_text_alone_is_not_a_choice(fonts: Catalogue, tmp_path: Path) -> None:
    texts = {"word": make_texts(["lonely"], [None], "words")}
    plan = make_plan(default_recipe(), texts, fonts, seed=0, count=3)
    render_dataset(plan, tmp_path / "source")
    with pytest.raises(ProbeError) as caught:
        score_dataset(model_of(BlindReader()), tmp_path / "source", tmp_path / "out")
    assert str(caught.value) == (
        f"{tmp_path / 'source'} has one text; a model chooses among two or more"
    )
