"""Outcomes -> tables: the headline, one table per factor, thresholds, effects."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pandas as pd

from probes.factors import FACTORS, Direction
from probes.metrics.axis import MIN_LEVELS
from probes.metrics.cells import (
    find_column,
    is_design,
    list_varied,
    place_levels,
    take_baselines,
    take_cells,
    take_columns,
)
from probes.metrics.intervals import clustered_accuracy, correct_for_chance
from probes.metrics.levels import bin_levels
from probes.metrics.regression import Effects, main_effects
from probes.metrics.thresholds import CONFIDENCE, measure_threshold

COLUMNS = (
    *(row.drawn or name for name, row in FACTORS.items()),
    "font_family", "font_category", "n_chars", "n_tokens", "zipf", "distractors",
)  # fmt: skip
"""Columns that may affect accuracy; those that vary get a table and an effect."""

CELL = ["baseline", "level", "label"]
"""Columns of the labelled rows of a factor that name a level of it."""

COUNTED = ("word", "picture", "text")
"""Columns that `list_clusters` needs."""


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
    """Return the headline accuracy, a row for each K.

    The columns are k, n, accuracy, low, high, chance, guessing, corrected and at_chance.
    `chance` is the accuracy of the same reader on white images, `guessing` is 1/K. A reader
    whose interval contains either, or lies between the two, is at chance.
    """
    rows = []
    conditions = list_conditions(outcomes)
    for k in list_ranked(outcomes):
        is_seen = outcomes[f"rank_at_{k}"].notna()
        seen = outcomes[is_seen]
        is_right = seen[f"rank_at_{k}"] == 1
        mean, low, high = clustered_accuracy(
            is_right,
            *list_clusters(seen),
            levels=None if conditions is None else conditions[is_seen],
        )
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
    """Return the accuracy of the same reader on white images, or 1/K if that is not known."""
    column = f"chance_at_{k}"
    return float(rows[column].mean()) if column in rows else 1 / k


def tabulate_conditions(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `tabulate_headline` per baseline of a design, in column `condition`.

    Without baselines, the rows are over all images.
    """
    shown = take_baselines(outcomes)
    groups = list(shown.groupby("baseline", sort=False)) or [("all images", outcomes)]
    tables = [tabulate_headline(rows).assign(condition=name) for name, rows in groups]
    return pd.concat(tables, ignore_index=True)


def list_clusters(rows: pd.DataFrame) -> list[pd.Series[str]]:
    """Return the cluster columns: the word, or both the object shown and the text written."""
    if "picture" in rows and (rows["picture"] != "").all():
        return [rows["picture"], rows["text"]]
    return [rows["word"]]


def list_conditions(rows: pd.DataFrame) -> pd.Series[int] | None:
    """Return the condition of each row of a design, as a number; None if there is no design."""
    if not is_design(rows):
        return None
    return rows.groupby(["baseline", "factor", "level"], observed=True).ngroup()


def tabulate_factor(outcomes: pd.DataFrame, factor: str) -> FactorTable:
    """Return the accuracy at each level of a factor, with intervals over words.

    If a design varies the factor, only its rows count, including those of the baselines.
    Otherwise all rows count, and numbers with many values are binned.
    """
    rows, is_number = label_rows(outcomes, factor, [*COUNTED, "correct"])
    table = [
        dict(zip(CELL, key, strict=True)) | _measure(cell) for key, cell in rows.groupby(CELL)
    ]
    return FactorTable(factor, is_number, pd.DataFrame(table))


def measure_others(outcomes: pd.DataFrame, factor: str) -> dict[int, pd.DataFrame]:
    """Return the table of a factor for every K but that of the outcomes.

    The tables have the rows of that of `tabulate_factor`, and its columns but for `level`.
    """
    headline = int(outcomes["k"].iloc[0])
    others = [k for k in list_ranked(outcomes) if k != headline]
    if not others:
        return {}
    rows, _ = label_rows(outcomes, factor, [*COUNTED, *(f"rank_at_{k}" for k in others)])
    cells = list(rows.groupby(CELL))
    tables = {}
    for k in others:
        measured = []
        for (baseline, _, label), cell in cells:
            seen = cell[cell[f"rank_at_{k}"].notna()]
            seen = seen.assign(correct=seen[f"rank_at_{k}"] == 1)
            measured.append({"baseline": baseline, "label": label} | _measure(seen))
        tables[k] = pd.DataFrame(measured)
    return tables


def label_rows(
    outcomes: pd.DataFrame, factor: str, columns: Sequence[str]
) -> tuple[pd.DataFrame, bool]:
    """Return the rows of a factor, and whether it is a number.

    Args:
        outcomes: of a design or a dataset.
        factor: one of `list_factors`.
        columns: those to return with `baseline`, `level` and `label`, if there are such.
    """
    is_varied = factor in list_varied(outcomes)
    used = ["baseline", find_column(factor), *columns]
    rows = take_cells(outcomes, factor, used) if is_varied else take_columns(outcomes, used)
    values = place_levels(rows, factor) if is_varied else rows[find_column(factor)]
    is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if is_number and is_varied:
        levels, labels = values.round(2), values.round(2).astype(str)
    elif is_number:
        bins = bin_levels(values)
        # A row without a value belongs to no level; otherwise a large table is not copied.
        if (bins.codes < 0).any():
            rows = rows[bins.codes >= 0]
            bins = dataclasses.replace(bins, codes=bins.codes[bins.codes >= 0])
        levels = pd.Series(bins.centres[bins.codes], index=rows.index)
        labels = pd.Series(bins.labels, dtype=str).take(bins.codes).set_axis(rows.index)
    else:
        levels = labels = values.astype(str)
    labelled = rows.assign(level=levels, label=labels)
    return take_columns(labelled, [*CELL, *columns]), is_number


def _measure(rows: pd.DataFrame) -> dict[str, float]:
    """Return n_seen, n_right, accuracy, low and high."""
    accuracy, low, high = clustered_accuracy(rows["correct"], *list_clusters(rows))
    n_right = int(rows["correct"].sum())
    return {
        "n_seen": len(rows), "n_right": n_right, "accuracy": accuracy, "low": low, "high": high
    }  # fmt: skip


def list_factors(outcomes: pd.DataFrame) -> list[str]:
    """Return the factors that vary: those of the design, or else those among all columns."""
    if is_design(outcomes):
        varied = list_varied(outcomes)
        return varied + [name for name in ("distractors", "view") if name in outcomes]
    return [name for name in COLUMNS if name in outcomes and outcomes[name].nunique() > 1]


def tabulate_thresholds(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the thresholds: where accuracy is midway between chance and its ceiling.

    One row per baseline and factor along which accuracy rises or falls: factor, unit, baseline,
    the fields of `Threshold`, and those of its parametric fit as fit_level and so on. Size is
    given as x-height, in px at the model's input and in patches.
    """
    rows = []
    for factor in sorted(list_varied(outcomes)):
        direction = _find_direction(factor)
        if direction is None:
            continue
        units = (
            ("x_height_seen_px", "x_height_patches")
            if factor == "size_px"
            else (find_column(factor),)
        )
        cells = take_cells(outcomes, factor, [*units, *_list_answered(outcomes)])
        for baseline, cell in cells.groupby("baseline"):
            for unit in units:
                # On a grainy background, a level as drawn differs a little from word to word.
                places = cell.groupby("level")[unit].transform("median")
                placed = cell.assign(**{unit: places})
                is_curve = placed[unit].round(4).nunique() >= MIN_LEVELS
                if is_curve and placed["word"].nunique() > 1:
                    row = _describe_threshold(placed, unit, direction=direction)
                    rows.append({"factor": factor, "unit": unit, "baseline": baseline} | row)
    return pd.DataFrame(rows)


def _list_answered(outcomes: pd.DataFrame) -> list[str]:
    """Return the columns that a threshold is measured from, besides its levels."""
    chance = f"chance_at_{int(outcomes['k'].iloc[0])}"
    return ["word", "correct", "k", chance, "interval_confidence"]


def _find_direction(factor: object) -> Direction | None:
    row = FACTORS.get(str(factor))
    return row.direction if row else None


def _describe_threshold(
    cell: pd.DataFrame, unit: str, *, direction: Direction
) -> dict[str, object]:
    """Return the fields of a threshold, with those of its fit named fit_level and so on."""
    found = dataclasses.asdict(
        measure_threshold(
            cell[unit].round(4),
            cell["correct"],
            cell["word"],
            chance=find_chance(cell, int(cell["k"].iloc[0])),
            direction=direction,
            confidence=_find_confidence(cell),
        )
    )
    fit = found.pop("fit") or {}
    names = ("level", "low", "high", "ceiling", "slope")
    fields = {f"fit_{name}": fit.get(name) for name in names}
    return found | fields | {"p_fit": fit.get("p_fit")}


def _find_confidence(cell: pd.DataFrame) -> float:
    """Return the confidence of the intervals, as noted in the outcomes."""
    column = "interval_confidence"
    noted = cell[column].dropna().tolist() if column in cell else [CONFIDENCE]
    return float(noted[0]) if noted else CONFIDENCE


def take_scan(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the coarse scan, which is the same for every reader."""
    if "look" not in outcomes or (outcomes["look"] == 1).all():
        return outcomes  # A large table is not copied.
    return outcomes[outcomes["look"] == 1]


def tabulate_effects(outcomes: pd.DataFrame) -> Effects:
    """Return the effect of each factor on the odds of reading, with the others held fixed.

    This is for images whose factors vary together, as in a Latin hypercube or a dataset.
    """
    factors = list_factors(outcomes)
    words = [name for name in ("n_chars", "n_tokens", "zipf") if name not in factors]
    return main_effects(outcomes, [*factors, *words])


def list_ranked(outcomes: pd.DataFrame) -> list[int]:
    """Return every K for which the outcomes hold a rank."""
    prefix = "rank_at_"
    names = [name for name in map(str, outcomes.columns) if name.startswith(prefix)]
    return sorted(int(name.removeprefix(prefix)) for name in names)
