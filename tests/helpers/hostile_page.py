"""A page whose texts are hostile, with every kind of figure."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import pandas as pd

from probes.reports import plots
from probes.reports.factor_figures import list_others
from probes.reports.leaderboard_plots import draw_thresholds
from probes.reports.page import Figure, Page, fill_page, to_uri
from probes.tables import Table

HOSTILE = '</script><script>document.title="run"</script><img src=x onerror=alert(1)>'

LEVELS = (6.0, 8.0, 11.0, 15.0)


THRESHOLDS = [
    {"name": name, "place": place, "baseline": "easy", "level": 6.0 + place, "low": 5.0,
     "high": 9.5, "input_px": 224, "patch_px": None, "gflop": 4.5, "n_parameters": 1.5e8}
    for place, name in enumerate((HOSTILE, "b"))
]  # fmt: skip


MARKED = pd.DataFrame(
    [{"baseline": "easy", "level": 10.0, "low": 8.0, "high": 12.0, "reached": True}]
)


def make_table(labels: list[str] | None = None) -> pd.DataFrame:
    """Return the figures of a factor from two baselines; one level has few images."""
    rows = [
        {"baseline": base, "level": level, "label": (labels or [f"{x}" for x in LEVELS])[place],
         "n_seen": 12 if place == 0 else 40, "n_right": 10 * place, "accuracy": place / 4 + shift,
         "low": place / 4, "high": place / 4 + 2 * shift}
        for base, shift in (("easy", 0.1), ("harder", 0.05))
        for place, level in enumerate(LEVELS)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def make_figure(name: str, title: str, drawing: plots.Drawing, along: str) -> Figure:
    """Return a figure that has the same accuracy, 0.5, at every point for K = 10."""
    table = make_table([mark.label for mark in drawing.marks["points-0"]]).assign(
        accuracy=0.5, low=0.25, high=0.75, n_right=20
    )
    others = {10: list_others(drawing.marks, table)}
    chances = {100: 0.1, 10: 0.3}
    return Figure(name, title, *drawing, others=others, chances=chances, along=along)


@functools.cache
def make_page() -> Page:
    png = to_uri(cv2.imencode(".png", np.full((8, 20, 3), 200, np.uint8))[1].tobytes())
    shots = [
        {"png": png, "truth": HOSTILE, "guess": HOSTILE, "right": True},
        {"png": png, "truth": "quartz", "guess": f"{HOSTILE}2", "right": False},
    ]
    rows = [
        (f"row {k}", "1,200" if k % 2 else "7", f"{k * 7 % 13}.5 %", HOSTILE if k == 3 else "x")
        for k in range(12)
    ]
    labels = [HOSTILE, "a\u202eb", "c", "d"]
    return Page(
        title=f"<b>{HOSTILE}",
        verdict=HOSTILE,
        headline=Table("Headline", ("a", "b"), (("1", "2"),)),
        figures=[
            make_figure("size_px", "x-height, px", plots.draw_curve(make_table(), "size_px", 0.1, MARKED), "y"),
            make_figure("font", HOSTILE, plots.draw_levels(make_table(labels), "font", 0.1), "x"),
            Figure("threshold", "thresholds", *draw_thresholds(THRESHOLDS, "size_px", "x_height_seen_px")),
        ],
        note="",
        tables=[Table("Many", ("name", "n", "share", HOSTILE), tuple(rows))],
        facts=[(HOSTILE, HOSTILE)],
        shots=shots,
        cells={"size_px": {"easy": {"8.0": [0, 1]}}},
        command=f"synthtext probe --model '{HOSTILE}'",
        citation="Measured.",
        k=100,
        series=["easy", "standard"],
        terms=[(HOSTILE, HOSTILE)],
    )  # fmt: skip


@functools.cache
def fill_once() -> str:
    return fill_page(make_page())
