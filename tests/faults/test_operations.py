"""A fault at every disk operation of every command that writes; a few of each in a short run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commands import COMMANDS
from fuzzing import IS_FULL

Tally = Callable[[str, int, int, str], None]

SAMPLE = (
    (3, ["render", "render, a font replaced", "render-vqa", "merge", "show --out", "index",
         "export --to lmdb", "export --to page", "push"]),
    (3, ["probe", "match"]),
)  # fmt: skip
"""The most faults per command in a short run; commands that read images need torch, which loads
slowly."""

NAMES = COMMANDS if IS_FULL else [name for _, names in SAMPLE for name in names]

SURVIVED = (
    "existing files stay whole, an error is one sentence and exit 2, and the same command"
    " finishes with identical bytes and leaves nothing behind"
)

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def rows(tally: Tally) -> dict[str, dict[str, Any]]:
    """Return the results of each command."""
    path = os.pathsep.join([str(HERE.parents[1]), str(HERE.parent / "helpers")])
    groups = [(0, list(COMMANDS)[k::2]) for k in range(2)] if IS_FULL else SAMPLE
    begun = [_begin(n, names, path) for n, names in groups]
    told = [process.communicate() for process in begun]
    assert [process.returncode for process in begun] == [0] * len(begun), told
    lines = [line for out, _ in told for line in out.splitlines()]
    found = {row["command"]: row for row in map(json.loads, lines)}
    for name, row in found.items():
        n = row["n_tried"]
        tally(f"a fault at each operation: {name}", n, n - len(row["found"]), SURVIVED)
    return found


def _begin(n_faults: int, names: list[str], path: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(HERE / "commands.py"), str(n_faults), *names],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_fault_at_any_operation(name: str, rows: dict[str, dict[str, Any]]) -> None:
    assert rows[name]["found"] == {}
    assert rows[name]["n_tried"] > 0
