"""A small dataset to export, and what reads an export back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from synthtext.export.export import export_dataset

TEXTS = ["quartz", 'say "hi"', "a, b", "straße", "two words", "tab\\slash"] + [
    f"word{k}" for k in range(60)
]


def export(data: Path, out: Path, target: str, **options: Any) -> Path:  # noqa: ANN401
    counts = export_dataset(data, out / target, target, **options)
    assert set(counts) == {"train", "test"}
    return out / target


def decode(raw: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(raw, np.uint8), 1), cv2.COLOR_BGR2RGB)
