from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from probes.errors import ProbeError
from probes.metrics.thresholds import Threshold, measure_threshold

SIZES_PX = np.array([4, 6, 8, 12, 16, 24, 32], dtype=np.float64)
BLURS_PX = np.array([0, 0.5, 1, 1.5, 2.5, 4, 6])


def measure(
    levels: np.ndarray, accuracy: object, n_words: int = 60, **options: object
) -> Threshold:
    """Return the threshold of words read with the given accuracies at each level."""
    n_levels = len(levels)
    right = np.random.default_rng(0).random((n_words, n_levels)) < np.asarray(accuracy)
    rows = np.tile(levels, n_words), right.ravel(), np.repeat(np.arange(n_words), n_levels)
    return measure_threshold(*rows, **{"chance": 0.01, **options})  # type: ignore[arg-type]


def test_a_cliff_between_two_levels_is_the_bracket_they_form() -> None:
    # Every word is read up to 2.5 px of blur and none at 4: nothing is known in between.
    found = measure(BLURS_PX, BLURS_PX < 3, direction="falling")
    assert (found.low, found.high, found.is_bracket) == (2.5, 4, True)
    assert found.level == pytest.approx(3.25, abs=0.02)


def test_a_planted_threshold_is_found_by_both() -> None:
    accuracy = 0.01 + 0.9 * norm.cdf(np.log2(SIZES_PX / 11) / 0.6)
    found = measure(SIZES_PX, accuracy, 2000)
    assert found.level == pytest.approx(11, rel=0.05)
    assert (found.low, found.high) == (8, 12)
    assert found.fit is not None
    assert found.fit.level == pytest.approx(11, rel=0.03)
    assert found.ceiling == pytest.approx(0.91, abs=0.02)


def test_falling_accuracy_is_the_mirror_of_rising() -> None:
    accuracy = [0.9, 0.9, 0.8, 0.6, 0.3, 0.05, 0.02]
    falling = measure(BLURS_PX, accuracy, direction="falling")
    rising = measure(-BLURS_PX, accuracy)
    assert (falling.level, falling.low, falling.high) == (
        -(rising.level or 0), -(rising.high or 0), -(rising.low or 0),
    )  # fmt: skip


def test_a_kink_that_no_shape_has_is_told() -> None:
    accuracy = np.array([0.01, 0.45, 0.45, 0.45, 0.45, 0.47, 1])
    found = measure(SIZES_PX, accuracy, 600)
    assert found.reached
    assert found.fit is None
    assert found.fit_note == "none of four shapes fits (p = 0.001)"


def test_a_curve_that_fits_is_not_said_to_lack_fit() -> None:
    rng = np.random.default_rng(5)
    places = np.log2(SIZES_PX)
    p = []
    for _ in range(20):
        middles = rng.normal(3.5, 0.5, (100, 1))
        right = rng.random((100, 7)) < 0.01 + 0.9 * norm.cdf((places - middles) / 0.3)
        found = measure_threshold(
            np.tile(SIZES_PX, 100), right.ravel(), np.repeat(np.arange(100), 7), chance=0.01
        )
        p.append(found.fit_note.startswith("none of four"))
    assert np.mean(p) <= 0.15


def test_a_curve_that_ends_while_it_rises_has_no_fitted_threshold() -> None:
    found = measure(SIZES_PX, 0.01 + 0.95 * norm.cdf((np.log2(SIZES_PX) - 5) / 0.8), 2000)
    assert found.reached
    assert found.fit_note == "still rising at the easiest level"


@pytest.mark.parametrize(
    ("accuracy", "note"),
    [
        ([1.0] * 7, "below 4"),
        ([0.5, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9], "may lie below 4"),
        ([0.01] * 7, "not above chance even at 32"),
        ([0.0] * 7, "not above chance even at 32"),
        (
            [0.1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.2],
            "not monotone: accuracy is higher at 16 than at 32",
        ),
    ],
)
def test_a_threshold_that_is_not_reached_says_why(accuracy: list[float], note: str) -> None:
    found = measure(SIZES_PX, accuracy)
    assert (found.reached, found.note) == (False, note)


def test_a_curve_that_is_not_monotone_has_no_threshold() -> None:
    found = measure(SIZES_PX, [0.01, 0.3, 0.9, 0.9, 0.9, 0.9, 0.4], 200)
    assert (found.level, found.low, found.high, found.is_monotone) == (None, None, None, False)


def test_a_higher_confidence_never_narrows_an_interval() -> None:
    accuracy = 0.01 + 0.9 * norm.cdf(np.log2(SIZES_PX / 11) / 0.6)
    wide = measure(SIZES_PX, accuracy, confidence=0.999)
    narrow = measure(SIZES_PX, accuracy, confidence=0.8)
    assert (wide.low or 0) <= (narrow.low or 0) <= (narrow.high or 0) <= (wide.high or 99)


def test_equal_rows_give_equal_thresholds() -> None:
    rng = np.random.default_rng(0)
    levels, words = np.tile(SIZES_PX, 60), np.repeat(np.arange(60), 7)
    right = rng.random(420) < norm.cdf(np.log2(levels / 11))
    order = rng.permutation(420)
    once = measure_threshold(levels, right, words, chance=0.01)
    again = measure_threshold(levels[order], right[order], words[order], chance=0.01)
    assert (once.low, once.high, once.note) == (again.low, again.high, again.note)
    assert once.level == pytest.approx(again.level)


def test_one_word_is_refused() -> None:
    with pytest.raises(ProbeError) as error:
        measure_threshold([4, 8, 12], [False, True, True], ["a"] * 3, chance=0.01)
    assert str(error.value) == "the rows show 1 word; a threshold over words needs 2 or more"


@settings(max_examples=15)
@given(
    st.integers(0, 2**32 - 1), st.integers(2, 40), st.floats(0.01, 2.0), st.floats(0.2, 5.8),
    st.sampled_from([0.0, 0.01, 0.1, 0.5]),
)  # fmt: skip
def test_no_interval_excludes_its_estimate(
    seed: int, n_words: int, width: float, threshold: float, chance: float
) -> None:
    rng = np.random.default_rng(seed)
    levels = np.tile(BLURS_PX, n_words)
    accuracy = chance + (0.97 - chance) * norm.cdf((threshold - levels) / width)
    found = measure_threshold(
        levels, rng.random(len(levels)) < accuracy, np.repeat(np.arange(n_words), 7),
        chance=chance, direction="falling",
    )  # fmt: skip
    for each in (found, found.fit):
        if each is not None and each.level is not None:
            assert each.low is None or each.low <= each.level
            assert each.high is None or each.level <= each.high
