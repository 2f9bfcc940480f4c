from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark_scripts import load_script
from probes.metrics import calibration
from probes.metrics.calibration import (
    bin_equally,
    measure_calibration,
    tabulate_calibration,
    tabulate_reliability,
    take_confident,
)


def test_the_error_is_the_mean_distance_over_bins_of_equal_mass() -> None:
    # Two bins of three: mean confidences 0.2 and 0.8, accuracies 1/3 and 2/3.
    sure = [0.1, 0.2, 0.3, 0.7, 0.8, 0.9]
    right = [False, True, False, True, False, True]
    found = measure_calibration(sure, right, list("abcdef"), n_bins=2)
    assert found.error == pytest.approx((abs(0.2 - 1 / 3) + abs(0.8 - 2 / 3)) / 2)
    assert (found.confidence, found.accuracy, found.gap) == pytest.approx((0.5, 0.5, 0))
    assert found.n_bins == 2
    variances = np.array([0.09 + 0.16 + 0.21, 0.21 + 0.16 + 0.09])
    assert found.if_calibrated == pytest.approx(np.sqrt(2 / np.pi * variances).sum() / 6)


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]), min_size=1, max_size=200))
@settings(max_examples=60)
def test_equal_confidences_share_a_bin_and_bins_rise(sure: list[float]) -> None:
    bins = bin_equally(sure)
    assert sorted(set(bins.tolist())) == list(range(bins.max() + 1))
    order = np.argsort(sure, kind="stable")
    assert (np.diff(bins[order]) >= 0).all()
    assert all(len(set(bins[np.array(sure) == value])) == 1 for value in set(sure))


def test_bins_hold_as_many_each_and_are_few_where_answers_are() -> None:
    sure = np.random.default_rng(0).random(300)
    assert np.bincount(bin_equally(sure)).tolist() == [30] * 10
    assert bin_equally(sure[:44]).max() == 1
    assert bin_equally(sure[:29]).max() == 0


def test_a_reader_that_is_too_sure_at_one_end_and_not_enough_at_the_other_is_shown() -> None:
    # The gaps cancel over all answers, so only a cut between the bins reveals them.
    sure = np.tile(np.linspace(0.05, 0.95, 10), 60)
    right = np.repeat(np.arange(60), 10) % 2 == 0
    found = measure_calibration(sure, right, np.arange(600))
    assert found.gap == pytest.approx(0)
    assert found.gap_low < 0 < found.gap_high
    assert found.error == pytest.approx(0.25)
    assert 0.15 < found.low < 0.25 < found.high < 0.35


def test_answers_to_one_word_that_go_together_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    right = np.repeat(rng.random(40) < 0.6, 10)
    sure = np.full(400, 0.9)
    alone = measure_calibration(sure, right, np.arange(400))
    together = measure_calibration(sure, right, np.repeat(np.arange(40), 10))
    assert together.error == pytest.approx(alone.error)
    assert together.high - together.low > 2 * (alone.high - alone.low)
    assert np.isnan(measure_calibration(sure, right, ["one"] * 400)[4:6]).all()


@pytest.mark.parametrize("n", [20, 400])
def test_where_all_is_right_the_confidences_say_what_was_to_be_expected(n: int) -> None:
    # With 20 answers at 95 %, all are right once in three times; with 400, never.
    found = measure_calibration([0.95] * n, [True] * n, range(n))
    assert (found.low == 0) == (n == 20)
    assert found.gap_low < -0.05
    assert (found.gap_high > 0) == (n == 20)


def test_confidences_of_1_are_certain_only_as_far_as_answers_are_many() -> None:
    right = measure_calibration([1.0] * 12, [True] * 12, range(12))
    assert (right.error, right.low, right.if_calibrated) == (0, 0, 0)
    assert 0 < right.high < 0.3
    few, many = (measure_calibration([1.0] * n, [False] * n, range(n)) for n in (5, 500))
    assert few.error == many.error == few.high == 1
    assert few.low < 0.7 < 0.95 < many.low


def test_many_words_have_the_interval_of_resampled_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    words = np.repeat(np.arange(1500), 2)
    sure = rng.random(3000)
    right = rng.random(3000) < 0.7 * sure
    resampled = measure_calibration(sure, right, words)
    monkeypatch.setattr(calibration, "MAX_RESAMPLED", 1000)
    normal = measure_calibration(sure, right, words)
    assert normal != resampled
    for name in ("gap_low", "gap_high", "low", "high"):
        assert getattr(normal, name) == pytest.approx(getattr(resampled, name), abs=0.003)


def test_equal_seeds_give_equal_figures() -> None:
    words = np.arange(200) // 5
    sure, right = np.random.default_rng(0).random(200), words % 3 == 0
    one, other = (measure_calibration(sure, right, words) for _ in range(2))
    assert one == other
    assert one != measure_calibration(sure, right, words, seed=1)


def test_a_diagram_has_an_interval_for_each_bin() -> None:
    sure = np.linspace(0, 1, 60)
    table = tabulate_reliability(sure, sure > 0.4, np.arange(60))
    assert table["n"].tolist() == [15] * 4
    assert table["accuracy"].tolist() == pytest.approx([0, 0.4, 1, 1])
    assert ((table["low"] <= table["accuracy"]) & (table["accuracy"] <= table["high"])).all()


def rows_of(**columns: list[object]) -> pd.DataFrame:
    shown = {"word": ["ox", "ant", "bee", "cow"], "correct": [True, False, True, True]}
    return pd.DataFrame({**shown, "factor": "", "baseline": "", **columns})


def test_a_reader_is_held_against_its_text_and_an_encoder_against_its_choice() -> None:
    encoder = take_confident(rows_of(confidence=[0.5, 0.4, float("nan"), 0.1]))
    assert encoder["is_right"].tolist() == [True, False, True]
    reader = take_confident(
        rows_of(
            confidence=[0.5, 0.4, 0.3, 0.0],
            answer=["ok", "ant", "BEE", ""],
            exact=[False, True, True, False],
        )
    )
    assert reader["is_right"].tolist() == [False, True, True]
    assert take_confident(rows_of()).empty


def test_the_calibration_of_each_level_follows_that_of_all() -> None:
    sure = [0.9, 0.8, 0.2, 0.6]
    rows = take_confident(rows_of(confidence=sure, case_drawn=["upper", "lower"] * 2))
    table = tabulate_calibration(rows, ["case_drawn"])
    assert table[["factor", "label", "n"]].to_numpy().tolist() == [
        ["", "", 4], ["case_drawn", "lower", 2], ["case_drawn", "upper", 2],
    ]  # fmt: skip
    assert table["gap"].tolist() == pytest.approx([-0.125, 0.7 - 0.5, 0.55 - 1])


@pytest.mark.parametrize("true", ["calibrated", "overconfident throughout"])
def test_intervals_hold_a_planted_error(true: str) -> None:
    script = load_script("calibration")
    reader = script.Reader("mostly above 0.9", true)
    runs = script.measure(reader, 100, 1, 40)
    truth = script.find_truth(reader, runs[0].n_bins)
    # An exact 95 % interval covers it in at least 34 of 40 runs, in 99 of 100 series.
    assert np.mean([run.low <= truth <= run.high for run in runs]) >= 0.85
    is_shown = np.mean([run.low > 0 for run in runs])
    assert is_shown < 0.15 if true == "calibrated" else is_shown > 0.2
