"""The data that a model was trained on, as recorded in its folder."""

from __future__ import annotations

from pathlib import Path

import orjson

SUMMARY = "summary.json"

MAX_BYTES = 64 << 20


def was_tuned_on(model: Path, data: Path) -> bool:
    """Return whether a model folder lies in the results of a fine-tuning on a dataset.

    Args:
        model: a folder, or another name of a model.
        data: the dataset.
    """
    path = model.parent / SUMMARY
    if not (model.is_dir() and path.is_file() and path.stat().st_size <= MAX_BYTES):
        return False
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    config = found.get("config") if isinstance(found, dict) else None
    named = config.get("data") if isinstance(config, dict) else None
    try:
        return isinstance(named, str) and Path(named).resolve() == data.resolve()
    except (OSError, ValueError, RuntimeError):  # A name with a NUL, or a link to itself.
        return False
