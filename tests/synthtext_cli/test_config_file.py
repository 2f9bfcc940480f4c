from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from command_line import run

PROBE = ("probe", "--model", "bundled", "--design", "blur", "--n", "2", "--k", "2")


def test_a_run_writes_options_that_repeat_it(tmp_path: Path) -> None:
    first = run(*PROBE, "--out", tmp_path / "a", "--batch-size", 16, "--workers", 1)
    assert first.returncode == 0, first.stderr
    written = tomllib.loads((tmp_path / "a/run.toml").read_text())
    assert (written["model"], written["n"], written["batch_size"]) == ("bundled", 2, 16)
    assert (written["linear"], written["seed"], written["task"]) == (False, 0, "words")
    again = run("probe", "--config", tmp_path / "a/run.toml", "--out", tmp_path / "b")
    assert again.returncode == 0, again.stderr
    rows = [(tmp_path / name / "outcomes.parquet").read_bytes() for name in "ab"]
    assert rows[0] == rows[1]
    options = json.loads((tmp_path / "b/run.json").read_bytes())["options"]
    assert (options["n"], options["out"]) == (2, str(tmp_path / "b"))


def test_the_command_line_wins(tmp_path: Path) -> None:
    (tmp_path / "o.toml").write_text('model = "bundled"\ntask = "reading"\nout = "a"\nn = 3\n')
    done = run("probe", "--config", "o.toml", "--task", "writing", cwd=tmp_path)
    assert "no task 'writing'" in done.stderr


@pytest.mark.parametrize(
    ("command", "content", "sentence"),
    [
        ("probe", "batchsize = 3", "o.toml has 'batchsize', which is not an option of probe; did you mean batch_size"),
        ("finetune", "batch-size = 'a'", "batch-size in o.toml is 'a'; it must be an integer"),
        ("finetune", "batch-size = true", "batch-size in o.toml is True; it must be an integer"),
        ("finetune", "lr = '1e-3'", "lr in o.toml is '1e-3'; it must be a number"),
        ("finetune", "exclude = 'size_px=8:12'", "exclude in o.toml is 'size_px=8:12'; it must be an array of strings"),
        ("finetune", "no_mask = 1", "no_mask in o.toml is 1; it must be true or false"),
        ("finetune", "model = 3", "model in o.toml is 3; it must be a string"),
        ("probe", "n = ", "o.toml cannot be read as TOML (Invalid value (at end of document)); give a file such as the run.toml of a run"),
        ("probe", "model = 'm'\n[probe]\nn = 1", "o.toml has 'probe', which is not an option of probe; it has model, models, out,"),
    ],
)  # fmt: skip
def test_a_file_with_a_mistake_is_one_sentence(
    command: str, content: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "o.toml").write_text(content)
    done = run(command, "--config", "o.toml", "--out", "o", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"synthtext: {sentence}"), done.stderr
    assert not (tmp_path / "o").exists()


def test_an_option_out_of_bounds_is_refused_as_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "o.toml").write_text("batch_size = 0")
    done = run(
        "probe", "--config", tmp_path / "o.toml", "--model", "bundled", "--out", tmp_path
    )
    assert done.returncode == 2
    assert "Invalid value for '--batch-size'" in done.stderr
