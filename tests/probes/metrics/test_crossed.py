from __future__ import annotations

import numpy as np
import pytest

from probes.metrics.crossed import crossed_accuracy
from probes.metrics.intervals import clustered_accuracy


def test_one_kind_of_cluster_is_resampled() -> None:
    right, words = [True, True, False, True], ["a", "a", "b", "c"]
    assert crossed_accuracy(right, [words]) == clustered_accuracy(right, words)


def test_variances_are_added_and_those_of_intersections_taken_off() -> None:
    # Rows by hand: mean 1/2; residuals +-1/2.
    right = [True, True, False, False, True, False]
    rows, columns = [0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1]
    found = crossed_accuracy(right, [rows, columns])
    # By row: sums 1, -1, 0; 2 / 36 * 3 / 2. By column: 1/2, -1/2; 0.5 / 36 * 2. By cell: six
    # sums of a half; 1.5 / 36 * 6 / 5.
    variance = 2 / 36 * 3 / 2 + 0.5 / 36 * 2 - 1.5 / 36 * 6 / 5
    variance = max(variance, 2 / 36 * 3 / 2)
    reach = 12.7062 * np.sqrt(variance)
    assert found.mean == 0.5
    assert (found.low, found.high) == (
        pytest.approx(max(0, 0.5 - reach), abs=1e-4),
        pytest.approx(min(1, 0.5 + reach), abs=1e-4),
    )


def test_intervals_of_crossed_clusters_hold_the_truth() -> None:
    rng = np.random.default_rng(0)
    n_objects, n_words, n_runs = 30, 30, 300
    held = 0
    for _ in range(n_runs):
        # New objects and words, each with a random effect.
        odds = rng.normal(0, 1, (n_objects, 1)) + rng.normal(0, 1, (1, n_words))
        right = rng.random((n_objects, n_words)) < 1 / (1 + np.exp(-odds))
        at = np.indices(right.shape).reshape(2, -1)
        found = crossed_accuracy(right.ravel(), list(at))
        held += found.low <= 0.5 <= found.high
    assert 0.91 <= held / n_runs <= 0.985


def test_edges_have_no_interval_that_is_too_sure() -> None:
    assert np.isnan(crossed_accuracy([True, False], [["a", "a"], ["x", "y"]]).low)
    found = crossed_accuracy([True] * 4, [list("aabb"), list("xyxy")])
    assert (found.mean, found.high) == (1, 1)
    assert found.low < 0.5
    assert np.isnan(crossed_accuracy([], [[], []]).mean)
