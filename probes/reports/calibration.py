"""The calibration of a reader's confidence, for the report of a probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from probes.factors import name_baseline, name_level
from probes.metrics.breakdown import list_factors, take_scan
from probes.metrics.calibration import (
    CONFIDENT,
    tabulate_calibration,
    tabulate_reliability,
    take_confident,
)
from probes.metrics.cells import find_column, take_columns
from probes.reports import plots
from probes.reports.page import Figure, to_rows
from probes.tables import Table, percent

Row = Mapping[str, Any]

FEW = 0.5
"""Answers are too few if a calibrated reader would have more than this fraction of it."""


def summarize_calibration(outcomes: pd.DataFrame) -> dict[str, Any] | None:
    """Return the calibration, for `summary.json`; None if there are no confidences.

    `bins` is the reliability diagram, a row for each bin of each baseline, and `levels` the
    calibration of all answers, then at each level of each factor. `right` names the column of
    the outcomes that confidences are compared with.
    """
    scan = take_scan(outcomes)
    rows = take_confident(scan)
    if rows.empty:
        return None
    narrow = take_columns(rows, ["baseline", *CONFIDENT])
    bins = [
        tabulate_reliability(cell["confidence"], cell["is_right"], cell["word"]).assign(
            baseline=baseline
        )
        for baseline, cell in narrow.groupby("baseline", sort=False)
    ]
    return {
        "right": "exact" if "answer" in rows else "correct",
        "k": int(rows["k"].iloc[0]),
        "n_left_out": len(scan) - len(rows),
        "bins": to_rows(pd.concat(bins, ignore_index=True)),
        "levels": to_rows(tabulate_calibration(rows, list_factors(rows))),
    }


def draw_calibration(found: Mapping[str, Any]) -> Figure:
    """Return the reliability diagram of `summarize_calibration`."""
    drawn = plots.draw_reliability(pd.DataFrame(found["bins"]))
    title = "Accuracy by mean confidence; the dashed line is a calibrated reader"
    return Figure("calibration", title, *drawn)


def format_calibration(found: Mapping[str, Any]) -> Table:
    """Return the calibration of all answers, and of the worst level of each factor."""
    overall, *levels = found["levels"]
    chosen = [overall, *_find_worst(levels)]
    columns = (
        "answers to", "answers", "confidence", "accuracy", "difference", "95 % interval",
        "calibration error", "95 % interval", "if calibrated",
    )  # fmt: skip
    return Table("Confidence", columns, tuple(map(_format_row, chosen)), _explain(found))


def _find_worst(levels: Sequence[Row]) -> list[Row]:
    """Return the level of each factor at which confidence and accuracy differ most."""
    names = dict.fromkeys(row["factor"] for row in levels)
    groups = ([row for row in levels if row["factor"] == name] for name in names)
    return [max(rows, key=lambda row: abs(row["gap"])) for rows in groups]


def _format_row(row: Row) -> tuple[str, ...]:
    level = name_level(find_column(row["factor"]), str(row["label"]))
    return (
        f"{level}, {name_baseline(row['baseline'])}".removesuffix(", ")
        if row["factor"]
        else "all images",
        f"{row['n']:,}",
        percent(row["confidence"]),
        percent(row["accuracy"]),
        f"{100 * row['gap']:+.1f} points",
        _show_ends(row["gap_low"], row["gap_high"], "+.1f"),
        percent(row["error"]),
        _show_ends(row["low"], row["high"], ".1f"),
        percent(row["if_calibrated"]),
    )


def _show_ends(low: float | None, high: float | None, form: str) -> str:
    if low is None or high is None:
        return "no interval for one text"
    return f"{100 * low:{form}} to {100 * high:{form}}"


def _explain(found: Mapping[str, Any]) -> str:
    what = {
        "exact": "The confidence is the one that the reader states for its answer, which is"
        " correct if it is the text, case folded.",
        "correct": "The confidence is the softmax probability of the choice among"
        f" {found['k']:,} candidates, at the model's own scale.",
    }
    overall = found["levels"][0]
    note = (
        f"{what[found['right']]} Difference: mean confidence minus accuracy; above 0 the reader"
        f" is overconfident. Calibration error: the mean absolute difference over"
        f" {overall['n_bins']} bins of equal mass, or fewer. With few answers it is too high:"
        " the last column is what a calibrated reader would show. For each factor, the level"
        " with the largest difference is listed; summary.json has all levels."
    )
    if overall["if_calibrated"] > FEW * overall["error"]:
        note += (
            " There are too few answers to distinguish most of the error from what a calibrated"
            " reader would show."
        )
    if found["n_left_out"]:
        note += (
            f" {found['n_left_out']:,} images without an answer or a confidence are not"
            " counted."
        )
    return note
