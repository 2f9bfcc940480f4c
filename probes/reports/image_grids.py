"""Galleries of images beside a model's answers, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from probes.arrays import Pixels, Vectors
from probes.data.images import shrink_pixels
from probes.reports.plots import COLOURS, STYLE, plot_text, to_png
from probes.tasks.matching import MAX_SHOWN, Entry

MAX_TEXTS = 40
"""Maximum number of texts beside a matrix."""

MAX_BARS = 8
"""Maximum number of texts beside an image, for lack of room."""


def draw_bars(entries: Sequence[Entry], n_columns: int = 2) -> bytes:
    """Return each image with a bar for each of its best texts; the correct one is green."""
    entries = entries[:MAX_SHOWN]
    n_columns = min(n_columns, len(entries))
    n_rows = -(-len(entries) // n_columns)
    with plt.rc_context({**STYLE, "axes.grid": False, "font.size": 9}):
        figure, grid = plt.subplots(
            n_rows, 2 * n_columns, figsize=(5.6 * n_columns, 1.9 * n_rows), squeeze=False,
            width_ratios=[1, 1.6] * n_columns, layout="constrained",
        )  # fmt: skip
        for axes in grid.flat:
            axes.set_axis_off()
        for entry, pair in zip(entries, grid.reshape(-1, 2), strict=False):
            _show(pair[0], entry.pixels, entry.title)
            _draw_shares(pair[1], entry)
        return to_png(figure)


def draw_matrix(images: Sequence[Pixels], texts: Sequence[str], cosines: Vectors) -> bytes:
    """Return the cosine similarities of images and texts, with thumbnails along the top.

    Args:
        images: N thumbnails; the first `MAX_SHOWN` are drawn.
        texts: T texts; the first `MAX_TEXTS` are drawn.
        cosines: (N, T).
    """
    images, texts = images[:MAX_SHOWN], texts[:MAX_TEXTS]
    cosines = cosines[: len(images), : len(texts)]
    n, n_texts = cosines.shape
    side = 0.72
    with plt.rc_context({**STYLE, "axes.grid": False, "font.size": 9}):
        figure, (top, axes) = plt.subplots(
            2, 1, figsize=(side * n + 3.4, side * (n_texts + 1.2) + 0.4), sharex=True,
            height_ratios=[1.1, n_texts], layout="constrained",
        )  # fmt: skip
        drawn = axes.imshow(cosines.T, aspect="auto", cmap="viridis")
        middle = (cosines.max() + cosines.min()) / 2
        for column, row in np.ndindex(n, n_texts):
            value = cosines[column, row]
            colour = "black" if value > middle else "white"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour)
        axes.set_yticks(range(n_texts), [plot_text(text) for text in texts])
        axes.set_xticks([])
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        top.set_axis_off()
        for column, pixels in enumerate(images):
            inset = top.inset_axes(
                (column - 0.46, 0, 0.92, 1), transform=top.get_xaxis_transform()
            )
            _show(inset, pixels, "")
        figure.colorbar(drawn, ax=axes, label="cosine similarity", shrink=min(1.0, 3 / n_texts))
        return to_png(figure)


def count_left_out(n_images: int, n_texts: int) -> str:
    """Return a sentence about what a matrix omits; empty if it shows everything."""
    if n_images <= MAX_SHOWN and n_texts <= MAX_TEXTS:
        return ""
    return (
        f"the plot shows the first {min(n_images, MAX_SHOWN)} of {n_images:,} images and"
        f" the first {min(n_texts, MAX_TEXTS)} of {n_texts:,} texts"
    )


def _show(axes: Any, pixels: Pixels, title: str) -> None:  # noqa: ANN401
    axes.imshow(shrink_pixels(pixels))
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        # A frame shows where an image ends that has a white background.
        spine.set(visible=True, color="#cccccc", linewidth=0.8)
    axes.set_title(plot_text(title), fontsize=8, y=-0.02, va="top", loc="left")


def _draw_shares(axes: Any, entry: Entry) -> None:  # noqa: ANN401
    n = min(len(entry.texts), MAX_BARS)
    for place, text, share in zip(range(n)[::-1], entry.texts, entry.shares, strict=False):
        colour = COLOURS[2] if text == entry.truth else COLOURS[0]
        axes.barh(place, share, color=colour, height=0.8, alpha=0.75)
        axes.text(0.015, place, f"{plot_text(text)}  {100 * share:.1f} %", va="center")
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.6, n - 0.4)
