"""Results to compare: read as untrusted input, and checked to answer the same questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pandas as pd

from probes.errors import ProbeError
from probes.metrics.breakdown import take_scan
from probes.tasks.outcome_schema import check_outcomes
from probes.tasks.outcomes import read_outcomes
from synthtext.errors import quote, shorten
from synthtext.files import read_file

SUMMARY = "summary.json"

MAX_BYTES = 64 << 20
"""Maximum size of a summary in bytes."""

MAX_NAME_CHARS = 60

ASKED = {
    "protocol": "the protocol", "task": "the task", "k": "the number of candidates, K",
    "seed": "the seed", "rivals": "the rivals", "vocabulary": "the vocabulary",
    "split": "the split",
}  # fmt: skip
"""What determines a question, as recorded in results, and its name in an error."""

SHOWN = ("factor", "baseline", "level", "word")
"""Columns that describe what an image shows."""


@dataclass(frozen=True)
class Result:
    """One of the results that are compared.

    Attributes:
        name: name of the model, on one line, unique among the results.
        path: the folder of results, or the Parquet file.
        outcomes: a row per image.
        summary: content of `summary.json`; empty if there is none.
    """

    name: str
    path: Path
    outcomes: pd.DataFrame
    summary: Mapping[str, Any]

    def find(self, *names: str) -> Any:  # noqa: ANN401 - whatever the summary holds there.
        """Return an entry of the summary, None if it is missing."""
        found: Any = self.summary
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return found


def read_results(paths: Sequence[Path]) -> list[Result]:
    """Return results, each with a unique name.

    Args:
        paths: folders of results, or Parquet files of outcomes.

    Raises:
        ProbeError: one is missing, or does not hold outcomes.
    """
    results = []
    for path in paths:
        outcomes = read_outcomes(path)
        check_outcomes(path, outcomes)
        summary = _read_summary(path)
        blank = [name for name in ("baseline", "level") if name not in outcomes]
        outcomes = outcomes.assign(**dict.fromkeys(blank, ""))
        ranked = f"rank_at_{outcomes['k'].iloc[0]}"
        if ranked not in outcomes:
            outcomes = outcomes.assign(**{ranked: outcomes["rank"]})
        results.append(Result(_name(path, summary), path, outcomes, summary))
    return _tell_apart(results)


def check_same(results: Sequence[Result]) -> None:
    """Refuse results that do not answer the same questions about the same images.

    The images of a coarse scan are compared; levels that were added differ between readers.

    Raises:
        ProbeError: they differ; the message says which, in what, and what to do.
    """
    first, others = results[0], results[1:]
    own = _describe(first)
    for name, what in ASKED.items():
        # A result that does not record it is assumed to agree.
        known = [(each, _describe(each)[name]) for each in others]
        _refuse(
            first, [pair for pair in known if None not in (pair[1], own[name]) and
                    pair[1] != own[name]], own[name], what,
        )  # fmt: skip
    rows = _list_shown(first)
    for other in others:
        _check_images(first, other, rows, _list_shown(other))


def _describe(result: Result) -> dict[str, object]:
    """Return what determines the question of a result, with None for what is not recorded."""
    outcomes = result.outcomes
    asked = {name: result.find("question", name) for name in ("seed", "rivals", "split")}
    return {
        "protocol": int(outcomes["protocol"].iloc[0]) if "protocol" in outcomes else 1,
        "task": str(outcomes["task"].iloc[0]),
        "k": int(outcomes["k"].iloc[0]),
        "vocabulary": result.find("question", "vocabulary", "sha256"),
        **asked,
    }


def _refuse(
    first: Result, others: Sequence[tuple[Result, object]], own: object, what: str
) -> None:
    if not others:
        return
    listed = " and ".join(f"{each.path} ({_shorten(value)})" for each, value in others[:3])
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    raise ProbeError(
        f"{listed}{more} and {first.path} ({_shorten(own)}) differ in {what}; compare those"
        " that agree, or probe again with the options of one (--config and its run.toml)"
    )


def _list_shown(result: Result) -> pd.DataFrame:
    scan = take_scan(result.outcomes)
    columns = [name for name in SHOWN if name in scan]
    return scan.set_index("key")[columns].sort_index()


def _check_images(first: Result, other: Result, one: pd.DataFrame, two: pd.DataFrame) -> None:
    way_out = "probe both with the same --design, --n and --data, or compare those that agree"
    n_apart = len(one.index.symmetric_difference(two.index))
    if n_apart:
        raise ProbeError(
            f"{first.path} ({len(one):,} images) and {other.path} ({len(two):,}) differ in"
            f" {n_apart:,} images that only one of them was shown; {way_out}"
        )
    for column in one.columns.intersection(two.columns):
        differs = one[column].fillna("") != two[column].fillna("")
        if differs.any():
            key = quote(one.index[differs][0])
            raise ProbeError(
                f"{first.path} and {other.path} differ in {column} of the image {key};"
                f" {way_out}"
            )


def _read_summary(path: Path) -> dict[str, Any]:
    file = path / SUMMARY
    if not path.is_dir() or not file.exists():
        return {}
    remedy = "delete it, or run the probe again"
    raw = read_file(file, MAX_BYTES, kind=ProbeError, remedy=remedy)
    try:
        summary = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ProbeError(f"{file} is not JSON; {remedy}") from error
    if not isinstance(summary, dict):
        raise ProbeError(f"{file} does not hold a JSON object; {remedy}")
    return summary


def _name(path: Path, summary: Mapping[str, Any]) -> str:
    """Return the model's name in the summary, else the name of the folder or the file."""
    model = summary.get("model")
    parts = [model.get("name"), model.get("tag")] if isinstance(model, dict) else []
    if len(parts) == 2 and parts[0] == parts[1]:  # A folder of weights is its own tag.
        parts.pop()
    said = " ".join(part for part in parts if isinstance(part, str) and part)
    place = path.resolve()
    return shorten(said or (place.name if place.is_dir() else place.stem), MAX_NAME_CHARS)


def _tell_apart(results: list[Result]) -> list[Result]:
    """Return the results with distinct names, adding the folder where two are the same."""
    names = [result.name for result in results]
    told: list[Result] = []
    for place, result in enumerate(results):
        name = result.name
        if names.count(name) > 1:
            name = f"{name} ({shorten(result.path.resolve().name, MAX_NAME_CHARS)})"
        if name in {other.name for other in told}:
            name = f"{name} #{place + 1}"
        told.append(Result(name, result.path, result.outcomes, result.summary))
    return told


def _shorten(value: object) -> str:
    return shorten(str(value), 16)
