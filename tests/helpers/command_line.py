"""Runs the command line in a process of its own."""

from __future__ import annotations

import atexit
import functools
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from forking import Forks

WAIT_S = 600.0


def run(
    *options: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Return the finished command, with its output and its exit code.

    It runs in a fork of a process that has imported everything, since importing torch takes
    longer than most commands do. What depends on the imports starts a process by itself.
    """
    words = [str(option) for option in options]
    with tempfile.TemporaryDirectory() as folder:
        done = _forks().run(
            words, Path(folder), {**os.environ, **(env or {})}, wait_s=WAIT_S,
            cwd=cwd or Path.cwd(),
        )  # fmt: skip
    return subprocess.CompletedProcess(words, done.code, done.out, done.err)


@functools.cache
def _forks() -> Forks:
    forks = Forks()
    atexit.register(forks.close)
    return forks
