"""Runs the command line in a separate process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run(*options: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Return the finished command, with its output and its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "synthtext_cli", *map(str, options)],
        capture_output=True, text=True, check=False, cwd=cwd,
    )  # fmt: skip
