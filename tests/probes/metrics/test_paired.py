from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.errors import ProbeError
from probes.metrics.paired import compare, mcnemar_by_word, mcnemar_exact, paired_difference


def answer(
    n_both: int, n_only_a: int, n_only_b: int, n_neither: int
) -> tuple[np.ndarray, np.ndarray]:
    counts = [n_both, n_only_a, n_only_b, n_neither]
    a, b = (
        np.repeat([True, True, False, False], counts),
        np.repeat([True, False, True, False], counts),
    )
    return a, b


def draw_pair(n: int = 700, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of two readers; B reads the large sizes better."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "key": [f"{i:06d}" for i in range(n)],
            "word": rng.integers(0, 100, n).astype(str),
            "size_px": rng.choice([4.0, 8.0, 16.0], n),
            "angle_deg": rng.normal(0, 10, n),
            "font": rng.choice(["sans", "serif"], n),
        }
    )
    rows_a = rows.assign(correct=rng.random(n) < 0.5)
    rows_b = rows.assign(correct=rng.random(n) < 0.45 + 0.4 * (rows["size_px"] > 8))
    return rows_a, rows_b


@pytest.mark.parametrize(
    ("n_only_a", "n_only_b", "p"),
    [
        (5, 15, 2 * (1 + 20 + 190 + 1140 + 4845 + 15504) / 2**20),
        (7, 2, 2 * (1 + 9 + 36) / 2**9),
        (0, 6, 2 / 2**6),
        (4, 4, 1),
        (0, 0, 1),
    ],
)
def test_mcnemar_gives_the_tail_of_the_binomial_worked_by_hand(
    n_only_a: int, n_only_b: int, p: float
) -> None:
    test = mcnemar_exact(*answer(3, n_only_a, n_only_b, 4))
    assert (test.n_only_a, test.n_only_b) == (n_only_a, n_only_b)
    assert test.p == pytest.approx(p, rel=1e-12)


def test_words_with_one_image_each_give_mcnemars_p() -> None:
    a, b = answer(10, 5, 15, 10)
    assert mcnemar_by_word(a, b, np.arange(40)) == mcnemar_exact(a, b)


@given(
    surpluses=st.lists(st.integers(-4, 4), min_size=1, max_size=10),
    agreements=st.integers(0, 3),
)
def test_mcnemar_by_word_counts_every_swap_of_words(
    surpluses: list[int], agreements: int
) -> None:
    words = np.repeat(np.arange(len(surpluses)), [abs(s) + agreements for s in surpluses])
    a = np.concatenate([[s < 0] * abs(s) + [True] * agreements for s in surpluses]) > 0
    b = np.concatenate([[s > 0] * abs(s) + [True] * agreements for s in surpluses]) > 0
    swaps = [
        abs(sum(sign * s for sign, s in zip(signs, surpluses, strict=True)))
        for signs in product([-1, 1], repeat=len(surpluses))
    ]
    by_hand = np.mean(np.array(swaps) >= abs(sum(surpluses)))
    assert mcnemar_by_word(a, b, words).p == pytest.approx(by_hand, abs=1e-12)


def test_one_image_shown_five_times_is_one_toss_and_not_five() -> None:
    a, b = answer(0, 0, 10, 0)
    assert mcnemar_exact(a, b).p == pytest.approx(2 / 2**10)
    assert mcnemar_by_word(a, b, np.arange(10) // 5).p == pytest.approx(2 / 2**2)


def test_many_words_of_many_images_have_a_p() -> None:
    a, b = answer(10_000, 3000, 7000, 0)
    assert mcnemar_by_word(a, b, np.arange(20_000) // 10).p == 1e-12


def test_a_difference_is_what_b_gains_over_a() -> None:
    gain = paired_difference(*answer(40, 10, 30, 20), clusters=np.arange(100))
    assert gain.mean == pytest.approx(0.2)
    # Normal: 0.2 -+ 1.96 sqrt((0.4 - 0.04) / 100); resampled, near it.
    assert gain.low == pytest.approx(0.2 - 1.96 * 0.06, abs=0.015)
    assert gain.high == pytest.approx(0.2 + 1.96 * 0.06, abs=0.015)


def test_readers_that_agree_everywhere_may_still_differ_on_new_words() -> None:
    gain = paired_difference(*answer(30, 0, 0, 30), clusters=np.arange(60) % 20)
    # Wilson's upper end for 0 of 20, as in Newcombe (1998).
    assert np.round(gain, 4).tolist() == [0, -0.1611, 0.1611]


def test_no_images_have_no_difference() -> None:
    assert np.isnan(paired_difference([], [], [])).all()


def test_a_comparison_has_a_row_overall_and_one_per_level() -> None:
    table = compare(*draw_pair(), ["size_px", "font"])
    assert list(zip(table["factor"], table["level"], strict=True)) == [
        ("overall", "all"),
        ("size_px", "4"),
        ("size_px", "8"),
        ("size_px", "16"),
        ("font", "sans"),
        ("font", "serif"),
    ]
    assert table["centre"].to_list()[1:4] == [4, 8, 16]
    assert table["centre"][[0, 4, 5]].isna().all()


def test_the_gain_is_found_at_the_level_where_it_was_planted() -> None:
    table = compare(*draw_pair(), ["size_px"])
    small, _, large = table.iloc[1:].to_dict(orient="records")
    assert large["low"] > 0.2
    assert large["p_holm"] < 0.001
    assert small["high"] < 0.2


def test_the_figures_of_a_row_belong_together() -> None:
    table = compare(*draw_pair(), ["size_px", "angle_deg", "font"])
    gained = table["accuracy_b"] - table["accuracy_a"]
    assert table["difference"].to_numpy() == pytest.approx(gained.to_numpy())
    turned = (table["n_only_b"] - table["n_only_a"]) / table["n_seen"]
    assert turned.to_numpy() == pytest.approx(gained.to_numpy())
    assert table.groupby("factor")["n_seen"].sum().eq(700).all()


def test_a_factor_of_many_values_is_binned() -> None:
    table = compare(*draw_pair(), ["angle_deg"])
    assert (table["factor"] == "angle_deg").sum() == 7


def test_holm_corrects_within_one_factor() -> None:
    table = compare(*draw_pair(), ["size_px", "font"])
    alone = compare(*draw_pair(), ["font"])
    assert table["p_holm"].to_list()[-2:] == alone["p_holm"].to_list()[-2:]
    sizes = table[table["factor"] == "size_px"].sort_values("p")
    by_hand = np.maximum.accumulate(sizes["p"].to_numpy() * [3, 2, 1]).clip(max=1)
    assert sizes["p_holm"].to_numpy() == pytest.approx(by_hand)


def test_rows_are_paired_by_key_and_not_by_order() -> None:
    rows_a, rows_b = draw_pair()
    shuffled = rows_b.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(
        compare(rows_a, shuffled, ["font"]), compare(rows_a, rows_b, ["font"])
    )


def test_a_reader_compared_with_itself_gains_nothing() -> None:
    rows = draw_pair()[0]
    table = compare(rows, rows, ["font"])
    assert (table["difference"] == 0).all()
    assert (table["p"] == 1).all()


def test_a_row_whose_factor_is_missing_counts_overall_only() -> None:
    rows_a, rows_b = (rows.copy() for rows in draw_pair())
    for rows in (rows_a, rows_b):
        rows.loc[:9, ["font", "size_px"]] = np.nan
    seen = compare(rows_a, rows_b, ["font", "size_px"]).groupby("factor")["n_seen"].sum()
    assert seen.to_dict() == {"overall": 700, "font": 690, "size_px": 690}


def test_a_factor_missing_everywhere_has_no_rows() -> None:
    rows_a, rows_b = (rows.assign(blur_px=np.nan) for rows in draw_pair())
    assert compare(rows_a, rows_b, ["blur_px"])["factor"].to_list() == ["overall"]


def test_keys_in_only_one_are_refused() -> None:
    rows_a, rows_b = draw_pair()
    with pytest.raises(ProbeError) as error:
        compare(rows_a, rows_b.head(690), [])
    assert str(error.value) == (
        "10 keys are in only one of A (700 rows) and B (690 rows); "
        "probe both with the same stimuli"
    )


def test_a_key_seen_twice_is_refused() -> None:
    rows_a, rows_b = draw_pair()
    with pytest.raises(ProbeError) as error:
        compare(rows_a, pd.concat([rows_b, rows_b.head(1)]), [])
    assert str(error.value) == "B has key '000000' more than once; each image needs its own key"


def test_keys_that_name_different_images_are_refused() -> None:
    rows_a, rows_b = draw_pair()
    rows_b.loc[3, "font"] = "script"
    with pytest.raises(ProbeError) as error:
        compare(rows_a, rows_b, ["font"])
    assert str(error.value) == (
        "A and B differ in font for key '000003'; probe both with the same stimuli"
    )


def test_no_rows_are_refused() -> None:
    rows = draw_pair()[0].head(0)
    with pytest.raises(ProbeError) as error:
        compare(rows, rows, [])
    assert str(error.value) == "A and B have no rows; run both probes first"


def test_an_absent_column_is_named() -> None:
    rows_a, rows_b = draw_pair()
    with pytest.raises(ProbeError) as error:
        compare(rows_a, rows_b.drop(columns="word"), [])
    assert str(error.value) == (
        "the rows have no column 'word'; use one of angle_deg, correct, font, key, size_px"
    )


def test_a_level_is_that_of_one_factor_and_one_baseline() -> None:
    # Size 28 is also that of images for other factors, and is not a level of size.
    words = [str(word) for word in range(20)]
    cells = [("easy", "baseline", "baseline", 28.0), ("easy", "size_px", "6.0", 6.0),
             ("easy", "case", "upper", 28.0), ("harder", "size_px", "28.0", 28.0)]  # fmt: skip
    rows = pd.DataFrame(
        [
            {"key": f"{cell}-{word}", "word": word, "baseline": cell[0], "factor": cell[1],
             "level": cell[2], "size_px": cell[3], "case": "as-is", "correct": True}
            for cell in cells
            for word in words
        ]
    )  # fmt: skip
    table = compare(rows, rows, ["size_px", "case"])
    found = table[["factor", "baseline", "level", "n_seen"]].to_numpy().tolist()
    assert found == [
        ["overall", "", "all", 80],
        ["baseline", "easy", "baseline", 20],
        ["size_px", "easy", "6.0", 20],
        ["size_px", "harder", "28.0", 20],
        ["case", "easy", "upper", 20],
    ]


def test_two_protocols_are_not_compared() -> None:
    rows_a, rows_b = draw_pair()
    with pytest.raises(ProbeError) as caught:
        compare(rows_a, rows_b.assign(protocol=2), [])
    assert str(caught.value) == (
        "A uses protocol 1 and B protocol 2, whose questions differ; repeat the older probe"
    )


def test_readers_of_which_one_reads_all_and_one_nothing_differ_by_an_interval() -> None:
    gain = paired_difference([True] * 20, [False] * 20, np.arange(20))
    assert np.round(gain, 4).tolist() == [-1, -1, -0.8389]
