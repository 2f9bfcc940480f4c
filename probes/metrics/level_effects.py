"""Effects of levels: the cost of each level relative to its baseline, on the same words.

Two cells show the same words and differ by one factor, so their difference in accuracy is the
effect, without any model.
"""

from __future__ import annotations

import pandas as pd
from statsmodels.stats.multitest import multipletests

from probes.factors import BASELINE
from probes.metrics.cells import PLACE, list_varied, take_baselines
from probes.metrics.paired import mcnemar_by_word, paired_difference

COLUMNS = [
    "factor", "baseline", "level", "n_seen", "accuracy", "accuracy_baseline",
    "difference", "low", "high", "n_lost", "n_gained", "p", "p_holm",
]  # fmt: skip

ASKED = ("word", "distractors", "view")
"""Columns that identify the question a row answers, whatever the level."""


def level_effects(outcomes: pd.DataFrame, *, n_draws: int = 2000) -> pd.DataFrame:
    """Return the gain of each level of a design over its baseline: a row for each cell.

    Args:
        outcomes: from a design that varies one factor at a time, with its baselines' cells.
        n_draws: resamplings of the words per interval.

    Returns:
        factor, baseline and level; `n_seen` pairs; the accuracy of the cell and that of the
        baseline; their `difference` with `low` and `high` of its 95 % interval; words `n_lost`
        and `n_gained`; `p` of McNemar's exact test, by word where it has several rows, and
        `p_holm` over the whole table. Empty where there is no baseline.
    """
    asked = [name for name in ASKED if name in outcomes]
    # A copy of all columns for every cell would take most of the time of a large report.
    outcomes = outcomes[[*PLACE, *asked, "correct"]]
    bases = {str(name): rows for name, rows in take_baselines(outcomes).groupby("baseline")}
    rows = []
    for factor in list_varied(outcomes):
        cells = outcomes[outcomes["factor"] == factor]
        for (baseline, level), cell in cells.groupby(["baseline", "level"], sort=False):
            if baseline in bases:
                named = {"factor": factor, "baseline": baseline, "level": level}
                base = bases[str(baseline)]
                rows.append(named | _compare_cells(base, cell, asked, n_draws))
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.DataFrame(rows)
    table["p_holm"] = multipletests(table["p"], method="holm")[1]
    return table[COLUMNS]


def _compare_cells(
    base: pd.DataFrame, cell: pd.DataFrame, asked: list[str], n_draws: int
) -> dict[str, float]:
    pairs = cell.merge(base[[*asked, "correct"]], on=asked, suffixes=("", f"_{BASELINE}"))
    before, after = pairs[f"correct_{BASELINE}"], pairs["correct"]
    gain = paired_difference(before, after, pairs["word"], n_draws=n_draws)
    test = mcnemar_by_word(before, after, pairs["word"])
    return {
        "n_seen": len(pairs),
        "accuracy": float(after.mean()),
        "accuracy_baseline": float(before.mean()),
        "difference": gain.mean,
        "low": gain.low,
        "high": gain.high,
        "n_lost": test.n_only_a,
        "n_gained": test.n_only_b,
        "p": test.p,
    }
