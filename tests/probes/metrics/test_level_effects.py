from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from probes.factors import BASELINE
from probes.metrics.breakdown import tabulate_factor
from probes.metrics.cells import spread_baselines, take_cells
from probes.metrics.level_effects import level_effects

LEVELS: dict[str, tuple[object, ...]] = {
    "size_px": (6.0, 11.0, 20.0, 28.0),
    "contrast": (1.3, 2.5, 8.0, 21.0),
    "case": ("title", "upper"),
    "font": ("Lato.ttf", "Blackletter.ttf"),
}

OWN: dict[str, dict[str, object]] = {
    "easy": {"size_px": 28.0, "contrast": 21.0, "case": "as-is", "font": "DejaVuSans.ttf"},
    "harder": {"size_px": 18.0, "contrast": 5.0, "case": "as-is", "font": "Crimson.ttf"},
}

Ease = Callable[[dict[str, object], str], float]
"""The factors of an image and its baseline -> log odds of reading it."""


def read_design(ease: Ease, seed: int, n_words: int = 60) -> pd.DataFrame:
    """Return outcomes of a simulated reader on a design, with words of varying difficulty."""
    rng = np.random.default_rng(seed)
    of_word = rng.normal(0, 1, n_words)
    words, tables = [str(word) for word in range(n_words)], []
    for baseline, own in OWN.items():
        cells = [(BASELINE, BASELINE, own)]
        for factor, levels in LEVELS.items():
            cells += [
                (factor, str(level), own | {factor: level})
                for level in levels
                if level != own[factor]
            ]
        for factor, level, fields in cells:
            chance = 1 / (1 + np.exp(-(ease(fields, baseline) + of_word)))
            most = 21.0 if baseline == "easy" else 13.7
            cell = pd.DataFrame(
                {
                    "key": [f"{baseline}-{factor}-{level}-{word}" for word in words],
                    "word": words, "correct": rng.random(n_words) < chance,
                }
            )  # fmt: skip
            named = {"baseline": baseline, "factor": factor, "level": level, **fields}
            named["contrast_drawn"] = min(float(fields["contrast"]), most)  # type: ignore[arg-type]
            tables.append(cell.assign(**named))
    return pd.concat(tables, ignore_index=True)


def find(table: pd.DataFrame, factor: str, level: object) -> pd.DataFrame:
    return table[(table["factor"] == factor) & (table["level"] == str(level))]


PLANTED: dict[str, tuple[Ease, str, object, int]] = {
    "contrast": (lambda f, _: 1.5 - 4 * (float(f["contrast"]) < 2), "contrast", 1.3, -1),  # type: ignore[arg-type]
    "upper case": (lambda f, _: -1 + 3 * (f["case"] == "upper"), "case", "upper", 1),
    "font": (lambda f, _: 1.5 - 4 * (f["font"] == "Blackletter.ttf"), "font", "Blackletter.ttf", -1),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_effect_is_found_with_its_sign_and_no_other_factor(name: str) -> None:
    ease, factor, level, sign = PLANTED[name]
    n_runs, n_false = 6, 0
    for seed in range(n_runs):
        table = level_effects(read_design(ease, seed), n_draws=20)
        found = find(table, factor, level)
        assert len(found) == 2
        assert (found["p_holm"] < 0.05).all()
        assert (np.sign(found["difference"]) == sign).all()
        n_false += bool((table[table["factor"] != factor]["p_holm"] < 0.05).any())
    assert n_false <= 2


@pytest.mark.parametrize("loss", [0.0, 1.5])
def test_a_reader_whom_only_grain_hinders_has_no_effects(loss: float) -> None:
    # The harder baseline is grainy at all levels, so that none of its factors matters.
    n_runs, flagged, any_flagged = 12, [], 0
    for seed in range(n_runs):
        rows = read_design(lambda _, baseline: 1 - loss * (baseline == "harder"), seed)
        table = level_effects(rows, n_draws=20)
        flagged.append((table["p"] < 0.05).mean())
        any_flagged += bool((table["p_holm"] < 0.05).any())
    assert np.mean(flagged) <= 0.05
    assert any_flagged <= 2


def test_pictures_that_are_the_same_differ_by_nothing() -> None:
    rows = read_design(lambda *_: 0.5, 0)
    base = rows[rows["factor"] == BASELINE]
    twins = base.assign(factor="case", level="lower", key=base["key"] + "-lower")
    table = level_effects(pd.concat([rows, twins]), n_draws=20)
    found = find(table, "case", "lower")
    assert (found["difference"] == 0).all()
    assert (found["p"] == 1).all()


def test_an_effect_is_the_difference_of_two_cells_on_the_same_words() -> None:
    rows = read_design(lambda f, _: float(f["size_px"]) / 6 - 2, 1)  # type: ignore[arg-type]
    (row,) = (
        find(level_effects(rows), "size_px", 6.0).query("baseline == 'easy'").to_dict("records")
    )
    easy = rows[rows["baseline"] == "easy"].set_index("word")
    cell = easy[easy["level"] == "6.0"]["correct"]
    base = easy[easy["factor"] == BASELINE]["correct"]
    assert row["n_seen"] == 60
    assert row["difference"] == pytest.approx(cell.mean() - base.mean())
    assert row["n_lost"] == (base & ~cell).sum()
    assert row["low"] <= row["difference"] <= row["high"]


def test_the_baselines_picture_is_a_level_of_every_factor_and_counted_once() -> None:
    rows = read_design(lambda *_: 0.0, 0)
    cells = take_cells(rows, "size_px")
    easy = cells[cells["baseline"] == "easy"].groupby("level")["word"].nunique()
    assert easy.to_dict() == {"6.0": 60, "11.0": 60, "20.0": 60, "28.0": 60}
    harder = cells[cells["baseline"] == "harder"]
    assert harder[harder["is_baseline"]]["level"].unique().tolist() == ["18.0"]
    assert rows["key"].is_unique
    spread = spread_baselines(rows)
    assert (spread["factor"] != BASELINE).all()


def test_what_was_drawn_is_plotted() -> None:
    table = tabulate_factor(read_design(lambda *_: 0.0, 0), "contrast").table
    harder = table[table["baseline"] == "harder"]
    assert harder["level"].tolist() == [1.3, 2.5, 5.0, 8.0, 13.7]
    assert table[table["baseline"] == "easy"]["level"].max() == 21
