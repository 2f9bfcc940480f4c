"""Plots of a training: its loss, and its weights interpolated with the original ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt

from probes.reports.plots import COLOURS, LEGEND, STYLE, Drawing, to_drawing
from probes.training.weight_averaging import Mixture


def draw_training(history: Sequence[Mapping[str, float]]) -> Drawing:
    """Return the loss over the steps, and the validation accuracy at each checkpoint.

    Args:
        history: rows with `step`, and `loss` or `val_accuracy` or both.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(5.2, 3.4), layout="constrained")
        right = axes.twinx()
        for name, side, colour in (
            ("loss", axes, COLOURS[0]),
            ("val_accuracy", right, COLOURS[1]),
        ):
            rows = [(row["step"], row[name]) for row in history if name in row]
            if rows:
                side.plot(*zip(*rows, strict=True), color=colour)
            side.set_ylabel("loss" if side is axes else "accuracy, val", color=colour)
        right.set_ylim(-0.02, 1.02)
        right.grid(visible=False)
        axes.set_xlabel("step")
        return to_drawing(figure)


def draw_mixtures(mixtures: Sequence[Mixture], chosen: float) -> Drawing:
    """Return accuracy and retention against the interpolation ratio."""
    alphas = [mixture.alpha for mixture in mixtures]
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(5.2, 3.4), layout="constrained")
        for name, label, colour in zip(
            ("reading", "kept", "drift"),
            ("accuracy, val", "retention", "drift"),
            COLOURS,
            strict=False,
        ):
            values = [getattr(mixture, name) for mixture in mixtures]
            axes.plot(alphas, values, "o-", color=colour, ms=4, label=label)
        axes.axvline(chosen, color="#777777", ls=":", lw=1.2)
        axes.set_xlabel("interpolation ratio")
        axes.set_ylim(-0.02, 1.02)
        figure.legend(**LEGEND, ncols=3)
        return to_drawing(figure)
