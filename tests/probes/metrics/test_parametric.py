from __future__ import annotations

import numpy as np
import psignifit
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from probes.errors import ProbeError
from probes.metrics.monotone import Answers, gather_answers
from probes.metrics.parametric import Fit, fit_threshold, fit_word_threshold
from probes.metrics.psychometric import (
    SHAPES,
    Curve,
    inflate_by_word,
    pool_words,
    profile_thresholds,
)

SIZES_PX = np.array([4, 6, 8, 12, 16, 24, 32], dtype=np.float64)
BLURS_PX = np.array([0, 1, 2, 3, 4, 6, 8], dtype=np.float64)
N = 200


def count_right(
    shape: str = "gaussian", *, ceiling: float = 0.9, chance: float = 0.01
) -> list[float]:
    """Return the expected counts of a reader with a threshold of 11 px, of 200 at each size."""
    z = (np.log2(SIZES_PX) - np.log2(11)) / 1.2
    right: list[float] = (N * (chance + (ceiling - chance) * SHAPES[shape](z))).tolist()
    return right


def fit_sizes(n_right: object, chance: float = 0.01) -> Fit:
    return fit_threshold(SIZES_PX, np.asarray(n_right), np.full(7, N), chance=chance)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_goes_from_one_twentieth_to_the_rest_over_its_width(shape: str) -> None:
    ends = SHAPES[shape](np.linspace(-2, 2, 40_001))
    width = np.interp([0.05, 0.95], ends, np.linspace(-2, 2, 40_001))
    assert SHAPES[shape](np.zeros(1))[0] == pytest.approx(0.5)
    assert width[1] - width[0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_planted_threshold_is_found(shape: str) -> None:
    found = fit_sizes(count_right(shape))
    assert found.level == pytest.approx(11, rel=0.01)
    assert found.ceiling == pytest.approx(0.9, abs=0.01)
    assert found.reached
    assert found.note == ""


@pytest.mark.parametrize(("ceiling", "chance"), [(0.4, 0.01), (1, 0.01), (0.9, 0.5), (0.3, 0)])
def test_the_threshold_is_midway_to_a_ceiling_of_any_height(
    ceiling: float, chance: float
) -> None:
    found = fit_sizes(count_right(ceiling=ceiling, chance=chance), chance=chance)
    assert found.level == pytest.approx(11, rel=0.01)
    assert found.ceiling == pytest.approx(ceiling, abs=0.01)


def test_the_slope_is_the_rise_per_octave_at_the_threshold() -> None:
    # For a cumulative Gaussian: 0.89 / 1.2 times 2 * 1.6449 / sqrt(2 pi).
    assert fit_sizes(count_right()).slope == pytest.approx(0.89 / 1.2 * 1.3124, rel=0.02)


def test_a_step_leaves_the_whole_gap_between_two_levels_open() -> None:
    found = fit_sizes(np.where(SIZES_PX >= 12, N, 0))
    assert found.low == pytest.approx(8, rel=0.02)
    assert found.high == pytest.approx(12, rel=0.02)
    assert found.level == pytest.approx(np.sqrt(8 * 12), rel=0.02)


def test_a_reader_blind_below_12_px_gets_a_threshold_at_12_px() -> None:
    sizes = np.array([8, 10, 11.5, 12, 14, 18])
    found = fit_threshold(sizes, 50 * (sizes >= 12), np.full(6, 50), chance=0.01)
    assert found.level == pytest.approx(12, rel=0.03)
    assert found.reached


def test_falling_accuracy_is_the_mirror_of_rising() -> None:
    rising = fit_threshold(
        -BLURS_PX, [190, 188, 180, 120, 60, 9, 2], np.full(7, N), chance=0.01
    )
    falling = fit_threshold(
        BLURS_PX,
        [190, 188, 180, 120, 60, 9, 2],
        np.full(7, N),
        chance=0.01,
        direction="falling",
    )
    assert (falling.level, falling.low, falling.high, falling.slope) == (
        -(rising.level or 0),
        -(rising.high or 0),
        -(rising.low or 0),
        -rising.slope,
    )


def test_the_order_of_the_levels_does_not_matter() -> None:
    right = np.array(count_right())
    swapped = fit_threshold(SIZES_PX[::-1], right[::-1], np.full(7, N), chance=0.01)
    assert swapped == fit_sizes(right)


def test_a_level_without_images_is_left_out() -> None:
    found = fit_threshold([*SIZES_PX, 1], [*count_right(), 0], [*[N] * 7, 0], chance=0.01)
    assert found == fit_sizes(count_right())


def test_a_hundred_times_the_images_make_a_tenth_of_the_interval() -> None:
    octaves = []
    for times in (20, 2000):
        right, seen = times * np.array(count_right()), np.full(7, times * N)
        found = fit_threshold(SIZES_PX, right, seen, chance=0.01)
        octaves.append(np.log2((found.high or 0) / (found.low or 1)))
    assert octaves[0] == pytest.approx(10 * octaves[1], rel=0.1)


@pytest.mark.parametrize(
    ("n_right", "note"),
    [
        ([N] * 7, "below 4"),
        ([180] * 7, "below 4"),
        ([100, 180, 188, 190, 189, 190, 191], "below 4"),
        ([2, 3, 2, 4, 2, 12, 20], "may lie above 32"),
        ([2, 2, 2, 2, 2, 2, 2], "at chance at every level"),
        ([0] * 7, "at chance at every level"),
        ([8] * 7, "may lie below 4 or above 32"),
    ],
)
def test_a_threshold_that_is_not_reached_says_where_it_may_be(
    n_right: list[int], note: str
) -> None:
    found = fit_sizes(n_right)
    assert not found.reached
    assert found.note == note


def test_an_end_beyond_the_levels_is_open_and_the_other_is_kept() -> None:
    found = fit_sizes([2, 3, 2, 4, 20, 60, 100])
    assert found.low is not None
    assert found.low > 16
    assert found.high is None


def test_a_reader_past_its_threshold_everywhere_has_no_level() -> None:
    found = fit_sizes([N] * 7)
    assert (found.level, found.low) == (None, None)


def test_fitting_on_the_levels_themselves_is_a_choice() -> None:
    z = (SIZES_PX - 15) / 10
    right = N * (0.01 + 0.9 * SHAPES["gaussian"](z))
    found = fit_threshold(SIZES_PX, right, np.full(7, N), chance=0.01, scale="linear")
    assert found.level == pytest.approx(15, rel=0.01)


def test_psignifit_finds_the_same_threshold_where_the_ceiling_is_near_1() -> None:
    right = np.round(count_right(ceiling=0.97))
    table = np.column_stack([np.log2(SIZES_PX), right, np.full(7, N)])
    peer = psignifit.psignifit(table, experiment_type="nAFC", experiment_choices=100)
    ours = fit_sizes(right)
    low, high = peer.confidence_intervals["threshold"]["0.95"]
    assert np.log2(ours.level or 0) == pytest.approx(
        peer.parameter_estimate["threshold"], abs=0.02
    )
    assert np.log2(ours.low or 0) == pytest.approx(low, abs=0.03)
    assert np.log2(ours.high or 0) == pytest.approx(high, abs=0.03)


def draw_words(
    n_words: int, word_sd: float, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return levels, answers and words of a reader with word thresholds around 11 px."""
    rng = np.random.default_rng(seed)
    shift = rng.normal(0, word_sd, (n_words, 1))
    z = (np.log2(SIZES_PX) - np.log2(11) - shift) / 0.1
    correct = rng.random(z.shape) < 0.01 + 0.9 * SHAPES["gaussian"](z)
    words = np.repeat(np.arange(n_words), 7)
    return np.tile(SIZES_PX, n_words), correct.ravel(), words


def test_words_that_differ_widen_the_interval() -> None:
    levels, correct, words = draw_words(300, word_sd=0.8)
    by_word = fit_word_threshold(levels, correct, words, chance=0.01)
    by_image = fit_word_threshold(levels, correct, np.arange(len(words)), chance=0.01)
    assert by_word.level == pytest.approx(by_image.level, rel=3e-3)
    assert (by_word.high or 0) - (by_word.low or 0) > 1.1 * (
        (by_image.high or 0) - (by_image.low or 0)
    )


def test_rows_without_shared_words_give_the_interval_of_their_counts() -> None:
    levels, correct, words = draw_words(300, word_sd=0)
    rows = fit_word_threshold(levels, correct, np.arange(len(words)), chance=0.01)
    counts = fit_threshold(levels, correct, np.ones(len(levels)), chance=0.01)
    assert rows.level == pytest.approx(counts.level, rel=1e-3)
    assert rows.low == pytest.approx(counts.low, rel=0.01)
    assert rows.high == pytest.approx(counts.high, rel=0.01)


def test_every_image_shown_twice_doubles_the_variance() -> None:
    levels, correct, words = draw_words(300, word_sd=0.5)
    _, once = gather_answers(levels, correct, words, chance=0.01, direction="rising")
    twice = Answers(once.x, 2 * once.n_right, 2 * once.n_seen, once.chance)
    curve = profile_thresholds(pool_words(once), lambda _: 3.84).best
    factors = [inflate_by_word(answers, curve) for answers in (once, twice)]
    assert factors[1] == pytest.approx(2 * factors[0])


def test_a_step_has_no_variance_to_inflate() -> None:
    answers = Answers(np.arange(4.0), np.tile([0.0, 0, 1, 1], (9, 1)), np.ones((9, 4)), 0.0)
    step = Curve("gaussian", threshold=1.5, width=0.01, rise=1)
    assert inflate_by_word(answers, step) == 1


def test_equal_rows_give_equal_thresholds() -> None:
    levels, correct, words = draw_words(60, word_sd=0.5)
    order = np.random.default_rng(0).permutation(len(words))
    once = fit_word_threshold(levels, correct, words, chance=0.01)
    again = fit_word_threshold(levels[order], correct[order], words[order], chance=0.01)
    assert (once.level, once.note) == (again.level, again.note)
    assert once.low == pytest.approx(again.low, rel=1e-9)


def test_two_levels_are_refused() -> None:
    with pytest.raises(ProbeError) as error:
        fit_threshold([4, 8, 8], [1, 2, 3], [9, 9, 9], chance=0.01)
    assert str(error.value) == (
        "a threshold needs 3 levels or more, and the rows have 2; show the words at more levels"
    )


def test_a_level_of_0_has_no_logarithm() -> None:
    with pytest.raises(ProbeError) as error:
        fit_threshold(BLURS_PX, [1] * 7, [9] * 7, chance=0.01, scale="log2")
    assert str(error.value) == "level 0 has no logarithm; use scale 'linear'"


def test_one_word_is_refused() -> None:
    with pytest.raises(ProbeError) as error:
        fit_word_threshold([4, 8, 12], [False, True, True], ["a"] * 3, chance=0.01)
    assert str(error.value) == "the rows show 1 word; a threshold over words needs 2 or more"


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.floats(0.01, 2.0), st.floats(0.2, 5.8))
def test_no_interval_excludes_its_estimate(
    seed: int, n_words: int, width: float, threshold: float
) -> None:
    rng = np.random.default_rng(seed)
    levels = np.tile([0.0, 0.5, 1.0, 1.5, 2.5, 4.0, 6.0], n_words)
    accuracy = 0.01 + 0.95 * norm.cdf((threshold - levels) / width)
    found = fit_word_threshold(
        levels, rng.random(len(levels)) < accuracy, np.repeat(np.arange(n_words), 7),
        chance=0.01, direction="falling",
    )  # fmt: skip
    if found.level is not None:
        assert found.low is None or found.low <= found.level
        assert found.high is None or found.level <= found.high


def test_a_cliff_between_two_levels_has_an_interval_that_spans_it() -> None:
    # Every word is read up to 2.5 px of blur and none at 4: the words do not differ, and the
    # threshold may lie anywhere in between.
    levels = np.tile([0.0, 0.5, 1.0, 1.5, 2.5, 4.0, 6.0], 40)
    words = np.repeat(np.arange(40), 7)
    found = fit_word_threshold(
        levels, (levels < 3).astype(float), words, chance=0.01, direction="falling"
    )
    assert found.low is not None
    assert found.high is not None
    assert found.low < 2.7 < 3.8 < found.high
