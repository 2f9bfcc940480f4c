"""The page of many results: leaderboard, curves in one plot, thresholds, pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from probes.factors import label_of, name_baseline
from probes.metrics.leaderboard import ALPHA
from probes.reports import leaderboard_plots as plots
from probes.reports.citation import N_DIGITS
from probes.reports.factor_figures import list_others
from probes.reports.headline import CONDITIONS, LEGIBILITY
from probes.reports.leaderboard import Leaderboard, Row, find_headline, make_csv
from probes.reports.leaderboard_plots import Marks
from probes.reports.page import Figure, Page, to_rows, write_report
from probes.reports.plots import Mark
from probes.reports.terms import list_terms
from probes.tables import Table, percent
from synthtext.storage import replace_file

LEADERBOARD = "leaderboard.json"

MAX_MAPPED = 60
"""Maximum number of models for which a map of pairs is drawn."""

MAX_PAIRS = 500
"""Maximum number of pairs in the table of the page; `leaderboard.json` has all."""

NOTE = (
    "Accuracy at each level of the coarse scan, which is the same for all models. Each model"
    " has the same colour, line style and marker in every plot, in the order of the table. The"
    " dotted line is chance, 1/K. Thresholds are shown with their 95 % intervals; models"
    " without a threshold, or of unknown size, are left out."
)

CHOICE_NOTE = (
    " Another choice moves the points. Tables, plots with a choice in their caption, and the"
    " order of the models stay as they are."
)


def write_leaderboard(board: Leaderboard, out: Path, command: str = "") -> None:
    """Write `leaderboard.json`, `leaderboard.csv`, `plots/` and `report.html`.

    Args:
        board: from `measure_leaderboard`.
        out: the folder, created if it is missing.
        command: the command line that made it, for the page.
    """
    tables = list_tables(board)
    page = Page(
        title=f"{len(board.models)} models compared: {board.asked['task']}",
        verdict=_state_verdict(board),
        headline=tables[0],
        figures=_draw(board),
        note=NOTE + (CHOICE_NOTE if _list_others(board) else ""),
        tables=tables[1:],
        facts=_list_facts(board),
        command=command,
        citation=_cite(board),
        k=board.k,
        series=[model["name"] for model in board.models],
        terms=list_terms(is_design=board.condition in CONDITIONS),
    )
    summary = {
        "format": 1,
        "condition": board.condition,
        "k": board.k,
        "n_images": board.n_images,
        "alpha": ALPHA,
        "asked": board.asked,
        "models": board.models,
        "pairs": board.pairs,
        "factors": {name: to_rows(table) for name, table in board.factors.items()},
    }
    write_report(out, summary, page, LEADERBOARD)
    replace_file(out / "leaderboard.csv", make_csv(board).to_csv(index=False).encode())


def list_tables(board: Leaderboard) -> list[Table]:
    """Return the tables of a leaderboard, that of the models first."""
    tables = (_format_models(board), _format_thresholds(board), _format_pairs(board))
    return [table for table in tables if table.rows]


def _state_verdict(board: Leaderboard) -> str:
    best = board.models[0]
    where = name_baseline(board.condition)
    row = find_headline(best, board.condition, board.k)
    said = (
        "over all images" if board.condition not in CONDITIONS else f"in the {where} condition"
    )
    n_below = sum(
        pair["p_holm"] < ALPHA and best["name"] in (pair["a"], pair["b"])
        for pair in board.pairs
    )
    interval = f"{100 * row['low']:.1f} to {100 * row['high']:.1f}" if row else ""
    return (
        f"{best['name']} has the highest accuracy {said}: {percent(best['accuracy'])}"
        f" ({interval}) on {board.n_images:,} images, 1 of {board.k:,}, significantly"
        f" above {n_below} of the {len(board.models) - 1} others"
    )


def _format_models(board: Leaderboard) -> Table:
    conditions = list(dict.fromkeys(row["condition"] for row in board.models[0]["headline"]))
    columns = ["model", "rank"]
    for name in conditions:
        columns += [f"accuracy, {name_baseline(name)}", "95 % interval"]
    has_legibility = any(_find_threshold(model, *LEGIBILITY) for model in board.models)
    columns += ["x-height threshold, px", "95 % interval"] if has_legibility else []
    columns += ["input, px", "patch, px", "GFLOP", "M parameters"]
    rows = []
    for model in board.models:
        ends = model["rank_low"], model["rank_high"]
        span = "" if ends[0] == ends[1] else f" ({ends[0]} to {ends[1]})"
        row = [model["name"], f"{model['rank']}{span}"]
        for name in conditions:
            found = find_headline(model, name, board.k)
            row += _show_share(found)
        if has_legibility:
            row += _show_threshold(_find_threshold(model, *LEGIBILITY))
        row += [_show_size(model[name], scale) for name, (_, scale) in plots.SIZES.items()]
        rows.append(tuple(row))
    note = (
        f"Ranked by accuracy {_say_where(board.condition)}, 1 of {board.k:,}. In brackets are"
        " the possible ranks according to the tests of all pairs."
    )
    return Table("Models", tuple(columns), tuple(rows), note)


def _say_where(condition: str) -> str:
    if condition not in CONDITIONS:
        return "over all images"
    return f"in the condition {CONDITIONS[condition]}"


def _show_share(row: Row | None) -> list[str]:
    if row is None:
        return ["", ""]
    end = ", chance" if row["at_chance"] else ""
    return [percent(row["accuracy"]), f"{percent(row['low'])} to {percent(row['high'])}{end}"]


def _show_threshold(row: Row | None) -> list[str]:
    if row is None:
        return ["", "none"]
    return [f"{row['level']:.3g}", f"{row['low']:.3g} to {row['high']:.3g}"]


def _show_size(value: float | None, scale: float) -> str:
    return "" if value is None else f"{value / scale:.4g}"


def _find_threshold(model: Row, unit: str, baseline: str) -> Row | None:
    rows = (
        row for row in model["thresholds"] if (row["unit"], row["baseline"]) == (unit, baseline)
    )
    return next((row for row in rows if row["reached"]), None)


def _format_thresholds(board: Leaderboard) -> Table:
    rows = []
    for unit, baseline in _list_curves(board):
        for model in board.models:
            of_model = [
                row
                for row in model["thresholds"]
                if (row["unit"], row["baseline"]) == (unit, baseline)
            ]
            if of_model:
                found = of_model[0]
                shown = _show_threshold(found) if found["reached"] else ["", found["note"]]
                rows.append((label_of(unit), name_baseline(baseline), model["name"], *shown))
    note = (
        "A threshold is midway between chance and a model's own accuracy at the easiest level,"
        " estimated from all levels that it was shown."
    )
    columns = ("threshold of", "condition", "model", "level", "95 % interval")
    return Table("Thresholds", columns, tuple(rows), note)


def _list_curves(board: Leaderboard) -> list[tuple[str, str]]:
    found = (
        (row["unit"], row["baseline"]) for model in board.models for row in model["thresholds"]
    )
    return list(dict.fromkeys(found))


def _format_pairs(board: Leaderboard) -> Table:
    ordered = sorted(board.pairs, key=lambda row: (row["p_holm"], -abs(row["difference"])))
    rows = tuple(
        (
            row["a"], row["b"], f"{row['n_seen']:,}", f"{100 * row['difference']:+.1f} points",
            f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}", f"{row['n_only_a']:,}",
            f"{row['n_only_b']:,}", f"{row['p_holm']:.2g}",
        )
        for row in ordered[:MAX_PAIRS]
    )  # fmt: skip
    note = (
        f"On the images of the condition used for ranking; exact McNemar test by words,"
        f" Holm-corrected over all {len(ordered):,} pairs; intervals resample words."
    )
    if len(ordered) > MAX_PAIRS:
        note += f" The {MAX_PAIRS:,} with the lowest p are shown; {LEADERBOARD} has all."
    columns = ("A", "B", "images", "B - A", "95 % interval", "A alone", "B alone", "p (Holm)")
    return Table("Pairs", columns, rows, note)


def _draw(board: Leaderboard) -> list[Figure]:
    names = [model["name"] for model in board.models]
    figures = [_draw_ranking(board)]
    for factor, table in board.factors.items():
        curves = [(name, table[table["model"] == name]) for name in names]
        is_number = pd.api.types.is_numeric_dtype(table["level"])
        draw = plots.draw_curves if is_number else plots.draw_categories
        drawn = draw(curves, factor, 1 / board.k)
        others = {
            k: _follow(drawn.marks, other)
            for k, other in board.others[factor].items()
            if drawn.marks
        }
        figures.append(
            Figure(
                _name_file(factor), f"Accuracy by {label_of(factor)}", *drawn, is_wide=True,
                others=others, chances={k: 1 / k for k in (board.k, *others)},
                along="y" if is_number else "x",
            )
        )  # fmt: skip
    figures += _draw_thresholds(board)
    if len(names) <= MAX_MAPPED:
        gains, told = _fill_pairs(board, names)
        drawn = plots.draw_pairs(names, gains, told)
        title = "Accuracy of each model minus that of each other; ? or a dot: not significant"
        figures.append(Figure("pairs", title, *drawn, is_wide=True))
    if not _list_others(board):
        return figures
    fixed = f", 1 of {board.k:,}"
    return [
        figure if figure.others else replace(figure, title=figure.title + fixed)
        for figure in figures
    ]


def _draw_ranking(board: Leaderboard) -> Figure:
    def take(k: int) -> list[Row]:
        return [
            row | {"name": model["name"]}
            for model in board.models
            for row in model["headline"]
            if row["k"] == k
        ]

    drawn = plots.draw_ranking(take(board.k))
    others = {k: plots.mark_ranking(take(k)) for k in _list_others(board)}
    title = "Accuracy of each model in each condition"
    return Figure("ranking", title, *drawn, is_wide=True, others=others, along="x")


def _list_others(board: Leaderboard) -> list[int]:
    """Return every other K for which all models have an accuracy."""
    ks = ({row["k"] for row in model["headline"]} for model in board.models)
    return sorted(set.intersection(*ks) - {board.k})


def _follow(marks: Mapping[str, Sequence[Mark]], table: pd.DataFrame) -> Marks:
    """Return the points of models with the values of another table of the same levels."""
    found: Marks = {}
    for name, own in marks.items():
        of_model = table[table["model"] == own[0].series]
        found |= list_others({name: own}, of_model)
    return found


def _draw_thresholds(board: Leaderboard) -> list[Figure]:
    """Return a figure for each unit in which two models of known size have a threshold."""
    of_unit: dict[tuple[str, str], list[Row]] = {}
    for place, model in enumerate(board.models):
        sizes = {name: model[name] for name in ("name", *plots.SIZES)}
        for row in model["thresholds"]:
            if row["reached"]:
                of_unit.setdefault((row["factor"], row["unit"]), []).append(
                    row | sizes | {"place": place}
                )
    figures = []
    for (factor, unit), rows in of_unit.items():
        sized = ({row["name"] for row in rows if row[size]} for size in plots.SIZES)
        if max(map(len, sized)) < 2:  # Readers that return text have no known size.
            continue
        drawn = plots.draw_thresholds(rows, factor, unit)
        title = (
            f"Thresholds against the size of the model, with 95 % intervals: {label_of(unit)}"
        )
        figures.append(Figure(f"threshold_{_name_file(unit)}", title, *drawn, is_wide=True))
    return figures


def _fill_pairs(
    board: Leaderboard, names: Sequence[str]
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], np.ndarray[Any, np.dtype[np.bool_]]]:
    place_of = {name: place for place, name in enumerate(names)}
    gains, told = np.zeros((len(names),) * 2), np.zeros((len(names),) * 2, dtype=bool)
    for row in board.pairs:
        a, b = place_of[row["a"]], place_of[row["b"]]
        gains[b, a], gains[a, b] = row["difference"], -row["difference"]
        told[a, b] = told[b, a] = row["p_holm"] < ALPHA
    return gains, told


def _name_file(factor: str) -> str:
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in factor)[:60]


def _cite(board: Leaderboard) -> str:
    asked = board.asked
    names = "; ".join(
        model["name"]
        + (f" ({model['weights_sha256'][:N_DIGITS]})" if model["weights_sha256"] else "")
        for model in board.models
    )
    return (
        f"Measured with synthtext {version('synthtext')}, protocol {asked['protocol']}, task"
        f" {asked['task']}, one of {board.k:,}, {board.n_images:,} images"
        f" {_say_where(board.condition)}; models, with their weights (SHA-256): {names}."
    )


def _list_facts(board: Leaderboard) -> list[tuple[str, str]]:
    prompts = {tuple(model["templates"]) for model in board.models if model["templates"]}
    facts = [(name, str(value)) for name, value in board.asked.items()]
    facts.append(("choice", f"1 of {board.k:,}"))
    facts.append(("condition", _say_where(board.condition)))
    if len(prompts) > 1:
        facts.append(
            ("prompts", f"{len(prompts)} sets: some models come with their own prompts")
        )
    elif prompts:
        facts.append(("prompts", " | ".join(next(iter(prompts)))))
    facts += [(model["name"], model["path"]) for model in board.models]
    return facts
