"""The tables of the observatory: what its readers read, how alike they are, and how sure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, norm

from probes.factors import FACTORS
from probes.metrics.axis import choose_axis
from probes.metrics.breakdown import tabulate_factor, tabulate_thresholds
from probes.metrics.calibration import (
    measure_calibration,
    tabulate_reliability,
    take_confident,
)
from probes.metrics.intervals import clustered_accuracy
from probes.metrics.spelling import tabulate_answers
from probes.reports.plots import draw_reliability
from synthtext.drawing.fonts import Catalogue, read_catalogue

K = 100

FIGURES = ("exact, case folded", "character error rate", "nothing read")

CURVES = ("thresholds, seed 0", "thresholds, seed 1")
"""Parts with the factors that have a threshold; the second has other words."""

OTHERS = "other factors"

FONT_SETS = ("fonts, seed 0", "fonts, seed 1")

MIN_FONTS = 8
"""Minimum number of fonts to compare rankings; with five, they may agree by chance."""

N_DRAWS = 2000

Found = dict[str, pd.DataFrame]
"""The outcomes of each reader."""


def format_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def show_interval(value: float, low: float, high: float) -> str:
    """Return a fraction with its interval, in percent."""
    return f"{100 * value:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def show_tau(a: pd.Series, b: pd.Series) -> str:
    """Return Kendall's tau-b of two scores of the same fonts, with its interval, as text."""
    if len(a.index.intersection(b.index)) < MIN_FONTS:
        return "too few fonts"
    tau, low, high = correlate(a, b)
    return f"{tau:.2f} ({low:.2f} to {high:.2f})"


def tabulate_headlines(found: Found) -> str:
    """Return a table of the accuracy of each reader and the scores of its answers."""
    rows = []
    for name, outcomes in found.items():
        overall = clustered_accuracy(outcomes["correct"], outcomes["word"])
        cells = [name, f"{len(outcomes):,}", show_interval(*overall)]
        if "answer" in outcomes:
            answers = tabulate_answers(outcomes).set_index("figure")[["value", "low", "high"]]
            cells += [show_interval(*answers.loc[figure]) for figure in FIGURES]
            cells.append(f"{int((outcomes['fault'] != '').sum())}")
        else:
            cells += [""] * (len(FIGURES) + 1)
        rows.append(cells)
    columns = ("reader", "images", f"1 of {K}, %", "exact, %", "character errors, %",
               "nothing read, %", "faults")  # fmt: skip
    return format_table(columns, rows)


def list_thresholds(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the thresholds by factor and baseline, that of size in px."""
    table = tabulate_thresholds(outcomes)
    return table[table["unit"] != "x_height_patches"].set_index(["factor", "baseline"])


def show_threshold(row: pd.Series) -> str:
    """Return a threshold with its interval, or why there is none."""
    if not row["reached"]:
        return str(row["note"])
    return f"{row['level']:.3g} ({row['low']:.3g} to {row['high']:.3g})"


def tabulate_all_thresholds(found: Found) -> str:
    """Return a table of every threshold of every reader."""
    tables = {name: list_thresholds(outcomes) for name, outcomes in found.items()}
    rows = [
        (*place, *(show_threshold(table.loc[place]) for table in tables.values()))
        for place in next(iter(tables.values())).index
    ]
    return format_table(("threshold of", "baseline", *tables), rows)


def pair_thresholds(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return the thresholds that two sets of words both have.

    One row per factor and baseline: `octaves`, how far the second is from the first; `z`, their
    distance on the axis of the factor, divided by its standard error if both intervals were
    those of a normal distribution; and `overlaps`, whether the intervals do.
    """
    a, b = list_thresholds(one), list_thresholds(other)
    both = a.index[a["reached"] & b["reached"].reindex(a.index, fill_value=False)]
    rows = []
    for place in both:
        ends = [table.loc[place, ["low", "level", "high"]].to_numpy(float) for table in (a, b)]
        levels = np.array(FACTORS[place[0]].levels, dtype=np.float64)
        axis = choose_axis(levels, FACTORS[place[0]].direction or "rising")
        (low, x, high), (low_2, x_2, high_2) = (np.sort(axis.place(each)) for each in ends)
        error = np.hypot(high - low, high_2 - low_2) / (2 * norm.isf(0.025))
        rows.append(
            {
                "octaves": np.log2(ends[1][1] / ends[0][1]),
                "z": (x_2 - x) / error,
                "overlaps": low <= high_2 and low_2 <= high,
            }
        )
    return pd.DataFrame(rows, index=both, columns=["octaves", "z", "overlaps"])


def tabulate_retest(found: dict[str, Found]) -> str:
    """Return how far thresholds differ between two sets of words, for each reader."""
    first, second = (found[name] for name in CURVES)
    rows = []
    for name in first:
        pairs = pair_thresholds(first[name], second[name])
        apart = pairs["octaves"].abs()
        rows.append(
            (
                name, f"{len(pairs)}", f"{pairs['overlaps'].sum()}", f"{apart.median():.2f}",
                f"{apart.quantile(0.9):.2f}", f"{apart.max():.2f}",
                f"{np.sqrt((pairs['z'] ** 2).mean()):.2f}", f"{pairs['z'].abs().max():.2f}",
            )
        )  # fmt: skip
    columns = ("reader", "thresholds in both", "intervals overlap", "median, octaves",
               "90 %", "largest", "z, root mean square", "largest |z|")  # fmt: skip
    return format_table(columns, rows) + "\n" + list_both(first, second)


def list_both(first: Found, second: Found) -> str:
    """Return a table of every threshold with each set of words."""
    tables = {
        f"{name}, {which}": list_thresholds(outcomes)
        for name in first
        for which, outcomes in (("first", first[name]), ("second", second[name]))
    }
    rows = [
        (*place, *(show_threshold(table.loc[place]) for table in tables.values()))
        for place in next(iter(tables.values())).index
    ]
    return format_table(("threshold of", "baseline", *tables), rows)


def tabulate_all_calibrations(found: Found) -> str:
    """Return a table of how true each reader's confidence is, over all its answers."""
    rows = []
    for name, outcomes in found.items():
        answers = take_confident(outcomes)
        for baseline in ("all", *dict.fromkeys(answers["baseline"])):
            some = answers if baseline == "all" else answers[answers["baseline"] == baseline]
            got = measure_calibration(some["confidence"], some["is_right"], some["word"])
            gap = (
                f"{100 * got.gap:+.1f} ({100 * got.gap_low:+.1f} to {100 * got.gap_high:+.1f})"
            )
            rows.append(
                (
                    name, str(baseline), f"{got.n:,}", f"{100 * got.confidence:.1f}",
                    f"{100 * got.accuracy:.1f}", gap,
                    show_interval(got.error, got.low, got.high),
                    f"{100 * got.if_calibrated:.1f}",
                )
            )  # fmt: skip
    columns = ("reader", "baseline", "answers", "confidence, %", "accuracy, %",
               "difference, points", "calibration error, %", "if calibrated, %")  # fmt: skip
    return format_table(columns, rows)


def draw_calibration(found: Found, path: Path) -> None:
    """Write the reliability diagram of all readers."""
    tables = []
    for name, outcomes in found.items():
        rows = take_confident(outcomes)
        bins = tabulate_reliability(rows["confidence"], rows["is_right"], rows["word"])
        tables.append(bins.assign(baseline=name))
    path.write_bytes(draw_reliability(pd.concat(tables, ignore_index=True)).png)


def tabulate_levels(found: Found) -> str:
    """Return a table of the accuracy at each level of the factors without a threshold."""
    rows = []
    for factor, known in FACTORS.items():
        if known.direction or factor == "font":
            continue
        tables = [
            tabulate_factor(outcomes, factor).table.set_index(["baseline", "label"])
            for outcomes in found.values()
        ]
        rows += [
            (factor, *place, *(f"{100 * table.loc[place, 'accuracy']:.0f}" for table in tables))
            for place in tables[0].index
        ]
    return format_table(("factor", "baseline", "level", *found), rows)


def score_fonts(outcomes: pd.DataFrame, name: str) -> pd.Series:
    """Return the accuracy in each font, over sizes and words."""
    return outcomes[outcomes["baseline"] == name].groupby("level")["correct"].mean()


def correlate(a: pd.Series, b: pd.Series) -> tuple[float, float, float]:
    """Return Kendall's tau-b of two scores of the same fonts, with a 95 % interval.

    The interval resamples fonts, so it covers agreement on other fonts of these kinds.
    """
    pairs = pd.concat([a, b], axis=1, join="inner").to_numpy()
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(pairs), (N_DRAWS, len(pairs)))
    taus = [kendalltau(*pairs[rows].T).statistic for rows in drawn]
    low, high = np.nanquantile(taus, [0.025, 0.975])
    return float(kendalltau(*pairs.T).statistic), float(low), float(high)


def tabulate_ranks(found: Found, fonts: Catalogue) -> str:
    """Return how similarly readers rank the bundled fonts, and how consistently each does."""
    bundled = set(read_catalogue().fonts) & set(fonts.fonts)
    pooled, rows = {}, []
    for name, outcomes in found.items():
        halves = [score_fonts(outcomes, each) for each in FONT_SETS]
        halves = [half[half.index.isin(bundled)] for half in halves]
        pooled[name] = (halves[0] + halves[1]) / 2
        rows.append((name, "itself, other words and seed", show_tau(*halves)))
    names = list(found)
    rows += [
        (one, other, show_tau(pooled[one], pooled[other]))
        for at, one in enumerate(names)
        for other in names[at + 1 :]
    ]
    table = format_table(
        ("reader", "against", "Kendall's tau"), [list(map(str, r)) for r in rows]
    )
    scores = pd.DataFrame(pooled).assign(mean=lambda all_: all_.mean(axis=1))
    scores = scores.sort_values("mean", ascending=False)
    listed = [
        [fonts.fonts[file].family, file, *(f"{100 * share:.0f}" for share in row[:-1])]
        for file, row in zip(scores.index, scores.to_numpy(), strict=True)
    ]
    return table + "\n" + format_table(("family", "font", *names), listed)


def tabulate_kli(found: Found, fonts: Catalogue, path: Path) -> str:
    """Return how similarly readers and the Kept Legibility Index rank the fonts they share."""
    results = json.loads(path.read_text())["results"]
    index = pd.Series({name: row["grand_mean"] for name, row in results.items()})
    family_of = {file: font.family for file, font in fonts.fonts.items()}
    rows = []
    for name, outcomes in found.items():
        scores = sum(score_fonts(outcomes, each) for each in FONT_SETS) / len(FONT_SETS)
        own = scores.rename(index=family_of).groupby(level=0).mean()
        shared = own[own.index.isin(index.index)]
        listed = ", ".join(shared.index)
        rows.append((name, str(len(shared)), listed, show_tau(shared, index)))
    return format_table(("reader", "fonts", "which", "Kendall's tau with the index"), rows)


def write_tables(
    out: Path, found: dict[str, Found], fonts: Catalogue, kli: Path | None
) -> None:
    """Write the results to `tables.md`, and print it."""
    both = {
        name: pd.concat([found[part][name] for part in CURVES], ignore_index=True)
        for name in found[CURVES[0]]
    }
    tables = [
        "## Thresholds\n\n" + tabulate_headlines(both),
        tabulate_all_thresholds(both),
        "## Thresholds, test and retest\n\n" + tabulate_retest(found),
        "## Confidence\n\n" + tabulate_all_calibrations(both),
        "## Other factors\n\n" + tabulate_levels(found[OTHERS]),
        "## Fonts\n\n" + tabulate_ranks(found["fonts"], fonts),
    ]
    if kli:
        tables.append("## Kept Legibility Index\n\n" + tabulate_kli(found["fonts"], fonts, kli))
    text = "\n".join(tables)
    (out / "tables.md").write_text(text)
    print(text)
