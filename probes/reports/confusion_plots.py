"""A matrix of confusions as a plot."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from probes.reports.plots import DARK, STYLE, Drawing, plot_text, to_drawing

MAX_NUMBERED = 14
"""Maximum number of rows in a matrix with numbers in its cells."""


def draw_matrix(values: pd.DataFrame, unit: str, *, truth: str, answer: str) -> Drawing:
    """Return a matrix of confusions as colours, with numbers if it is small.

    Args:
        values: (C, C); how often, or in which fraction, each row was read as each column.
        unit: what the values are.
        truth: what the rows are.
        answer: what the columns are.
    """
    n = len(values)
    numbers = values.to_numpy(dtype=float)
    most = max(float(numbers.max()), 1e-9)
    names = [plot_text(name) for name in values.index]
    side = 2.2 + 0.21 * n
    with plt.rc_context({**STYLE, "axes.grid": False, "font.size": 10}):
        figure, axes = plt.subplots(figsize=(side + 1.2, side), layout="constrained")
        image = axes.imshow(numbers, cmap="cividis", vmin=0, vmax=most)
        if n <= MAX_NUMBERED:
            for (row, column), number in np.ndenumerate(numbers):
                colour = "white" if number < 0.6 * most else DARK
                shown = f"{number:.2g}"
                axes.text(
                    column, row, shown, ha="center", va="center", color=colour, fontsize=8
                )
        turned = {"rotation": 60, "ha": "right"} if max(map(len, names)) > 4 else {}
        axes.set_xticks(range(n), names, **turned)
        axes.set_yticks(range(n), names)
        axes.tick_params(length=0)
        axes.set_xlabel(answer)
        axes.set_ylabel(truth)
        figure.colorbar(image, label=unit, shrink=0.8)
        return to_drawing(figure)
