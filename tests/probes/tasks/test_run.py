from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest
from scipy.stats import norm

from fake_encoders import BlindReader, knowing_model, model_of
from probes.data.trials import Stimulus, Trial
from probes.errors import ProbeError
from probes.metrics.breakdown import (
    tabulate_confusions,
    tabulate_factor,
    tabulate_headline,
    tabulate_thresholds,
)
from probes.reports.probe import write_probe
from probes.tasks import run as probing
from probes.tasks import words
from probes.tasks.base import load_task
from probes.tasks.config import ProbeConfig
from probes.tasks.outcomes import read_outcomes
from probes.tasks.registry import TASKS
from probes.tasks.run import run_probe
from probes.tasks.sentiment import measure_sentiment
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import make_plan
from synthtext.drawing.fonts import Catalogue
from synthtext.recipe import default_recipe
from synthtext.texts.words import read_words

SMALL = {"n": 12, "templates": ("{}",), "design": "size,case"}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep text vectors away from the user's cache, and few."""
    monkeypatch.setattr(words, "KS", (2, 10, 100, 600))
    monkeypatch.setattr(probing, "find_cache_folder", lambda: tmp_path / "texts")


def trials_of(setting: ProbeConfig) -> list[Trial]:
    return load_task(setting.task).show(setting)[0]


@pytest.mark.parametrize("task", ["words", "distractors", "pseudowords", "sentences"])
def test_an_oracle_scores_1(task: str, tmp_path: Path) -> None:
    setting = ProbeConfig(**{**SMALL, "task": task})
    probe = run_probe(knowing_model(trials_of(setting)), setting, tmp_path / "out")
    assert probe
    assert probe.outcomes["correct"].all()
    assert (tabulate_headline(probe.outcomes)["accuracy"] == 1).all()


@pytest.mark.parametrize("task", TASKS)
def test_a_blind_reader_scores_at_chance_in_every_task(task: str, tmp_path: Path) -> None:
    setting = ProbeConfig(**{**SMALL, "task": task, "n": 40})
    model = model_of(BlindReader())
    probe = run_probe(model, setting, tmp_path / "out")
    assert probe
    for row in tabulate_headline(probe.outcomes).itertuples():
        error = np.sqrt(row.chance * (1 - row.chance) / row.n)
        # Words come up at many levels, so that errors are wider than a binomial's.
        assert abs(row.accuracy - row.chance) < 10 * error


def test_a_reader_blind_below_12_px_has_its_threshold_there(tmp_path: Path) -> None:
    setting = ProbeConfig(**{**SMALL, "n": 40, "design": "size"})

    def sees(trial: Trial, stimulus: Stimulus) -> bool:
        # Each word has an edge of its own, half of them below 12 px and half above.
        octaves = 0.4 * norm.ppf((trial.spec.index + 0.5) / 40)
        return float(stimulus.facts["x_height_px"]) > 12 * 2**octaves

    probe = run_probe(knowing_model(trials_of(setting), sees), setting, tmp_path / "out")
    assert probe
    table = tabulate_thresholds(probe.outcomes).set_index(["unit", "baseline"])
    found = table.loc[("x_height_seen_px", "easy")]
    assert found["reached"]
    assert found["low"] < 12 < found["high"]
    assert found["level"] == pytest.approx(12, abs=1.5)


def test_every_key_comes_once_in_parquet(tmp_path: Path) -> None:
    setting = ProbeConfig(**SMALL)
    (tmp_path / "out/vectors").mkdir(parents=True)  # Of a user, and none of our business.
    run_probe(knowing_model(trials_of(setting)), setting, tmp_path / "out")
    outcomes = read_outcomes(tmp_path / "out")
    assert outcomes["key"].is_unique
    assert len(outcomes) == 2 * (7 + 3) * 12
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "outcomes.parquet", "vectors",
    ]  # fmt: skip


def test_a_killed_probe_goes_on_from_its_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = ProbeConfig(**SMALL)
    model = knowing_model(trials_of(setting))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(probing, "write_outcomes", die)
        with pytest.raises(KeyboardInterrupt):
            run_probe(model, setting, tmp_path / "out")
    probe = run_probe(model, setting, tmp_path / "out")
    assert probe
    assert (probe.stats.n_images, probe.stats.n_chunks_reused) == (0, 1)


@pytest.mark.parametrize("world_size", [1, 2])
def test_processes_share_the_work_and_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world_size: int
) -> None:
    setting = ProbeConfig(**{**SMALL, "n": 40})
    model = knowing_model(trials_of(setting), lambda trial, _: trial.spec.index % 3 > 0)
    alone = run_probe(model, setting, tmp_path / "alone")
    assert alone
    for rank in reversed(range(world_size)):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", str(world_size))
        shared = run_probe(model, setting, tmp_path / "shared")
    assert shared
    pd.testing.assert_frame_equal(shared.outcomes, alone.outcomes)


def test_a_dataset_is_probed_as_it_was_rendered(fonts: Catalogue, tmp_path: Path) -> None:
    plan = make_plan(default_recipe(), {"word": read_words("en")}, fonts, count=400)
    render_dataset(plan, tmp_path / "data")
    model = model_of(BlindReader())
    setting = ProbeConfig(data=tmp_path / "data", templates=("{}",))
    probe = run_probe(model, setting, tmp_path / "out")
    assert probe
    assert len(probe.outcomes) == len(probe.trials) == 20
    assert {"x_height_px", "contrast_drawn", "zipf", "n_tokens"} <= set(probe.outcomes)
    write_probe(probe, tmp_path / "out")


def test_a_model_that_says_one_thing_always_is_found_out() -> None:
    rows = pd.DataFrame({"label": [1, 1, 0, 0, 1], "guess": ["positive"] * 5})
    found = measure_sentiment(rows)
    assert found["is_constant"]
    assert found["share_guessed"] == {"negative": 0.0, "positive": 1.0}
    assert (found["accuracy"], found["recall"]) == (0.6, 1.0)


def test_sentiment_is_measured_as_by_hand() -> None:
    # Of 3 positive, 2 are said to be; of 2 negative, 1 is said to be positive.
    rows = pd.DataFrame(
        {
            "label": [1, 1, 1, 0, 0],
            "guess": ["positive", "positive", "negative", "positive", "negative"],
        }
    )
    found = measure_sentiment(rows)
    assert found["confusion"] == [[1, 1], [1, 2]]
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["f1"] == pytest.approx(2 / 3)


def test_a_factor_counts_the_rows_that_vary_it(tmp_path: Path) -> None:
    setting = ProbeConfig(**SMALL)
    probe = run_probe(knowing_model(trials_of(setting)), setting, tmp_path / "out")
    assert probe
    table = tabulate_factor(probe.outcomes, "case").table
    assert table["n_seen"].tolist() == [12] * 6
    assert sorted(set(table["label"])) == ["lower", "title", "upper"]


def test_the_commonest_mistakes_come_first() -> None:
    rows = pd.DataFrame(
        {
            "word": ["a", "b", "b", "c"],
            "guess": ["x", "y", "y", "c"],
            "correct": [False, False, False, True],
        }
    )
    assert tabulate_confusions(rows).to_numpy().tolist() == [["b", "y", 2], ["a", "x", 1]]


def test_the_report_needs_no_network_and_escapes_words(tmp_path: Path) -> None:
    setting = ProbeConfig(**SMALL)
    probe = run_probe(knowing_model(trials_of(setting)), setting, tmp_path / "out")
    assert probe
    probe.outcomes["word"] += "<script>alert(1)</script>"
    summary = write_probe(probe, tmp_path / "out")
    page = (tmp_path / "out/report.html").read_text()
    assert "<script" not in page
    assert not re.search(r"https?:", page)
    assert "It reads 100.0 % of the pictures right" in page
    assert (
        orjson.loads((tmp_path / "out/summary.json").read_bytes())["headline"]
        == summary["headline"]
    )
    assert (tmp_path / "out/plots/size_px.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"task": "reading"},
            "no task 'reading'; there are words, distractors, pseudowords, sentences, sentiment, where, attack",
        ),
        ({"n": 1}, "n is 1; a level needs 2 words or more"),
        ({"design": "sise"}, "no design varies 'sise'; it may be size, noise"),
        ({"ks": (2, 60_000)}, "K is 60000, but the vocabulary has 40023 words; ask for fewer"),
    ],
)
def test_a_probe_that_cannot_be_is_named(
    tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    model = model_of(BlindReader())
    with pytest.raises(ProbeError) as caught:
        run_probe(model, ProbeConfig(**{**SMALL, **changes}), tmp_path / "out")
    assert str(caught.value) == sentence


def test_a_vocabulary_too_small_for_the_pictures_is_named(tmp_path: Path) -> None:
    (tmp_path / "few.txt").write_text("one\ntwo\nthree\nfour\n")
    setting = ProbeConfig(**{**SMALL, "vocabulary": str(tmp_path / "few.txt")})
    with pytest.raises(ProbeError) as caught:
        run_probe(model_of(BlindReader()), setting, tmp_path / "out")
    assert str(caught.value) == (
        "only 4 of 4 words fit the picture at every level; ask for fewer than 12 or give "
        "shorter words"
    )


def test_a_vocabulary_that_lacks_a_word_is_named() -> None:
    from probes.tasks.base import find_truth
    from probes.tasks.vocabulary import make_vocabulary

    model = model_of(BlindReader())
    setting = ProbeConfig(**{**SMALL, "n": 2})
    trial = trials_of(setting)[0]
    with pytest.raises(ProbeError) as caught:
        find_truth(trial, make_vocabulary(["other", "words"], model))
    assert str(caught.value) == (
        f"the vocabulary lacks {trial.spec.text!r}, which is shown; give one that holds every "
        "word of the pictures"
    )


def test_a_dataset_without_images_is_named(fonts: Catalogue, tmp_path: Path) -> None:
    texts = {"word": read_words("en")}
    render_dataset(make_plan(default_recipe(), texts, fonts, count=60), tmp_path / "words")
    (tmp_path / "words/test/000000.tar").write_bytes(bytes(4096))
    config = ProbeConfig(data=tmp_path / "words", verify=False, templates=("{}",))
    with pytest.raises(ProbeError) as caught:
        run_probe(model_of(BlindReader()), config, tmp_path / "out")
    assert str(caught.value) == (
        f"{tmp_path / 'words'} holds no images; give a dataset that does"
    )
