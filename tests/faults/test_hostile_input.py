"""Untrusted files are read or refused with one sentence, within limits of time and memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzzing import IS_FULL, SEED, TARGETS, fuzz

N_INPUTS = {
    "word lists": 30_000, "sentences": 20_000, "recipes": 15_000, "annotations": 15_000,
    "manifests": 10_000, "shards": 12_000, "tar headers": 20_000, "photographs": 8_000,
    "fonts": 3_000, "font tables": 5_000, "prompts": 10_000, "configs": 20_000,
    "tokenizers": 10_000, "tokenizer configs": 10_000,
}  # fmt: skip
"""Number of inputs per target in the full run, more than 100,000 in total."""

N_GUIDED = {
    "word lists": 200_000, "sentences": 200_000, "recipes": 200_000, "annotations": 200_000,
    "manifests": 100_000, "shards": 50_000, "tar headers": 200_000, "prompts": 200_000,
    "configs": 200_000, "tokenizers": 200_000, "tokenizer configs": 200_000,
    "font tables": 200_000,
}  # fmt: skip
"""Number of inputs of coverage-guided fuzzing, for readers written in Python."""

ATHERIS = Path(sys.prefix) / "interop/atheris"


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_does_harm(
    target: str, tmp_path: Path, tally: Callable[[str, int, int, str], None]
) -> None:
    n = N_INPUTS[target] if IS_FULL else max(40, N_INPUTS[target] // 150)
    before = {path for path in tmp_path.parent.iterdir() if path != tmp_path}
    report = fuzz(target, n, tmp_path)
    tally(f"{target}, mutated (seed {SEED})", n, n - len(report.faults),
          f"read or refused ({report.n_refused:,}) in one sentence, within 10 s and 2 GB")  # fmt: skip
    assert report.faults == []
    assert report.n_refused > 0
    assert {path for path in tmp_path.parent.iterdir() if path != tmp_path} == before
    assert not Path("/etc/escape.txt").exists()


@pytest.mark.skipif(not ATHERIS.is_dir(), reason="`make faults` installs atheris")
@pytest.mark.parametrize("target", N_GUIDED)
def test_no_input_that_coverage_leads_to_does_harm(
    target: str, tmp_path: Path, tally: Callable[[str, int, int, str], None]
) -> None:
    n = N_GUIDED[target] if IS_FULL else 500
    # A folder in memory is used if there is one: a disk would take ten times as long.
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(dir=memory if memory.is_dir() else tmp_path)
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("guided.py"), target, str(n), folder],
        env=os.environ | {"PYTHONPATH": str(ATHERIS)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    shutil.rmtree(folder)
    assert done.returncode == 0, done.stderr[-4000:]
    assert f"Done {n} runs" in done.stderr
    tally(f"{target}, coverage-guided (atheris, seed {SEED})", n, n,
          "read or refused in one sentence, within 10 s and 2 GB")  # fmt: skip
