"""Calibration of a reader's confidence: reliability in equal-mass bins, and its error.

A reader is calibrated if, among the answers it gives with confidence c, a fraction c is right.
The expected calibration error is the mean distance from that: answers are sorted by confidence
and cut into bins of equal count, and the distance between a bin's mean confidence and its
accuracy is averaged over all answers.

Sources: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
binning", AAAI 2015, for the error; Nixon et al., "Measuring calibration in deep learning", CVPR
workshops 2019, for equal-mass bins; Broecker and Smith, "Increasing the reliability of
reliability diagrams", Weather and Forecasting 22 (2007), for what a calibrated reader shows.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from probes.metrics.breakdown import CELL, label_rows, list_clusters
from probes.metrics.intervals import Floats, Ints, clustered_accuracy

N_BINS = 10
"""Maximum number of bins."""

MIN_PER_BIN = 15
"""Minimum answers per bin; with fewer than twice as many answers there is one bin."""

N_DRAWS = 1000
"""Bootstrap resamplings per interval."""

MAX_RESAMPLED = 20_000
"""Maximum number of words to resample; the mean over more is drawn as normal."""

CONFIDENT = ("confidence", "is_right", "word")
"""Columns that a calibration is measured from."""

TINY = 1e-9
"""A standard error used in place of 0."""

UPPER = 0.975
"""Quantile at the upper end of a 95 % interval."""


class Calibration(NamedTuple):
    """How well calibrated the confidence of some answers is.

    Attributes:
        n: number of answers.
        confidence: mean confidence that the reader reports, 0 to 1.
        accuracy: fraction that is right.
        gap: confidence minus accuracy; above 0 the reader is overconfident.
        gap_low: lower end of the interval of the gap.
        gap_high: its upper end.
        error: expected calibration error, 0 to 1. It is never below 0, so for few answers it is
            too high on average; `if_calibrated` says by how much.
        low: lower end of its interval, 0 where no miscalibration is shown.
        high: its upper end.
        if_calibrated: the mean error of a calibrated reader with these confidences.
        n_bins: number of bins used for the error.
    """

    n: int
    confidence: float
    accuracy: float
    gap: float
    gap_low: float
    gap_high: float
    error: float
    low: float
    high: float
    if_calibrated: float
    n_bins: int


def bin_equally(confidences: ArrayLike, n_bins: int | None = None) -> Ints:
    """Return the bin of each answer, from 0 up, int64 (N,), with counts as equal as possible.

    Answers of equal confidence share a bin, so there may be fewer bins.

    Args:
        confidences: (N,), none missing.
        n_bins: maximum; None means one for every `MIN_PER_BIN` answers, up to `N_BINS`.
    """
    sure = np.asarray(confidences, np.float64)
    n = n_bins or max(1, min(N_BINS, len(sure) // MIN_PER_BIN))
    # The median position of equal confidences decides their bin.
    places = (stats.rankdata(sure) - 0.5) / max(1, len(sure))
    bins = np.minimum((places * n).astype(np.int64), n - 1)
    return np.unique(bins, return_inverse=True)[1].astype(np.int64)


def tabulate_reliability(
    confidences: ArrayLike, right: ArrayLike, words: ArrayLike, n_bins: int | None = None
) -> pd.DataFrame:
    """Return a row for each bin: confidence (its mean), n, accuracy, low and high.

    Args:
        confidences: (N,), 0 to 1.
        right: bool (N,).
        words: (N,); intervals resample them.
        n_bins: as for `bin_equally`.
    """
    rows = pd.DataFrame(
        {"sure": np.asarray(confidences, np.float64), "right": np.asarray(right, bool)}
    ).assign(word=np.asarray(words))
    table = []
    for _, cell in rows.groupby(bin_equally(rows["sure"], n_bins)):
        accuracy, low, high = clustered_accuracy(cell["right"], cell["word"])
        row = {"confidence": cell["sure"].mean(), "n": len(cell)}
        table.append(row | {"accuracy": accuracy, "low": low, "high": high})
    return pd.DataFrame(table)


def measure_calibration(
    confidences: ArrayLike,
    right: ArrayLike,
    words: ArrayLike,
    *,
    n_bins: int | None = None,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> Calibration:
    """Return how well calibrated the confidences are, with 95 % intervals that resample words.

    The lower end of the error's interval holds for any shape of miscalibration: the error is at
    least the absolute gap over all bins, and also at least the absolute gap with the sign of
    the bins below a cut reversed. The lower end is the largest of these minus a margin, which
    is the same for all cuts (max-t bootstrap). The upper end is the measured error, which is
    too high on average, plus a margin.

    Args:
        confidences: (N,), 0 to 1, none missing.
        right: bool (N,).
        words: (N,); each is resampled as a whole. With a single word there is no interval.
        n_bins: as for `bin_equally`.
        n_draws: number of resamplings.
        seed: equal seeds give equal figures.
    """
    sure, is_right = np.asarray(confidences, np.float64), np.asarray(right, np.float64)
    if not len(sure):
        return Calibration(0, *(np.nan,) * 9, 0)
    bins = bin_equally(sure, n_bins)
    codes = pd.factorize(np.asarray(words))[0]
    gaps, counts = _sum_gaps(sure - is_right, codes, bins), np.bincount(codes)
    floors = _find_floors(sure, is_right, len(counts))
    gap_low, gap_high, low, high = _find_ends(gaps, counts, floors, n_draws, seed)
    return Calibration(
        n=len(sure),
        confidence=float(sure.mean()),
        accuracy=float(is_right.mean()),
        gap=float((sure - is_right).mean()),
        gap_low=gap_low,
        gap_high=gap_high,
        error=float(np.abs(gaps.sum(axis=0)).sum() / len(sure)),
        low=low,
        high=high,
        if_calibrated=_expect_error(sure, bins),
        n_bins=gaps.shape[1],
    )


def take_confident(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that have a confidence, with `is_right`: the event it is about.

    The confidence of a text reader is in its text, so it is right if the text matches the drawn
    word, case-folded; an empty reading is not an answer. An encoder chooses among K words.
    """
    if "confidence" not in outcomes or len(list_clusters(outcomes)) > 1:
        return outcomes.iloc[:0].assign(is_right=False)
    is_known = outcomes["confidence"].notna()
    if "answer" in outcomes:
        is_known &= outcomes["answer"] != ""
    rows = outcomes if is_known.all() else outcomes[is_known]
    return rows.assign(is_right=rows["exact" if "answer" in rows else "correct"])


def tabulate_calibration(rows: pd.DataFrame, factors: Sequence[str]) -> pd.DataFrame:
    """Return the calibration over all rows, then at each level of each factor.

    Args:
        rows: from `take_confident`.
        factors: for example from `list_factors`.

    Returns:
        factor ("" for all), baseline, level, label and the fields of `Calibration`.
    """
    table = [dict.fromkeys(["factor", *CELL], "") | _measure(rows)]
    for factor in factors:
        for key, cell in label_rows(rows, factor, CONFIDENT)[0].groupby(CELL):
            table.append(
                {"factor": factor, **dict(zip(CELL, key, strict=True))} | _measure(cell)
            )
    return pd.DataFrame(table)


def _measure(rows: pd.DataFrame) -> dict[str, Any]:
    return measure_calibration(rows["confidence"], rows["is_right"], rows["word"])._asdict()


def _expect_error(sure: Floats, bins: Ints) -> float:
    """Return the mean error of a reader that is right as often as its confidences say.

    The gap of a bin is then nearly normal about 0, so its mean absolute value is known.
    """
    variances = np.bincount(bins, weights=sure * (1 - sure))
    return float(np.sqrt(2 / np.pi * variances).sum() / len(sure))


def _sum_gaps(gaps: Floats, codes: Ints, bins: Ints) -> Floats:
    """Return the sum of the gaps of each word in each bin: (W, B)."""
    shape = (int(codes.max()) + 1, int(bins.max()) + 1)
    places = np.ravel_multi_index((codes, bins), shape)
    sums = np.bincount(places, weights=gaps, minlength=shape[0] * shape[1])
    return sums.astype(np.float64).reshape(shape)


def _find_ends(
    gaps: Floats, counts: Ints, floors: tuple[float, float], n_draws: int, seed: int
) -> tuple[float, float, float, float]:
    """Return the ends of the gap's interval, then of the error's interval.

    Args:
        gaps: summed gaps of each word in each bin, (W, B).
        counts: number of answers for each word, (W,).
        floors: from `_find_floors`.
        n_draws: number of resamplings.
        seed: of the resamplings.
    """
    n_words, n = len(gaps), int(counts.sum())
    if n_words == 1:
        return (np.nan,) * 4
    # With few words, Student's interval is wider than the normal one.
    ratio = stats.t.ppf(UPPER, n_words - 1) / stats.norm.ppf(UPPER)
    widened = float(np.sqrt(n_words / (n_words - 1)) * ratio)
    found = gaps.sum(axis=0) / n
    if n_words > MAX_RESAMPLED:
        residuals = gaps - counts[:, None] * found
        covariance = residuals.T @ residuals / n**2
        rng = np.random.default_rng(seed)
        drawn = rng.multivariate_normal(found, covariance, size=n_draws, method="svd")
    else:
        chosen = _resample(n_words, n_draws, seed)
        drawn = (chosen @ gaps) / (chosen @ counts)[:, None]
    cuts, drawn_cuts = _sign_by_cuts(found), _sign_by_cuts(drawn)
    errors = np.maximum(drawn_cuts.std(axis=0), max(floors[0], TINY))
    margins = (np.abs(drawn_cuts - cuts) / errors).max(axis=1)
    margin = max(float(np.quantile(margins, UPPER)), float(stats.norm.ppf(UPPER))) * widened
    reach = float(stats.norm.ppf(UPPER)) * widened
    of_gap = reach * max(float(drawn.sum(axis=1).std()), *floors)
    of_error = reach * max(float(np.abs(drawn).sum(axis=1).std()), *floors)
    gap = float(found.sum())
    low = max(0.0, float((np.abs(cuts) - margin * errors).max()))
    high = min(1.0, float(np.abs(found).sum()) + of_error)
    return max(-1.0, gap - of_gap), min(1.0, gap + of_gap), low, high


@functools.lru_cache(maxsize=1)
def _resample(n_words: int, n_draws: int, seed: int) -> NDArray[np.uint8]:
    """Return how often each resampling draws each word: (D, W).

    Most cells of a design have the same number of words, so one result serves them all. More
    than 255 of one word are not drawn from at most `MAX_RESAMPLED`.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.multinomial(n_words, np.full(n_words, 1 / n_words), size=n_draws)
    return chosen.astype(np.uint8)


def _sign_by_cuts(gaps: Floats) -> Floats:
    """Return the sum of the bins' gaps (..., B), with the sign reversed after each cut.

    There is one sum per cut; the last cut reverses none.
    """
    sums = np.cumsum(gaps, axis=-1)
    return 2 * sums - sums[..., -1:]


def _find_floors(sure: Floats, right: Floats, n_words: int) -> tuple[float, float]:
    """Return the minimum standard error of a mean gap, for the lower and the upper end.

    If every answer is right, the data show no variance and neither does the bootstrap. The
    confidences give an expected variance, and so does the accuracy with two answers of each
    kind added (Agresti and Coull, The American Statistician 52, 1998).
    """
    is_mixed = bool(0 < right.mean() < 1)
    n = len(sure) if is_mixed else n_words
    share = (right.mean() * n + 2) / (n + 4)
    calibrated = float(np.sqrt((sure * (1 - sure)).sum()) / len(sure))
    counted = float(np.sqrt(share * (1 - share) / (n + 4)))
    # Confidences that contradict all answers give no usable variance either.
    is_opposite = not is_mixed and abs(sure.mean() - right.mean()) > 0.5
    return max(calibrated, counted) if is_opposite else calibrated, max(calibrated, counted)
