from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from probes.metrics.leaderboard import (
    choose_condition,
    compare_pairs,
    list_shared,
    rank_readers,
    take_condition,
)


def table(right: list[bool], **columns: object) -> pd.DataFrame:
    n = len(right)
    keys = [f"{k:03d}" for k in range(n)]
    return pd.DataFrame({"key": keys, "word": keys, "correct": right} | columns)


def test_pairs_are_tested_with_holm_over_all_of_them() -> None:
    base = [False] * 40
    few = [True] * 6 + [False] * 34
    many = [True] * 16 + [False] * 24
    pairs = compare_pairs([table(base), table(few), table(many).sample(frac=1, random_state=1)])
    assert list(zip(pairs["a"], pairs["b"], strict=True)) == [(0, 1), (0, 2), (1, 2)]
    assert pairs["difference"].tolist() == pytest.approx([6 / 40, 16 / 40, 10 / 40])
    # McNemar's exact test by hand: all of n discordant words on one side.
    by_hand = [2 * 0.5**6, 2 * 0.5**16, 2 * 0.5**10]
    assert pairs["p"].tolist() == pytest.approx(by_hand)
    # Holm by hand: the smallest times 3, the next times 2, the last unchanged.
    assert pairs["p_holm"].tolist() == pytest.approx(
        [by_hand[0], 3 * by_hand[1], 2 * by_hand[2]]
    )
    assert (pairs["low"] <= pairs["difference"]).all()
    assert (pairs["high"] >= pairs["difference"]).all()


def test_words_are_kept_together() -> None:
    words = [f"{k // 4}" for k in range(24)]
    # B reads all four images of six words, A none of them.
    pairs = compare_pairs([table([False] * 24, word=words), table([True] * 24, word=words)])
    assert pairs["p"].iloc[0] == pytest.approx(2 * 0.5**6)


def test_a_rank_is_as_open_as_the_tests_leave_it() -> None:
    rows = [(0, 1, 0.01, 0.9), (0, 2, -0.3, 0.001), (1, 2, -0.31, 0.001)]
    pairs = pd.DataFrame(rows, columns=["a", "b", "difference", "p_holm"])
    ranks = rank_readers([0.6, 0.61, 0.3], pairs)
    assert ranks.to_numpy().tolist() == [[2, 1, 2], [1, 1, 2], [3, 3, 3]]


def test_equal_readers_are_hardly_ever_told_apart() -> None:
    rng = np.random.default_rng(0)
    n_told = 0
    for _ in range(20):
        tables = [table(list(rng.random(50) < 0.5)) for _ in range(4)]
        n_told += bool((compare_pairs(tables)["p_holm"] < 0.05).any())
    assert n_told <= stats.binom.ppf(0.999, 20, 0.05)


def test_the_condition_is_the_standard_one_where_it_was_shown() -> None:
    design = table(
        [True] * 4, factor=["baseline", "baseline", "size_px", "size_px"],
        baseline=["easy", "harder", "easy", "harder"],
    )  # fmt: skip
    assert choose_condition(design) == "harder"
    assert take_condition(design, "harder")["key"].tolist() == ["001"]
    assert choose_condition(design[design["baseline"] == "easy"]) == "easy"
    other = table([True, False], factor="", baseline="")
    assert choose_condition(other) == "all images"
    assert len(take_condition(other, "all images")) == 2


def test_only_what_all_readers_share_is_a_factor() -> None:
    one = table([True] * 3, blur_px=[1.0, np.nan, 3.0], n_tokens=[1, 2, 3], own=1)
    other = table([True] * 3, blur_px=[1.0, np.nan, 3.0], n_tokens=[1, 2, 4])
    assert list_shared([one, other[::-1]], ["blur_px", "n_tokens", "own"]) == ["blur_px"]
