from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from probes.metrics.monotone import Answers, Crossing, find_crossing, fit_isotonic

PLACES = np.arange(7.0)


def answer(right: object, *, chance: float = 0.0) -> Answers:
    """Return the answers for a table (W, L) of correctness."""
    n_right = np.asarray(right, dtype=np.float64)
    return Answers(np.arange(n_right.shape[1]) * 1.0, n_right, np.ones_like(n_right), chance)


def draw(accuracy: object, n_words: int, seed: int = 0) -> np.ndarray:
    p = np.broadcast_to(np.asarray(accuracy), (n_words, np.shape(accuracy)[-1]))
    return np.random.default_rng(seed).random(p.shape) < p


def hold(found: Crossing, x: np.ndarray, truth: float) -> bool:
    low = -np.inf if found.low is None else x[found.low]
    high = np.inf if found.high is None else x[found.high]
    return bool(low <= truth <= high)


def test_the_isotonic_fit_is_that_worked_by_hand() -> None:
    # Barlow et al.: decreasing neighbours are pooled until the means increase.
    fitted = fit_isotonic(np.array([0.1, 0.4, 0.2, 0.3, 0.9]), np.array([1.0, 1, 1, 2, 1]))
    assert fitted == pytest.approx([0.1, 0.3, 0.3, 0.3, 0.9])


def test_a_step_is_bracketed_by_its_two_levels() -> None:
    found = find_crossing(answer(np.tile(PLACES >= 3, (40, 1))))
    assert (found.low, found.high) == (2, 3)
    assert found.x == pytest.approx(2.5)
    assert (found.ceiling, found.midway) == (1.0, 0.5)


def test_a_crossing_lies_where_the_fit_is_midway() -> None:
    # 0, 1/4 and 3/4 of the ceiling: midway is halfway from the second to the third.
    right = np.zeros((40, 4))
    right[:10, 1], right[:30, 2], right[:, 3] = 1, 1, 1
    assert find_crossing(answer(right)).x == pytest.approx(1.5)


def test_a_fit_that_lies_on_midway_has_its_crossing_in_the_middle() -> None:
    right = np.zeros((40, 5))
    right[:20, 1:4], right[:, 4] = 1, 1
    assert find_crossing(answer(right)).x == pytest.approx(2)


def test_midway_is_from_chance_to_what_is_read_at_the_easiest_level() -> None:
    found = find_crossing(answer(draw([0.5, 0.5, 0.9, 0.9], 4000), chance=0.5))
    assert found.midway == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize("n_words", [2, 3])
def test_two_or_three_words_say_nothing(n_words: int) -> None:
    found = find_crossing(answer(np.tile(PLACES >= 3, (n_words, 1))))
    assert (found.low, found.high) == (None, None)


def test_a_level_is_past_by_its_own_test_at_half_of_the_error() -> None:
    # 100 words, all read at the easiest level: 39 of them are 2.19 standard errors below
    # midway, and 41 are 1.79; one side of a 95 % interval takes 1.96.
    for n_right, low in ((39, 1), (41, 0)):
        right = np.tile([0.0, 0.0, 1.0, 1.0], (100, 1))
        right[:n_right, 1] = 1
        found = find_crossing(answer(right))
        assert (found.low, found.high) == (low, 2)


@pytest.mark.parametrize(("n_words", "high"), [(12, None), (13, 3)])
def test_few_words_that_are_all_read_may_have_been_guessed(
    n_words: int, high: int | None
) -> None:
    # Midway of one of two is 3/4: 12 right answers are luck in 3 % of cases, 13 in 2.4 %.
    found = find_crossing(answer(np.tile(PLACES >= 3, (n_words, 1)), chance=0.5))
    assert found.high == high


def test_an_end_that_no_level_shows_is_open() -> None:
    found = find_crossing(answer(np.ones((40, 4))))
    assert (found.x, found.low, found.high) == (None, None, 0)


def test_a_reader_at_chance_has_no_upper_end() -> None:
    found = find_crossing(answer(draw([0.5] * 5, 200), chance=0.5))
    assert found.high is None


def test_a_curve_that_falls_again_is_not_monotone() -> None:
    found = find_crossing(answer(draw([0.0, 0.2, 0.9, 0.9, 0.4], 100)))
    assert found.p_monotone < 1e-6
    assert found.worst[1] == 4


def test_a_flat_curve_is_monotone_in_nearly_every_run() -> None:
    p = [find_crossing(answer(draw([0.5] * 7, 60, seed))).p_monotone for seed in range(200)]
    assert np.mean(np.array(p) < 0.05) < 0.02


def test_rows_of_a_word_at_one_level_count_together() -> None:
    # A word read twice at a level counts as one word, not two.
    right = draw(norm.cdf(PLACES - 3), 60).astype(np.float64)
    once = find_crossing(answer(right))
    twice = find_crossing(Answers(PLACES, 2 * right, np.full_like(right, 2), 0.0))
    assert (once.low, once.high) == (twice.low, twice.high)


def test_words_that_are_shown_at_one_level_each_are_as_good_as_independent() -> None:
    accuracy = norm.cdf((PLACES - 3) / 0.7)
    shown = np.kron(np.eye(7), np.ones((200, 1)))
    right = shown * draw(accuracy, 1400)
    found = find_crossing(Answers(PLACES, right, shown, 0.0))
    assert found.x == pytest.approx(3, abs=0.2)
    assert (found.low, found.high) in {(2, 4), (2, 3), (3, 4)}


@pytest.mark.parametrize("kind", ["alike", "bimodal", "kinked", "floor"])
def test_intervals_hold_the_truth_of_any_monotone_curve(kind: str) -> None:
    x = np.linspace(0, 6, 13)
    curves = {
        "alike": [norm.cdf((x - 3) / 0.5)],
        "bimodal": [norm.cdf((x - 1.5) / 0.1), norm.cdf((x - 4.2) / 0.1)],
        "kinked": [np.interp(x, [0, 1, 4.1, 4.2, 6], [0, 0.45, 0.55, 1, 1])],
        "floor": [0.35 + 0.65 * norm.cdf((x - 3) / 0.5)],
    }[kind]
    mean = np.mean(curves, axis=0)
    truth = float(np.interp(mean[-1] / 2, mean, x))
    rng = np.random.default_rng(1)
    held = [
        hold(
            find_crossing(answer(draw(np.array(curves)[rng.integers(len(curves), size=40)], 40, run))),
            x, truth,
        )
        for run in range(100)
    ]  # fmt: skip
    assert np.mean(held) >= 0.93


@settings(max_examples=150)
@given(
    st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(2, 14), st.floats(0, 0.5),
    st.floats(0, 1),
)  # fmt: skip
def test_no_interval_excludes_its_estimate(
    seed: int, n_words: int, n_levels: int, chance: float, order: float
) -> None:
    rng = np.random.default_rng(seed)
    accuracy = rng.random(n_levels)
    # From an arbitrary curve to one that rises throughout.
    accuracy = (1 - order) * accuracy + order * np.sort(accuracy)
    n_seen = rng.integers(0, 3, (n_words, n_levels)) + (np.arange(n_words) == 0)[:, None]
    right = rng.binomial(n_seen, accuracy).astype(np.float64)
    answers = Answers(np.sort(rng.random(n_levels)), right, n_seen.astype(np.float64), chance)
    found = find_crossing(answers)
    if found.x is not None:
        assert hold(found, answers.x, found.x)
    elif found.low is not None:
        # All levels lie on the hard side of midway, as only guessing does.
        assert found.high is None
