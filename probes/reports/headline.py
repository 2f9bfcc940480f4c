"""The first lines of a probe's report: what the model reads, in a sentence and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from probes.data.trials import ALL
from probes.factors import name_baseline
from probes.metrics.breakdown import tabulate_conditions
from probes.metrics.forced_choice import KS
from probes.tables import Table, percent
from probes.tasks.base import Question

LEGIBILITY = ("x_height_seen_px", "easy")
"""The unit and the baseline of the threshold that leads."""

CONDITIONS = {
    "easy": "easy: black on white, upright, 28 px, nothing done to the pixels",
    "harder": "standard: 18 px serif at contrast 5 on grainy paper, turned by 6 degrees, with a"
    " little blur and noise",
}
"""What the baselines of a design are, for people."""

ALPHA = 0.05
"""Effects are listed where p, after Holm, is below this."""

Row = Mapping[str, Any]


def summarize_headline(outcomes: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the accuracy at each condition for each K, as rows for JSON."""
    rows = tabulate_conditions(outcomes).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def find_legibility(thresholds: Sequence[Row]) -> Row | None:
    """Return the threshold of the x-height at the easy baseline, None where there is none."""
    rows = (row for row in thresholds if (row["unit"], row["baseline"]) == LEGIBILITY)
    return next((row for row in rows if row["reached"]), None)


def describe_split(split: str) -> str:
    """Return which images of a dataset were read, for people."""
    if split != ALL:
        return split
    return "all: nothing here says that the model was trained on any of them"


def list_unasked(question: Question, has_pool: bool) -> list[int]:  # noqa: FBT001
    """Return the usual numbers of candidates that there are too few texts for."""
    if question.ks or not has_pool:
        return []
    return [k for k in KS if k > len(question.candidates.texts)]


def state_verdict(headline: Sequence[Row], thresholds: Sequence[Row], k: int) -> str:
    """Return what a probe found, in a sentence without its subject.

    Args:
        headline: from `summarize_headline`.
        thresholds: of the summary.
        k: that the outcomes are about.
    """
    rows = [row for row in headline if row["k"] == k]
    parts = []
    legible = find_legibility(thresholds)
    if legible is not None and not all(row["at_chance"] for row in rows):
        interval = f"{legible['low']:.2g} to {legible['high']:.2g}"
        parts.append(f"reads from an x-height of {legible['level']:.2g} px on ({interval})")
    where = {"easy": "of the easy images", "harder": "in the standard condition"}
    shares = [
        f"{percent(row['accuracy'])} {where.get(row['condition'], 'of the images')}"
        f" ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
        for row in rows
    ]
    parts.append(f"finds the right one of {k:,} texts for {' and '.join(shares)}")
    chance = f"{100 * rows[0]['chance']:.2g} %"
    is_chance = all(row["at_chance"] for row in rows)
    end = f": that is chance, {chance}" if is_chance else f"; chance is {chance}"
    return ", and ".join(parts) + end


def format_headline(headline: Sequence[Row], unasked: Sequence[int]) -> Table:
    """Return the accuracy at each condition for each K.

    Args:
        headline: from `summarize_headline`.
        unasked: from `list_unasked`.
    """
    rows = tuple(
        (
            name_baseline(str(row["condition"])),
            f"1 of {row['k']:,}",
            f"{row['n']:,}",
            percent(row["accuracy"]),
            f"{percent(row['low'])} to {percent(row['high'])}",
            percent(row["chance"]),
            percent(row["guessing"]),
            "no" if row["at_chance"] else f"{row['corrected']:+.3f}",
        )
        for row in headline
    )
    columns = (
        "condition", "choice", "images", "read right", "95 % interval", "chance", "1/K",
        "above chance",
    )  # fmt: skip
    shown = dict.fromkeys(row["condition"] for row in headline)
    notes = [f"{CONDITIONS[name]}." for name in shown if name in CONDITIONS]
    notes.append(
        "Chance is what the same model gets of white images; above chance, 0 is that and 1 is"
        " everything right."
    )
    if unasked:
        choices = " and ".join(f"1 of {k:,}" for k in unasked)
        notes.append(
            f"Not asked: {choices}, since there are too few texts; --vocabulary gives more."
        )
    return Table(
        "Headline", columns, rows, " ".join(note[0].upper() + note[1:] for note in notes)
    )


def format_pooled(rows: Sequence[Row]) -> Table:
    """Return the accuracy over all images of a design, each counted once."""
    formatted = tuple(
        (
            f"1 of {row['k']:,}", f"{row['n']:,}", percent(row["accuracy"]),
            f"{percent(row['low'])} to {percent(row['high'])}",
        )
        for row in rows
    )  # fmt: skip
    note = "This depends on which factors and levels were shown, so it says little by itself."
    columns = ("choice", "images", "read right", "95 % interval")
    return Table("Over all images of the design", columns, formatted, note)


def format_level_effects(effects: Sequence[Row]) -> Table:
    """Return the effects of levels that are significant, and say how many were looked at."""
    rows = tuple(
        (
            f"{row['factor']}: {row['level']}",
            name_baseline(str(row["baseline"])),
            percent(row["accuracy"]),
            f"{100 * row['difference']:+.1f} points",
            f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}",
            f"{row['p_holm']:.2g}",
        )
        for row in effects
        if row["p_holm"] < ALPHA
    )
    note = (
        "Each level less its condition, on the same words; exact McNemar test, Holm over all"
        f" {len(effects)} levels. Listed are those with p below {ALPHA}; summary.json has all."
    )
    columns = ("level", "condition", "read right", "effect", "95 % interval", "p (Holm)")
    return Table("Effects of levels", columns, rows, note)


def format_templates(by_template: Mapping[str, float]) -> Table:
    """Return what each prompt alone comes to, and how far they spread."""
    rows = tuple((template, percent(share)) for template, share in by_template.items())
    spread = max(by_template.values()) - min(by_template.values())
    note = f"Each prompt alone; they spread over {100 * spread:.1f} points."
    return Table("Prompts", ("prompt", "read right"), rows, note)
