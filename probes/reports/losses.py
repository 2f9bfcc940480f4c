"""The input that a model cannot see: truncated texts, and letters outside its crop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.embeddings.texts import fill_template
from probes.models.base import find_cut
from probes.tasks.run import Probe


def count_losses(probe: Probe) -> dict[str, int]:
    """Return the number of prompts that are truncated and of images that are cropped.

    A prompt is truncated if it has more tokens than the context; an image is cropped if the
    centre of one of its letters lies outside the part that the model sees.
    """
    question, outcomes = probe.question, probe.outcomes
    filled = [
        prompt
        for template in question.templates
        for prompt in fill_template(template, question.candidates.texts)
    ]
    # A task may ask about an image more than once.
    cropped = {
        str(key).partition("/")[0] for key in outcomes.loc[outcomes["is_cropped"], "key"]
    }
    return {
        "n_texts_cut": len(find_cut(probe.model, filled)),
        "n_images_cropped": len(cropped),
    }


def list_losses(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return descriptions of the input that the model cannot see, if there is any."""
    question = summary["question"]
    n_cut, n_cropped = question["n_texts_cut"], question["n_images_cropped"]
    n_prompts = question["vocabulary"]["n_words"] * len(question["templates"])
    rows = []
    if n_cut:
        rows.append(("cut off by the tokenizer", f"{n_cut:,} of {n_prompts:,} prompts"))
    if n_cropped:
        rows.append(
            ("letters outside the crop", f"in {n_cropped:,} of {question['n_images']:,} images")
        )
    return rows
