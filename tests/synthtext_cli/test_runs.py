from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = ("probe", "--model", "bundled", "--design", "blur", "--n", "2", "--k", "2")


def run(*options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "synthtext_cli", *map(str, options)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_results_of_another_run_are_not_written_over(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(*PROBE, "--out", out).returncode == 0
    noted = json.loads((out / "run.json").read_bytes())
    assert noted["command"] == f"synthtext {' '.join(PROBE)} --out {out}"
    assert (noted["options"]["n"], noted["options"]["seed"]) == (2, 0)
    before = (out / "outcomes.parquet").read_bytes()
    refused = run(*PROBE, "--out", out, "--seed", 1)
    assert (refused.returncode, refused.stderr) == (
        2,
        f"synthtext: {out} holds a run with other seed; give another --out, or --overwrite\n",
    )
    assert (out / "outcomes.parquet").read_bytes() == before
    assert run(*PROBE, "--out", out).returncode == 0
    assert (out / "outcomes.parquet").read_bytes() == before
    assert run(*PROBE, "--out", out, "--seed", 1, "--overwrite").returncode == 0
    assert json.loads((out / "run.json").read_bytes())["options"]["seed"] == 1


@pytest.mark.parametrize("content", [None, "", "[]", "[" * 100_000, '{"options": 3}'])
def test_results_without_their_options_are_not_written_over(
    content: str | None, tmp_path: Path
) -> None:
    (tmp_path / "summary.json").write_text("{}")
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    refused = run(*PROBE, "--out", tmp_path)
    assert (refused.returncode, refused.stderr) == (
        2, f"synthtext: {tmp_path} holds other results; give another --out, or --overwrite\n"
    )  # fmt: skip
