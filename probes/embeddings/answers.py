"""Answers in text, stored like vectors, so that a killed run resumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from probes.arrays import Vectors
from probes.data.trials import Stimulus
from probes.readers.base import Reader, Reading, ask_reader

Facts = list[dict[str, Any]]
"""One mapping for each image."""

ANSWER, FAULT = "answer", "fault"
"""Keys of the text and the fault in the facts of an image."""


def read_answers(
    reader: Reader, name: str, batch: Sequence[Stimulus], facts: Facts
) -> tuple[Vectors, Facts]:
    """Return confidences, float32 (N, 1), and the facts with the answers added.

    Raises:
        ProbeError: the reader gives no usable answer.
    """
    keys = [stimulus.key for stimulus in batch]
    readings = ask_reader(reader, keys, [stimulus.pixels for stimulus in batch], name)
    sure = np.array([[reading.confidence] for reading in readings], np.float32)
    said = [{ANSWER: reading.text, FAULT: reading.fault} for reading in readings]
    return sure, [fact | answer for fact, answer in zip(facts, said, strict=True)]


def list_answers(vectors: Vectors, facts: Sequence[dict[str, Any]]) -> list[Reading]:
    """Return the answers that `read_answers` stored as confidences and facts."""
    return [
        Reading(fact[ANSWER], float(sure), fact[FAULT])
        for sure, fact in zip(vectors[:, 0], facts, strict=True)
    ]
