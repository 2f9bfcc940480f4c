"""Rows of a design -> its cells: the same words at one level of one factor, from one baseline.

The image of a baseline is drawn once. It forms a separate cell, and it also serves as the
baseline's level of every factor.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from probes.factors import BASELINE, FACTORS

PLACE = ("factor", "baseline", "level")
"""Columns that say which cell a row belongs to."""


def is_design(outcomes: pd.DataFrame) -> bool:
    """Return whether factors were varied one at a time (not a Latin hypercube or a dataset)."""
    return bool((outcomes["factor"] != "").any())


def list_varied(outcomes: pd.DataFrame) -> list[str]:
    """Return the factors that a design varies, in its order."""
    return [name for name in outcomes["factor"].unique() if name not in ("", BASELINE)]


def take_baselines(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the baselines' own images."""
    return outcomes[outcomes["factor"] == BASELINE]


def take_columns(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return those of the columns that there are; groups of many rows then copy no others."""
    return rows[[name for name in dict.fromkeys(names) if name in rows]]


def take_cells(
    outcomes: pd.DataFrame, factor: str, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return the rows of a factor, including the baselines at their level of it.

    The column `is_baseline` marks the baselines.

    Args:
        outcomes: of a design.
        factor: one that it varies.
        columns: those to return, if there are such, besides the factor's own and those of
            `PLACE`; None is all.
    """
    if columns is not None:
        outcomes = take_columns(outcomes, [*PLACE, factor, *columns])
    own = outcomes[outcomes["factor"] == factor]
    shared = take_baselines(outcomes)
    shared = shared[shared["baseline"].isin(own["baseline"].unique())]
    if shared.empty:
        return own.assign(is_baseline=False)
    levels = shared[factor].map(str)
    shared = shared.assign(factor=factor, level=levels, is_baseline=True)
    return pd.concat([shared, own.assign(is_baseline=False)], ignore_index=True)


def spread_baselines(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a design, with the baselines' rows repeated for every factor."""
    factors = list_varied(outcomes)
    if not factors:
        return outcomes
    return pd.concat([take_cells(outcomes, factor) for factor in factors], ignore_index=True)


def place_levels(cells: pd.DataFrame, factor: str) -> pd.Series:
    """Return each row's level as drawn: for a number the median over the level, else the name.

    Args:
        cells: from `take_cells`.
        factor: the factor of these cells.
    """
    column = find_column(factor)
    if not pd.api.types.is_numeric_dtype(cells[column]):
        return cells["level"]
    places: pd.Series = cells.groupby(["baseline", "level"])[column].transform("median")
    return places


def find_column(factor: str) -> str:
    """Return the column that measures the levels of a factor."""
    row = FACTORS.get(factor)
    return row.measured or factor if row else factor
