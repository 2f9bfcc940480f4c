"""The citation of a probe's results, with all that is needed to measure them again."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

N_DIGITS = 12
"""Digits of a hash; enough to distinguish weights."""


def cite(summary: Mapping[str, Any]) -> str:
    """Return a sentence that names the program, the questions and the model of a summary."""
    model, question = summary["model"], summary["question"]
    name = " ".join(part for part in (model["name"], model["tag"]) if part)
    weights = model["weights_sha256"]
    vocabulary = question["vocabulary"]["sha256"][:N_DIGITS]
    return (
        f"Measured with synthtext {version('synthtext')}, protocol {question['protocol']}, task"
        f" {question['task']}, {question['n_images']:,} images of {question['n_words']:,}"
        f" texts, seed {question['seed']}, vocabulary {vocabulary}; model {name},"
        f" weights {weights[:N_DIGITS] if weights else 'unknown'} (SHA-256)."
    )
