from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from fake_encoders import KnowingReader, model_of
from probes.data import stimuli
from probes.data.trials import Stimulus, Trial
from probes.embeddings.images import Share
from probes.errors import ProbeError
from probes.metrics import forced_choice
from probes.metrics.breakdown import tabulate_headline, tabulate_thresholds, take_scan
from probes.models.base import Model
from probes.readers.responses import Responses
from probes.reports.probe import write_probe
from probes.tasks import run as probing
from probes.tasks.base import load_task
from probes.tasks.config import ProbeConfig
from probes.tasks.run import Probe, _choose_stages, run_probe
from probes.tasks.stages import N_LOOKS, Stages, decide_look
from synthtext.drawing.fonts import Catalogue

SETTING = ProbeConfig(n=16, ks=(2, 10, 100), templates=("{}",), design="blur", width=0.05)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forced_choice, "KS", (2, 10, 100))
    monkeypatch.setattr(probing, "find_cache_folder", lambda: tmp_path / "texts")


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Model:
    """A reader of words up to about 2.7 px of blur, with some spread between words."""
    known = KnowingReader([], [])
    show: Callable[[Trial, Catalogue], Stimulus] = stimuli.show_trial

    def learn(trial: Trial, fonts: Catalogue) -> Stimulus:
        stimulus = show(trial, fonts)
        edge = 2.7 + 0.01 * (trial.spec.index % 16)
        text = trial.spec.text if trial.spec.blur_px < edge else f"\0{trial.key}"
        known._known |= KnowingReader([stimulus], [text])._known
        return stimulus

    monkeypatch.setattr(stimuli, "show_trial", learn)
    return model_of(known)


def run(reader: Model, out: Path, setting: ProbeConfig = SETTING, **options: object) -> Probe:
    probe = run_probe(reader, setting, out, **options)  # type: ignore[arg-type]
    assert probe
    return probe


def test_levels_are_added_where_the_curve_falls(reader: Model, tmp_path: Path) -> None:
    probe = run(reader, tmp_path)
    first = probe.decisions[0]
    assert (first.factor, first.baseline, first.look) == ("blur_px", "easy", 1)
    assert first.levels == (2.88, 3.25, 3.62)
    assert first.why == "it goes from 0 % at 4 to 100 % at 2.5"
    found = tabulate_thresholds(probe.outcomes).set_index("baseline").loc["easy"]
    assert found["low"] < 2.775 < found["high"]
    assert found["high"] - found["low"] < 0.25


def test_added_levels_show_the_same_words_with_the_same_noise(
    reader: Model, tmp_path: Path
) -> None:
    probe = run(reader, tmp_path)
    easy = [trial for trial in probe.trials if trial.baseline == "easy"]
    shown = {
        level: [(t.spec.text, t.spec.noise_seed) for t in easy if t.level == level]
        for level in {trial.level for trial in easy}
    }
    assert len(shown) > 10
    assert all(words == shown["baseline"] for words in shown.values())


def test_no_more_than_five_looks_are_taken(reader: Model, tmp_path: Path) -> None:
    probe = run(reader, tmp_path)
    assert max(decision.look for decision in probe.decisions) == N_LOOKS == 5
    assert set(probe.outcomes["interval_confidence"].dropna()) == {0.95}


def test_a_curve_that_is_narrow_enough_is_done_with(reader: Model, tmp_path: Path) -> None:
    probe = run(reader, tmp_path, replace(SETTING, width=2.0))
    assert [decision.levels for decision in probe.decisions] == [(), ()]
    assert probe.decisions[0].why == "its interval is as narrow as requested"


def test_a_budget_is_never_exceeded(reader: Model, tmp_path: Path) -> None:
    probe = run(reader, tmp_path, replace(SETTING, budget=15 * 16 + 2 * 16 + 5))
    assert len(probe.trials) == 15 * 16 + 2 * 16
    assert any(decision.why == "the budget is used up" for decision in probe.decisions)


def test_a_budget_below_the_scan_is_refused(reader: Model, tmp_path: Path) -> None:
    with pytest.raises(ProbeError) as caught:
        run_probe(reader, replace(SETTING, budget=100), tmp_path)
    assert str(caught.value) == (
        "the budget is 100 images, but the coarse scan has 240; give more, or fewer words or factors"
    )


def test_a_width_of_an_interval_is_above_0(reader: Model, tmp_path: Path) -> None:
    with pytest.raises(ProbeError) as caught:
        run_probe(reader, replace(SETTING, width=-1.0), tmp_path)
    assert str(caught.value) == "width is -1; it must be above 0"


def test_equal_answers_lead_to_equal_levels(reader: Model, tmp_path: Path) -> None:
    one, other = run(reader, tmp_path / "a"), run(reader, tmp_path / "b")
    assert one.decisions == other.decisions
    pd.testing.assert_frame_equal(one.outcomes, other.outcomes)


def test_a_killed_run_goes_on_with_the_vectors_of_every_look(
    reader: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(probing, "write_outcomes", die)
        with pytest.raises(KeyboardInterrupt):
            run_probe(reader, SETTING, tmp_path / "killed")
    resumed, whole = run(reader, tmp_path / "killed"), run(reader, tmp_path / "whole")
    assert (resumed.stats.n_images, resumed.stats.n_chunks_reused) == (0, 5)
    pd.testing.assert_frame_equal(resumed.outcomes, whole.outcomes)


def test_processes_that_share_the_work_add_equal_levels(reader: Model, tmp_path: Path) -> None:
    alone = run(reader, tmp_path / "alone")
    shared: dict[int, Probe | None] = {}

    def work(rank: int) -> None:
        shared[rank] = run_probe(reader, SETTING, tmp_path / "shared", share=Share(rank, 2))

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert shared[1] is None
    assert shared[0]
    pd.testing.assert_frame_equal(shared[0].outcomes, alone.outcomes)
    assert sorted(path.name for path in (tmp_path / "shared").iterdir()) == ["outcomes.parquet"]


def test_the_headline_is_of_the_scan_alone(reader: Model, tmp_path: Path) -> None:
    staged = run(reader, tmp_path / "staged")
    coarse = run(reader, tmp_path / "coarse", replace(SETTING, width=None))
    assert len(staged.outcomes) > len(coarse.outcomes)
    summary = write_probe(staged, tmp_path / "staged")
    expected = tabulate_headline(coarse.outcomes)
    pd.testing.assert_frame_equal(tabulate_headline(take_scan(staged.outcomes)), expected)
    assert summary["pooled"][0]["accuracy"] == expected["accuracy"][0]


def test_the_report_says_which_levels_were_added_and_why(reader: Model, tmp_path: Path) -> None:
    summary = write_probe(run(reader, tmp_path), tmp_path)
    assert summary["looks"][0]["levels"] == (2.88, 3.25, 3.62)
    page = (tmp_path / "report.html").read_text()
    assert "Added levels" in page
    assert "2.88, 3.25, 3.62" in page
    assert "it goes from 0 % at 4 to 100 % at 2.5" in page


def test_answers_from_elsewhere_are_to_the_scan_alone(reader: Model) -> None:
    collected = Model(None, "people", reader=Responses({}, {}))
    task = load_task("words")
    assert _choose_stages(SETTING, task, reader, []) == Stages(0.05)
    assert _choose_stages(SETTING, task, collected, []) is None


def _outcomes(factor: str, accuracy: list[float], levels: list[float]) -> pd.DataFrame:
    """Return outcomes of 40 words, of which a fraction is read at each level."""
    rows = [
        {"key": f"{level} {word}", "factor": factor, "baseline": "easy", "level": str(level),
         "word": f"w{word}", "k": 100, "correct": word < share * 40}
        for level, share in zip(levels, accuracy, strict=True)
        for word in range(40)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_whole_levels_stay_whole() -> None:
    outcomes = _outcomes("jpeg_quality", [0, 0, 0.1, 0.9, 1, 1, 1], [2, 5, 10, 20, 40, 70, 95])
    (decision,) = decide_look(outcomes, 1, Stages(0.05))
    assert decision.levels == (12, 14, 17)
    assert all(isinstance(level, int) for level in decision.levels)


@pytest.mark.parametrize(
    ("accuracy", "why"),
    [
        ([0, 0.2, 0.9, 0.9, 0.9, 0.9, 0.2], "not monotone"),
        ([0.0] * 7, "it does not cross the midway accuracy"),
        ([1.0] * 7, "it does not cross the midway accuracy"),
    ],
)
def test_no_level_is_added_where_none_would_help(accuracy: list[float], why: str) -> None:
    levels = [6.0, 8.0, 11.0, 15.0, 20.0, 28.0, 40.0]
    (decision,) = decide_look(_outcomes("size_px", accuracy, levels), 1, Stages(0.05))
    assert (decision.levels, decision.why) == ((), why)


def test_categories_have_no_curve() -> None:
    assert decide_look(_outcomes("case", [0.1, 0.9], [0, 1]), 1, Stages(0.05)) == []
