"""Two readers on the same images: the gain of one over the other, overall and by factor.

McNemar's exact test asks whether the images that only one of them reads are split evenly, as by
tossing a coin. Images of the same word are not independent; there each word tosses once for all
of its images. With one image per word the two tests are the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from probes.errors import ProbeError, require_columns
from probes.factors import BASELINE, FACTORS
from probes.metrics.cells import is_design, take_baselines
from probes.metrics.intervals import Interval, cluster_bootstrap, count_clusters, wilson
from probes.metrics.levels import bin_levels

Floats = NDArray[np.float64]

OVERALL = "overall"

_Level = tuple[str, str, float, pd.DataFrame]
"""Baseline, name and centre of a level, and its rows."""

ROUNDING = 1e-12
"""Probabilities computed through cosines are exact to better than this."""

COLUMNS = [
    "factor", "baseline", "level", "centre", "n_seen", "accuracy_a", "accuracy_b",
    "difference", "low", "high", "n_only_a", "n_only_b", "p", "p_holm",
]  # fmt: skip


@dataclass(frozen=True)
class McNemar:
    """Images that only one of two readers reads, and the exact two-sided p of their split."""

    n_only_a: int
    n_only_b: int
    p: float


def mcnemar_exact(right_a: ArrayLike, right_b: ArrayLike) -> McNemar:
    """Return McNemar's exact test of two readers on the same images, assumed independent.

    Args:
        right_a: bool (N,); whether A read each image.
        right_b: bool (N,); whether B read it.

    Source: McNemar, Psychometrika 12 (1947); the exact form is the binomial test of the
    images that only one reads, against one half.
    """
    only_a, only_b = _split(right_a, right_b)
    n_only_a, n_only_b = int(only_a.sum()), int(only_b.sum())
    n = n_only_a + n_only_b
    p = float(stats.binomtest(n_only_a, n, 0.5).pvalue) if n else 1.0
    return McNemar(n_only_a=n_only_a, n_only_b=n_only_b, p=p)


def mcnemar_by_word(right_a: ArrayLike, right_b: ArrayLike, words: ArrayLike) -> McNemar:
    """Return McNemar's exact test with the images of each word kept together.

    Under the null hypothesis A and B may be swapped word by word, so each word's surplus of
    images that only B reads keeps its size and takes either sign. The sum of all surpluses has
    an exact distribution, found here from its characteristic function, a product of cosines.
    A p below 1e-12 is given as 1e-12, unless every word has one image and the binomial serves.

    Args:
        right_a: bool (N,); whether A read each image.
        right_b: bool (N,); whether B read it.
        words: (N,); the word on each image.
    """
    only_a, only_b = _split(right_a, right_b)
    codes = pd.factorize(np.asarray(words))[0]
    surplus = np.bincount(codes, only_b) - np.bincount(codes, only_a)
    sizes, n_words = np.unique(np.abs(surplus[surplus != 0]), return_counts=True)
    if only_a.sum() + only_b.sum() == n_words.sum() == n_words[sizes == 1].sum():
        return mcnemar_exact(right_a, right_b)
    p = _toss(sizes, n_words, observed=int(abs(surplus.sum())))
    return McNemar(n_only_a=int(only_a.sum()), n_only_b=int(only_b.sum()), p=p)


def paired_difference(
    right_a: ArrayLike,
    right_b: ArrayLike,
    clusters: ArrayLike,
    *,
    n_draws: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """Return the accuracy of B minus that of A, with an interval that resamples whole clusters.

    If the two differ by the same amount on every image, resampling shows no spread. The
    interval then extends to either side as far as Wilson's for 0 of all clusters.

    Args:
        right_a: bool (N,); whether A read each image.
        right_b: bool (N,); whether B read it.
        clusters: (N,); the cluster of each image, usually its word.
        n_draws: number of resamplings.
        seed: equal seeds give equal intervals.
        confidence: nominal coverage of the interval, 0 to 1.
    """
    only_a, only_b = _split(right_a, right_b)
    gains = only_b.astype(np.float64) - only_a
    if not gains.size or gains.min() != gains.max():
        return cluster_bootstrap(
            gains, clusters, n_draws=n_draws, seed=seed, confidence=confidence
        )
    unseen = float(wilson(0, count_clusters(clusters), confidence)[1])
    mean = float(gains[0])
    return Interval(mean, max(-1.0, mean - unseen), min(1.0, mean + unseen))


def compare(
    rows_a: pd.DataFrame,
    rows_b: pd.DataFrame,
    factors: list[str],
    *,
    cluster: str = "word",
    seed: int = 0,
) -> pd.DataFrame:
    """Return the gain of B over A: a row over all images, then one per level of each factor.

    In a design, a level belongs to one factor and one baseline: the size of images made for
    another factor does not count as a level of size.

    Args:
        rows_a: one per image, with `key`, `correct` (bool), the cluster's column and the
            factors'. Any order.
        rows_b: the same images and columns.
        factors: columns to compare by. Numbers with many values are binned; a row with no value
            for the factor counts only in the overall row.
        cluster: the column whose values are resampled as wholes, usually the word.
        seed: for the bootstrap.

    Returns:
        `factor` ("overall" first), `baseline` (empty outside designs), `level`, `centre`
        (median of a numeric level, else NaN), `n_seen`, the two accuracies, `difference` (B
        less A) with `low` and `high` of its 95 % interval, `n_only_a` and `n_only_b`, the `p`
        of `mcnemar_by_word`, and `p_holm`, Holm's correction over the levels of one factor.

    Raises:
        ProbeError: the keys or the columns of the two do not match.
    """
    pairs = _pair(rows_a, rows_b, [cluster, *factors])
    families: list[tuple[str, list[_Level]]] = [(OVERALL, [("", "all", np.nan, pairs)])]
    if "factor" in pairs and is_design(pairs):
        families.append((BASELINE, _split_cells(take_baselines(pairs))))
    for factor in factors:
        own = pairs[pairs["factor"] == factor] if "factor" in pairs else pairs[:0]
        families.append((factor, _split_cells(own) or _split_levels(pairs, factor)))
    table = []
    for factor, levels in families:
        family = [_compare_level(members, cluster, seed) for *_, members in levels]
        if not family:
            continue
        corrected = multipletests([row["p"] for row in family], method="holm")[1]
        for (baseline, level, centre, _), row, p_holm in zip(
            levels, family, corrected, strict=True
        ):
            named: dict[str, object] = {
                "factor": factor, "baseline": baseline, "level": level, "centre": centre,
                "p_holm": p_holm,
            }  # fmt: skip
            table.append(named | row)
    return pd.DataFrame(table, columns=COLUMNS)


def _pair(rows_a: pd.DataFrame, rows_b: pd.DataFrame, shared: list[str]) -> pd.DataFrame:
    """Return the rows of A with those of B's answers as `correct_b`, in the order of A."""
    protocols = [_read_protocol(rows) for rows in (rows_a, rows_b)]
    if protocols[0] != protocols[1]:
        raise ProbeError(
            f"A uses protocol {protocols[0]} and B protocol {protocols[1]}, whose questions"
            f" differ; repeat the older probe"
        )
    for name, rows in (("A", rows_a), ("B", rows_b)):
        require_columns(rows.columns, ["key", "correct", *shared])
        repeated = rows["key"][rows["key"].duplicated()]
        if len(repeated):
            raise ProbeError(
                f"{name} has key {repeated.iloc[0]!r} more than once; each image needs its"
                f" own key"
            )
    if rows_a.empty and rows_b.empty:
        raise ProbeError("A and B have no rows; run both probes first")
    n_missing = len(set(rows_a["key"]) ^ set(rows_b["key"]))
    if n_missing:
        raise ProbeError(
            f"{n_missing} keys are in only one of A ({len(rows_a)} rows) and B ({len(rows_b)} "
            "rows); probe both with the same stimuli"
        )
    other = rows_b.set_index("key").loc[rows_a["key"]].reset_index()
    pairs = rows_a.reset_index(drop=True)
    for column in dict.fromkeys(shared):
        same = agree(pairs[column], other[column])
        if not same.all():
            key = pairs["key"][~same].iloc[0]
            raise ProbeError(
                f"A and B differ in {column} for key {key!r}; probe both with the same stimuli"
            )
    return pairs.assign(correct_b=other["correct"])


def agree(one: pd.Series, other: pd.Series) -> pd.Series:
    """Return where two columns agree; unlike NaN, two missing values are equal."""
    return (one == other) | (one.isna() & other.isna())


def _read_protocol(rows: pd.DataFrame) -> int:
    """Return the protocol version of some rows; rows without a note are of version 1."""
    return int(rows["protocol"].iloc[0]) if "protocol" in rows and len(rows) else 1


def _split_cells(pairs: pd.DataFrame) -> list[_Level]:
    """Return the cells of one factor of a design, in their order."""
    if pairs.empty:
        return []
    factor = str(pairs["factor"].iloc[0])
    is_number = factor in FACTORS and pd.api.types.is_numeric_dtype(pairs[factor])
    return [
        (str(baseline), str(level), float(cell[factor].median()) if is_number else np.nan, cell)
        for (baseline, level), cell in pairs.groupby(["baseline", "level"], sort=False)
    ]


def _split_levels(pairs: pd.DataFrame, factor: str) -> list[_Level]:
    """Return the levels of a column: no baseline, name, centre (NaN for a category), rows."""
    column = pairs[factor]
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        bins = bin_levels(column.to_numpy(dtype=np.float64))
        return [
            ("", label, float(centre), pairs[bins.codes == code])
            for code, (label, centre) in enumerate(zip(bins.labels, bins.centres, strict=True))
        ]
    names = column.astype(str).where(column.notna())
    return [("", str(name), np.nan, members) for name, members in pairs.groupby(names)]


def _compare_level(pairs: pd.DataFrame, cluster: str, seed: int) -> dict[str, float]:
    """Return the figures of one row of the table, before Holm's correction."""
    a, b = pairs["correct"].to_numpy(), pairs["correct_b"].to_numpy()
    return compare_answers(a, b, pairs[cluster].to_numpy(), seed)


def compare_answers(
    a: NDArray[np.bool_], b: NDArray[np.bool_], words: ArrayLike, seed: int
) -> dict[str, float]:
    """Return the difference between two readers of the same images, as a row of a table.

    Args:
        a: bool (N,); whether A read each image.
        b: bool (N,); whether B did.
        words: (N,); the word on each image.
        seed: for the resampling.
    """
    gain = paired_difference(a, b, words, seed=seed)
    test = mcnemar_by_word(a, b, words)
    return {
        "n_seen": len(a),
        "accuracy_a": float(np.mean(a)),
        "accuracy_b": float(np.mean(b)),
        "difference": gain.mean,
        "low": gain.low,
        "high": gain.high,
        "n_only_a": test.n_only_a,
        "n_only_b": test.n_only_b,
        "p": test.p,
    }


def _split(
    right_a: ArrayLike, right_b: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where only A is right, and where only B is."""
    a, b = np.asarray(right_a, dtype=np.bool_), np.asarray(right_b, dtype=np.bool_)
    return a & ~b, b & ~a


def _toss(sizes: Floats, n_words: NDArray[np.int64], *, observed: int) -> float:
    """Return the probability that random signs give a sum as far from 0 as the observed one.

    Args:
        sizes: float64 whole numbers above 0, distinct.
        n_words: how many words have each size.
        observed: 0 or more.
    """
    furthest = int((sizes * n_words).sum())
    if observed == 0:
        return 1.0
    # All sums have the same parity, so (sum + furthest) / 2 counts in whole steps from 0.
    n = furthest + 1
    angles = np.pi * np.arange(n) / n
    waves = np.ones(n)
    for size, count in zip(sizes, n_words, strict=True):  # All at once take too much memory.
        waves *= np.cos(angles * size) ** count
    chances = np.fft.fft(waves * np.exp(1j * angles * furthest)).real / n
    sums = 2 * np.arange(n) - furthest
    return float(np.clip(chances[np.abs(sums) >= observed].sum(), ROUNDING, 1))
