"""Folders of results: what was asked stands in `run.json`, and no run writes over another's."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from synthtext_cli.console import fail, write_json

RUN, RESULT = "run.json", "summary.json"

MAX_BYTES = 1 << 20

APART = frozenset({"out", "device", "overwrite", "compiled"})
"""Options that do not change what is measured."""

Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the results of another run in --out.")
]


def check_run(context: typer.Context, out: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds the results of a run with other options."""
    if overwrite or not (out / RESULT).exists():
        return
    before = _read_options(out / RUN)
    if before is None:
        fail(f"{out} holds other results; give another --out, or --overwrite")
    asked = _list_options(context)
    changed = [name for name in asked if name not in APART and before.get(name) != asked[name]]
    if changed:
        listed = ", ".join(changed)
        fail(f"{out} holds a run with other {listed}; give another --out, or --overwrite")


def note_run(context: typer.Context, out: Path) -> None:
    """Write the command line and its options, defaults included, into a folder of results."""
    if os.environ.get("RANK", "0") == "0":  # Under torchrun the first process alone writes.
        out.mkdir(parents=True, exist_ok=True)
        line = shlex.join(["synthtext", *sys.argv[1:]])
        write_json(out / RUN, {"command": line, "options": _list_options(context)})


def _list_options(context: typer.Context) -> dict[str, object]:
    return {
        name: value if value is None or isinstance(value, bool | int | float) else str(value)
        for name, value in context.params.items()
    }


def _read_options(path: Path) -> dict[str, object] | None:
    """Return the options of a run, None if its file does not hold them."""
    try:
        with path.open("rb") as file:
            options = json.loads(file.read(MAX_BYTES))["options"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return options if isinstance(options, dict) else None
