from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.metrics.vqa_accuracy import normalise_answer, score_answers


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("STOP", "stop"),
        ("  two\nlines ", "2 lines"),
        ("the end of a road", "end of road"),
        ("7-eleven", "7 eleven"),
        ("coca-cola", "coca cola"),
        ("3.50", "3.50"),
        ("inc.", "inc"),
        ("10,000", "10000"),
        ("none", "0"),
        ("ten", "10"),
        ("dont walk", "don't walk"),
        ("really?!", "really"),
        ("wendy's", "wendy 's"),
        ("what: now", "what: now"),
        ("", ""),
    ],
)
def test_spelling_is_that_of_the_evaluation_server(text: str, plain: str) -> None:
    assert normalise_answer(text) == plain


# Computed by hand from min(1, n / 3), averaged over the ten ways to leave one person out.
@pytest.mark.parametrize(
    ("n_agreeing", "score"), [(1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (9, 1.0), (10, 1.0)]
)
def test_ten_people(n_agreeing: int, score: float) -> None:
    answers = ["yes"] * n_agreeing + [f"no {k}" for k in range(10 - n_agreeing)]
    assert score_answers(answers)["yes"] == pytest.approx(score)


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=14))
def test_it_is_the_mean_over_subsets(answers: list[str]) -> None:
    answers = [f"word {answer}" for answer in answers]
    scores = score_answers(answers)
    assert set(scores) == set(map(normalise_answer, answers))
    subsets = list(combinations(answers, len(answers) - 1))
    for answer in set(answers):
        mean = sum(min(1, subset.count(answer) / 3) for subset in subsets) / len(subsets)
        assert scores[normalise_answer(answer)] == pytest.approx(mean)
