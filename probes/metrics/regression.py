"""Main effects: how each factor changes the odds of reading, with the others held fixed.

One logistic regression is fitted to all rows. Two half rows per coefficient, one right and one
wrong, keep every estimate finite where a level is always or never read. Images of one word are
not independent draws, so the variance comes from leaving out one word at a time.

Where a coefficient rests on fewer than ten right or ten wrong rows, that variance can be far
too small, since rows that fit perfectly show none; there the usual variance is its floor.

Source: Greenland and Mansournia, "Penalization, bias reduction, and default priors in logistic
and related regressions", Statistics in Medicine 34 (2015), on the log-F(1, 1) prior; MacKinnon,
Nielsen and Webb, "Cluster-robust inference: a guide to empirical practice", Journal of
Econometrics 232 (2023), on the jackknife; Peduzzi et al., "A simulation study of the number of
events per variable", Journal of Clinical Epidemiology 49 (1996), on the rule of ten.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from probes.errors import require_columns

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
MIN_SPARE_CLUSTERS = 10
"""Words needed beyond the number of coefficients, to estimate their variance."""

MIN_EVENTS = 10
"""Right rows, and wrong rows, needed per coefficient."""

MAX_LEVELS = 20
"""Maximum number of levels with a coefficient each; rarer ones share one named REST."""

REST = "all other"

MAX_ROWS = 200_000
"""Maximum number of rows to fit, approximately; intervals are narrow enough by then."""

MAX_GROUPS = 10_000
"""Maximum number of groups of clusters that are left out in turn, each of whole clusters."""

COLUMNS = [
    "factor", "level", "reference", "unit", "n_seen",
    "coefficient", "low", "high", "p", "p_holm",
]  # fmt: skip


@dataclass(frozen=True)
class Effects:
    """Main effects of one run.

    Attributes:
        table: a row per coefficient, empty where none can be estimated. `factor`; `level` and
            `reference` (categories: the level, and the most frequent level that it is compared
            with; None for numbers); `unit` (numbers: the standard deviation that the
            coefficient stands for; NaN for categories); `n_seen` rows at the level;
            `coefficient` in log odds with `low` and `high` of its 95 % interval; `p`, and
            `p_holm` over the whole table.
        notes: a sentence on why each omitted factor is left out, or why the table is empty.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Term:
    """A column of the model: its name in the table, and its values, float64 (N,)."""

    factor: str
    level: str | None
    reference: str | None
    unit: float
    values: Floats


def main_effects(rows: pd.DataFrame, factors: list[str], *, cluster: str = "word") -> Effects:
    """Return the effect of each factor on the log odds of a right answer, others held fixed.

    Args:
        rows: one per image, with `correct` (bool), the cluster's column and the factors'.
            Coefficients of numeric columns are per standard deviation; other columns are
            categories.
        factors: columns to include; of two that are collinear, the earlier one is kept.
        cluster: the column whose values are resampled as wholes, usually the word.

    Raises:
        ProbeError: a column is absent.
    """
    require_columns(rows.columns, ["correct", cluster, *factors])
    rows, sampled = _take_some(rows[["correct", cluster, *factors]], cluster)
    right = rows["correct"].to_numpy(dtype=np.float64)
    if len(right) == 0:
        return _say_nothing("there are no rows")
    if right.min() == right.max():
        return _say_nothing("every row is correct" if right[0] else "every row is incorrect")
    terms, notes = _keep_independent(*_make_terms(rows, factors))
    codes, words = pd.factorize(rows[cluster])
    n_needed = len(terms) + 1 + MIN_SPARE_CLUSTERS
    if not terms:
        return _say_nothing("no factor varies", *notes)
    if len(words) < n_needed:
        return _say_nothing(
            f"{len(words)} distinct values of {cluster} are too few for {len(terms)} "
            f"coefficients, which need {n_needed}",
            *notes,
        )
    return Effects(table=_fit(terms, right, codes), notes=(*sampled, *notes))


def _take_some(rows: pd.DataFrame, cluster: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the rows of evenly spaced clusters if there are too many rows, and a note."""
    step = -(-len(rows) // MAX_ROWS)
    if step <= 1:
        return rows, ()
    kept = rows[pd.factorize(rows[cluster])[0] % step == 0]
    note = f"it is fitted to {len(kept):,} of {len(rows):,} rows, one {cluster} in {step}"
    return kept, (note,)


def _say_nothing(*notes: str) -> Effects:
    return Effects(table=pd.DataFrame(columns=COLUMNS), notes=notes)


def _make_terms(rows: pd.DataFrame, factors: list[str]) -> tuple[list[_Term], list[str]]:
    """Return the terms of every factor that varies and is known, and a note on the others."""
    terms: list[_Term] = []
    notes: list[str] = []
    for factor in factors:
        column = rows[factor]
        n_missing = int(column.isna().sum())
        if n_missing:
            notes.append(f"{factor} is left out: it is missing in {n_missing} rows")
        elif column.nunique() == 1:
            notes.append(f"{factor} is left out: it is {column.iloc[0]} in every row")
        elif pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            terms.append(_number_term(factor, column.to_numpy(dtype=np.float64)))
        else:
            terms.extend(_category_terms(factor, column))
    return terms, notes


def _number_term(factor: str, values: Floats) -> _Term:
    unit = float(values.std())
    return _Term(
        factor=factor,
        level=None,
        reference=None,
        unit=unit,
        values=(values - values.mean()) / unit,
    )


def _category_terms(factor: str, column: pd.Series[str]) -> list[_Term]:
    """Return a term for every level except the most frequent, with the rarest pooled."""
    names = column.astype(str)
    counts = names.value_counts()
    # Ties are broken by name, so that the reference does not depend on the order of the rows.
    ranked = sorted(counts.index, key=lambda name: (-counts[name], name))
    if len(ranked) > MAX_LEVELS:
        names = names.where(names.isin(ranked[: MAX_LEVELS - 1]), REST)
        ranked = [*ranked[: MAX_LEVELS - 1], REST]
    reference, *others = ranked
    return [
        _Term(
            factor=factor,
            level=name,
            reference=reference,
            unit=np.nan,
            values=(names == name).to_numpy(dtype=np.float64),
        )
        for name in sorted(others)
    ]


def _keep_independent(terms: list[_Term], notes: list[str]) -> tuple[list[_Term], list[str]]:
    """Return the terms that are independent of earlier ones, and notes on the rest."""
    if not terms:
        return [], notes
    design = np.column_stack([np.ones_like(terms[0].values), *(t.values for t in terms)])
    # Gram-Schmidt in the given order: the residual of a column after the ones before it.
    diagonal = np.abs(np.diag(np.linalg.qr(design / np.linalg.norm(design, axis=0))[1]))[1:]
    kept = [term for term, rest in zip(terms, diagonal, strict=False) if rest > 1e-7]
    lost = [term for term in terms if not any(term is other for other in kept)]
    return kept, [*notes, *(_explain_loss(term) for term in lost)]


def _explain_loss(term: _Term) -> str:
    name = term.factor if term.level is None else f"{term.factor} {term.level}"
    return f"{name} is left out: the factors before it determine it"


def _fit(terms: list[_Term], right: Floats, codes: NDArray[np.int64]) -> pd.DataFrame:
    """Return the table of a logistic regression on terms that are independent."""
    k = len(terms) + 1
    design = np.column_stack([np.ones_like(right), *(term.values for term in terms)])
    half_rows = np.eye(k)[1:]
    fit = sm.GLM(
        np.concatenate([right, np.full(k - 1, 0.5)]),
        np.vstack([design, half_rows]),
        family=sm.families.Binomial(),
    ).fit(maxiter=200)
    usual = np.diag(fit.cov_params())
    robust = _scatter_by_cluster(design, right, fit.fittedvalues, codes=codes)
    sparse = np.array([False, *(_count_events(t, right, k - 1) < MIN_EVENTS for t in terms)])
    errors = np.sqrt(np.where(sparse, np.maximum(robust, usual), robust))[1:]
    n_spare = len(np.unique(codes)) - k
    return _tabulate(terms, fit.params[1:], errors, n_spare=n_spare)


def _scatter_by_cluster(
    design: Floats, right: Floats, fitted: Floats, *, codes: NDArray[np.int64]
) -> Floats:
    """Return the variance (k,) of the coefficients over new clusters.

    Each cluster is left out in turn; one Newton step from the fit of all rows approximates each
    new fit.

    Args:
        design: (N, k), the first column all ones.
        right: (N,), 0 or 1.
        fitted: (N + k - 1,); the fit of the rows, then of the half rows.
        codes: (N,), the cluster of each row, 0 to n - 1.
    """
    n_rows = len(design)
    weights = fitted * (1 - fitted)
    information = (design.T * weights[:n_rows]) @ design
    information[1:, 1:] += np.diag(weights[n_rows:])
    codes = codes % MAX_GROUPS
    order = np.argsort(codes, kind="stable")
    bounds = np.flatnonzero(np.diff(codes[order])) + 1
    moved = []
    for members in np.split(order, bounds):
        x = design[members]
        score = x.T @ (right[members] - fitted[members])
        rest = information - (x.T * weights[members]) @ x
        # A pseudo-inverse, because no half row holds the intercept.
        moved.append(np.linalg.pinv(rest, hermitian=True) @ score)
    n = len(moved)
    scatter: Floats = (n - 1) / n * ((moved - np.mean(moved, axis=0)) ** 2).sum(axis=0)
    return scatter


def _count_events(term: _Term, right: Floats, n_terms: int) -> float:
    """Return the number of rows behind a coefficient: the fewer of right and wrong.

    All rows are divided among the terms; a level of a category has only its own rows.
    """
    shared = min(right.sum(), len(right) - right.sum()) / n_terms
    if term.level is None:
        return float(shared)
    at_level = right[term.values > 0]
    return float(min(shared, at_level.sum(), len(at_level) - at_level.sum()))


def _tabulate(
    terms: list[_Term], coefficients: Floats, errors: Floats, *, n_spare: int
) -> pd.DataFrame:
    student = stats.t(df=n_spare)
    reach = student.ppf((1 + CONFIDENCE) / 2) * errors
    p = 2 * student.sf(np.abs(coefficients / errors))
    table = pd.DataFrame(
        {
            "factor": [term.factor for term in terms],
            "level": pd.Series([term.level for term in terms], dtype=object),
            "reference": pd.Series([term.reference for term in terms], dtype=object),
            "unit": [term.unit for term in terms],
            "n_seen": [
                len(t.values) if t.level is None else int(t.values.sum()) for t in terms
            ],
            "coefficient": coefficients,
            "low": coefficients - reach,
            "high": coefficients + reach,
            "p": p,
            "p_holm": multipletests(p, method="holm")[1],
        }
    )
    return table[COLUMNS]
