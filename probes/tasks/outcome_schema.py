"""The schema of outcomes from any source, needed to compare them; see docs/probing.md."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from probes.errors import ProbeError
from probes.factors import FACTORS
from probes.metrics.breakdown import take_scan
from probes.metrics.cells import find_column, is_design, list_varied
from probes.tasks.outcomes import TEXT, WHOLE, check_kind
from synthtext.errors import quote, shorten

SCHEMA = "docs/probing.md has the schema of outcomes"

DESIGNED = ("baseline", "level")
"""Additional columns in the outcomes of a design."""

MAX_FACTORS, MAX_LEVELS = 64, 1000
"""Maximum number of factors, and of levels per factor, in outcomes from any source."""

RANKED = re.compile(r"(rank|chance)_at_([1-9][0-9]{0,8})")
"""Columns for one number of candidates."""


def check_outcomes(path: Path, outcomes: pd.DataFrame) -> None:
    """Refuse outcomes that violate the schema.

    Args:
        path: their file, for the error.
        outcomes: from `read_outcomes`, which has checked the required columns.

    Raises:
        ProbeError: there are no rows, a key occurs twice, a rank is not within 1 to K or
            contradicts `correct`, or the columns of a design or of a K are invalid.
    """
    _check_rows(path, outcomes)
    for name in map(str, outcomes.columns):
        if name.startswith(("rank_at_", "chance_at_")) and not _is_ranked(outcomes[name], name):
            raise ProbeError(
                f"{path} does not hold ranks or chances in its column {shorten(name)}; {SCHEMA}"
            )
    for name in ("protocol", "look"):
        if name in outcomes:
            check_kind(path, outcomes, name, WHOLE)
    if take_scan(outcomes).empty:
        raise ProbeError(f"{path} has no rows of the coarse scan, whose look is 1; {SCHEMA}")
    if "confidence" in outcomes and not _is_between(outcomes["confidence"], 0, 1):
        raise ProbeError(f"{path} does not hold 0 to 1 in its column confidence; {SCHEMA}")
    if is_design(outcomes):
        _check_design(path, outcomes)


def _check_rows(path: Path, outcomes: pd.DataFrame) -> None:
    """Refuse rows that contradict themselves or each other, or an empty table."""
    if outcomes.empty:
        raise ProbeError(f"{path} has no rows; {SCHEMA}")
    if outcomes["k"].nunique() > 1:
        raise ProbeError(f"{path} has rows of several K, and outcomes are about one; {SCHEMA}")
    for rows, fault in (
        (
            outcomes["key"].duplicated(),
            "has the key {} more than once, and a key names one row",
        ),
        (
            (outcomes["k"] < 2) | ~outcomes["rank"].between(1, outcomes["k"]),
            "has a rank that is not one of 1 to K, or a K below 2, for the key {}",
        ),
        (
            outcomes["correct"] != (outcomes["rank"] == 1),
            "has a rank and a correct that contradict each other for the key {}",
        ),
    ):
        if rows.any():
            told = fault.format(quote(outcomes["key"][rows].iloc[0]))
            raise ProbeError(f"{path} {told}; {SCHEMA}")


def _check_design(path: Path, outcomes: pd.DataFrame) -> None:
    """Refuse a design whose rows lack the level or the baseline that they show."""
    factors = list_varied(outcomes)
    if len(factors) > MAX_FACTORS:
        raise ProbeError(
            f"{path} varies {len(factors):,} factors; the limit is {MAX_FACTORS}; {SCHEMA}"
        )
    units = _list_units(factors)
    missing = [name for name in (*DESIGNED, *factors, *units) if name not in outcomes]
    missing = list(dict.fromkeys(missing))
    if missing:
        listed = ", ".join(shorten(name) for name in missing)
        raise ProbeError(f"{path} is of a design and lacks the columns {listed}; {SCHEMA}")
    for name in DESIGNED:
        check_kind(path, outcomes, name, TEXT)
    n_levels = outcomes.groupby(["factor", "baseline"])["level"].nunique()
    if n_levels.max() > MAX_LEVELS or len(n_levels) > 2 * MAX_FACTORS:
        raise ProbeError(
            f"{path} has {n_levels.max():,} levels of one factor in {len(n_levels):,} curves,"
            f" and the limits are {MAX_LEVELS:,} in {2 * MAX_FACTORS}; {SCHEMA}"
        )
    for unit, factor in units.items():
        row = FACTORS.get(factor)
        if row is not None and row.direction and not _is_between(outcomes[unit]):
            raise ProbeError(f"{path} does not hold numbers in its column {unit}; {SCHEMA}")


def _list_units(factors: list[str]) -> dict[str, str]:
    """Return the columns in which factors are measured, and the factor of each."""
    units = {find_column(name): name for name in factors}
    return units | ({"x_height_patches": "size_px"} if "size_px" in factors else {})


def _is_ranked(column: pd.Series, name: str) -> bool:
    """Return whether a column holds ranks among one K, or probabilities of being right."""
    found = RANKED.fullmatch(name)
    if not found:
        return False
    low, high = (1, int(found[2])) if found[1] == "rank" else (0, 1)
    return _is_between(column, low, high)


def _is_between(column: pd.Series, low: float = -np.inf, high: float = np.inf) -> bool:
    """Return whether a column holds only finite numbers within bounds or missing values."""
    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if not is_number:
        return bool(column.isna().all())
    known = column.dropna().to_numpy(dtype=np.float64)
    return bool((np.isfinite(known) & (known >= low) & (known <= high)).all())
