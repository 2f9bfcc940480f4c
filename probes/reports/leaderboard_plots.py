"""Plots of many models at once, distinguished by colour, line style and marker."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probes.factors import label_of, name_baseline, shorten_level
from probes.reports.model_styles import MARKERS, PALETTE, add_legend, name_model, style_of
from probes.reports.plots import (
    DARK,
    MAX_LEVELS,
    STYLE,
    Drawing,
    Mark,
    list_marks,
    name_points,
    name_series,
    plot_text,
    scale_axis,
    set_log,
    to_drawing,
)

MAX_BANDS = 3
"""Maximum number of models in a plot with an interval for each."""

MAX_DODGED = 8
"""Maximum number of models in a plot with a dot for each; more are drawn as a map."""

MAX_CELLS = 16
"""Maximum number of models in a map of pairs with numbers in its cells."""

SIZES = {
    "input_px": ("input, px", 1.0),
    "patch_px": ("patch, px", 1.0),
    "gflop": ("GFLOP for an image", 1.0),
    "n_parameters": ("parameters, millions", 1e6),
}
"""What thresholds are plotted against: its label, and the number that is one unit."""

GUESSING: dict[str, Any] = {
    "color": "#777777", "ls": (0, (1, 3)), "lw": 1.2, "label": "guessing",
}  # fmt: skip
"""The line at the accuracy of a model that sees nothing."""

Curves = Sequence[tuple[str, pd.DataFrame]]
"""The name of each model, the best first, and its table of a factor."""

Marks = dict[str, list[Mark]]
"""The text of each point of each series."""


def draw_curves(curves: Curves, factor: str, guessing: float) -> Drawing:
    """Return accuracy against the levels of a number, a panel for each baseline.

    Args:
        curves: the tables have baseline, level, accuracy, low and high.
        factor: its name.
        guessing: accuracy of a model that sees nothing.
    """
    baselines = _list_baselines(curves)
    with plt.rc_context(STYLE):
        figure, panels = _make_panels(len(baselines))
        marks: Marks = {}
        for panel, (axes, baseline) in enumerate(zip(panels, baselines, strict=True)):
            for place, (name, table) in enumerate(curves):
                rows = table[table["baseline"] == baseline].sort_values("level")
                style = style_of(place)
                # A line without a marker has a pixel at each level, which its values belong to.
                style["marker"] = style["marker"] or ","
                (line,) = axes.plot(
                    rows["level"],
                    rows["accuracy"],
                    ms=5,
                    **style,
                    label=name_model(name, place),
                )
                _note(marks, line, name, rows)
                if len(curves) <= MAX_BANDS:
                    axes.fill_between(
                        rows["level"],
                        rows["low"],
                        rows["high"],
                        color=style["color"],
                        alpha=0.15,
                        gid=f"{line.get_gid()}-band",
                    )
            axes.axhline(guessing, **GUESSING, gid=f"chance-{panel}")
            axes.set_title(name_baseline(baseline), fontsize=11)
            axes.set_xlabel(label_of(factor))
            scale_axis(axes, factor, "x")
        panels[0].set_ylabel("accuracy")
        panels[0].set_ylim(-0.02, 1.02)
        add_legend(figure, panels[0])
        return to_drawing(figure, marks)


def draw_categories(curves: Curves, factor: str, guessing: float) -> Drawing:
    """Return the accuracy of models at each level of a category, a panel for each baseline.

    Args:
        curves: the tables have baseline, label, accuracy, low and high.
        factor: its name.
        guessing: accuracy of a model that sees nothing.
    """
    every = pd.concat([table for _, table in curves])
    order = every.groupby("label")["accuracy"].mean().sort_values().index.tolist()
    if len(order) > MAX_LEVELS:
        order = order[: MAX_LEVELS // 2] + order[-(MAX_LEVELS // 2) :]
    if len(curves) > MAX_DODGED:
        return _map_categories(curves, factor, order)
    baselines = _list_baselines(curves)
    with plt.rc_context(STYLE):
        height = 1.6 + len(order) * (0.16 + 0.1 * len(curves))
        figure, panels = _make_panels(len(baselines), height)
        marks: Marks = {}
        for panel, (axes, baseline) in enumerate(zip(panels, baselines, strict=True)):
            for place, (name, table) in enumerate(curves):
                rows = table[(table["baseline"] == baseline) & table["label"].isin(order)]
                shift = (place - (len(curves) - 1) / 2) * 0.8 / len(curves)
                places = np.array([order.index(label) for label in rows["label"]]) - shift
                style = {key: style_of(place)[key] for key in ("color", "marker")}
                points = _draw_spans(axes, rows, places, name, style)
                _note(marks, points, name, rows)
            axes.axvline(guessing, **GUESSING, gid=f"chance-{panel}")
            axes.set_title(name_baseline(baseline), fontsize=11)
            axes.set_xlim(-0.02, 1.02)
            axes.set_xlabel("accuracy")
        panels[0].set_yticks(
            range(len(order)), [plot_text(shorten_level(label)) for label in order]
        )
        panels[0].set_ylabel(label_of(factor))
        add_legend(figure, panels[0])
        return to_drawing(figure, marks)


def draw_ranking(rows: Sequence[Mapping[str, Any]]) -> Drawing:
    """Return the accuracy of each model in each condition, the best at the top.

    Args:
        rows: name, condition, accuracy, low, high and chance, the best model first.
    """
    names = list(dict.fromkeys(row["name"] for row in rows))
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    with plt.rc_context(STYLE):
        size = (8.4, 1.4 + 0.3 * len(names))
        figure, axes = plt.subplots(figsize=size, layout="constrained")
        for number, condition in enumerate(conditions):
            own = [row for row in rows if row["condition"] == condition]
            shift = (number - (len(conditions) - 1) / 2) * 0.3
            places = np.array([names.index(row["name"]) for row in own]) + shift
            style = {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number]}
            points = _draw_spans(
                axes, pd.DataFrame(own), places, name_baseline(condition), style
            )
            name_points(points, f"points-{number}")
            label = "chance, measured" if number == 0 else None
            (ticks,) = axes.plot(
                [row["chance"] for row in own], places, "|", color="#777777", ms=8, label=label
            )
            ticks.set_gid(f"points-{number}-guessing")
        axes.set_yticks(range(len(names)), [plot_text(name) for name in names])
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("accuracy, with 95 % intervals")
        add_legend(figure, axes)
        return to_drawing(figure, mark_ranking(rows))


def mark_ranking(rows: Sequence[Mapping[str, Any]]) -> Marks:
    """Return the points of `draw_ranking`: each condition, and what guessing reaches in it.

    Args:
        rows: name, condition, n, accuracy, low, high and chance.
    """
    marks: Marks = {}
    for number, condition in enumerate(dict.fromkeys(row["condition"] for row in rows)):
        own = pd.DataFrame([row for row in rows if row["condition"] == condition])
        own = own.assign(baseline=condition, label=own["name"], n_seen=own["n"])
        guesses = own.assign(accuracy=own["chance"], low=math.nan, high=math.nan)
        shown = name_baseline(condition)
        marks[f"points-{number}"] = list_marks(shown, own)
        marks[f"points-{number}-guessing"] = list_marks(f"chance, {shown}", guesses)
    return marks


def draw_pairs(
    names: Sequence[str], gains: NDArray[np.float64], told: NDArray[np.bool_]
) -> Drawing:
    """Return the accuracy of each model (row) minus that of each other (column), in points.

    Args:
        names: N models, the best first.
        gains: (N, N); accuracy of the row less that of the column.
        told: bool (N, N); whether the difference is significant.
    """
    n = len(names)
    side = 0.56 if n <= MAX_CELLS else 0.26
    most = max(1.0, 100 * float(np.abs(gains).max()))
    with plt.rc_context({**STYLE, "axes.grid": False, "font.size": 9}):
        figure, axes = plt.subplots(
            figsize=(side * n + 4.2, side * n + 1.6), layout="constrained"
        )
        image = axes.imshow(100 * gains, cmap="PuOr", vmin=-most, vmax=most)
        for row, column in zip(*np.nonzero(~np.eye(n, dtype=bool)), strict=True):
            points, is_told = 100 * gains[row, column], told[row, column]
            shown = (f"{points:+.0f}" if round(points) else "0") if n <= MAX_CELLS else ""
            shown = (
                shown + ("" if is_told else "?") if n <= MAX_CELLS else "" if is_told else "·"
            )
            colour = "white" if abs(points) > 0.65 * most else DARK
            axes.text(column, row, shown, ha="center", va="center", color=colour)
        axes.set_yticks(range(n), [plot_text(name) for name in names])
        axes.set_xticks(range(n), [str(place + 1) for place in range(n)])
        axes.set_yticklabels([f"{plot_text(name)}  {k + 1}" for k, name in enumerate(names)])
        axes.tick_params(length=0)
        axes.set_xlabel("compared with the model of this number")
        figure.colorbar(image, label="difference, points", shrink=min(1.0, 6 / n))
        return to_drawing(figure)


def draw_thresholds(rows: Sequence[Mapping[str, Any]], factor: str, unit: str) -> Drawing:
    """Return the thresholds of models against their size, a row of panels for each baseline.

    Args:
        rows: name, place (index of the model), baseline, level, low, high, and the entries of
            `SIZES`, None if unknown.
        factor: factor of the threshold.
        unit: column in which it is measured.
    """
    baselines = list(dict.fromkeys(row["baseline"] for row in rows))
    label = label_of(unit)
    with plt.rc_context({**STYLE, "font.size": 10}):
        figure, grid = plt.subplots(
            len(baselines), len(SIZES), figsize=(11, 2.9 * len(baselines) + 0.9),
            sharey="row", squeeze=False, layout="constrained",
        )  # fmt: skip
        marks: Marks = {}
        for panels, baseline in zip(grid, baselines, strict=True):
            own = [row for row in rows if row["baseline"] == baseline]
            for axes, (size, (said, scale)) in zip(panels, SIZES.items(), strict=True):
                _scatter(axes, own, size, scale, marks)
                axes.set_xlabel(said)
                scale_axis(axes, factor, "y")
            panels[0].set_ylabel(f"{label}\n({name_baseline(baseline)})")
        handles: dict[str, Any] = {}
        for axes in grid.flat:
            found, names = axes.get_legend_handles_labels()
            handles |= dict(zip(names, found, strict=True))
        add_legend(figure, grid[0][0], handles)
        return to_drawing(figure, marks)


def _scatter(
    axes: Any,  # noqa: ANN401
    rows: Sequence[Mapping[str, Any]],
    size: str,
    scale: float,
    marks: Marks,
) -> None:
    known = [row for row in rows if row[size]]
    for row in known:
        style = style_of(row["place"])
        span = [[max(0.0, row["level"] - row["low"])], [max(0.0, row["high"] - row["level"])]]
        marker = style["marker"] or "."
        drawn = axes.errorbar(
            [row[size] / scale], [row["level"]], yerr=span, fmt=marker, ms=6,
            color=style["color"], label=name_model(row["name"], row["place"]),
        )  # fmt: skip
        name_points(drawn, name_series(marks))
        marks[name_series(marks)] = [_tell_threshold(row, size, scale)]
    if not known:
        axes.text(0.5, 0.5, "not known", ha="center", va="center", transform=axes.transAxes)
        axes.set_xticks([])
        return
    values = sorted({row[size] / scale for row in known})
    if len(values) == 1:
        axes.set_xticks(values, [f"{values[0]:g}"])
    elif max(values) / min(values) > 1.5:
        # Sizes in px usually double, while others grow by powers of ten.
        set_log(axes, "x", base=2 if size.endswith("_px") else 10)
    axes.margins(x=0.15)


def _tell_threshold(row: Mapping[str, Any], size: str, scale: float) -> Mark:
    """Return the text of the point of a threshold."""
    told = (
        f"threshold {row['level']:.3g}",
        f"95 % interval {row['low']:.3g} to {row['high']:.3g}",
        f"{SIZES[size][0]}: {row[size] / scale:.4g}",
    )
    return Mark(
        row["name"], row["baseline"], name_baseline(row["baseline"]), None, None,
        accuracy=math.nan, low=math.nan, high=math.nan, told=told,
    )  # fmt: skip


def _map_categories(curves: Curves, factor: str, order: Sequence[str]) -> Drawing:
    """Return a map of models and levels, a panel for each baseline."""
    baselines = _list_baselines(curves)
    size = ((1.6 + 0.46 * len(order)) * len(baselines) + 2.6, 2.2 + 0.26 * len(curves))
    with plt.rc_context({**STYLE, "axes.grid": False, "font.size": 9}):
        figure, grid = plt.subplots(
            1, len(baselines), figsize=size, sharey=True, squeeze=False, layout="constrained"
        )
        image = None
        for axes, baseline in zip(grid[0], baselines, strict=True):
            rows = [
                table[table["baseline"] == baseline]
                .set_index("label")["accuracy"]
                .reindex(list(order))
                for _, table in curves
            ]
            shares = np.array([row.to_numpy(dtype=float) for row in rows])
            image = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1, aspect="auto")
            for (row, column), share in np.ndenumerate(shares):
                if np.isfinite(share):
                    colour = "white" if share < 0.6 else DARK
                    shown = f"{100 * share:.0f}"
                    axes.text(column, row, shown, ha="center", va="center", color=colour)
            labels = [plot_text(shorten_level(label)) for label in order]
            axes.set_xticks(range(len(order)), labels, rotation=60, ha="right")
            axes.set_title(name_baseline(baseline), fontsize=11)
            axes.set_xlabel(label_of(factor))
        names = [plot_text(name) for name, _ in curves]
        grid[0][0].set_yticks(range(len(names)), names)
        figure.colorbar(image, ax=list(grid[0]), label="accuracy")
        return to_drawing(figure)


def _note(marks: Marks, points: Any, name: str, rows: pd.DataFrame) -> None:  # noqa: ANN401
    """Add the text of the points of a line."""
    if hasattr(points, "lines"):  # With error bars.
        name_points(points, name_series(marks))
    else:
        points.set_gid(name_series(marks))
    marks[name_series(marks)] = list_marks(name, rows)


def _draw_spans(
    axes: Any,  # noqa: ANN401
    rows: pd.DataFrame,
    places: NDArray[np.float64],
    name: str,
    style: Mapping[str, Any],
) -> Any:  # noqa: ANN401
    """Draw points with their intervals, and return them."""
    spans = np.stack([rows["accuracy"] - rows["low"], rows["high"] - rows["accuracy"]]).clip(0)
    return axes.errorbar(
        rows["accuracy"], places, xerr=np.nan_to_num(spans), fmt=style["marker"], ms=5,
        color=style["color"], label=plot_text(name),
    )  # fmt: skip


def _make_panels(n: int, height: float = 4.0) -> tuple[Any, Any]:
    figure, grid = plt.subplots(
        1, n, figsize=(5.0 * n + (0.6 if n > 1 else 1.6), height), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    return figure, grid[0]


def _list_baselines(curves: Curves) -> list[str]:
    found = (str(name) for _, table in curves for name in table["baseline"])
    return list(dict.fromkeys(found))
