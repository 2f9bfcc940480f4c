"""Accuracy of rows that belong to several clusters at once, such as an object and a word.

With one kind of cluster, whole clusters are resampled. With several, the variance of each kind
is added and that of their intersections subtracted; resampling only one kind would miss the
others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from probes.metrics.intervals import Interval, clustered_accuracy, measure_variance, wilson


def crossed_accuracy(
    correct: ArrayLike, clusters: Sequence[ArrayLike], confidence: float = 0.95
) -> Interval:
    """Return the accuracy of rows, with an interval that allows for crossed clusters.

    If all rows are right or all wrong, the interval is Wilson's, with the number of clusters of
    the kind that has the fewest as the sample size.

    Args:
        correct: bool (N,).
        clusters: one or more columns (N,), the clusters that each row belongs to.
        confidence: nominal coverage of the interval, 0 to 1.

    Source: Cameron, Gelbach and Miller, "Robust inference with multiway clustering", Journal
    of Business & Economic Statistics 29 (2011), for a mean; Student's t with one degree of
    freedom less than the fewest clusters.
    """
    if len(clusters) == 1:
        return clustered_accuracy(correct, clusters[0], confidence=confidence)
    right = np.asarray(correct, dtype=np.float64)
    codes = [pd.factorize(np.asarray(column))[0] for column in clusters]
    n_fewest = min((len(np.unique(column)) for column in codes), default=0)
    if right.size == 0 or n_fewest == 0:
        return Interval(np.nan, np.nan, np.nan)
    mean = float(right.mean())
    if n_fewest == 1:
        return Interval(mean, np.nan, np.nan)
    if right.min() == right.max():
        low, high = wilson(right[0] * n_fewest, n_fewest, confidence)
        return Interval(mean, float(low), float(high))
    variance = measure_variance(right - mean, codes)
    reach = float(stats.t.ppf((1 + confidence) / 2, n_fewest - 1) * np.sqrt(variance))
    return Interval(mean, max(0.0, mean - reach), min(1.0, mean + reach))
