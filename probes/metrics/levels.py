"""A column of outcomes -> its levels: bins of numbers, names of categories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from probes.metrics.intervals import Floats, Ints

MAX_GIVEN_LEVELS = 12
"""A numeric factor with no more distinct values than this keeps them as its levels."""


@dataclass(frozen=True)
class Bins:
    """A numeric column cut into levels.

    Attributes:
        codes: int64 (N,); the level of each row, -1 where the value is missing.
        labels: the levels' names in rising order, such as "12" or "3.5 to 8".
        centres: float64, one per level; the median of its values.
    """

    codes: Ints
    labels: tuple[str, ...]
    centres: Floats


def bin_levels(column: ArrayLike, n_bins: int = 7) -> Bins:
    """Return a numeric column cut into levels.

    A column with few distinct values keeps them. Any other is cut into bins of nearly equal
    count; a value frequent enough to fill a bin, such as a blur of 0, has one to itself.

    Args:
        column: numbers (N,); a missing value belongs to no level.
        n_bins: maximum number of levels for a column with many values.
    """
    values = np.asarray(column, dtype=np.float64)
    known = values[~np.isnan(values)]
    distinct, counts = np.unique(known, return_counts=True)
    if distinct.size <= max(n_bins, MAX_GIVEN_LEVELS):
        cuts = distinct[1:]
    else:
        cuts = _cut_evenly(distinct, counts, n_bins)
    codes = np.where(np.isnan(values), -1, np.searchsorted(cuts, values, side="right"))
    members = [values[codes == code] for code in range(min(distinct.size, cuts.size + 1))]
    centres = np.array([np.median(member) for member in members], dtype=np.float64)
    labels = tuple(_label(member.min(), member.max()) for member in members)
    return Bins(codes=codes.astype(np.int64), labels=labels, centres=centres)


def _cut_evenly(distinct: Floats, counts: Ints, n_bins: int) -> Floats:
    """Return the values at which each bin after the first begins."""
    cuts = []
    n_open, n_held, bins_left = int(counts.sum()), 0, n_bins
    for value, count in zip(distinct.tolist(), counts.tolist(), strict=True):
        # The bin closes when adding this value would move it further from the even count.
        if n_held and bins_left > 1 and n_held + count / 2 > n_open / bins_left:
            cuts.append(value)
            n_open, n_held, bins_left = n_open - n_held, 0, bins_left - 1
        n_held += count
    return np.array(cuts, dtype=np.float64)


def _label(low: float, high: float) -> str:
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
