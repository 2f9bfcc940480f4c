from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from probes.metrics.forced_choice import among_all
from probes.metrics.intervals import clustered_ratio
from probes.metrics.spelling import (
    fold_text,
    guess_among_spellings,
    guess_by_spelling,
    tabulate_answers,
)

WORDS = ["window", "widow", "orange", "garden", "silver", "at", "responsibility", "market"]


def test_an_answer_is_taken_for_the_word_that_it_is_nearest_to() -> None:
    truths = np.array([0, 0, 2])
    found = guess_by_spelling(
        ["WINDOW", "widow", "orang"], WORDS, truths,
        choice=among_all(WORDS, 0), ks=(2, 8), headline=8,
    )  # fmt: skip
    assert found.guesses.tolist() == [0, 1, 2]
    assert found.ranks[8].tolist() == [1, 2, 1]
    # "widow" is right, and "window" lacks one letter of six.
    assert found.margins[1] == pytest.approx(5 / 6 - 1)


@pytest.mark.parametrize("answer", ["", "—", "#*!"])
def test_an_answer_without_a_letter_of_any_word_scores_at_chance(answer: str) -> None:
    n = 4000
    words = [f"{WORDS[i % 8]} {i}" if i % 8 != 5 else f"a{i}" for i in range(n)]
    choice = among_all(words, 0)
    found = guess_by_spelling(
        [answer] * n, words, np.arange(n), choice=choice, ks=(2, 4), headline=4
    )
    assert np.mean(found.ranks[2] == 1) == pytest.approx(1 / 2, abs=0.03)
    assert np.mean(found.ranks[4] == 1) == pytest.approx(1 / 4, abs=0.03)
    # The shortest word has no advantage.
    short = found.ranks[4][np.arange(n) % 8 == 5]
    assert np.mean(short == 1) == pytest.approx(1 / 4, abs=0.07)


def test_candidates_of_ones_own_have_the_truth_first() -> None:
    found = guess_among_spellings(
        ["cat", "cut"], [["cat", "cut", "dog"], ["cat", "cut", "dog"]], np.zeros(2)
    )
    assert found.guesses.tolist() == [0, 1]
    assert found.ranks[3].tolist() == [1, 2]


def test_case_and_composition_do_not_count() -> None:
    assert fold_text("STRASSE") == fold_text("straße")
    assert fold_text("cafe\u0301") == fold_text("CAFÉ")


def test_a_ratio_is_that_of_the_sums_and_resamples_clusters() -> None:
    # 3 wrong of 10 characters; two words, so that the interval lies between their rates.
    found = clustered_ratio([1, 2, 0], [4, 4, 2], ["a", "a", "b"])
    assert found.mean == pytest.approx(3 / 10)
    assert (found.low, found.high) == (0, pytest.approx(3 / 8))
    assert np.isnan(clustered_ratio([1], [4], ["a"]).low)


def test_answers_are_worth_what_was_worked_out_by_hand() -> None:
    rows = pd.DataFrame(
        {
            "word": ["cat", "cat", "horse", "horse"],
            "answer": ["cat", "Cat", "", ""],
            "fault": ["", "", "", "it crashed"],
            "exact": [True, True, False, False],
            "exact_case": [True, False, False, False],
            "n_edits": [0, 0, 5, 5],
        }
    )
    found = tabulate_answers(rows).set_index("figure")["value"]
    assert found.to_dict() == pytest.approx(
        {
            "exact, case folded": 1 / 2,
            "exact, as drawn": 1 / 4,
            "character error rate": 10 / 16,
            "nothing read": 1 / 4,
            "no answer": 1 / 4,
        }
    )
