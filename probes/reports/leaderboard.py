"""A comparison of many results: accuracies, significant differences and thresholds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from probes.metrics.breakdown import (
    list_factors,
    measure_others,
    tabulate_factor,
    tabulate_thresholds,
    take_scan,
)
from probes.metrics.cells import list_varied
from probes.metrics.leaderboard import (
    choose_condition,
    compare_pairs,
    list_shared,
    rank_readers,
    take_condition,
)
from probes.reports.headline import summarize_headline
from probes.reports.page import to_rows
from probes.tasks.results import Result, check_same

Row = dict[str, Any]

SIZES = ("input_px", "patch_px", "gflop", "n_parameters")
"""Properties that describe the size of a model."""

MAX_SIZE = 1e18


@dataclass(frozen=True)
class Leaderboard:
    """A comparison of results.

    Attributes:
        condition: condition in which models are ranked.
        k: number of candidates.
        models: a row for each model, the best first; see `docs/probing.md`.
        pairs: a row for each pair, by the names of the models.
        factors: for each factor, a row for each model and level.
        others: for each factor, the same rows for every other K that all results contain.
        n_images: number of images in the condition.
        asked: protocol, task and other settings.
    """

    condition: str
    k: int
    models: list[Row]
    pairs: list[Row]
    factors: dict[str, pd.DataFrame]
    others: dict[str, dict[int, pd.DataFrame]]
    n_images: int
    asked: dict[str, Any]


def measure_leaderboard(
    results: Sequence[Result], on_progress: Callable[[str, int, int], None] = lambda *_: None
) -> Leaderboard:
    """Return a comparison of results, the best first.

    Args:
        results: two or more.
        on_progress: called with what is counted, how many are done, and of how many.

    Raises:
        ProbeError: the results are not about the same questions and images.
    """
    check_same(results)
    scans = [take_scan(result.outcomes) for result in results]
    condition = choose_condition(scans[0])
    k = int(scans[0]["k"].iloc[0])
    tables = [take_condition(scan, condition) for scan in scans]
    accuracies = [float(table["correct"].mean()) for table in tables]
    pairs = compare_pairs(tables, on_progress=lambda *done: on_progress("pairs", *done))
    ranks = rank_readers(accuracies, pairs)
    rows = []
    for place, result in enumerate(results):
        rows.append(
            _describe(result) | _to_row(ranks.iloc[place]) | {"accuracy": accuracies[place]}
        )
        on_progress("models", place + 1, len(results))
    order = sorted(range(len(rows)), key=lambda at: (rows[at]["rank"], rows[at]["name"]))
    named = {rows[at]["name"]: scans[at] for at in order}
    shared = _list_factors(scans, results[0].find("columns", "by"))
    return Leaderboard(
        condition, k, [rows[at] for at in order], _name_pairs(pairs, results),
        {name: _tabulate(named, name) for name in shared},
        {name: _tabulate_others(named, name) for name in shared},
        len(tables[0]), _list_asked(results),
    )  # fmt: skip


def _tabulate(scans: Mapping[str, pd.DataFrame], factor: str) -> pd.DataFrame:
    """Return a row for each model and level of a factor."""
    tables = [
        tabulate_factor(scan, factor).table.assign(model=name) for name, scan in scans.items()
    ]
    return pd.concat(tables, ignore_index=True)


def _tabulate_others(scans: Mapping[str, pd.DataFrame], factor: str) -> dict[int, pd.DataFrame]:
    """Return the rows of a factor for each other K that all models have."""
    measured = {name: measure_others(scan, factor) for name, scan in scans.items()}
    shared = set.intersection(*map(set, measured.values()))
    return {
        k: pd.concat([tables[k].assign(model=name) for name, tables in measured.items()])
        for k in sorted(shared)
    }


def make_csv(board: Leaderboard) -> pd.DataFrame:
    """Return a row for each model: rank, accuracies and thresholds with intervals, sizes."""
    rows = []
    for model in board.models:
        row = {name: model[name] for name in ("rank", "rank_low", "rank_high", "name")}
        for found in model["headline"]:
            if found["k"] == board.k:
                for name in ("accuracy", "low", "high", "chance", "corrected"):
                    row[f"{found['condition']}_{name}"] = found[name]
        for found in model["thresholds"]:
            for name in ("level", "low", "high"):
                shown = found[name] if found["reached"] else None
                row[f"threshold_{found['unit']}_{found['baseline']}_{name}"] = shown
        row |= {name: model[name] for name in SIZES}
        rows.append(row | {"weights_sha256": model["weights_sha256"], "path": model["path"]})
    return pd.DataFrame(rows)


def find_headline(model: Row, condition: str, k: int) -> Row | None:
    """Return the accuracy of a model in a condition; None if it was not measured."""
    rows = (row for row in model["headline"] if (row["condition"], row["k"]) == (condition, k))
    return next(rows, None)


def _describe(result: Result) -> Row:
    """Return the properties of a model and its accuracies."""
    sizes = {name: _to_number(result.find("model", name)) for name in SIZES}
    digest = result.find("model", "weights_sha256")
    templates = result.find("question", "templates")
    headline = summarize_headline(take_scan(result.outcomes))
    k = int(result.outcomes["k"].iloc[0])
    at_chance = {row["condition"] for row in headline if row["k"] == k and row["at_chance"]}
    thresholds = tabulate_thresholds(result.outcomes)
    return {
        "name": result.name,
        "path": str(result.path),
        "weights_sha256": digest if isinstance(digest, str) else None,
        "templates": [str(text) for text in templates] if isinstance(templates, list) else None,
        **sizes,
        "headline": headline,
        "thresholds": [_judge(row, at_chance) for row in to_rows(thresholds)],
    }


def _judge(threshold: Row, at_chance: Collection[str]) -> Row:
    """Return a threshold, marked as not reached if even the baseline is at chance."""
    if threshold["reached"] and threshold["baseline"] in at_chance:
        return threshold | {"reached": False, "note": "reads no better than chance"}
    return threshold


def _to_number(value: Any) -> float | None:  # noqa: ANN401 - a summary may contain anything.
    """Return a size; None if there is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 < value < MAX_SIZE else None


def _to_row(ranks: pd.Series) -> Row:
    return {str(name): int(value) for name, value in ranks.items()}


def _list_factors(scans: Sequence[pd.DataFrame], by: object) -> list[str]:
    """Return the factors that all results contain, including those of imported tables."""
    first = scans[0]
    varied = list_varied(first)
    named = by if isinstance(by, list) else []
    own = [name for name in named if isinstance(name, str) and name in first]
    own = [name for name in own if first[name].notna().all() and first[name].nunique() > 1]
    others = [
        name for name in dict.fromkeys([*list_factors(first), *own]) if name not in varied
    ]
    return [*varied, *list_shared(scans, others)]


def _name_pairs(pairs: pd.DataFrame, results: Sequence[Result]) -> list[Row]:
    names = [result.name for result in results]
    return [
        row | {"a": names[int(row["a"])], "b": names[int(row["b"])]} for row in to_rows(pairs)
    ]


def _list_asked(results: Sequence[Result]) -> dict[str, Any]:
    first = results[0]
    rows = first.outcomes
    names = ("rivals", "seed", "split", "n_words")
    known = {name: first.find("question", name) for name in names}
    return {
        "protocol": int(rows["protocol"].iloc[0]) if "protocol" in rows else 1,
        "task": str(rows["task"].iloc[0]),
        **{name: value for name, value in known.items() if value not in (None, "")},
    }
