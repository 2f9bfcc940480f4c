"""The report of questions about images: each method, beside baselines without an image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

import pandas as pd

from probes.data.images import read_image, shrink_pixels
from probes.metrics.vqa_accuracy import normalise_answer
from probes.reports import plots
from probes.reports.image_grids import draw_bars
from probes.reports.page import Figure, Page, write_report
from probes.tables import Table, percent
from probes.tasks.matching import Entry
from probes.tasks.outcomes import write_outcomes
from probes.vqa.methods import (
    COMMONEST,
    N_BEST,
    N_SHORTLISTED,
    PICTURE,
    POSSIBLE,
    PROMPTED,
    tabulate_baselines,
    tabulate_methods,
)
from probes.vqa.run import Answered

N_COMMONEST = 40
"""Number of questions and answers in the plots."""

N_ENTRIES = 12
"""Number of questions on each sheet, one of correct and one of wrong answers."""

N_NAMED = 5
"""Number of omitted questions to list; all are counted."""

COLUMNS = ("method", "n", "exact", "95 % interval", "soft", "95 % interval")

NOTE = (
    "The most frequent questions and answers of training and val; and random examples that the"
    " best method got right and wrong, with its five best answers, the true one in green."
)


def write_vqa(done: Answered, out: Path, command: str = "") -> dict[str, Any]:
    """Write outcomes, summary, plots, sheets and report into a folder; return the summary.

    Args:
        done: the results.
        out: the folder.
        command: the command line that made it, for the page.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_outcomes(out / "outcomes.parquet", done.outcomes)
    summary = summarize(done)
    model = done.model
    page = Page(
        title=f"{model.name} {model.tag}".strip() + ": questions about images",
        verdict=verdict(done),
        headline=list_methods(done),
        figures=draw_figures(done),
        note=NOTE,
        tables=[list_windows_found(done)] if done.windows else [],
        facts=_list_facts(done),
        command=command,
    )
    write_report(out, summary, page)
    return summary


def summarize(done: Answered) -> dict[str, Any]:
    """Return the results and everything that determines them."""
    model = done.model
    return {
        "format": 1,
        "model": {
            "name": model.name, "tag": model.tag, "weights_sha256": model.weights_sha256,
            "precision": model.precision, "device": model.device, "versions": model.versions,
        },
        "annotations": str(done.config.annotations),
        "val": str(done.config.val),
        "n_questions": len(done.question_set.questions),
        "n_pictures": len(done.question_set.images),
        "n_candidates": len(done.candidates.texts),
        "coverage": float(_find_first(done)["is_candidate"].mean()),
        "methods": tabulate_methods(done.outcomes).to_dict("records"),
        "baselines": _tabulate_baselines(done).to_dict("records"),
        "windows": done.windows,
        "notes": list(done.notes),
    }  # fmt: skip


def verdict(done: Answered) -> str:
    """Return the main result, as a sentence without its full stop."""
    row = max(tabulate_methods(done.outcomes).to_dict("records"), key=itemgetter("exact"))
    baselines = {each["method"]: each for each in _tabulate_baselines(done).to_dict("records")}
    commonest, coverage = baselines[COMMONEST]["exact"], baselines[POSSIBLE]["exact"]
    above = "above" if row["exact_low"] > commonest else "not above"
    return (
        f"With the method {row['method']!r}, it answers {percent(row['exact'])} exactly"
        f" ({percent(row['exact_low'])} to {percent(row['exact_high'])}), {above} the"
        f" {percent(commonest)} of always giving the most frequent answer;"
        f" {percent(coverage)} can be answered with the candidates"
    )


def list_methods(done: Answered) -> Table:
    """Return exact and soft accuracy of each method, and of baselines without an image."""
    rows = [
        (
            row["method"], f"{row['n']:,}", percent(row["exact"]), _span(row, "exact"),
            percent(row["soft"]), _span(row, "soft"),
        )
        for row in tabulate_methods(done.outcomes).to_dict("records")
    ]  # fmt: skip
    rows += [
        (row["method"], f"{row['n']:,}", percent(row["exact"]), "", percent(row["soft"]), "")
        for row in _tabulate_baselines(done).to_dict("records")
    ]
    return Table("Answers", COLUMNS, tuple(rows))


def list_windows_found(done: Answered) -> Table:
    """Return the windows that match the candidates best, and the gain from using them."""
    found = done.windows
    rows = [
        ("gain of the best window, points", f"{100 * found['gain']:+.1f}",
         f"{100 * found['gain_low']:+.1f} to {100 * found['gain_high']:+.1f}"),
    ]  # fmt: skip
    if found["n_boxes"]:
        rows += [
            ("best window contains the answer", percent(found["hit_rate"]),
             f"{percent(found['hit_low'])} to {percent(found['hit_high'])}"),
            ("a random window does", percent(found["hit_chance"]), ""),
        ]  # fmt: skip
    note = (
        "The best window is the one most similar to any candidate, whatever the question and"
        " the true answer."
    )
    return Table("Best windows", ("metric", "value", "95 % interval"), tuple(rows), note)


def draw_figures(done: Answered) -> list[Figure]:
    """Return plots of the most frequent questions and answers, and sheets of examples."""
    items = (*done.train.items, *done.val.items)
    # The same file may be given for both.
    asked = {(each.picture, each.question): each for each in items}.values()
    questions = Counter(" ".join(each.question.lower().split()) for each in asked)
    answers = Counter(normalise_answer(each.answer) for each in asked)
    figures = [
        Figure(
            name, f"the {N_COMMONEST} most frequent {name}", *plots.draw_counts(rows, "times")
        )
        for name, counts in (("questions", questions), ("answers", answers))
        if (rows := counts.most_common(N_COMMONEST))
    ]
    best = _find_best(done)
    for title, is_right in (("right", True), ("wrong", False)):
        answered = best[best["exact"] == is_right]
        if len(answered):
            n, seed = min(N_ENTRIES, len(answered)), done.config.seed
            shown = answered.sample(n, random_state=seed).to_dict("records")
            entries = [_show(row, done) for row in shown]
            png = draw_bars(entries, n_columns=2)
            figures.append(
                Figure(
                    title,
                    f"answered {'correctly' if is_right else 'incorrectly'}",
                    png,
                    is_wide=True,
                )
            )
    return figures


def _find_first(done: Answered) -> pd.DataFrame:
    return done.outcomes[done.outcomes["method"] == PICTURE]


def _find_best(done: Answered) -> pd.DataFrame:
    """Return the outcomes of the method with the highest accuracy."""
    means = done.outcomes.groupby("method", sort=False)["exact"].mean()
    return done.outcomes[done.outcomes["method"] == means.idxmax()]


def _tabulate_baselines(done: Answered) -> pd.DataFrame:
    return tabulate_baselines(done.question_set.questions, done.candidates.texts)


def _show(row: Mapping[Any, Any], done: Answered) -> Entry:
    asked = next(each for each in done.question_set.questions if each.key == row["key"])
    texts = [row.get(f"guess_{k}") for k in range(1, N_BEST + 1)]
    shown = tuple(text for text in texts if isinstance(text, str))
    return Entry(
        pixels=shrink_pixels(read_image(done.question_set.files[asked.picture]), 320),
        title=f"{asked.question} {asked.answer}",
        texts=shown,
        shares=tuple(row[f"share_{k}"] for k in range(1, len(shown) + 1)),
        truth=normalise_answer(asked.answer),
    )


def _list_facts(done: Answered) -> list[tuple[str, str]]:
    model, config = done.model, done.config
    coverage = _find_first(done)["is_candidate"].mean()
    left_out = (
        f"{len(done.notes):,}: {'; '.join(done.notes[:N_NAMED])}" if done.notes else "none"
    )
    return [
        ("model", f"{model.name} {model.tag}".strip()),
        ("weights, SHA-256", model.weights_sha256 or "unknown"),
        ("training", f"{len(done.train.items):,} questions of {config.annotations.name}"),
        ("evaluation", f"{len(done.question_set.questions):,} questions of {config.val.name}"),
        ("candidates", f"{len(done.candidates.texts):,}, covering {percent(coverage)}"),
        ("exact", "the most frequent human answer, normalised as in VQA"),
        (
            "soft",
            "VQA accuracy: full if three people agree, averaged over leaving each person out",
        ),
        (
            PROMPTED,
            f"the {N_SHORTLISTED} answers most similar to the image, ranked again with it",
        ),
        ("left out", left_out),
        ("versions", ", ".join(f"{name} {which}" for name, which in model.versions.items())),
    ]


def _span(row: Mapping[Any, Any], name: str) -> str:
    return f"{percent(row[f'{name}_low'])} to {percent(row[f'{name}_high'])}"
