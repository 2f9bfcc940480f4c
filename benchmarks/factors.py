"""The effect of each factor on a reader: accuracy at every level, a curve for each reader.

    python benchmarks/factors.py OUT [--words 20]

Twenty words are shown at each level of every numeric factor that a design varies, from the easy
baseline, to the bundled reader and to Tesseract if it is installed. Results are kept in OUT, so
a run that was stopped continues. `OUT/factors.png` is the figure in docs/factors.md, and
`OUT/factors.md` its table.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from observatory import READERS, Part, is_here, measure
from observatory_tables import K, format_table

from probes.data.designs import make_trials, name_fonts
from probes.factors import FACTORS
from probes.metrics.breakdown import tabulate_factor
from probes.models.factory import load_model
from probes.tasks.base import ProbeConfig
from probes.tasks.words import choose_shown, read_pool
from synthtext.drawing.fonts import read_catalogue

mpl.use("agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import NullFormatter, ScalarFormatter

NUMBERS = [name for name, row in FACTORS.items() if isinstance(row.levels[0], int | float)]

N_COLUMNS = 4

MARKS = {"bundled": ("#0072b2", "o", "-"), "ocr:tesseract:eng:7": ("#d55e00", "s", "--")}
"""Colour, marker and line style of each reader."""


def main() -> None:
    """Measure the installed readers, and write the figure and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--words", type=int, default=20)
    asked = parser.parse_args()
    config = ProbeConfig(n=asked.words)
    pool = read_pool(config)
    words = choose_shown(config, pool, NUMBERS)
    trials = [each for each in make_trials(words, NUMBERS, 0) if each.baseline == "easy"]
    trials = name_fonts(trials, read_catalogue())
    print(f"{len(trials):,} images", flush=True)
    tables: dict[str, dict[str, pd.DataFrame]] = {}
    for name in (name for name in READERS if name in MARKS and is_here(name)):
        file = asked.out / name.replace(":", "-") / "factors.parquet"
        part = Part(tuple(trials), pool)
        outcomes = measure(load_model(name, device="cpu"), part, file, None)
        tables[name] = {factor: tabulate_factor(outcomes, factor).table for factor in NUMBERS}
    draw_curves(tables, asked.out / "factors.png")
    columns = ("factor", *(f"{name}: points lost; rank correlation" for name in tables))
    rows = [
        [each, *(describe(found[each], each) for found in tables.values())] for each in NUMBERS
    ]
    text = format_table(columns, rows)
    (asked.out / "factors.md").write_text(text)
    print(text)


def describe(table: pd.DataFrame, factor: str) -> str:
    """Return the range of accuracy over the levels, and its rank correlation with them."""
    levels = table["label"].astype(float)
    lost = table["accuracy"].max() - table["accuracy"].min()
    if FACTORS[factor].direction is None or not lost:
        return f"{100 * lost:.0f}"
    rho = levels.corr(table["accuracy"], method="spearman")
    return f"{100 * lost:.0f}; {rho:+.2f}"


def draw_curves(tables: dict[str, dict[str, pd.DataFrame]], path: Path) -> None:
    """Write a figure with a small plot for each factor."""
    mpl.rcParams["font.size"] = 8
    # At least one panel is left for the legend.
    n_rows = len(NUMBERS) // N_COLUMNS + 1
    figure, axes = plt.subplots(n_rows, N_COLUMNS, figsize=(11, 1.9 * n_rows), sharey=True)
    for axis, factor in zip(axes.flat, NUMBERS, strict=False):
        for name, found in tables.items():
            colour, mark, line = MARKS[name]
            table = found[factor]
            x = table["label"].astype(float).to_numpy()
            share = 100 * table[["accuracy", "low", "high"]].to_numpy()
            axis.fill_between(x, share[:, 1], share[:, 2], color=colour, alpha=0.15, lw=0)
            axis.plot(x, share[:, 0], line, color=colour, marker=mark, ms=3, label=name)
        axis.set_xlabel(FACTORS[factor].label.replace("as the model sees it", "as drawn"))
        axis.set_ylim(-3, 103)
        if FACTORS[factor].is_log:
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter(ScalarFormatter())
            axis.xaxis.set_minor_formatter(NullFormatter())
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(NUMBERS) :]:
        axis.axis("off")
    for axis in axes[:, 0]:
        axis.set_ylabel(f"1 of {K}, %")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    axes.flat[-1].legend(handles, labels, loc="center", frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
