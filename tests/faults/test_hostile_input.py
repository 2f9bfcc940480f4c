"""Files from strangers: refused with a sentence or read, within bounds, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fuzzing import IS_FULL, SEED, TARGETS, fuzz

N_INPUTS = {
    "word lists": 30_000, "sentences": 20_000, "recipes": 15_000, "annotations": 15_000,
    "manifests": 10_000, "shards": 12_000, "photographs": 8_000, "fonts": 3_000,
}  # fmt: skip
"""Inputs of the full run, more than 100,000 in all."""


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
