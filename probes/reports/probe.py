"""The report of a probe: its summary, tables, plots and images."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from probes.factors import label_of, label_of_levels, name_baseline, name_level
from probes.metrics.breakdown import (
    list_factors,
    tabulate_effects,
    tabulate_factor,
    tabulate_headline,
    tabulate_thresholds,
    take_scan,
)
from probes.metrics.cells import is_design
from probes.metrics.level_effects import level_effects
from probes.metrics.regression import Effects
from probes.metrics.spelling import tabulate_answers
from probes.models.base import Model, identify_model
from probes.reports import calibration
from probes.reports.citation import cite
from probes.reports.factor_figures import draw_factors
from probes.reports.headline import (
    describe_split,
    format_headline,
    format_level_effects,
    format_pooled,
    format_templates,
    list_unasked,
    state_verdict,
    summarize_headline,
)
from probes.reports.losses import count_losses, list_losses
from probes.reports.mistakes import draw_confusions, list_mistakes, list_words
from probes.reports.page import Figure, Page, to_rows, to_uri, write_report
from probes.reports.pictures import choose_pictures, choose_shots
from probes.reports.terms import list_terms
from probes.tables import Table, percent
from probes.tasks.base import load_task
from probes.tasks.linear_probe import tabulate_linear
from probes.tasks.run import Probe
from probes.tasks.vocabulary import PROTOCOL
from synthtext.dataset.codec import encode_pixels
from synthtext.drawing.fonts import Catalogue, read_catalogue
from synthtext.drawing.rendering import render
from synthtext.spec import Spec
from synthtext.texts.words import make_texts

N_NAMED = 5
"""Number of broken files to list by name; all are counted."""

CURVES_NOTE = (
    "Accuracy at each level, with 95 % intervals. The dashed line is chance. A dotted line is"
    " the threshold for the choice that the page opens with, with its interval shaded. A click"
    " on a point shows images of its level."
)


def write_probe(probe: Probe, out: Path, command: str = "") -> dict[str, Any]:
    """Write `summary.json`, `report.html` and `plots/`, and return the summary.

    Args:
        probe: what was shown, and the outcomes.
        out: the folder of results.
        command: the command line that made it, for the page.
    """
    thresholds = tabulate_thresholds(probe.outcomes)
    summary = summarize(probe, thresholds)
    figures = draw_factors(probe.outcomes, thresholds)
    if summary["calibration"] is not None:
        figures.append(calibration.draw_calibration(summary["calibration"]))
    figures += draw_confusions(probe.outcomes)
    page = dataclasses.replace(make_page(probe, summary, figures), command=command)
    write_report(out, summary, page)
    return summary


def summarize(probe: Probe, thresholds: pd.DataFrame) -> dict[str, Any]:
    """Return the results of a probe and everything that determines them, for `summary.json`.

    Args:
        probe: what was shown, and the outcomes.
        thresholds: from `tabulate_thresholds`.
    """
    question, outcomes = probe.question, probe.outcomes
    texts = question.candidates.texts
    words = make_texts(texts, [None] * len(texts), "")
    summary: dict[str, Any] = {
        "format": 1,
        "broken": list(probe.broken),
        "model": _describe_model(probe.model),
        "question": {
            "protocol": PROTOCOL, "task": question.task,
            "templates": question.templates, "ks": question.ks,
            "seed": question.seed, "split": probe.split, "n_images": len(probe.trials),
            "n_words": int(outcomes["word"].nunique()),
            "rivals": question.candidates.rivals,
            "vocabulary": {"n_words": len(texts), "sha256": words.sha256},
            **count_losses(probe),
        },
        "by_template": probe.by_template,
        "headline": summarize_headline(outcomes),
        "pooled": to_rows(tabulate_headline(take_scan(outcomes))),
        "thresholds": to_rows(thresholds),
        "looks": [dataclasses.asdict(decision) for decision in probe.decisions],
        "factors": {
            name: to_rows(tabulate_factor(outcomes, name).table)
            for name in list_factors(outcomes)
        },
        "calibration": calibration.summarize_calibration(outcomes),
        "encoder": dataclasses.asdict(probe.stats),
    }  # fmt: skip
    task = load_task(question.task)
    if task.measure is not None:
        summary[task.name] = task.measure(outcomes)
    if is_design(outcomes):
        summary["effects"] = to_rows(level_effects(take_scan(outcomes)))
    if probe.linear is not None:
        summary["linear"] = probe.linear
    if "answer" in outcomes:
        summary["answers"] = to_rows(tabulate_answers(outcomes))
        summary["faults"] = list_faults(outcomes)
    return summary


def _describe_model(model: Model) -> dict[str, Any]:
    return {
        "name": model.name, "tag": model.tag, "weights_sha256": model.weights_sha256,
        "identity": identify_model(model), "input_px": model.input_px,
        "patch_px": model.patch_px, "n_parameters": model.n_parameters or None,
        "gflop": model.gflop, "preprocessing": model.preprocessing,
        "precision": model.precision, "device": model.device, "versions": model.versions,
        "settings": model.config if model.reader is not None else {},
    }  # fmt: skip


def list_faults(outcomes: pd.DataFrame) -> list[str]:
    """Return the images to which a reader gave no answer, and the reasons."""
    if "fault" not in outcomes:
        return []
    rows = outcomes[outcomes["fault"] != ""]
    return [f"{key}: {fault}" for key, fault in zip(rows["key"], rows["fault"], strict=True)]


def make_page(probe: Probe, summary: Mapping[str, Any], figures: Sequence[Figure]) -> Page:
    """Return the report of a probe."""
    model, fonts = probe.model, read_catalogue()
    shots, cells = choose_shots(probe, fonts)
    outcomes = probe.outcomes
    words = list_words(outcomes)
    baselines = dict.fromkeys(outcomes["baseline"])
    return Page(
        title=f"{model.name} {model.tag}".strip() + f": {probe.question.task}",
        verdict=f"It {find_verdict(probe, summary)}",
        headline=make_headline(probe, summary),
        figures=figures,
        note=CURVES_NOTE,
        fonts=_format_fonts(outcomes, fonts),
        tables=list_tables(probe, summary) + ([words] if words else []),
        pictures=choose_pictures(probe, fonts),
        shots=shots,
        cells=cells,
        facts=_list_facts(probe, summary),
        citation=cite(summary),
        k=int(outcomes["k"].iloc[0]),
        series=[name_baseline(str(name)) for name in baselines if name],
        terms=list_terms(list_factors(outcomes), is_design=is_design(outcomes)),
    )


def find_verdict(probe: Probe, summary: Mapping[str, Any]) -> str:
    """Return the main result of a probe, as a sentence without its subject."""
    k = int(probe.outcomes["k"].iloc[0])
    return state_verdict(summary["headline"], summary["thresholds"], k)


def make_headline(probe: Probe, summary: Mapping[str, Any]) -> Table:
    """Return the table at the top of a report."""
    has_pool = load_task(probe.question.task).has_pool
    return format_headline(summary["headline"], list_unasked(probe.question, has_pool))


def list_tables(probe: Probe, summary: Mapping[str, Any]) -> list[Table]:
    """Return the tables of a report, for the page and for the terminal."""
    tables = [_format_thresholds(summary["thresholds"]), _format_looks(summary["looks"])]
    if "answers" in summary:
        tables.append(_format_answers(summary["answers"], summary["faults"]))
    if summary["calibration"] is not None:
        tables.append(calibration.format_calibration(summary["calibration"]))
    task = load_task(probe.question.task)
    if task.measure is not None and task.tabulate is not None:
        tables.append(task.tabulate(summary[task.name]))
    if probe.linear is not None:
        tables.append(tabulate_linear(probe.linear))
    if probe.by_template:
        tables.append(format_templates(probe.by_template))
    if "effects" in summary:
        tables.append(format_level_effects(summary["effects"]))
        tables.append(format_pooled(summary["pooled"]))
    else:
        tables.append(_format_main_effects(tabulate_effects(probe.outcomes)))
    tables.append(list_mistakes(probe.outcomes))
    return [table for table in tables if table.rows]


def _format_main_effects(effects: Effects) -> Table:
    rows = tuple(
        (
            label_of(row["factor"])
            if pd.isna(row["level"])
            else name_level(row["factor"], str(row["level"])),
            f"{row['coefficient']:+.2f}",
            f"{row['low']:+.2f} to {row['high']:+.2f}",
            f"{row['p_holm']:.2g}",
        )
        for row in effects.table.to_dict("records")
    )
    columns = ("factor", "log odds", "95 % interval", "p (Holm)")
    note = (
        "Logistic regression; coefficients of numbers are per standard deviation, and intervals"
        " are clustered by word."
    )
    return Table("Main effects", columns, rows, f"{note}{_join_notes(effects.notes)}")


def _join_notes(notes: Sequence[str]) -> str:
    """Return notes as sentences, one for all factors that are left out."""
    reasons: dict[str, list[str]] = {}
    others = []
    for note in notes:
        name, is_left, reason = note.partition(" is left out: ")
        if is_left:
            factor, _, level = name.partition(" ")
            shown = name_level(factor, level) if level else label_of(factor)
            reasons.setdefault(reason, []).append(shown)
        else:
            others.append(f" {note[:1].upper()}{note[1:]}.")
    left = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons.items())
    return "".join(others) + (f" Left out: {left}." if left else "")


def _format_thresholds(rows: Sequence[Mapping[str, Any]]) -> Table:
    formatted = []
    for row in rows:
        found = "not reached" if row["level"] is None else f"{row['level']:.3g}"
        interval = f"{row['low']:.3g} to {row['high']:.3g}" if row["reached"] else row["note"]
        if row["is_bracket"] and row["reached"]:
            interval += ", no level between them"
        fitted = row["fit_note"] or (
            f"{row['fit_level']:.3g}" + _format_ends(row["fit_low"], row["fit_high"])
        )
        formatted.append(
            (label_of(row["unit"]), name_baseline(row["baseline"]), found, interval, fitted)
        )
    columns = ("threshold", "condition", "level", "95 % interval", "fitted curve")
    note = (
        "A threshold is midway between chance and the accuracy at the easiest level, over"
        " words. The interval is valid for any monotone curve. The x-height is the height of"
        " the letter x."
    )
    return Table("Legibility thresholds", columns, tuple(formatted), note)


def _format_looks(rows: Sequence[Mapping[str, Any]]) -> Table:
    formatted = tuple(
        (
            label_of_levels(row["factor"]), name_baseline(row["baseline"]), str(row["look"]),
            ", ".join(f"{level:g}" for level in row["levels"]) or "none", row["why"],
        )
        for row in rows
    )  # fmt: skip
    note = (
        "After each stage, levels are added at the ends of a curve's interval, and the same"
        " words are shown there. Effects are computed from the coarse scan only."
    )
    columns = ("factor", "condition", "stage", "levels added", "reason")
    return Table("Added levels", columns, formatted, note)


def _format_ends(low: float | None, high: float | None) -> str:
    """Return the ends of an interval in brackets; an open one is left out."""
    if low is None:
        return f" (up to {high:.3g})" if high is not None else ""
    return f" (from {low:.3g})" if high is None else f" ({low:.3g} to {high:.3g})"


def _format_answers(rows: Sequence[Mapping[str, Any]], faults: Sequence[str]) -> Table:
    formatted = tuple(
        (
            row["figure"],
            percent(row["value"]),
            f"{percent(row['low'])} to {percent(row['high'])}",
        )
        for row in rows
    )
    note = "Answers in text; for 1 of K, the candidate with the nearest spelling counts."
    if faults:
        more = f" and {len(faults) - N_NAMED:,} more" if len(faults) > N_NAMED else ""
        note += f" No answer to {'; '.join(faults[:N_NAMED])}{more}."
    return Table("Answers", ("metric", "value", "95 % interval"), formatted, note)


def _format_fonts(outcomes: pd.DataFrame, fonts: Catalogue) -> list[dict[str, str]]:
    if outcomes["font"].nunique() < 2 or "font" not in list_factors(outcomes):
        return []
    table = tabulate_factor(outcomes, "font").table.sort_values("accuracy", ascending=False)
    return [
        {
            "png": to_uri(_draw_specimen(row["label"], fonts)),
            "name": fonts.fonts[row["label"]].family
            if row["label"] in fonts.fonts
            else row["label"],
            "baseline": name_baseline(row["baseline"]),
            "n": f"{row['n_seen']:,}",
            "accuracy": percent(row["accuracy"]),
            "interval": f"{percent(row['low'])} to {percent(row['high'])}",
        }
        for row in table.to_dict("records")
    ]


def _draw_specimen(file: str, fonts: Catalogue) -> bytes:
    if file not in fonts.fonts:
        return b""
    spec = Spec(seed=0, index=0, split="", kind="word", text="Hamburgefonstiv", font=file)
    natural = dataclasses.replace(spec, width_px=0, height_px=0, size_px=32.0, margin_px=2)
    return encode_pixels(render(natural, fonts).pixels, "png", 100)


def _list_facts(probe: Probe, summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    model, question = summary["model"], summary["question"]
    seen = f"{model['input_px']} px"
    seen += f", patches of {model['patch_px']} px" if model["patch_px"] else ""
    steps = ", ".join(f"{name} {value}" for name, value in model["preprocessing"].items())
    return [
        ("model", f"{model['name']} {model['tag']}".strip()),
        ("weights, SHA-256", model["weights_sha256"] or "unknown"),
        ("input", seen if model["input_px"] else "unknown"),
        ("preprocessing", steps or "unknown"),
        ("precision, device", f"{model['precision']} {model['device']}".strip() or "unknown"),
        ("task", question["task"]),
        ("prompts", " | ".join(question["templates"])),
        ("candidates", f"{question['vocabulary']['n_words']:,} texts, {question['rivals']}"),
        ("protocol", str(question["protocol"])),
        *([("split", describe_split(probe.split))] if probe.split else []),
        ("shown", f"{question['n_images']:,} images of {question['n_words']:,} texts"),
        *(
            [("cannot be read", f"{len(probe.broken):,}: {', '.join(probe.broken[:N_NAMED])}")]
            if probe.broken
            else []
        ),
        *list_losses(summary),
        ("seed", str(question["seed"])),
        ("versions", ", ".join(f"{k} {v}" for k, v in probe.model.versions.items())),
    ]
