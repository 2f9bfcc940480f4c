"""Mistakes in a report: matrices of confusions, and how often each word is read."""

from __future__ import annotations

import pandas as pd

from probes.metrics.mistakes import (
    tabulate_classes,
    tabulate_confusions,
    tabulate_letters,
    tabulate_words,
)
from probes.reports.confusion_plots import draw_matrix
from probes.reports.page import Figure
from probes.tables import Table, percent

MAX_WORDS = 500
"""Maximum number of words in the table of a page."""

MAX_CHARS = 60
"""Maximum length of a text in that table; longer ones end in an ellipsis."""


def list_mistakes(outcomes: pd.DataFrame) -> Table:
    """Return the most frequent mistakes."""
    confusions = tabulate_confusions(outcomes)
    rows = tuple(tuple(map(str, row)) for row in confusions.to_numpy().tolist())
    return Table("Most frequent mistakes", ("text", "read as", "times"), rows)


def draw_confusions(outcomes: pd.DataFrame) -> list[Figure]:
    """Return the matrix of confusions: of texts if there are few, otherwise of letters."""
    classes = tabulate_classes(outcomes)
    if classes is not None:
        title = "Answers to each text; each row as fractions of its images"
        shares = classes.div(classes.sum(axis=1).clip(lower=1), axis=0)
        drawn = draw_matrix(
            shares, "fraction of the row", truth="text of the image", answer="answer"
        )
        return [Figure("confusions", title, *drawn, is_wide=True)]
    letters = tabulate_letters(outcomes)
    if letters is None:
        return []
    title = (
        "Letters confused in wrong answers, aligned with their texts; the"
        f" {len(letters):,} with the most confusions"
    )
    drawn = draw_matrix(
        letters, "times", truth="letter of the image", answer="letter of the answer"
    )
    return [Figure("confusions", title, *drawn, is_wide=True)]


def list_words(outcomes: pd.DataFrame) -> Table | None:
    """Return how often each word was read and at which sizes; None if no word was repeated."""
    words = tabulate_words(outcomes)
    if words is None:
        return None
    has_sizes = bool(words[["smallest_read", "largest_missed"]].notna().any(axis=None))
    columns = ["text", "shown", "correct", "accuracy"]
    columns += (
        ["smallest x-height read, px", "largest x-height missed, px"] if has_sizes else []
    )
    rows = []
    for row in words.head(MAX_WORDS).to_dict("records"):
        text = row["word"]
        cells = [
            text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…",
            f"{row['n_seen']:,}", f"{row['n_right']:,}", percent(row["accuracy"]),
        ]  # fmt: skip
        if has_sizes:
            sizes = (row["smallest_read"], row["largest_missed"])
            cells += ["none" if pd.isna(size) else f"{size:.3g}" for size in sizes]
        rows.append(tuple(cells))
    note = "Those that are read least often come first."
    if has_sizes:
        note += " A text that is read at a small size may have been guessed."
    if len(words) > MAX_WORDS:
        note += f" The first {MAX_WORDS:,} of {len(words):,}; outcomes.parquet has all."
    return Table("Words", tuple(columns), tuple(rows), note)
