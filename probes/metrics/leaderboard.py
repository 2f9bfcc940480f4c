"""Many readers on the same images: their order, and which differ significantly.

Every pair is tested on the images of one condition, with words kept together. Holm's correction
is over all pairs, so with equal readers 95 % of leaderboards show no difference.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from probes.metrics.cells import take_baselines
from probes.metrics.paired import agree, compare_answers

ALPHA = 0.05
"""Two readers differ significantly where p, after Holm, is below this."""

HARDER, EASY, EVERYTHING = "harder", "easy", "all images"

PAIR_COLUMNS = [
    "a", "b", "n_seen", "accuracy_a", "accuracy_b", "difference", "low", "high",
    "n_only_a", "n_only_b", "p", "p_holm",
]  # fmt: skip

Truths = NDArray[np.bool_]


def choose_condition(outcomes: pd.DataFrame) -> str:
    """Return the condition by which readers are ranked.

    In a design it is the standard one (`harder`), or else the first it contains; otherwise it
    is all images.
    """
    shown = take_baselines(outcomes)["baseline"].unique().tolist() if len(outcomes) else []
    if HARDER in shown:
        return HARDER
    return str(shown[0]) if shown else EVERYTHING


def take_condition(outcomes: pd.DataFrame, condition: str) -> pd.DataFrame:
    """Return the rows of a condition: the images of one baseline, or all images."""
    if condition == EVERYTHING:
        return outcomes
    shown = take_baselines(outcomes)
    return shown[shown["baseline"] == condition]


def compare_pairs(
    tables: Sequence[pd.DataFrame],
    *,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> pd.DataFrame:
    """Return the gain of each reader over each reader before it, on the same images.

    Args:
        tables: one per reader, one row per image with `key`, `word` and `correct` (bool). All
            have the same keys, in any order.
        seed: for the bootstrap.
        on_progress: called with the number of pairs done and the total.

    Returns:
        A row for each pair, in order: the indices `a` and `b` in `tables`, `n_seen`, both
        accuracies, their `difference` (B less A) with `low` and `high` of its 95 % interval by
        words, `n_only_a` and `n_only_b`, `p` of `mcnemar_by_word`, and `p_holm` over all pairs.
    """
    rows: list[dict[str, float]] = []
    right, words = _align(tables)
    pairs = list(itertools.combinations(range(len(tables)), 2))
    for n_done, (a, b) in enumerate(pairs, start=1):
        rows.append({"a": a, "b": b} | compare_answers(right[a], right[b], words, seed))
        on_progress(n_done, len(pairs))
    table = pd.DataFrame(rows, columns=PAIR_COLUMNS)
    if rows:
        table["p_holm"] = multipletests(table["p"], method="holm")[1]
    return table


def rank_readers(accuracies: Sequence[float], pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the rank of each reader, and the range of ranks consistent with the tests.

    Args:
        accuracies: one per reader.
        pairs: from `compare_pairs`.

    Returns:
        A row for each reader: `rank` (1 is best; ties share the better rank), `rank_low` (1
        plus the number of readers significantly better), and `rank_high` (the number of readers
        minus those significantly worse).
    """
    n = len(accuracies)
    better, worse = np.zeros(n, np.int64), np.zeros(n, np.int64)
    told = pairs[pairs["p_holm"] < ALPHA]
    for a, b, gain in zip(told["a"], told["b"], told["difference"], strict=True):
        winner, loser = (b, a) if gain > 0 else (a, b)
        better[loser] += 1
        worse[winner] += 1
    ranks = pd.Series(accuracies, dtype=float).rank(method="min", ascending=False)
    return pd.DataFrame(
        {"rank": ranks.astype(int), "rank_low": 1 + better, "rank_high": n - worse}
    )


def list_shared(tables: Sequence[pd.DataFrame], factors: Sequence[str]) -> list[str]:
    """Return the factors whose values are the same in all tables, image by image.

    The number of tokens in a word, for example, depends on the reader.

    Args:
        tables: with `key`, all of the same keys.
        factors: columns.
    """
    ordered = [table.set_index("key").sort_index() for table in tables]
    first, others = ordered[0], ordered[1:]
    return [
        name
        for name in factors
        if name in first
        and all(name in each and agree(first[name], each[name]).all() for each in others)
    ]


def _align(tables: Sequence[pd.DataFrame]) -> tuple[list[Truths], NDArray[np.int64]]:
    """Return what each reader got right, in the order of the keys, and the word of each."""
    ordered = [table.sort_values("key") for table in tables]
    words = pd.factorize(ordered[0]["word"])[0].astype(np.int64)
    return [table["correct"].to_numpy(dtype=np.bool_) for table in ordered], words
