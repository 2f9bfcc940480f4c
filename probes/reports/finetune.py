"""The report of a fine-tuning: gains, factors and retention, as a page and a model card."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from probes.factors import label_of
from probes.metrics.breakdown import tabulate_factor
from probes.metrics.intervals import Interval
from probes.models.base import Model
from probes.reports import plots
from probes.reports.page import Figure, Page, write_report
from probes.reports.training_plots import draw_mixtures, draw_training
from probes.tables import Table, percent
from probes.tasks.sentiment import measure_sentiment
from probes.training.finetune import MODEL_FOLDER, Finetuned
from synthtext.dataset.card import escape_markdown
from synthtext.dataset.plan import SENTIMENTS
from synthtext.storage import replace_file

NOTE = (
    "Accuracy on the test split before and after, with 95 % Wilson intervals. The model was not"
    " trained on that split. The dashed line is chance."
)

GAINS = ("images", "n", "before", "after", "gain, points", "95 % interval", "p", "improved")

FACTORS = (
    "factor", "level", "n", "before", "after", "gain, points", "95 % interval", "p (Holm)",
)  # fmt: skip


def write_finetune(done: Finetuned, out: Path, command: str = "") -> None:
    """Write `summary.json`, `report.html` and `plots/` into the folder of a run.

    Args:
        done: the results.
        out: the folder.
        command: the command line that made the run, for the page.
    """
    page = Page(
        title=f"{done.before.name} {done.before.tag}".strip() + f", {done.config.arm}",
        verdict=verdict(done),
        headline=list_gains(done.gains),
        figures=draw_figures(done),
        note=NOTE,
        tables=list_tables(done),
        facts=list_facts(done),
        command=command,
    )
    write_report(out, summarize(done), page)
    replace_file(out / MODEL_FOLDER / "README.md", format_card(done).encode())


def list_tables(done: Finetuned) -> list[Table]:
    """Return the tables below the gains on the page."""
    tables = [list_retention(done), list_mixtures(done)]
    if done.config.task == "sentiment":
        tables.insert(0, list_sentiment(done))
    if not done.factors.empty:
        tables.append(list_factors(done.factors))
    return tables


def list_sentiment(done: Finetuned) -> Table:
    """Return accuracy, precision, recall, F1 and the rate of each answer, before and after."""
    found = [measure_sentiment(outcomes) for outcomes in done.outcomes]
    rows = [
        (name, *(f"{each[name]:.4f}" for each in found))
        for name in ("accuracy", "precision", "recall", "f1")
    ]
    rows += [
        (f"rate of answers: {name}", *(f"{each['share_guessed'][name]:.4f}" for each in found))
        for name in SENTIMENTS
    ]
    return Table("Sentiment", ("", "before", "after"), tuple(rows))


def format_card(done: Finetuned) -> str:
    """Return the model card as Markdown, with the header of a Hugging Face card."""
    gains = list_gains(done.gains)
    lines = [
        "| " + " | ".join(map(escape_markdown, cells)) + " |"
        for cells in (gains.columns, *gains.rows)
    ]
    lines.insert(1, "|" + "---|" * len(gains.columns))
    kept = "\n".join(
        f"- {name}: {escape_markdown(value)}" for name, value in list_retention(done).rows
    )
    facts = "\n".join(f"- {name}: {escape_markdown(value)}" for name, value in list_facts(done))
    return f"""---
library_name: open_clip
pipeline_tag: zero-shot-image-classification
tags: [clip, ocr, synthtext]
---

# {escape_markdown(done.before.name)}, fine-tuned to read

{escape_markdown(verdict(done))}. Each answer is one of {done.k} words.

{chr(10).join(lines)}

Retention, measured on {escape_markdown(done.retention.title)}:

{kept}

The saved weights have an interpolation ratio of {done.alpha:g}. Settings:

{facts}
"""


def verdict(done: Finetuned) -> str:
    """Return the main result, as a sentence without its full stop."""
    row = done.gains.iloc[0].to_dict()
    points = f"{100 * row['difference']:+.1f} points ({_span(row)})"
    what = f"{points} of 1-of-{done.k} accuracy on {row['group']}"
    return f"Improved by {what}" if row["worked"] else f"No significant gain: {what}"


def list_gains(gains: pd.DataFrame) -> Table:
    """Return the gain on each group of images."""
    rows = tuple(
        (
            row["group"], f"{row['n_seen']:,}", percent(row["accuracy_a"]),
            percent(row["accuracy_b"]), f"{100 * row['difference']:+.1f}", _span(row),
            f"{row['p']:.2g}", "yes" if row["worked"] else "no",
        )
        for row in gains.to_dict("records")
    )  # fmt: skip
    return Table("Gains", GAINS, rows)


def list_factors(factors: pd.DataFrame) -> Table:
    """Return the gain at each level of each factor."""
    rows = tuple(
        (
            row["factor"], row["level"], f"{row['n_seen']:,}", percent(row["accuracy_a"]),
            percent(row["accuracy_b"]), f"{100 * row['difference']:+.1f}", _span(row),
            f"{row['p_holm']:.2g}",
        )
        for row in factors.to_dict("records")
    )  # fmt: skip
    return Table(
        "By factor", FACTORS, rows, "Differences are in percentage points, paired by image."
    )


def list_retention(done: Finetuned) -> Table:
    """Return the accuracy on the retention set, before and after."""
    kept = done.retention
    rows = (
        ("accuracy before", percent(kept.before)),
        ("accuracy after", percent(kept.after)),
        ("change, points", f"{100 * kept.gain.mean:+.1f} ({_span_of(kept.gain)})"),
        ("drift of bundled images", f"{kept.drift.mean:.4f}"),
    )
    note = f"{kept.n_seen:,} images: {kept.title}. Drift is the mean of 1 - cosine similarity."
    return Table("Retention", ("", ""), rows, note)


def list_mixtures(done: Finetuned) -> Table:
    """Return accuracy and retention at each interpolation ratio."""
    rows = tuple(
        (
            f"{mixture.alpha:.1f}{' (saved)' if mixture.alpha == done.alpha else ''}",
            percent(mixture.reading), percent(mixture.kept), f"{mixture.drift:.4f}",
        )
        for mixture in done.mixtures
    )  # fmt: skip
    limit = 100 * done.config.retention_limit
    columns: tuple[str, ...] = ("ratio", "accuracy, val", "retention", "drift")
    note = (
        "Weights are interpolated between before (0) and after (1). The saved ratio has the"
        f" best accuracy on val among those that lose at most {limit:g} points of retention."
    )
    if not rows:
        columns = ()
        note = "With random initial weights there is nothing to retain, so the ratio is 1."
    return Table("Interpolation ratio", columns, rows, note)


def draw_figures(done: Finetuned) -> list[Figure]:
    """Return plots of the training, the interpolation ratios and each factor."""
    figures = [Figure("training", "training", *draw_training(done.history))]
    if done.mixtures:
        drawn = draw_mixtures(done.mixtures, done.alpha)
        figures.append(Figure("mixtures", "interpolation ratio", *drawn))
    none = pd.DataFrame()
    for name in done.factors["factor"].unique():
        ends = [
            tabulate_factor(outcomes, name).table.assign(baseline=when)
            for when, outcomes in zip(("before", "after"), done.outcomes, strict=True)
        ]
        is_number = tabulate_factor(done.outcomes[0], name).is_number
        table = pd.concat(ends)
        chance = 1 / done.k
        drawn = (
            plots.draw_curve(table, name, chance, none)
            if is_number
            else plots.draw_levels(table, name, chance)
        )
        label = label_of(name)
        figures.append(Figure(f"{name}", label, *drawn))
    return figures


def summarize(done: Finetuned) -> dict[str, Any]:
    """Return the content of the report, for JSON."""
    return {
        "config": _describe(done),
        "verdict": verdict(done),
        "k": done.k,
        "gains": done.gains.to_dict("records"),
        "factors": done.factors.to_dict("records"),
        **(
            {"sentiment": [measure_sentiment(outcomes) for outcomes in done.outcomes]}
            if done.config.task == "sentiment"
            else {}
        ),
        "retention": {
            name: part._asdict() if isinstance(part, Interval) else part
            for name, part in vars(done.retention).items()
        },
        "alpha": done.alpha,
        "mixtures": [dataclasses.asdict(mixture) for mixture in done.mixtures],
        "history": done.history,
        "before": _describe_model(done.before),
        "after": _describe_model(done.after),
    }


def list_facts(done: Finetuned) -> list[tuple[str, str]]:
    """Return the settings of the measurement."""
    described = _describe(done)
    return [
        ("model", f"{done.before.name} {done.before.tag}".strip()),
        ("weights before, SHA-256", done.before.weights_sha256),
        ("weights after, SHA-256", done.after.weights_sha256),
        ("precision, device", f"{done.after.precision} {done.after.device}"),
        *((name, str(value)) for name, value in described.items() if value not in ("", None)),
        ("versions", ", ".join(f"{k} {v}" for k, v in done.after.versions.items())),
    ]


def _describe(done: Finetuned) -> dict[str, Any]:
    config = done.config
    fields = {
        name: value
        for name, value in vars(config).items()
        if name not in ("schedule", "exclude", "model", "pretrained")
    }
    fields |= {"exclude": {name: str(draw) for name, draw in config.exclude.items()}}
    fields |= dataclasses.asdict(done.schedule)
    return {
        name: str(value) if isinstance(value, Path) else value for name, value in fields.items()
    }


def _describe_model(model: Model) -> dict[str, Any]:
    names = ("name", "tag", "weights_sha256", "precision", "device", "versions", "config")
    return {name: getattr(model, name) for name in names}


def _span(row: Mapping[Any, Any]) -> str:
    return f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}"


def _span_of(interval: Interval) -> str:
    return _span({"low": interval.low, "high": interval.high})
