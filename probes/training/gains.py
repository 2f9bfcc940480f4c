"""Gains: a model before and after training, on the same images -> gains and retention."""

from __future__ import annotations

import numpy as np
import pandas as pd

from probes.data.pairs import Exclusion, has_level
from probes.metrics.breakdown import list_factors
from probes.metrics.paired import OVERALL, compare

COLUMNS = (
    "group", "n_seen", "accuracy_a", "accuracy_b", "difference", "low", "high", "p", "worked",
)  # fmt: skip


def tabulate_gains(
    before: pd.DataFrame, after: pd.DataFrame, exclusion: Exclusion, title: str
) -> pd.DataFrame:
    """Return the gains on images of held-out words.

    There is a row for the levels in the training data, and one for each factor with held-out
    levels, which shows how far the model generalises. A gain has `worked` if its interval lies
    above 0.

    Args:
        before: outcomes, a row per image.
        after: outcomes for the same images.
        exclusion: levels that were held out of training.
        title: title of the first row.
    """
    names = [name for name in exclusion if name in before]
    fields = [dict(zip(names, row, strict=True)) for row in before[names].to_numpy()]
    seen = np.array([not has_level(row, exclusion) for row in fields])
    groups = {title: seen}
    for name, draw in exclusion.items():
        label = f"{title}, unseen {name}: {draw}"
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
    """Return the gain at each level of each factor that varies."""
    table = compare(before, after, list_factors(before))
    return table[table["factor"] != OVERALL]
