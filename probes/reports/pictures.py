"""The images in a report: examples of correct and wrong answers, as shown to the model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from probes.arrays import Pixels
from probes.data.images import read_image
from probes.data.stimuli import show_trial
from probes.data.trials import Trial
from probes.factors import BASELINE, name_baseline, name_level
from probes.metrics.breakdown import label_rows, list_factors
from probes.metrics.cells import is_design, list_varied
from probes.reports.page import to_uri
from probes.tasks.run import Probe
from synthtext.dataset.codec import encode_pixels
from synthtext.dataset.plan import SENTIMENTS
from synthtext.dataset.verify import find_rendering
from synthtext.drawing.fonts import Catalogue

N_PICTURES = 12
"""Number of images to show for correct and for wrong answers."""

RIGHT = "Read right"

MAX_SHOTS = 160
"""Maximum number of images of single levels, which a page shows when a level is clicked."""

N_OF_LEVEL = 4
"""Maximum number of images per level of a dataset, for correct and for wrong answers."""

NAMED = ("key", "word", "guess", "correct")
"""Columns of the outcomes that an image is found and described by."""

Cells = dict[str, dict[str, dict[str, list[int]]]]
"""Indices into the shots, by factor, baseline and label of the level."""


def choose_pictures(probe: Probe, fonts: Catalogue) -> list[dict[str, Any]]:
    """Return images with correct and wrong answers, spread evenly over all outcomes."""
    groups = []
    chosen = {}
    for title, is_right in ((RIGHT, True), ("Read wrong", False)):
        places = np.flatnonzero(probe.outcomes["correct"] == is_right)
        step = max(1, len(places) // N_PICTURES)
        taken = probe.outcomes.iloc[places[::step][:N_PICTURES]]
        chosen[title] = taken.to_dict("records")
    trial_of = _find_trials(probe, (row for rows in chosen.values() for row in rows))
    for title, rows in chosen.items():
        shown = [
            {
                "png": to_uri(
                    encode_pixels(
                        find_pixels(trial_of[_own_key(row)], probe.data, fonts), "jpg", 95
                    )
                ),
                "truth": _name_truth(trial_of[_own_key(row)], row),
                "guess": row["guess"],
                "right": title == RIGHT,
                "facts": _describe_picture(row),
            }
            for row in rows
        ]
        if shown:
            groups.append({"title": title, "pictures": shown})
    return groups


def _name_truth(trial: Trial, row: Mapping[Any, Any]) -> str:
    """Return the truth of an image as it was drawn, if the truth is the text in the image."""
    drawn = "" if trial.file else trial.spec.drawn_text
    return drawn if drawn.casefold() == row["word"] else str(row["word"])


def _describe_picture(row: Mapping[Any, Any]) -> str:
    parts = [name_baseline(row["baseline"])]
    if row["factor"] not in ("", BASELINE):
        parts.append(name_level(row["factor"], str(row["level"])))
    if not parts[0] and not pd.isna(row["x_height_px"]):
        parts = [f"x-height {row['x_height_px']:.0f} px, {row['contrast_drawn']:.1f}:1"]
    if "p_positive" in row:
        parts.append(
            f"{SENTIMENTS[int(row['label'])]}; negative {100 * (1 - row['p_positive']):.0f} %,"
            f" positive {100 * row['p_positive']:.0f} %"
        )
    return ", ".join(part for part in parts if part)


def _find_trials(probe: Probe, rows: Iterable[Mapping[Any, Any]]) -> dict[str, Trial]:
    """Return the trials of some rows, by key."""
    wanted = {_own_key(row) for row in rows}
    return {trial.key: trial for trial in probe.trials if trial.key in wanted}


def _own_key(row: Mapping[Any, Any]) -> str:
    """Return the key of the image of an outcome; a task may ask about one more than once."""
    return str(row["key"]).partition("/")[0]


def find_pixels(trial: Trial, data: Path | None, fonts: Catalogue) -> Pixels:
    """Return an image as the model saw it, read from its dataset or drawn again.

    Args:
        trial: what was shown.
        data: the dataset that the image was read from; None if it was drawn.
        fonts: the fonts that it was drawn with.
    """
    if trial.file:
        return read_image(Path(trial.file))
    if data is not None:
        # The shard was checked when it was first read.
        return find_rendering(data, trial.key, verify=False).pixels
    return show_trial(trial, fonts).pixels


def choose_shots(probe: Probe, fonts: Catalogue) -> tuple[list[dict[str, Any]], Cells]:
    """Return images of the levels of each factor, with correct and wrong answers.

    If there are many levels, some have no image. Images of a design show one level each; those
    of a dataset, in which all factors vary at once, each show a level of every factor.
    """
    pick = _pick_rows if is_design(probe.outcomes) else _pick_covering
    picked = pick(probe.outcomes)
    keys = list(dict.fromkeys(str(row["key"]) for row in picked))
    kept = keys[:: max(1, math.ceil(len(keys) / MAX_SHOTS))]
    place_of = {key: place for place, key in enumerate(kept)}
    trial_of = _find_trials(probe, picked)
    shots: dict[str, dict[str, Any]] = {}
    cells: Cells = {}
    for row in picked:
        key = str(row["key"])
        if key in place_of:
            of_baseline = cells.setdefault(row["of"], {}).setdefault(str(row["baseline"]), {})
            of_baseline.setdefault(str(row["label_shown"]), []).append(place_of[key])
        if key in place_of and key not in shots:
            trial = trial_of[_own_key(row)]
            pixels = find_pixels(trial, probe.data, fonts)
            shots[key] = {
                "png": to_uri(encode_pixels(pixels, "jpg", 80)),
                "truth": _name_truth(trial, row),
                "guess": str(row["guess"]), "right": bool(row["correct"]),
            }  # fmt: skip
    return [shots[key] for key in kept], cells


def _pick_rows(outcomes: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a correct and a wrong row for each level, with different words."""
    picked = []
    for factor in list_varied(outcomes):
        rows = label_rows(outcomes, factor, NAMED)[0]
        rows = rows.assign(of=factor, label_shown=rows["label"])
        for number, (_, cell) in enumerate(rows.groupby(["baseline", "label", "correct"])):
            row = cell.iloc[number % len(cell)]
            picked.append({str(name): value for name, value in row.items()})
    return picked


def _pick_covering(outcomes: pd.DataFrame) -> list[dict[str, Any]]:
    """Return correct and wrong rows for each level of each factor, with few rows in total.

    A row is added only for a level that has none yet, starting with the factors with the most
    levels. Then each level gets up to `N_OF_LEVEL` of the correct and of the wrong rows.
    """
    rows = outcomes.reset_index(drop=True)
    cells: dict[str, dict[Any, Any]] = {}
    for factor in list_factors(rows):
        labels = label_rows(rows, factor, ())[0]["label"]
        # The answers alone: a copy of all columns would take most of the memory of a report.
        answers = rows["correct"].loc[labels.index]
        cells[factor] = dict(answers.groupby([labels, answers], sort=True).indices)
        # Indices into the labelled rows become indices into all rows.
        cells[factor] = {name: labels.index[at] for name, at in cells[factor].items()}
    chosen: dict[int, None] = {}
    for factor in sorted(cells, key=lambda name: (-len(cells[name]), name)):
        for number, members in enumerate(cells[factor].values()):
            if len(chosen) < MAX_SHOTS and not any(place in chosen for place in members):
                chosen[int(members[number % len(members)])] = None
    held = np.fromiter(chosen, dtype=np.int64)
    picked = []
    for factor, of_level in cells.items():
        for (label, _), members in of_level.items():
            for place in np.intersect1d(members, held)[:N_OF_LEVEL].tolist():
                row = rows.iloc[place].to_dict() | {"of": factor, "label_shown": label}
                picked.append({str(name): value for name, value in row.items()})
    return picked
