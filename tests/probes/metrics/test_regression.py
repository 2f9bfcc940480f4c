from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import special

from probes.errors import ProbeError
from probes.metrics import regression
from probes.metrics.regression import COLUMNS, REST, Effects, main_effects


def draw_rows(seed: int = 0, *, n_words: int = 150, word_sd: float = 1) -> pd.DataFrame:
    """Return rows, eight per word, of a reader helped by size and hindered by script fonts."""
    rng = np.random.default_rng(seed)
    n = 8 * n_words
    word = np.repeat(np.arange(n_words), 8)
    rows = pd.DataFrame(
        {
            "word": word,
            "size_px": rng.normal(12, 4, n),
            "font": rng.choice(["sans", "sans", "script"], n),
            "noise": rng.random(n),
        }
    )
    logit = 0.8 * (rows["size_px"] - 12) / 4 - 0.8 * (rows["font"] == "script")
    logit += rng.normal(0, word_sd, n_words)[word]
    return rows.assign(correct=rng.random(n) < special.expit(logit))


def find_row(effects: Effects, factor: str) -> pd.Series:
    rows = effects.table[effects.table["factor"] == factor]
    assert len(rows) == 1
    return rows.iloc[0]


def test_planted_effects_are_found_with_their_sign() -> None:
    effects = main_effects(draw_rows(), ["size_px", "font", "noise"])
    assert find_row(effects, "size_px")["low"] > 0
    assert find_row(effects, "font")["high"] < 0
    assert effects.notes == ()


def test_too_many_rows_are_fitted_to_some_whole_words(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = draw_rows(n_words=400)
    every = find_row(main_effects(rows, ["size_px"]), "size_px")
    monkeypatch.setattr(regression, "MAX_ROWS", 1600)
    effects = main_effects(rows, ["size_px"])
    some = find_row(effects, "size_px")
    assert effects.notes == ("it is fitted to 1,600 of 3,200 rows, one word in 2",)
    assert some["n_seen"] == 1600
    assert some["low"] < every["coefficient"] < some["high"]
    assert 1.2 < (some["high"] - some["low"]) / (every["high"] - every["low"]) < 1.6


def test_words_left_out_in_groups_give_the_same_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = draw_rows(n_words=400)
    alone = find_row(main_effects(rows, ["size_px"]), "size_px")
    monkeypatch.setattr(regression, "MAX_GROUPS", 100)
    grouped = find_row(main_effects(rows, ["size_px"]), "size_px")
    widths = [row["high"] - row["low"] for row in (alone, grouped)]
    assert widths[0] != widths[1]
    assert widths[0] == pytest.approx(widths[1], rel=0.2)


def test_a_factor_without_effect_has_an_interval_about_0() -> None:
    noise = find_row(main_effects(draw_rows(), ["size_px", "noise"]), "noise")
    assert noise["low"] < 0 < noise["high"]
    assert noise["p_holm"] > 0.05


def test_a_number_counts_per_standard_deviation_and_says_what_that_is() -> None:
    rows = draw_rows()
    size = find_row(main_effects(rows, ["size_px"]), "size_px")
    tenfold = rows.assign(size_px=10 * rows["size_px"])
    stretched = find_row(main_effects(tenfold, ["size_px"]), "size_px")
    assert size["unit"] == pytest.approx(rows["size_px"].std(ddof=0))
    assert stretched["coefficient"] == pytest.approx(size["coefficient"])
    assert stretched["unit"] == pytest.approx(10 * size["unit"])


def test_a_category_is_held_against_its_commonest_level() -> None:
    font = find_row(main_effects(draw_rows(), ["font"]), "font")
    assert (font["level"], font["reference"]) == ("script", "sans")
    assert np.isnan(font["unit"])


def test_a_number_has_neither_level_nor_reference() -> None:
    size = find_row(main_effects(draw_rows(), ["size_px", "font"]), "size_px")
    assert (size["level"], size["reference"]) == (None, None)


def test_a_yes_or_no_factor_is_a_category() -> None:
    rows = draw_rows()
    bold = find_row(main_effects(rows.assign(bold=rows["noise"] > 0.6), ["bold"]), "bold")
    assert (bold["level"], bold["reference"]) == ("True", "False")


def test_coefficients_and_errors_are_near_those_of_a_plain_regression() -> None:
    rows = draw_rows()
    size = ((rows["size_px"] - rows["size_px"].mean()) / rows["size_px"].std(ddof=0)).to_numpy()
    plain = sm.Logit(rows["correct"].astype(float), sm.add_constant(size)).fit(
        disp=0, cov_type="cluster", cov_kwds={"groups": rows["word"]}
    )
    found = find_row(main_effects(rows, ["size_px"]), "size_px")
    assert found["coefficient"] == pytest.approx(plain.params.iloc[1], rel=0.01)
    error = (found["high"] - found["low"]) / 2 / 1.976  # Student's, 148 degrees of freedom.
    assert error == pytest.approx(plain.bse.iloc[1], rel=0.03)


def test_a_factor_of_the_word_has_the_error_of_words_and_not_of_images() -> None:
    rows = draw_rows(word_sd=3)
    rows["letters"] = np.random.default_rng(1).normal(size=150)[rows["word"]]
    alone = rows.assign(word=np.arange(len(rows)))
    by_word, by_image = (
        find_row(main_effects(r, ["letters"]), "letters") for r in (rows, alone)
    )
    assert by_word["high"] - by_word["low"] > 1.8 * (by_image["high"] - by_image["low"])


def test_p_is_corrected_over_the_whole_table() -> None:
    table = main_effects(draw_rows(), ["size_px", "font", "noise"]).table
    ordered = table.sort_values("p")
    # Holm's: the smallest p times 3, the next times 2, the last unchanged, never decreasing.
    by_hand = np.maximum.accumulate(ordered["p"].to_numpy() * [3, 2, 1]).clip(max=1)
    assert ordered["p_holm"].to_numpy() == pytest.approx(by_hand)


def test_the_order_of_the_rows_changes_nothing() -> None:
    rows = draw_rows()
    shuffled = rows.sample(frac=1, random_state=0)
    once, again = (main_effects(r, ["size_px", "font"]).table for r in (rows, shuffled))
    pd.testing.assert_frame_equal(once, again)


def test_a_level_that_is_always_read_has_a_finite_and_sure_effect() -> None:
    rows = draw_rows()
    rows.loc[rows["font"] == "script", "correct"] = True
    font = find_row(main_effects(rows, ["font"]), "font")
    assert np.isfinite([font["coefficient"], font["low"], font["high"]]).all()
    assert font["low"] > 0


def test_a_number_that_parts_right_from_wrong_has_a_finite_and_sure_effect() -> None:
    rows = draw_rows()
    rows["correct"] = rows["size_px"] > 12
    size = find_row(main_effects(rows, ["size_px"]), "size_px")
    assert np.isfinite(size["high"])
    assert size["low"] > 0


def test_three_rows_that_happen_to_be_right_prove_nothing() -> None:
    rows = draw_rows().assign(paper="white")
    rows.loc[[0, 100, 200], "paper"] = "photo"
    rows.loc[[0, 100, 200], "correct"] = True
    assert find_row(main_effects(rows, ["paper"]), "paper")["p"] > 0.1


def test_a_handful_of_right_rows_prove_nothing() -> None:
    rows = draw_rows().assign(correct=False)
    rows.loc[rows["noise"].nlargest(3).index, "correct"] = True
    table = main_effects(rows, ["size_px", "font"]).table
    assert (table["p"] > 0.05).all()


def test_a_factor_that_never_varies_is_left_out_and_named() -> None:
    effects = main_effects(draw_rows().assign(blur_px=1.5), ["blur_px", "size_px"])
    assert effects.table["factor"].tolist() == ["size_px"]
    assert effects.notes == ("blur_px is left out: it is 1.5 in every row",)


def test_a_factor_that_follows_from_another_is_left_out_and_named() -> None:
    rows = draw_rows()
    rows["patches"] = rows["size_px"] / 14
    rows["family"] = rows["font"].str.upper()
    effects = main_effects(rows, ["size_px", "patches", "font", "family"])
    assert effects.table["factor"].tolist() == ["size_px", "font"]
    assert effects.notes == (
        "patches is left out: the factors before it determine it",
        "family SCRIPT is left out: the factors before it determine it",
    )


def test_a_factor_with_missing_values_is_left_out_and_named() -> None:
    rows = draw_rows()
    rows.loc[:4, "noise"] = np.nan
    effects = main_effects(rows, ["size_px", "noise"])
    assert effects.table["factor"].tolist() == ["size_px"]
    assert effects.notes == ("noise is left out: it is missing in 5 rows",)


def test_rare_levels_share_a_coefficient() -> None:
    rows = draw_rows()
    rank = np.minimum(np.random.default_rng(2).geometric(0.08, len(rows)), 40)
    levels = main_effects(rows.assign(font=rank.astype(str)), ["font"]).table["level"]
    assert len(levels) == 19
    assert REST in levels.to_list()


@pytest.mark.parametrize(
    ("rows", "notes"),
    [
        (draw_rows().assign(correct=True), ("every row is correct",)),
        (draw_rows().assign(correct=False), ("every row is incorrect",)),
        (draw_rows().head(0), ("there are no rows",)),
        (
            draw_rows().head(80),
            ("10 distinct values of word are too few for 2 coefficients, which need 13",),
        ),
        (
            draw_rows().assign(size_px=8, font="sans"),
            (
                "no factor varies",
                "size_px is left out: it is 8 in every row",
                "font is left out: it is sans in every row",
            ),
        ),
    ],
    ids=["right", "wrong", "empty", "few words", "constant"],
)
def test_a_table_that_cannot_be_told_is_empty_and_says_why(
    rows: pd.DataFrame, notes: tuple[str, ...]
) -> None:
    effects = main_effects(rows, ["size_px", "font"])
    assert effects.table.empty
    assert effects.table.columns.to_list() == COLUMNS
    assert effects.notes == notes


def test_an_unknown_factor_lists_the_near_ones() -> None:
    with pytest.raises(ProbeError) as error:
        main_effects(draw_rows(), ["size"])
    assert str(error.value) == "the rows have no column 'size'; use one of size_px"
