"""The figures of a probe: accuracy by factor, at every number of candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from probes.factors import label_of
from probes.metrics.breakdown import (
    find_chance,
    list_factors,
    list_ranked,
    measure_others,
    tabulate_factor,
)
from probes.metrics.cells import find_column
from probes.reports import plots
from probes.reports.page import Figure


def draw_factors(outcomes: pd.DataFrame, thresholds: pd.DataFrame) -> list[Figure]:
    """Return a plot for each factor that varies, and a map if the position varies.

    Args:
        outcomes: a row per image.
        thresholds: from `tabulate_thresholds`, to mark.
    """
    figures = []
    headline = int(outcomes["k"].iloc[0])
    chances = {k: find_chance(outcomes, k) for k in {headline, *list_ranked(outcomes)}}
    for name in list_factors(outcomes):
        factor = tabulate_factor(outcomes, name)
        if factor.is_number:
            marked = thresholds
            if not thresholds.empty:
                marked = thresholds[thresholds["unit"] == find_column(name)]
            drawn = plots.draw_curve(factor.table, name, chances[headline], marked)
        else:
            drawn = plots.draw_levels(factor.table, name, chances[headline])
        others = {
            k: list_others(drawn.marks, table)
            for k, table in measure_others(outcomes, name).items()
        }
        figures.append(
            Figure(
                name, _caption(name, factor.table), *drawn, others=others, chances=chances,
                along="y" if factor.is_number else "x",
            )
        )  # fmt: skip
    if (outcomes["factor"] == "").all() and outcomes["x_frac"].nunique() > plots.N_CELLS:
        title = "Accuracy by position of the text in the image"
        figures.append(Figure("position", title, *plots.draw_map(outcomes)))
    return figures


def list_others(
    marks: Mapping[str, Sequence[plots.Mark]], table: pd.DataFrame
) -> dict[str, list[plots.Mark]]:
    """Return points with the values of another table of the same levels.

    Args:
        marks: the points of each series.
        table: baseline, label, n_seen, n_right, accuracy, low and high of every point.
    """
    rows = {(row["baseline"], str(row["label"])): row for row in table.to_dict("records")}
    return {
        name: [
            mark._replace(
                n=int(row["n_seen"]), right=int(row["n_right"]), accuracy=row["accuracy"],
                low=row["low"], high=row["high"],
            )
            for mark in own
            for row in [rows[mark.baseline, mark.label]]
        ]
        for name, own in marks.items()
    }  # fmt: skip


def _caption(name: str, table: pd.DataFrame) -> str:
    fewest, most = int(table["n_seen"].min()), int(table["n_seen"].max())
    shown = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    return f"Accuracy by {label_of(name)}; {shown} images per point"
