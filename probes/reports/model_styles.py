"""How models are told apart in plots: colour, line style, marker, and a legend for many."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from probes.reports.plots import plot_text

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
"""Okabe and Ito's palette without yellow, which is hard to see on white."""

DASHES = ("-", "--", ":", "-.")

MARKERS = "os^DvPX<>"

MAX_NAMED = len(PALETTE) * len(DASHES)
"""Maximum number of models with a unique combination of colour and line style."""

OTHERS: dict[str, Any] = {"color": "#bbbbbb", "ls": "-", "lw": 0.8, "marker": "", "zorder": 1}

CHARS_PER_ROW = 120
"""Characters per row of a legend."""

LEGEND: dict[str, Any] = {"fontsize": 9, "loc": "outside lower center", "handlelength": 3}

LEGEND_ROW = 0.21
"""Height of a row of a legend, in inches."""


def style_of(place: int) -> dict[str, Any]:
    """Return the colour, line style and marker of the model with this index."""
    if place >= MAX_NAMED:
        return dict(OTHERS)
    return {
        "color": PALETTE[place % len(PALETTE)],
        "ls": DASHES[place % len(DASHES)],
        "marker": MARKERS[place % len(MARKERS)],
    }


def name_model(name: str, place: int) -> str:
    """Return the name of a model for a legend, in which those without a style are one."""
    return plot_text(name) if place < MAX_NAMED else "others"


def add_legend(figure: Any, axes: Any, handles: Mapping[str, Any] | None = None) -> None:  # noqa: ANN401
    """Put the legend below the panels, where it covers nothing, in as many columns as fit.

    A figure has room for two rows, and more rows make it higher.
    """
    if handles is None:
        found, names = axes.get_legend_handles_labels()
        handles = dict(zip(names, found, strict=True))
    if not handles:
        return
    width = figure.get_size_inches()[0] / 11 * CHARS_PER_ROW
    longest = max(len(name) for name in handles) + 9
    n_columns = max(1, min(len(handles), math.floor(width / longest)))
    n_more = max(0, math.ceil(len(handles) / n_columns) - 2)
    figure.set_figheight(figure.get_size_inches()[1] + LEGEND_ROW * n_more)
    figure.legend(handles.values(), handles.keys(), ncols=n_columns, **LEGEND)
