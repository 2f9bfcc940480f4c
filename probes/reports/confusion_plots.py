"""A matrix of confusions as a plot."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from probes.reports.plots import DARK, STYLE, Drawing, plot_text, to_drawing

MAX_NUMBERED = 14
"""Maximum number of rows in a matrix with numbers in its cells."""


def draw_matrix(counts: pd.DataFrame, truth: str, answer: str) -> Drawing:
    """Return a matrix of counts, each row as fractions of its sum.

    Args:
        counts: (C, C), from `tabulate_classes` or `tabulate_letters`.
        truth: what the rows are.
        answer: what the columns are.
    """
    n = len(counts)
    numbers = counts.to_numpy(dtype=float)
    shares = numbers / np.maximum(1, numbers.sum(axis=1, keepdims=True))
    names = [plot_text(name) for name in counts.index]
    side = 1.6 + 0.26 * n
    is_long = max(map(len, names)) > 2
    with plt.rc_context({**STYLE, "axes.grid": False, "font.size": 9}):
        figure, axes = plt.subplots(figsize=(side + 1.2, side), layout="constrained")
        image = axes.imshow(shares, cmap="cividis", vmin=0, vmax=max(shares.max(), 1e-9))
        if n <= MAX_NUMBERED:
            for (row, column), number in np.ndenumerate(numbers):
                colour = "white" if shares[row, column] < 0.6 * shares.max() else DARK
                axes.text(column, row, f"{number:.0f}", ha="center", va="center", color=colour)
        turned = {"rotation": 60, "ha": "right"} if is_long and max(map(len, names)) > 4 else {}
        axes.set_xticks(range(n), names, **turned)
        axes.set_yticks(range(n), names)
        axes.tick_params(length=0)
        axes.set_xlabel(answer)
        axes.set_ylabel(truth)
        figure.colorbar(image, label="fraction of its row", shrink=0.8)
        return to_drawing(figure)
