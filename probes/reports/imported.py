"""The report of outcomes from other programs: headline, and accuracy by column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from probes.factors import label_of
from probes.metrics.breakdown import FactorTable
from probes.metrics.crossed import crossed_accuracy
from probes.metrics.intervals import Interval
from probes.reports import plots
from probes.reports.mistakes import draw_confusions, list_mistakes, list_words
from probes.reports.page import Figure, Page, to_rows, write_report
from probes.tables import Table, percent
from probes.tasks.imported import ImportConfig, list_clusters, tabulate_by

NOTE = "Accuracy at each level, with 95 % cluster intervals. The dashed line is chance."


def write_imported(
    outcomes: pd.DataFrame, config: ImportConfig, source: Path, out: Path, command: str = ""
) -> tuple[dict[str, Any], list[Table]]:
    """Write `summary.json`, `report.html` and plots; return the summary and the tables."""
    k = int(outcomes["k"].iloc[0])
    overall = crossed_accuracy(outcomes["correct"], list_clusters(outcomes, config))
    factors = [tabulate_by(outcomes, name, config) for name in config.by]
    summary: dict[str, Any] = {
        "format": 1,
        "source": str(source),
        "columns": {
            "key": config.key, "truth": config.truth, "guess": config.guess,
            "by": list(config.by), "clusters": list(config.clusters or (config.truth,)),
        },
        "headline": {
            "n": len(outcomes), "accuracy": overall.mean, "low": _to_json(overall.low),
            "high": _to_json(overall.high), "k": k, "chance": 1 / k,
        },
        "factors": {table.factor: to_rows(table.table) for table in factors},
    }  # fmt: skip
    tables = [_format_headline(overall, len(outcomes), k), *map(_format_factor, factors)]
    mistakes = list_mistakes(outcomes)
    tables += [mistakes] if mistakes.rows else []
    words = list_words(outcomes)
    page = Page(
        title=f"{source.name}: imported outcomes",
        verdict=f"{percent(overall.mean)} of the answers are correct ({_show(overall)})",
        headline=tables[0],
        figures=[_draw(table, 1 / k) for table in factors] + draw_confusions(outcomes),
        note=NOTE if factors else "",
        tables=[*tables[1:], *([words] if words else [])],
        facts=[
            ("table", str(source)),
            ("truth, guess", f"{config.truth}, {config.guess}"),
            ("clusters", ", ".join(config.clusters or (config.truth,))),
        ],
        command=command,
    )
    write_report(out, summary, page)
    return summary, tables


def _format_headline(overall: Interval, n: int, k: int) -> Table:
    columns = ("rows", "accuracy", "95 % interval", "chance")
    row = (f"{n:,}", percent(overall.mean), _show(overall), percent(1 / k))
    return Table("Headline", columns, (row,))


def _format_factor(factor: FactorTable) -> Table:
    rows = tuple(
        (
            str(row["label"]),
            f"{row['n_seen']:,}",
            percent(row["accuracy"]),
            _show(Interval(row["accuracy"], row["low"], row["high"])),
        )
        for row in factor.table.to_dict("records")
    )
    columns = (factor.factor, "rows", "accuracy", "95 % interval")
    return Table(label_of(factor.factor), columns, rows)


def _draw(factor: FactorTable, chance: float) -> Figure:
    if factor.is_number:
        drawn = plots.draw_curve(factor.table, factor.factor, chance, pd.DataFrame())
    else:
        drawn = plots.draw_levels(factor.table, factor.factor, chance)
    name = "".join(char if char.isalnum() else "_" for char in factor.factor)
    return Figure(name, f"Accuracy by {label_of(factor.factor)}", *drawn)


def _show(found: Interval) -> str:
    if pd.isna(found.low):
        return "no interval, since there is one cluster"
    return f"{percent(found.low)} to {percent(found.high)}"


def _to_json(value: float) -> float | None:
    return None if pd.isna(value) else value
