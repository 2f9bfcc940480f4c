"""Outcomes -> tables: the headline, one table per factor, thresholds, effects, confusions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from probes.factors import FACTORS, Direction
from probes.metrics.axis import MIN_LEVELS
from probes.metrics.intervals import clustered_accuracy, correct_for_chance, wilson
from probes.metrics.levels import bin_levels
from probes.metrics.regression import Effects, main_effects
from probes.metrics.thresholds import CONFIDENCE, measure_threshold

COLUMNS = (
    *(row.drawn or name for name, row in FACTORS.items()),
    "font_family", "font_category", "n_chars", "n_tokens", "zipf", "distractors",
)  # fmt: skip
"""Columns that may matter; those that vary get a table and an effect."""


@dataclasses.dataclass(frozen=True)
class FactorTable:
    """Accuracy at each level of a factor.

    Attributes:
        factor: its name.
        is_number: whether the levels are numbers.
        table: baseline, level (float or text), label, n_seen, n_right, accuracy, low, high.
    """

    factor: str
    is_number: bool
    table: pd.DataFrame


def tabulate_headline(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each K.

    It holds k, n, accuracy, low, high, chance, guessing, corrected and at_chance.
    Chance is what the same reader gets of white pictures, `guessing` is 1/K. Where either lies
    within the interval, or between, the reader is at chance. Intervals resample words, since a
    word comes up at many levels.
    """
    rows = []
    for k in list_ranked(outcomes):
        seen = outcomes[outcomes[f"rank_at_{k}"].notna()]
        mean, low, high = clustered_accuracy(seen[f"rank_at_{k}"] == 1, seen["word"])
        chance = find_chance(seen, k)
        rows.append(
            {
                "k": k, "n": len(seen), "accuracy": mean, "low": low, "high": high,
                "chance": chance, "guessing": 1 / k,
                "corrected": float(correct_for_chance(mean, chance)),
                "at_chance": bool(low <= max(chance, 1 / k) and high >= min(chance, 1 / k)),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def find_chance(rows: pd.DataFrame, k: int) -> float:
    """Return the accuracy of the same reader on white pictures, or 1/K if that is not known."""
    column = f"chance_at_{k}"
    return float(rows[column].mean()) if column in rows else 1 / k


def tabulate_factor(outcomes: pd.DataFrame, factor: str) -> FactorTable:
    """Return the accuracy at each level of a factor, with Wilson's intervals.

    Rows of a design that varies the factor count alone; without such rows, all do, and numbers
    of many values are binned.
    """
    rows = outcomes[outcomes["factor"] == factor] if (outcomes["factor"] != "").any() else None
    if rows is None or rows.empty:
        rows = outcomes
    values = rows[_find_column(factor)]
    is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if is_number and rows is not outcomes:
        levels, labels = values.round(2), values.round(2).astype(str)
    elif is_number:
        bins = bin_levels(values)
        levels = pd.Series(bins.centres[bins.codes], index=rows.index)
        labels = pd.Series([bins.labels[code] for code in bins.codes], index=rows.index)
    else:
        levels = labels = values.astype(str)
    grouped = rows.assign(_level=levels, _label=labels).groupby(
        ["baseline", "_level", "_label"], as_index=False
    )
    table = grouped.agg(n_seen=("correct", "size"), n_right=("correct", "sum"))
    table = table.rename(columns={"_level": "level", "_label": "label"})
    table["accuracy"] = table["n_right"] / table["n_seen"]
    table["low"], table["high"] = wilson(table["n_right"], table["n_seen"])
    return FactorTable(factor, is_number, table)


def list_factors(outcomes: pd.DataFrame) -> list[str]:
    """Return the factors that vary: those of the design, or every column that may matter."""
    designed = [name for name in outcomes["factor"].unique() if name]
    if designed:
        return designed + [name for name in ("distractors", "view") if name in outcomes]
    return [name for name in COLUMNS if name in outcomes and outcomes[name].nunique() > 1]


def tabulate_thresholds(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return where reading is midway between chance and its ceiling.

    A row for each baseline and factor along which reading rises or falls: factor, unit,
    baseline, the fields of `Threshold`, and those of its parametric fit as fit_level and so on.
    The size is the height of the letter x in px as the model sees it, and in patches.
    """
    rows = []
    designed = outcomes[outcomes["factor"].map(_find_direction).notna()]
    for (factor, baseline), cell in designed.groupby(["factor", "baseline"]):
        units = (
            ("x_height_seen_px", "x_height_patches") if factor == "size_px" else (str(factor),)
        )
        for unit in units:
            if cell[unit].round(4).nunique() >= MIN_LEVELS and cell["word"].nunique() > 1:
                row = _describe_threshold(
                    cell, unit, direction=_find_direction(factor) or "rising"
                )
                rows.append({"factor": factor, "unit": unit, "baseline": baseline} | row)
    return pd.DataFrame(rows)


def _find_column(factor: str) -> str:
    """Return the column that the levels of a factor are measured in."""
    row = FACTORS.get(factor)
    return row.measured or factor if row else factor


def _find_direction(factor: object) -> Direction | None:
    row = FACTORS.get(str(factor))
    return row.direction if row else None


def _describe_threshold(
    cell: pd.DataFrame, unit: str, *, direction: Direction
) -> dict[str, object]:
    """Return the fields of a threshold, those of its fit as fit_level and so on."""
    found = dataclasses.asdict(
        measure_threshold(
            cell[unit].round(4),
            cell["correct"],
            cell["word"],
            chance=1 / int(cell["k"].iloc[0]),
            direction=direction,
            confidence=_find_confidence(cell),
        )
    )
    fit = found.pop("fit") or {}
    names = ("level", "low", "high", "ceiling", "slope")
    fields = {f"fit_{name}": fit.get(name) for name in names}
    return found | fields | {"p_fit": fit.get("p_fit")}


def _find_confidence(cell: pd.DataFrame) -> float:
    """Return the confidence of a curve's interval, less where looks at it share the error."""
    noted = cell["confidence"].iloc[0] if "confidence" in cell else np.nan
    return CONFIDENCE if np.isnan(noted) else float(noted)


def take_scan(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the coarse scan, which is the same for every reader."""
    return outcomes[outcomes["look"] == 1] if "look" in outcomes else outcomes


def tabulate_effects(outcomes: pd.DataFrame) -> Effects:
    """Return what each factor does to the odds of reading, the others held equal."""
    factors = list_factors(outcomes)
    words = [name for name in ("n_chars", "n_tokens", "zipf") if name not in factors]
    return main_effects(outcomes, [*factors, *words])


def tabulate_confusions(outcomes: pd.DataFrame, n: int = 20) -> pd.DataFrame:
    """Return the commonest mistakes: word, guess, n."""
    wrong = outcomes[~outcomes["correct"]]
    counts = wrong.groupby(["word", "guess"], as_index=False).size()
    counts = counts.rename(columns={"size": "n"})
    return counts.sort_values(["n", "word", "guess"], ascending=[False, True, True]).head(n)


def list_ranked(outcomes: pd.DataFrame) -> list[int]:
    """Return every K that the outcomes hold a rank for."""
    prefix = "rank_at_"
    names = [name for name in map(str, outcomes.columns) if name.startswith(prefix)]
    return sorted(int(name.removeprefix(prefix)) for name in names)
