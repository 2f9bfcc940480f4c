"""Plots of a report, as PNG, SVG and PDF, in the colour-blind-safe palette of Okabe and Ito."""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import NullFormatter
from numpy.typing import ArrayLike

from probes.factors import find_factor, label_of, name_baseline, shorten_level
from synthtext.escapes import show_text

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")

DARK = "#111111"
"""Colour of letters on a bright cell, which stays the same on a dark page."""

FONT = "DejaVu Sans"
"""The font of every plot, which is part of matplotlib."""

STYLE: dict[str, Any] = {
    # Names may contain a dollar sign, which must not be parsed as a formula.
    "text.parse_math": False, "text.usetex": False, "font.family": [FONT],
    "font.size": 11, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#e6e6e6", "grid.linewidth": 0.8, "axes.axisbelow": True,
    "legend.frameon": False, "figure.dpi": 110,
    # Text stays text, and equal plots give equal files.
    "svg.fonttype": "none", "svg.hashsalt": "synthtext", "pdf.fonttype": 42,
}  # fmt: skip


class Mark(NamedTuple):
    """The values of a point of a plot: its series, its level and its accuracy.

    Attributes:
        series: name in the legend.
        baseline: baseline of the level; empty outside designs.
        label: label of the level.
        n: number of images; None if unknown.
        right: number of correct answers.
        accuracy: fraction of correct answers.
        low: lower end of its 95 % interval.
        high: upper end of its 95 % interval.
        told: lines to show instead of an accuracy; empty to show the accuracy.
    """

    series: str
    baseline: str
    label: str
    n: int | None
    right: int | None
    accuracy: float
    low: float
    high: float
    told: tuple[str, ...] = ()


class Drawing(NamedTuple):
    """A plot as PNG, SVG and PDF, and the values of its points.

    Attributes:
        png: the plot as PNG.
        svg: the plot as SVG; the elements of a series of points have its id, and everything
            else that belongs to the series an id that begins with it.
        marks: the points of each series, by its id, in the order in which they were drawn.
        pdf: the plot as PDF.
    """

    png: bytes
    svg: bytes
    marks: Mapping[str, Sequence[Mark]] = {}
    pdf: bytes = b""


LEGEND: dict[str, Any] = {"fontsize": 10, "loc": "outside lower center"}
"""The legend is below the axes, where it covers no points."""

MAX_CHARS = 48
"""Maximum length of a label; longer texts end in an ellipsis."""

MAX_LEVELS = 80
"""Maximum number of levels in a plot; if there are more, those at both ends are drawn."""

N_CELLS = 5
"""Number of cells of a map in each direction."""


def draw_curve(
    table: pd.DataFrame, factor: str, chance: float, thresholds: pd.DataFrame
) -> Drawing:
    """Return accuracy against the levels of a number, a line for each baseline.

    Args:
        table: baseline, level, accuracy, low, high.
        factor: its name.
        chance: accuracy of guessing.
        thresholds: baseline, level, low and high of the thresholds to mark; may be empty.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(5.2, 3.7), layout="constrained")
        by_baseline = table.sort_values("level").groupby("baseline")
        marks: dict[str, list[Mark]] = {}
        for (baseline, rows), colour in zip(by_baseline, COLOURS, strict=False):
            axes.fill_between(
                rows["level"], rows["low"], rows["high"], color=colour, alpha=0.18,
                gid=f"{name_series(marks)}-band",
            )  # fmt: skip
            name = name_baseline(str(baseline)) or "all"
            axes.plot(
                rows["level"],
                rows["accuracy"],
                "o-",
                color=colour,
                ms=4,
                label=plot_text(name),
                gid=name_series(marks),
            )
            _mark(axes, thresholds, str(baseline), colour, name_series(marks))
            marks[name_series(marks)] = list_marks(name, rows)
        _finish(axes, chance)
        scale_axis(axes, factor, "x")
        axes.set_xlabel(label_of(factor))
        axes.set_ylabel("accuracy")
        axes.set_ylim(-0.02, 1.02)
        return to_drawing(figure, marks)


def scale_axis(axes: Any, factor: str, which: str) -> None:  # noqa: ANN401
    """Give the axis `x` or `y` a logarithmic scale if the factor has one."""
    row = find_factor(factor)
    if row and row.is_log:
        set_log(axes, which)


def set_log(axes: Any, which: str, base: int = 2) -> None:  # noqa: ANN401
    """Give the axis `x` or `y` a logarithmic scale with plain numbers."""
    (axes.set_xscale if which == "x" else axes.set_yscale)("log", base=base)
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    # Matplotlib's default labels are formulas.
    axis.set_minor_formatter(NullFormatter())


def draw_levels(table: pd.DataFrame, factor: str, chance: float) -> Drawing:
    """Return the accuracy at each level of a category, as dots with their intervals.

    Args:
        table: baseline, label, accuracy, low, high.
        factor: its name.
        chance: accuracy of guessing.
    """
    order = table.groupby("label")["accuracy"].mean().sort_values().index.tolist()
    drawn = "accuracy"
    if len(order) > MAX_LEVELS:
        half = MAX_LEVELS // 2
        drawn += f"; the lowest and highest {half} of {len(order):,}"
        order = order[:half] + order[-half:]
        table = table[table["label"].isin(order)]
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(5.2, 1.5 + 0.3 * len(order)), layout="constrained")
        groups = list(table.groupby("baseline"))
        marks: dict[str, list[Mark]] = {}
        for i, ((baseline, rows), colour) in enumerate(zip(groups, COLOURS, strict=False)):
            shift = (i - (len(groups) - 1) / 2) * 0.22
            places = np.array([order.index(label) for label in rows["label"]]) + shift
            spans = np.stack(
                [rows["accuracy"] - rows["low"], rows["high"] - rows["accuracy"]]
            ).clip(0)
            name = name_baseline(str(baseline)) or "all"
            drawn_points = axes.errorbar(
                rows["accuracy"], places, xerr=spans, fmt="o", ms=4, color=colour,
                label=plot_text(name),
            )  # fmt: skip
            name_points(drawn_points, name_series(marks))
            marks[name_series(marks)] = list_marks(name, rows)
        axes.axvline(chance, color="#777777", ls="--", lw=1, gid="chance")
        axes.set_yticks(range(len(order)), [_shorten(label) for label in order])
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel(drawn)
        axes.set_ylim(-0.6, len(order) - 0.4)
        if len(groups) > 1:
            figure.legend(**LEGEND, ncols=len(groups))
        return to_drawing(figure, marks)


def draw_map(outcomes: pd.DataFrame) -> Drawing:
    """Return the accuracy by position of the text, as a map of the image."""
    rows = (outcomes["y_frac"] * N_CELLS).astype(int).clip(0, N_CELLS - 1)
    columns = (outcomes["x_frac"] * N_CELLS).astype(int).clip(0, N_CELLS - 1)
    right, seen = np.zeros((N_CELLS, N_CELLS)), np.zeros((N_CELLS, N_CELLS))
    np.add.at(right, (rows, columns), outcomes["correct"])
    np.add.at(seen, (rows, columns), 1)
    shares = np.divide(right, seen, out=np.full_like(right, np.nan), where=seen > 0)
    with plt.rc_context({**STYLE, "axes.grid": False}):
        figure, axes = plt.subplots(figsize=(4.2, 3.6), layout="constrained")
        image = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
        for (row, column), share in np.ndenumerate(shares):
            if seen[row, column]:
                colour = "white" if share < 0.6 else DARK
                axes.text(column, row, f"{share:.0%}", ha="center", va="center", color=colour)
        axes.set_xticks([])
        axes.set_yticks([])
        figure.colorbar(image, label="accuracy")
        return to_drawing(figure)


def draw_reliability(bins: pd.DataFrame) -> Drawing:
    """Return accuracy against confidence, a line for each baseline.

    Args:
        bins: baseline, confidence, accuracy, low, high: a row for each bin.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(5.2, 3.9), layout="constrained")
        axes.plot([0, 1], [0, 1], color="#777777", ls="--", lw=1, label="calibrated")
        groups = bins.groupby("baseline", sort=False)
        for (baseline, rows), colour in zip(groups, COLOURS, strict=False):
            spans = np.stack(
                [rows["accuracy"] - rows["low"], rows["high"] - rows["accuracy"]]
            ).clip(0)
            axes.errorbar(
                rows["confidence"], rows["accuracy"], yerr=spans, fmt="o-", ms=4, lw=1,
                color=colour, label=plot_text(name_baseline(str(baseline)) or "all"),
            )  # fmt: skip
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("mean confidence, bins of equal mass")
        axes.set_ylabel("accuracy")
        figure.legend(**LEGEND, ncols=3)
        return to_drawing(figure)


def draw_counts(counts: Sequence[tuple[str, int]], unit: str) -> Drawing:
    """Return how often each text occurs, as bars, the most frequent at the top."""
    texts, numbers = zip(*reversed(counts), strict=True)
    with plt.rc_context({**STYLE, "font.size": 9}):
        figure, axes = plt.subplots(
            figsize=(5.2, 0.6 + 0.19 * len(texts)), layout="constrained"
        )
        axes.barh(range(len(texts)), numbers, color=COLOURS[0], height=0.75)
        axes.set_yticks(range(len(texts)), [plot_text(text) for text in texts])
        axes.set_ylim(-0.7, len(texts) - 0.3)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(unit)
        return to_drawing(figure)


def draw_parts(names: Sequence[str], shares: ArrayLike, before: ArrayLike) -> Drawing:
    """Return the fraction of each part of a factor, as estimated and as proposed.

    Args:
        names: names of the k parts, in order.
        shares: (k,); estimated fractions.
        before: (k,); proposed fractions.
    """
    places = np.arange(len(names))
    with plt.rc_context({**STYLE, "font.size": 9}):
        figure, axes = plt.subplots(figsize=(4.2, 2.4), layout="constrained")
        axes.bar(places - 0.2, np.asarray(shares), 0.45, color=COLOURS[0])
        axes.bar(places + 0.25, np.asarray(before), 0.3, color="#bbbbbb")
        axes.set_xticks(places, [_shorten(name) for name in names], rotation=35, ha="right")
        axes.grid(visible=False, axis="x")
        axes.set_ylabel("fraction of crops")
        return to_drawing(figure)


def _mark(
    axes: Any,  # noqa: ANN401
    thresholds: pd.DataFrame,
    baseline: str,
    colour: str,
    series: str,
) -> None:
    if thresholds.empty:
        return
    for row in thresholds[thresholds["baseline"] == baseline].itertuples():
        if row.reached:
            axes.axvline(row.level, color=colour, lw=1, ls=":", gid=f"{series}-threshold")
            axes.axvspan(
                row.low,
                row.high,
                color=colour,
                alpha=0.08,
                lw=0,
                gid=f"{series}-threshold-span",
            )


def _finish(axes: Any, chance: float) -> None:  # noqa: ANN401
    axes.axhline(chance, color="#777777", ls="--", lw=1, label="chance", gid="chance")
    axes.figure.legend(**LEGEND, ncols=3)


def plot_text(text: object) -> str:
    r"""Return a text that fits beside a bar, with characters that the font lacks escaped.

    >>> plot_text("$x_{2}$ 猫")
    '$x_{2}$ \\u732b'
    """
    letters = _list_letters()
    shown = "".join(
        char if ord(char) in letters else char.encode("unicode_escape").decode("ascii")
        for char in show_text(text)
    )
    return shown if len(shown) <= MAX_CHARS else shown[: MAX_CHARS - 1] + "…"


@functools.cache
def _list_letters() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=[FONT]))).get_charmap())


def _shorten(label: str) -> str:
    return plot_text(shorten_level(label))


def name_series(marks: Mapping[str, object]) -> str:
    """Return the id of the next series of points."""
    return f"points-{len(marks)}"


def name_points(drawn: Any, series: str) -> None:  # noqa: ANN401
    """Give points with error bars the id of their series, and the bars one of their own."""
    drawn.lines[0].set_gid(series)
    for number, bars in enumerate(drawn.lines[2]):
        bars.set_gid(f"{series}-bars-{number}")


def list_marks(series: str, rows: pd.DataFrame) -> list[Mark]:
    """Return the values of the points of a series, in the order of their rows.

    Args:
        series: its name.
        rows: baseline, level, accuracy, low and high; label, n_seen and n_right if known.
    """
    return [
        Mark(
            series, str(row["baseline"]), str(row["label" if "label" in row else "level"]),
            _to_count(row.get("n_seen")), _to_count(row.get("n_right")),
            float(row["accuracy"]), float(row["low"]), float(row["high"]),
        )
        for row in rows.to_dict("records")
    ]  # fmt: skip


def _to_count(value: float | None) -> int | None:
    return None if value is None or pd.isna(value) else int(value)


def to_drawing(figure: Any, marks: Mapping[str, Sequence[Mark]] | None = None) -> Drawing:  # noqa: ANN401
    """Return a figure as SVG, PDF and PNG, with the values of its points, and close it."""
    if any(axes.get_aspect() != "auto" for axes in figure.axes):
        figure.draw_without_rendering()  # Cells of equal sides find their place in two passes.
    svg, pdf = io.BytesIO(), io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    undated = dict.fromkeys(("Creator", "Producer", "CreationDate"))
    figure.savefig(pdf, format="pdf", metadata=undated)
    return Drawing(to_png(figure), svg.getvalue(), marks or {}, pdf.getvalue())


def to_png(figure: Any) -> bytes:  # noqa: ANN401
    """Return a figure as PNG, and close it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()
