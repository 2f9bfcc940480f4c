"""Imported outcomes: a table of truths and guesses -> outcomes as a probe writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from probes.errors import ProbeError, require_columns
from probes.metrics.breakdown import FactorTable
from probes.metrics.crossed import crossed_accuracy
from probes.metrics.levels import bin_levels
from probes.metrics.spelling import fold_text
from probes.table_files import read_table_file

TASK = "imported"

TAKEN = ("key", "task", "word", "factor", "baseline", "k", "rank", "guess", "correct")
"""Reserved columns of outcomes; `correct` is computed from truth and guess."""


@dataclass(frozen=True)
class ImportConfig:
    """The columns of a table.

    Attributes:
        by: columns to break accuracy down by.
        clusters: columns to cluster by; empty means the truth.
        key: the column that names each row.
        truth: the column of correct answers.
        guess: the column of given answers.
        k: number of possible answers; None means as many as the table has.
    """

    by: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    key: str = "key"
    truth: str = "truth"
    guess: str = "guess"
    k: int | None = None


def import_outcomes(path: Path, config: ImportConfig) -> pd.DataFrame:
    """Return the outcomes of a table, one row for each of its rows.

    A guess is correct if it equals the truth, ignoring case. Columns of numbers become numbers;
    all others are kept as texts.

    Args:
        path: `.csv`, `.tsv` or `.parquet`.
        config: its columns.

    Raises:
        ProbeError: a column is missing or has gaps, or a key occurs twice.
    """
    if config.k is not None and config.k < 2:
        raise ProbeError(f"K is {config.k}; it must be 2 or more")
    table = read_table_file(path)
    _check_columns(table, config, path)
    keys, truths, guesses = (
        _to_texts(table[name]) for name in (config.key, config.truth, config.guess)
    )
    if keys.duplicated().any():
        raise ProbeError(f"{path} has the key {keys[keys.duplicated()].iloc[0]!r} twice")
    if (truths == "").any():
        raise ProbeError(f"{path} has no {config.truth} for {keys[truths == ''].iloc[0]!r}")
    kept = [name for name in table.columns if name not in {*TAKEN, config.guess}]
    rows = pd.DataFrame({name: _to_numbers(table[name]) for name in kept})
    folded, answered = _fold(truths), _fold(guesses)
    n_answers = len({*folded.unique(), *answered.unique()} - {""})
    rows["key"], rows["task"], rows["factor"], rows["baseline"] = keys, TASK, "", ""
    rows["word"] = folded
    rows["guess"] = guesses
    rows["k"] = config.k or max(2, n_answers)
    rows["correct"] = folded == answered
    rows["rank"] = np.where(rows["correct"], 1, 2)
    rows[f"rank_at_{rows['k'].iloc[0]}"] = rows["rank"]
    return rows


def _check_columns(table: pd.DataFrame, config: ImportConfig, path: Path) -> None:
    """Refuse a table that lacks columns, or whose columns have reserved names."""
    own = (config.key, config.truth, config.guess)
    try:
        require_columns(table.columns, (*own, *config.by, *config.clusters))
    except ProbeError as error:
        raise ProbeError(f"{path}: {error}") from error
    if table.empty:
        raise ProbeError(f"{path} has no rows to import")
    taken = [
        name for name in (*config.by, *config.clusters) if name in TAKEN and name not in own
    ]
    if taken:
        raise ProbeError(
            f"{path} has the column {taken[0]!r}, which is the name of a column of outcomes;"
            f" rename it"
        )
    for name in config.clusters:
        if (_to_texts(table[name]) == "").any():
            raise ProbeError(f"{path} has rows without {name}, so they belong to no cluster")


def list_clusters(outcomes: pd.DataFrame, config: ImportConfig) -> list[pd.Series]:
    """Return the columns of outcomes to cluster by."""
    names = config.clusters or ("word",)
    return [outcomes["word" if name == config.truth else name] for name in names]


def tabulate_by(outcomes: pd.DataFrame, column: str, config: ImportConfig) -> FactorTable:
    """Return the accuracy at each level of a column, with intervals by clusters.

    Numbers with many values are binned; rows without a value are left out.
    """
    values = outcomes["word" if column == config.truth else column]
    is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if is_number:
        bins = bin_levels(values)
        codes, labels = bins.codes, bins.labels
        levels: Sequence[object] = bins.centres.tolist()
    else:
        texts = _to_texts(values)
        labels = tuple(sorted(set(texts.unique()) - {""}))
        levels = labels
        codes = pd.Categorical(texts, categories=labels).codes
    clusters = list_clusters(outcomes, config)
    rows = []
    for code, (level, label) in enumerate(zip(levels, labels, strict=True)):
        members = codes == code
        right = outcomes.loc[members, "correct"]
        found = crossed_accuracy(right, [each[members] for each in clusters])
        counts = {"n_seen": len(right), "n_right": int(right.sum())}
        named: dict[str, object] = {"baseline": "", "level": level, "label": label, **counts}
        rows.append(named | {"accuracy": found.mean, "low": found.low, "high": found.high})
    return FactorTable(column, is_number, pd.DataFrame(rows))


def _fold(texts: pd.Series) -> pd.Series:
    """Return texts with their cases folded; each different one is folded once."""
    codes, different = pd.factorize(texts)
    folded = pd.Series([fold_text(text) for text in different], dtype=str)
    return folded.take(codes).set_axis(texts.index)


def _to_texts(column: pd.Series) -> pd.Series:
    if pd.api.types.is_string_dtype(column) and column.dtype != object:
        return column.fillna("").astype(str)
    return column.astype(object).where(column.notna(), "").astype(str)


def _to_numbers(column: pd.Series) -> pd.Series:
    """Return a column of texts as numbers if all its non-empty values are numbers."""
    if not pd.api.types.is_string_dtype(column) and column.dtype != object:
        return column
    texts = _to_texts(column)
    codes, different = pd.factorize(texts)
    shown = pd.Series(different)
    numbers = pd.to_numeric(shown.where(shown != ""), errors="coerce")
    if not ((numbers.notna() | (shown == "")).all() and numbers.notna().any()):
        return texts
    return pd.Series(numbers.to_numpy()[codes], index=texts.index)


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return column names without duplicates."""
    return tuple(dict.fromkeys(name for name in names if name))
