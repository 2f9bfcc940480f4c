"""The report of a probe: its summary, tables, plots and images."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pandas as pd

from probes.metrics.breakdown import (
    list_factors,
    tabulate_factor,
    tabulate_headline,
    tabulate_thresholds,
)
from probes.models.base import identify_model
from probes.tasks.localization import measure_looking
from probes.tasks.run import Probe
from probes.tasks.sentiment import measure_sentiment
from probes.tasks.typographic_attack import measure_attack
from synthtext.texts.words import make_texts


def summarize(probe: Probe) -> dict[str, Any]:
    """Return the figures of a probe and all that decides them, for `summary.json`."""
    model, question, outcomes = probe.model, probe.question, probe.outcomes
    words = make_texts(question.vocabulary, [None] * len(question.vocabulary), "")
    summary: dict[str, Any] = {
        "format": 1,
        "broken": list(probe.broken),
        "model": {
            "name": model.name, "tag": model.tag, "weights_sha256": model.weights_sha256,
            "identity": identify_model(model), "input_px": model.input_px,
            "patch_px": model.patch_px, "preprocessing": model.preprocessing,
            "precision": model.precision, "device": model.device, "versions": model.versions,
        },
        "question": {
            "task": question.task, "templates": question.templates, "ks": question.ks,
            "seed": question.seed, "n_images": len(probe.trials),
            "n_words": int(outcomes["word"].nunique()),
            "vocabulary": {"n_words": len(question.vocabulary), "sha256": words.sha256},
        },
        "by_template": probe.by_template,
        "headline": _to_rows(tabulate_headline(outcomes)),
        "thresholds": _to_rows(tabulate_thresholds(outcomes)),
        "factors": {
            name: _to_rows(tabulate_factor(outcomes, name).table)
            for name in list_factors(outcomes)
        },
        "encoder": dataclasses.asdict(probe.stats),
    }  # fmt: skip
    if question.task == "sentiment":
        summary["sentiment"] = measure_sentiment(outcomes)
    if question.task == "where":
        summary["where"] = measure_looking(outcomes)
    if question.task == "attack":
        summary["attack"] = measure_attack(outcomes)
    return summary


def verdict(headline: Mapping[str, Any]) -> str:
    """Return what a headline row says, in a sentence."""
    share, low, high = (f"{100 * headline[name]:.1f}" for name in ("accuracy", "low", "high"))
    said = f"reads {share} % of the pictures right, 1 of {headline['k']:,} ({low} to {high} %)"
    if headline["at_chance"]:
        return f"{said}: that is chance, {100 * headline['chance']:.2g} %"
    return f"{said}; chance is {100 * headline['chance']:.2g} %"


def _to_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as rows for JSON, None for what is missing."""
    names = [str(name) for name in table.columns]
    plain = table.astype(object).where(table.notna(), None)
    return [dict(zip(names, row, strict=True)) for row in plain.to_numpy().tolist()]
