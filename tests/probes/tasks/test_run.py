from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest
from scipy.stats import norm

from fake_encoders import BlindLover, BlindReader, knowing_model, model_of
from probes.data.trials import Stimulus, Trial
from probes.errors import ProbeError
from probes.metrics.breakdown import (
    label_rows,
    tabulate_factor,
    tabulate_headline,
    tabulate_thresholds,
)
from probes.metrics.forced_choice import draw_rivals
from probes.metrics.mistakes import tabulate_confusions
from probes.reports.probe import write_probe
from probes.tasks import registry
from probes.tasks import run as probing
from probes.tasks.base import list_readable, load_task
from probes.tasks.config import RIVALS, ProbeConfig
from probes.tasks.outcome_schema import check_outcomes
from probes.tasks.outcomes import read_outcomes
from probes.tasks.registry import TASKS
from probes.tasks.run import run_probe
from probes.tasks.sentiment import measure_sentiment
from probes.tasks.vocabulary import Candidates, make_vocabulary
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import make_plan
from synthtext.drawing.fonts import Catalogue
from synthtext.recipe import default_recipe
from synthtext.texts.words import read_words

SMALL = {"n": 12, "templates": ("{}",), "design": "size,case", "ks": (2, 10, 100)}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep text vectors away from the user's cache."""
    monkeypatch.setattr(probing, "find_cache_folder", lambda: tmp_path / "texts")


def trials_of(setting: ProbeConfig) -> list[Trial]:
    return load_task(setting.task).show(setting)[0]


def test_every_task_that_is_declared_can_be_named() -> None:
    folder = Path(registry.__file__).parent
    declared = {
        f"{path.stem}.{name}"
        for path in folder.glob("*.py")
        for name in re.findall(r"^([A-Z]+) = Task\(", path.read_text(), re.MULTILINE)
    }
    assert declared == set(TASKS.values())
    assert all(load_task(name).name == name for name in TASKS)


@pytest.mark.parametrize("task", list_readable())
def test_an_oracle_scores_1(task: str, tmp_path: Path) -> None:
    setting = ProbeConfig(**{**SMALL, "task": task})
    probe = run_probe(knowing_model(trials_of(setting)), setting, tmp_path / "out")
    assert probe
    assert probe.outcomes["correct"].all()
    assert (tabulate_headline(probe.outcomes)["accuracy"] == 1).all()


@pytest.mark.parametrize("reader", [BlindReader, BlindLover])
@pytest.mark.parametrize("task", TASKS)
def test_a_blind_reader_is_at_chance_in_every_task(
    task: str, reader: type[BlindReader], tmp_path: Path
) -> None:
    setting = ProbeConfig(**{**SMALL, "task": task, "n": 40})
    probe = run_probe(model_of(reader()), setting, tmp_path / "out")
    assert probe
    check_outcomes(tmp_path, probe.outcomes)
    for row in tabulate_headline(probe.outcomes).itertuples():
        # One interval in twenty misses chance, by luck; 40 words are at most so far from it.
        error = np.sqrt(row.chance * (1 - row.chance) / 40)
        assert row.at_chance or abs(row.accuracy - row.chance) < 4 * error
        if load_task(task).has_pool:
            # Measured on thousands of words, chance is as expected.
            assert row.chance == pytest.approx(row.guessing, abs=0.03)


def ask_words(tmp_path: Path, **changes: object) -> pd.DataFrame:
    setting = ProbeConfig(**{**SMALL, "design": "case", **changes})
    probe = run_probe(model_of(BlindReader()), setting, tmp_path / "out")
    assert probe
    return probe.outcomes.set_index("key")


def test_a_question_does_not_change_with_n_or_k(tmp_path: Path) -> None:
    few = ask_words(tmp_path)
    more = ask_words(tmp_path, n=20, ks=(2, 7, 10, 100, 150, 3000))
    both = more.loc[few.index]
    assert len(more) > len(few)
    assert both["word"].tolist() == few["word"].tolist()
    for k in (2, 10, 100):
        assert both[f"rank_at_{k}"].tolist() == few[f"rank_at_{k}"].tolist()
    assert both["guess"].tolist() == few["guess"].tolist()


def test_every_design_shows_the_same_words(tmp_path: Path) -> None:
    words = set(ask_words(tmp_path)["word"])
    assert set(ask_words(tmp_path, design="font,contrast")["word"]) == words


def test_rivals_are_as_long_and_as_common_as_the_word_unless_any_will_do() -> None:
    model = model_of(BlindReader())
    found = {}
    for rivals in RIVALS:
        _, candidates = load_task("words").show(ProbeConfig(**{**SMALL, "rivals": rivals}))
        vocabulary = make_vocabulary(candidates, model, 0)
        lengths = np.array([len(word) for word in vocabulary.words])
        truths = np.arange(vocabulary.n_showable)
        rivals_of = draw_rivals(vocabulary.choice, truths, 10)
        found[rivals] = np.abs(lengths[rivals_of] - lengths[truths][:, None]).mean()
        assert lengths[truths].max() == 8
    assert found["matched"] < 0.1
    assert found["any"] > 1.5


def test_white_pictures_show_what_any_rivals_give_away(tmp_path: Path) -> None:
    # Only short words are shown, and this reader always answers with the longest candidate.
    setting = ProbeConfig(**{**SMALL, "design": "case", "n": 40, "rivals": "any"})
    probe = run_probe(model_of(BlindLover()), setting, tmp_path / "out")
    assert probe
    rows = tabulate_headline(probe.outcomes)
    assert rows["at_chance"].all()
    assert (rows["chance"] < 0.9 * rows["guessing"]).all()


def test_a_list_with_words_in_two_cases_fills_up_to_k(tmp_path: Path) -> None:
    names = [f"{a}{b}{c}" for a in "bcdfgh" for b in "aeiou" for c in "klmnprst"]
    (tmp_path / "w.txt").write_text("\n".join([*names, *(name.upper() for name in names)]))
    rows = ask_words(tmp_path, vocabulary=str(tmp_path / "w.txt"), ks=(len(names),))
    assert f"rank_at_{len(names)}" in rows


def test_a_reader_blind_below_12_px_has_its_threshold_there(tmp_path: Path) -> None:
    setting = ProbeConfig(**{**SMALL, "n": 40, "design": "size"})

    def sees(trial: Trial, stimulus: Stimulus) -> bool:
        # Each word has a separate edge, half of them below 12 px and half above.
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
    (tmp_path / "out/vectors").mkdir(parents=True)  # A user's folder, to be left alone.
    run_probe(knowing_model(trials_of(setting)), setting, tmp_path / "out")
    outcomes = read_outcomes(tmp_path / "out")
    assert outcomes["key"].is_unique
    # Two baselines: the easy size is a level of one, and lower case of both.
    assert len(outcomes) == (2 * (1 + 7 + 3) - 1 - 2) * 12
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


def test_a_folder_of_the_users_is_left_alone(tmp_path: Path) -> None:
    own = tmp_path / "vectors/mine.npy"
    own.parent.mkdir()
    own.write_bytes(b"mine")
    setting = ProbeConfig(**{**SMALL, "design": "case", "n": 12})
    assert run_probe(model_of(BlindReader()), setting, tmp_path)
    assert own.read_bytes() == b"mine"
    assert {path.name for path in tmp_path.iterdir()} == {
        "vectors",
        "texts",
        "outcomes.parquet",
    }


def test_a_row_without_a_value_is_in_no_level(tmp_path: Path) -> None:
    outcomes = ask_words(tmp_path).reset_index()
    outcomes.loc[:4, "zipf"] = np.nan
    rows, is_number = label_rows(outcomes, "zipf", ["word"])
    assert is_number
    assert list(rows.index) == list(outcomes.index[5:])


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


@pytest.fixture
def data(fonts: Catalogue, tmp_path: Path) -> Path:
    plan = make_plan(default_recipe(), {"word": read_words("en")}, fonts, count=120)
    render_dataset(plan, tmp_path / "data")
    return tmp_path / "data"


def test_a_dataset_is_probed_as_it_was_rendered(data: Path, tmp_path: Path) -> None:
    setting = ProbeConfig(data=data, templates=("{}",))
    probe = run_probe(model_of(BlindReader()), setting, tmp_path / "out")
    assert probe
    assert len(probe.outcomes) == len(probe.trials) == 120
    assert {"x_height_px", "contrast_drawn", "zipf", "n_tokens"} <= set(probe.outcomes)
    summary = write_probe(probe, tmp_path / "out")
    assert summary["question"]["split"] == "all"
    page = (tmp_path / "out/report.html").read_text()
    assert "all: there is no record that the model was trained on any of them" in page
    assert "Not measured: 1 of 1,000 and 1 of 10,000, because there are too few texts" in page


def test_one_split_of_a_dataset_is_probed_and_a_vocabulary_fills_it_up(
    data: Path, tmp_path: Path
) -> None:
    ranks = {}
    for vocabulary in (None, "en"):
        setting = ProbeConfig(
            data=data, split="test", vocabulary=vocabulary, templates=("{}",),
            ks=(2,) if vocabulary is None else (2, 100, 1000),
        )  # fmt: skip
        probe = run_probe(model_of(BlindReader()), setting, tmp_path / "out")
        assert probe
        assert set(probe.outcomes["split"]) == {"test"}
        ranks[vocabulary] = probe.outcomes["rank_at_2"].tolist()
        shown = {trial.spec.text for trial in probe.trials}
    # Distractors come from the shown words as long as there are enough.
    assert len(shown) < 100
    assert ranks["en"] == ranks[None]
    assert probe.outcomes["rank_at_1000"].max() > 100


def test_a_model_that_says_one_thing_always_is_found_out() -> None:
    rows = pd.DataFrame({"label": [1, 1, 0, 0, 1], "guess": ["positive"] * 5})
    found = measure_sentiment(rows)
    assert found["is_constant"]
    assert found["share_guessed"] == {"negative": 0.0, "positive": 1.0}
    assert (found["accuracy"], found["recall"]) == (0.6, 1.0)


def test_sentiment_is_measured_as_by_hand() -> None:
    # 2 of 3 positives are found; 1 of 2 negatives is called positive.
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
    assert sorted(set(table["label"])) == ["as-is", "title", "upper"]


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
    assert "<script>alert" not in page
    # XML namespaces in a plot, from which nothing is fetched.
    names = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"https?:[^\"'<> ]*", page)) <= names
    assert "It chooses the right one of 100 texts for 100.0 % in the easy condition" in page
    assert summary["question"]["protocol"] == 2
    assert [row["condition"] for row in summary["headline"]] == ["easy"] * 3 + ["harder"] * 3
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
            f"no task 'reading'; there are {', '.join(TASKS)}",
        ),
        ({"n": 1}, "n is 1; a level needs at least 2 words"),
        ({"design": "sise"}, "there is no factor 'sise'; choose among size, noise, strike"),
        ({"ks": (2, 60_000)}, "K is 60000, but the vocabulary has 10500 words; ask for fewer"),
        ({"split": "dev"}, "split is 'dev'; it must be one of train, val, test, all"),
        ({"split": "val"}, "split applies to --data; add --data DIR"),
        ({"rivals": "near"}, "rivals is 'near'; it must be matched or any"),
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
        "only 4 of 4 words fit the image at every level; ask for fewer than 12 or give "
        "shorter words"
    )


def test_a_vocabulary_that_lacks_a_word_is_named() -> None:
    from probes.tasks.base import find_truth

    model = model_of(BlindReader())
    setting = ProbeConfig(**{**SMALL, "n": 2})
    trial = trials_of(setting)[0]
    with pytest.raises(ProbeError) as caught:
        find_truth(trial, make_vocabulary(Candidates(("other", "words"), 2), model, 0))
    assert str(caught.value) == (
        f"the vocabulary lacks {trial.spec.text!r}, which is shown; give one with every word of the images"
    )


def test_a_dataset_without_images_is_named(fonts: Catalogue, tmp_path: Path) -> None:
    texts = {"word": read_words("en")}
    render_dataset(make_plan(default_recipe(), texts, fonts, count=60), tmp_path / "words")
    (tmp_path / "words/test/000000.tar").write_bytes(bytes(4096))
    config = ProbeConfig(data=tmp_path / "words", verify=False, split="test", templates=("{}",))
    with pytest.raises(ProbeError) as caught:
        run_probe(model_of(BlindReader()), config, tmp_path / "out")
    assert str(caught.value) == (
        f"{tmp_path / 'words'} has no images; give a dataset that has some"
    )
