"""The headline of a probe's report: a sentence and a table about what the model reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from probes.data.trials import ALL
from probes.factors import name_baseline, name_level
from probes.metrics.breakdown import tabulate_conditions
from probes.metrics.forced_choice import KS
from probes.tables import Table, percent
from probes.tasks.base import Question

LEGIBILITY = ("x_height_seen_px", "easy")
"""The unit and the baseline of the threshold in the headline."""

CONDITIONS = {
    "easy": "easy: black on white, upright, 28 px, no degradation",
    "harder": "standard: 18 px serif at contrast 5 on a grainy background, rotated by 6"
    " degrees, with a little blur and noise",
}
"""Descriptions of the baselines of a design."""

ALPHA = 0.05
"""Effects are listed if p, after Holm's correction, is below this."""

Row = Mapping[str, Any]


def summarize_headline(outcomes: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the accuracy at each condition for each K, as rows for JSON."""
    rows = tabulate_conditions(outcomes).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def find_legibility(thresholds: Sequence[Row]) -> Row | None:
    """Return the threshold of the x-height at the easy baseline; None if there is none."""
    rows = (row for row in thresholds if (row["unit"], row["baseline"]) == LEGIBILITY)
    return next((row for row in rows if row["reached"]), None)


def describe_split(split: str) -> str:
    """Return a description of the images of a dataset that were read."""
    if split != ALL:
        return split
    return "all: there is no record that the model was trained on any of them"


def list_unasked(question: Question, has_pool: bool) -> list[int]:  # noqa: FBT001
    """Return the default numbers of candidates for which there are too few texts."""
    if question.ks or not has_pool:
        return []
    return [k for k in KS if k > len(question.candidates.texts)]


def state_verdict(headline: Sequence[Row], thresholds: Sequence[Row], k: int) -> str:
    """Return the main result of a probe, as a sentence without its subject.

    Args:
        headline: from `summarize_headline`.
        thresholds: thresholds of the summary.
        k: number of candidates.
    """
    rows = [row for row in headline if row["k"] == k]
    parts = []
    legible = find_legibility(thresholds)
    if legible is not None and not all(row["at_chance"] for row in rows):
        interval = f"{legible['low']:.2g} to {legible['high']:.2g}"
        parts.append(f"has an x-height threshold of {legible['level']:.2g} px ({interval})")
    where = {"easy": "in the easy condition", "harder": "in the standard condition"}
    shares = [
        f"{percent(row['accuracy'])} {where.get(row['condition'], 'of the images')}"
        f" ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
        for row in rows
    ]
    parts.append(f"chooses the right one of {k:,} texts for {' and '.join(shares)}")
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
        "condition", "choice", "images", "accuracy", "95 % interval", "chance", "1/K",
        "above chance",
    )  # fmt: skip
    shown = dict.fromkeys(row["condition"] for row in headline)
    notes = [f"{CONDITIONS[name]}." for name in shown if name in CONDITIONS]
    notes.append(
        "Chance is the accuracy of the same model on white images; above chance, 0 is chance"
        " and 1 is perfect accuracy."
    )
    if unasked:
        choices = " and ".join(f"1 of {k:,}" for k in unasked)
        notes.append(
            f"Not measured: {choices}, because there are too few texts; --vocabulary adds more."
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
    note = "This depends on the factors and levels of the design, so it says little by itself."
    columns = ("choice", "images", "accuracy", "95 % interval")
    return Table("Over all images of the design", columns, formatted, note)


def format_level_effects(effects: Sequence[Row]) -> Table:
    """Return the significant effects of levels, with the number of levels tested."""
    rows = tuple(
        (
            name_level(row["factor"], str(row["level"])),
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
        "The difference of each level from its condition, on the same words; exact McNemar"
        f" test, Holm-corrected over all {len(effects)} levels. Only those with p < {ALPHA} are"
        " listed; summary.json has all."
    )
    columns = ("level", "condition", "accuracy", "effect", "95 % interval", "p (Holm)")
    return Table("Effects of levels", columns, rows, note)


def format_templates(by_template: Mapping[str, float]) -> Table:
    """Return the accuracy of each prompt alone, and its range."""
    rows = tuple((template, percent(share)) for template, share in by_template.items())
    spread = max(by_template.values()) - min(by_template.values())
    note = f"The accuracy with each prompt alone; its range is {100 * spread:.1f} points."
    return Table("Prompts", ("prompt", "accuracy"), rows, note)
