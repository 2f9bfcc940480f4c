from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from probes.metrics.intervals import (
    cluster_bootstrap,
    clustered_accuracy,
    correct_for_chance,
    wilson,
)
from probes.metrics.levels import bin_levels


@pytest.mark.parametrize(
    ("n_right", "n_seen", "low", "high"),
    # Source: Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)  # fmt: skip
def test_wilson_gives_the_published_intervals(
    n_right: int, n_seen: int, low: float, high: float
) -> None:
    assert np.round(wilson(n_right, n_seen), 4).tolist() == [low, high]


def test_wilson_gives_the_interval_worked_by_hand() -> None:
    # z = 2 for a confidence of 0.9545; 8 of 16: (0.5 + 4/32 -+ 2 sqrt(1/64 + 4/1024)) / (1 + 4/16)
    # = (0.625 -+ 2 sqrt(5/256)) / 1.25 = 0.5 -+ 0.4 * sqrt(5) / 4.
    low, high = wilson(8, 16, confidence=0.9544997361036416)
    assert low == pytest.approx(0.5 - np.sqrt(5) / 10)
    assert high == pytest.approx(0.5 + np.sqrt(5) / 10)


def test_wilson_takes_arrays_and_knows_nothing_of_empty_cells() -> None:
    low, high = wilson([[1, 0], [5, 0]], [[2, 0], [5, 9]])
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [[False, True], [False, False]]


def test_the_half_width_at_one_half_is_that_of_the_protocol() -> None:
    low, high = wilson([100, 1000], [200, 2000])
    assert np.round(100 * (high - low) / 2, 1).tolist() == [6.9, 2.2]


def test_a_bootstrap_is_repeated_by_its_seed() -> None:
    values, words = np.arange(40) % 3, np.arange(40) // 4
    once = cluster_bootstrap(values, words, seed=3)
    assert once == cluster_bootstrap(values, words, seed=3)
    assert once != cluster_bootstrap(values, words, seed=4)


def test_a_bootstrap_does_not_depend_on_the_order_of_the_rows() -> None:
    values, words = np.arange(40) % 3, np.array(list("abcdefgh") * 5)
    order = np.random.default_rng(0).permutation(40)
    assert cluster_bootstrap(values, words) == cluster_bootstrap(values[order], words[order])


def test_a_bootstrap_in_many_blocks_equals_one_in_a_single_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values, words = np.arange(40) % 3, np.arange(40) // 4
    whole = cluster_bootstrap(values, words)
    monkeypatch.setattr("probes.metrics.intervals.DRAWS_PER_BLOCK", 70)
    assert cluster_bootstrap(values, words) == whole


def test_the_bootstrap_has_the_width_of_students_interval_over_cluster_means() -> None:
    rng = np.random.default_rng(0)
    means = rng.normal(size=50)
    interval = cluster_bootstrap(
        np.repeat(means, 6), np.repeat(np.arange(50), 6), n_draws=20_000
    )
    # Student's 2.0096 for 49 degrees of freedom, times the error of the mean.
    width = 2 * 2.0096 * means.std(ddof=1) / np.sqrt(50)
    assert interval.mean == pytest.approx(means.mean())
    assert interval.high - interval.low == pytest.approx(width, rel=0.03)


def test_images_of_one_word_tell_less_than_images_of_many() -> None:
    correct = np.repeat([True, False], 50)
    one_each = cluster_bootstrap(correct, np.arange(100))
    ten_each = cluster_bootstrap(correct, np.arange(100) // 10)
    assert ten_each.high - ten_each.low > 2 * (one_each.high - one_each.low)


def test_one_cluster_has_a_mean_and_no_interval() -> None:
    interval = cluster_bootstrap([1, 0], ["a", "a"])
    assert interval.mean == 0.5
    assert np.isnan([interval.low, interval.high]).all()


def test_no_rows_have_no_accuracy() -> None:
    assert np.isnan(clustered_accuracy([], [])).all()


@pytest.mark.parametrize(("answer", "low", "high"), [(False, 0, 0.1611), (True, 0.8389, 1)])
def test_a_reader_that_never_varies_gets_wilsons_interval_over_its_words(
    answer: bool,
    low: float,
    high: float,
) -> None:
    interval = clustered_accuracy([answer] * 60, np.arange(60) % 20)
    assert np.round(interval, 4).tolist() == [float(answer), low, high]


def test_words_that_come_once_give_nearly_wilsons_interval() -> None:
    correct = np.arange(400) % 4 == 0
    found = clustered_accuracy(correct, np.arange(400))
    assert found.mean == 0.25
    assert np.allclose(found[1:], np.ravel(wilson(100, 400)), atol=1e-3)


def test_pictures_of_a_word_that_are_all_alike_count_once() -> None:
    words = np.repeat(np.arange(40), 50)
    correct = words % 4 == 0
    low, high = clustered_accuracy(correct, words)[1:]
    once_low, once_high = np.ravel(wilson(10, 40))
    assert low == pytest.approx(once_low, abs=0.02)
    assert high == pytest.approx(once_high, abs=0.02)


def test_images_of_fixed_levels_vary_less_than_random_ones() -> None:
    # Words are alike, and at six of seven levels all are read or none.
    rng = np.random.default_rng(0)
    shares = np.array([0, 0, 0, 0.5, 1, 1, 1])
    words, levels = np.repeat(np.arange(100), 7), np.tile(np.arange(7), 100)
    runs = rng.random((200, 100, 7)) < shares
    found = np.array([clustered_accuracy(run.ravel(), words, levels=levels) for run in runs])
    at_random = clustered_accuracy(runs[0].ravel(), words)
    widths = found[:, 2] - found[:, 1]
    assert widths.max() < 0.5 * (at_random.high - at_random.low)
    held = ((found[:, 1] <= shares.mean()) & (shares.mean() <= found[:, 2])).mean()
    assert held >= 0.93
    # No level is taken to be without variance, however many words agree.
    sure = runs[0] & (shares == 1)
    certain = clustered_accuracy(sure.ravel(), words, levels=levels)
    assert certain.low < certain.mean < certain.high


def test_one_level_is_as_good_as_none() -> None:
    right = np.arange(60) % 3 > 0
    one, none = (
        clustered_accuracy(right, np.arange(60), levels=levels)
        for levels in (np.zeros(60), None)
    )
    assert one == none


def test_a_second_clustering_widens_the_interval() -> None:
    rng = np.random.default_rng(0)
    words, objects = np.divmod(np.arange(900), 30)
    ease = rng.normal(0, 1, 30)[words] + rng.normal(0, 1, 30)[objects]
    correct = ease + rng.normal(0, 1, 900) > 0
    one, two = (clustered_accuracy(correct, words, each) for each in (None, objects))
    assert two.low < one.low < one.high < two.high
    assert two == clustered_accuracy(correct, objects, words)


def share_held(n_words: int, n_each: int, n_runs: int, n_objects: int = 0) -> float:
    """Return how often the interval covers the accuracy over all words and objects."""
    rng = np.random.default_rng([n_words, n_each, n_objects])
    held = 0
    truth = norm.cdf(0.8 / np.sqrt(2 + bool(n_objects)))
    for _ in range(n_runs):
        words = np.repeat(np.arange(n_words), n_each)
        ease = 0.8 + rng.normal(0, 1, n_words)[words]
        objects = None
        if n_objects:
            objects = rng.integers(0, n_objects, len(words))
            ease = ease + rng.normal(0, 1, n_objects)[objects]
        correct = ease + rng.normal(0, 1, len(words)) > 0
        # One level has a subset of the images, with words in unequal numbers.
        some = rng.random(len(words)) < 1 / 7
        second = None if objects is None else objects[some]
        found = clustered_accuracy(correct[some], words[some], second)
        held += found.low <= truth <= found.high
    return held / n_runs


@pytest.mark.parametrize(
    ("n_words", "n_each", "n_objects"), [(30, 100, 0), (1187, 8, 0), (60, 60, 40)]
)
def test_intervals_of_repeated_words_hold_the_truth(
    n_words: int, n_each: int, n_objects: int
) -> None:
    # Four standard deviations of 95 % in 400 runs are 4.4 points.
    assert share_held(n_words, n_each, 400, n_objects) == pytest.approx(0.95, abs=0.044)


def test_guessing_is_0_and_reading_is_1_for_every_k() -> None:
    assert correct_for_chance([0.5, 0.01, 1], [0.5, 0.01, 0.01]).tolist() == [0, 0, 1]
    assert correct_for_chance(0.75, 0.5) == 0.5


def test_few_levels_are_kept() -> None:
    bins = bin_levels([8, 4, 8, np.nan, 5.5])
    assert bins.labels == ("4", "5.5", "8")
    assert bins.codes.tolist() == [2, 0, 2, -1, 1]
    assert bins.centres.tolist() == [4, 5.5, 8]


def test_many_values_fall_into_bins_of_equal_count() -> None:
    bins = bin_levels(np.arange(70)[::-1])
    assert np.bincount(bins.codes).tolist() == [10] * 7
    assert bins.labels[0] == "0 to 9"
    assert bins.centres.tolist() == [4.5, 14.5, 24.5, 34.5, 44.5, 54.5, 64.5]


def test_a_value_that_most_rows_share_has_a_bin_to_itself() -> None:
    bins = bin_levels(np.concatenate([np.zeros(300), np.arange(-30, 31)]))
    assert "0" in bins.labels
    assert bins.centres[bins.labels.index("0")] == 0


def test_a_column_without_values_has_no_levels() -> None:
    bins = bin_levels([np.nan, np.nan])
    assert bins.labels == ()
    assert bins.codes.tolist() == [-1, -1]


@given(
    values=st.lists(st.floats(-1e6, 1e6) | st.integers(-3, 3) | st.just(np.nan), max_size=80),
    n_bins=st.integers(2, 9),
)
def test_bins_hold_every_value_once_in_rising_order(values: list[float], n_bins: int) -> None:
    column = np.array(values, dtype=np.float64)
    bins = bin_levels(column, n_bins)
    assert ((bins.codes == -1) == np.isnan(column)).all()
    held = [column[bins.codes == code] for code in range(len(bins.labels))]
    assert all(len(members) for members in held)
    assert all(a.max() < b.min() for a, b in pairwise(held))
    assert len(bins.labels) <= max(n_bins, 12)
