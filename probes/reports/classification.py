"""The report of a classification: accuracy, classes, mistakes and examples on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from probes.data.labelled import LabelledImages
from probes.models.base import Model
from probes.reports.image_grids import draw_bars
from probes.reports.page import Figure, Page, fill_page
from probes.tables import Table, percent
from probes.tasks.classification import (
    choose_examples,
    tabulate_accuracy,
    tabulate_classes,
    tabulate_mistakes,
)
from probes.tasks.outcomes import write_outcomes
from synthtext.storage import replace_file, write_json

N_NAMED = 5
"""Number of broken images to list by name; all are counted."""

NOTE = "Random images with the five best matching classes; the true one is green."


def write_classification(
    guesses: pd.DataFrame,
    labelled: LabelledImages,
    model: Model,
    templates: tuple[str, ...],
    out: Path,
    command: str = "",
) -> dict[str, Any]:
    """Write outcomes, summary, examples and report into a folder; return the summary."""
    out.mkdir(parents=True, exist_ok=True)
    write_outcomes(out / "outcomes.parquet", guesses)
    accuracy = tabulate_accuracy(guesses, len(labelled.names))
    classes, mistakes = tabulate_classes(guesses), tabulate_mistakes(guesses)
    summary = {
        "model": {"name": model.name, "tag": model.tag, "weights_sha256": model.weights_sha256},
        "pictures": labelled.title,
        "n_classes": len(labelled.names),
        "templates": list(templates),
        "broken": list(labelled.broken),
        "accuracy": accuracy.to_dict("records"),
        "classes": classes.to_dict("records"),
        "mistakes": mistakes.to_dict("records"),
    }
    write_json(out / "summary.json", summary)
    png = draw_bars(choose_examples(guesses, labelled), n_columns=3)
    replace_file(out / "examples.png", png)
    page = Page(
        title=f"{model.name} {model.tag}".strip() + ": classes",
        verdict=_find_verdict(accuracy),
        headline=format_accuracy(accuracy),
        figures=[Figure("examples", "examples", png, is_wide=True)],
        note=NOTE,
        tables=[_format_mistakes(mistakes), _format_classes(classes)],
        facts=[
            ("model", f"{model.name} {model.tag}".strip()),
            ("weights, SHA-256", model.weights_sha256 or "unknown"),
            ("images", f"{len(guesses):,} of {labelled.title}"),
            ("cannot be read", _list_broken(labelled)),
            ("classes", f"{len(labelled.names):,}"),
            ("prompts", " | ".join(templates)),
            (
                "versions",
                ", ".join(f"{name} {which}" for name, which in model.versions.items()),
            ),
        ],
        command=command,
    )
    replace_file(out / "report.html", fill_page(page).encode())
    return summary


def format_accuracy(accuracy: pd.DataFrame) -> Table:
    """Return the accuracy at 1 and 5, for the page and the terminal."""
    rows = tuple(
        (
            f"top {row['k']}", f"{row['n']:,}", percent(row["accuracy"]),
            f"{percent(row['low'])} to {percent(row['high'])}", percent(row["chance"]),
        )
        for row in accuracy.to_dict("records")
    )  # fmt: skip
    return Table("Accuracy", ("", "images", "accuracy", "95 % interval", "chance"), rows)


def _find_verdict(accuracy: pd.DataFrame) -> str:
    first = accuracy.iloc[0]
    return (
        f"It classifies {percent(first['accuracy'])} of the images correctly"
        f" ({percent(first['low'])} to {percent(first['high'])}); chance is"
        f" {percent(first['chance'])}"
    )


def _format_classes(classes: pd.DataFrame) -> Table:
    rows = tuple(
        (
            row["truth"], f"{row['n']:,}", percent(row["top_1"]),
            f"{percent(row['low'])} to {percent(row['high'])}", percent(row["top_5"]),
        )
        for row in classes.to_dict("records")
    )  # fmt: skip
    return Table("By class", ("class", "n", "top 1", "95 % interval", "top 5"), rows)


def _format_mistakes(mistakes: pd.DataFrame) -> Table:
    rows = tuple(
        (row["truth"], row["guess"], f"{row['n']:,}", percent(row["share"]))
        for row in mistakes.to_dict("records")
    )
    return Table("Most frequent mistakes", ("class", "guess", "n", "fraction of class"), rows)


def _list_broken(labelled: LabelledImages) -> str:
    if not labelled.broken:
        return "none"
    return f"{len(labelled.broken):,}, such as {', '.join(labelled.broken[:N_NAMED])}"
