"""Gains: a model before and after training, on the same pictures -> what it learnt and kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probes.data.pairs import Exclusion, has_level
from probes.metrics.breakdown import list_factors
from probes.metrics.intervals import Interval, cluster_bootstrap
from probes.metrics.paired import OVERALL, compare, paired_difference
from probes.models.base import Vectors

COLUMNS = (
    "group", "n_seen", "accuracy_a", "accuracy_b", "difference", "low", "high", "p", "worked",
)  # fmt: skip


@dataclass(frozen=True)
class Retention:
    """What became of what a model knew.

    Attributes:
        title: of the pictures it was asked about.
        n_seen: how many.
        before: share it got right before.
        after: share it gets right now.
        gain: the difference and its interval.
        drift: mean of 1 - cosine between the vectors of bundled pictures, and its interval.
    """

    title: str
    n_seen: int
    before: float
    after: float
    gain: Interval
    drift: Interval


def tabulate_gains(
    before: pd.DataFrame, after: pd.DataFrame, exclusion: Exclusion, title: str
) -> pd.DataFrame:
    """Return what training gained on pictures of words it never showed.

    A row for the levels that training showed, and one for each factor with levels left out: how
    far it goes beyond what was taught. A gain `worked` where its interval lies above 0.

    Args:
        before: outcomes, a row per picture.
        after: of the same pictures.
        exclusion: levels that training left out.
        title: of the first row.
    """
    names = [name for name in exclusion if name in before]
    fields = [dict(zip(names, row, strict=True)) for row in before[names].to_numpy()]
    seen = np.array([not has_level(row, exclusion) for row in fields])
    groups = {title: seen}
    for name, draw in exclusion.items():
        label = f"{title}, {name} left out: {draw}"
        groups[label] = np.array([has_level(row, {name: draw}) for row in fields])
    rows = []
    for label, members in groups.items():
        if not members.any():
            continue
        keys = set(before["key"][members])
        one, other = (outcomes[outcomes["key"].isin(keys)] for outcomes in (before, after))
        row = compare(one, other, []).iloc[0]
        rows.append({**row, "group": label, "worked": bool(row["low"] > 0)})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def tabulate_factors(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return what training gained at each level of each factor that varies."""
    table = compare(before, after, list_factors(before))
    return table[table["factor"] != OVERALL]


def measure_retention(
    title: str,
    right: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    vectors: tuple[Vectors, Vectors],
) -> Retention:
    """Return what a model kept.

    Args:
        title: of the pictures it was asked about.
        right: which it got right before and after, (N,) each.
        vectors: of bundled pictures before and after, (M, D) each.
    """
    before, after = right
    drifts = 1 - (vectors[0] * vectors[1]).sum(axis=1, dtype=np.float64)
    return Retention(
        title=title,
        n_seen=len(before),
        before=float(before.mean()),
        after=float(after.mean()),
        gain=paired_difference(before, after, np.arange(len(before))),
        drift=cluster_bootstrap(drifts, np.arange(len(drifts))),
    )
