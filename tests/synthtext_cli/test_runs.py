from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand

from command_line import run
from synthtext_cli.runs import find_changes, note_run

PROBE = ("probe", "--model", "bundled", "--design", "blur", "--n", "2", "--k", "2")


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
        f"synthtext: {out} has a run with other seed; give another --out, or --overwrite\n",
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
        2, f"synthtext: {tmp_path} has other results; give another --out, or --overwrite\n"
    )  # fmt: skip


def test_a_run_is_known_by_what_it_reads_and_not_by_where_that_lies(tmp_path: Path) -> None:
    def probe(folder: Path, data: Path) -> subprocess.CompletedProcess[str]:
        options = ("--model", "bundled", "--data", data, "--k", 2, "--out", tmp_path / "out")
        return run("probe", *options, cwd=folder)

    def render(seed: int) -> None:
        shutil.rmtree(tmp_path / "d", ignore_errors=True)
        options = ("--words", "en", "--count", 30, "--splits", "0,0,1", "--seed", seed)
        assert run("render", *options, "--out", tmp_path / "d").returncode == 0

    render(0)
    assert probe(tmp_path, Path("d")).returncode == 0
    (tmp_path / "d").rename(tmp_path / "e")
    assert probe(tmp_path.parent, tmp_path / "e").returncode == 0
    render(1)
    refused = probe(tmp_path, Path("d"))
    assert (refused.returncode, refused.stderr) == (
        2,
        f"synthtext: {tmp_path / 'out'} has a run with other data; give another --out, or"
        " --overwrite\n",
    )


def test_a_pipe_in_place_of_the_record_of_a_run_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.json")
    assert find_changes(typer.Context(TyperCommand("probe")), tmp_path) is None


@pytest.mark.parametrize("name", ["annotations", "model"])
def test_an_input_without_end_is_not_hashed_to_its_end(name: str, tmp_path: Path) -> None:
    path = (
        tmp_path / "model/open_clip_config.json" if name == "model" else tmp_path / "val.json"
    )
    path.parent.mkdir(exist_ok=True)
    path.touch()
    os.truncate(path, 1 << 43)
    given = path.parent if name == "model" else path
    context = typer.Context(TyperCommand("vqa"))
    context.params = {name: given}
    begin = time.process_time()
    note_run(context, tmp_path / "out")
    assert time.process_time() - begin < 1
    assert name in json.loads((tmp_path / "out/run.json").read_bytes())["inputs"]


def test_a_finetuning_writes_over_no_other_results(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("{}")
    options = ("finetune", "--model", "bundled", "--data", tmp_path / "d", "--out", tmp_path)
    refused = run(*options)
    assert (refused.returncode, refused.stderr) == (
        2, f"synthtext: {tmp_path} has other results; give another --out, or --overwrite\n"
    )  # fmt: skip


def test_a_finetuning_that_has_begun_goes_on_with_its_own_options(tmp_path: Path) -> None:
    options = {"model": "bundled", "data": "d", "lr": 0.0, "seed": 1}
    (tmp_path / "run.json").write_text(json.dumps({"options": options}))
    refused = run("finetune", "--model", "bundled", "--data", "d", "--out", tmp_path)
    assert refused.returncode == 2
    assert "seed" in refused.stderr
    assert json.loads((tmp_path / "run.json").read_text()) == {"options": options}
