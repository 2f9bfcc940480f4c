"""Many models in one command, and the leaderboard of many results."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.core import TyperCommand

from probes.models.model_list import WantedModel
from synthtext_cli import app
from synthtext_cli.sweep import Planned, run_sweep

HELPERS = Path(__file__).parents[1] / "helpers"

MODELS = """
import os, signal
from pathlib import Path
from fake_encoders import BlindLover, BlindReader

def count(name):
    with open("asked.txt", "a") as file:
        file.write(name + "\\n")

class First(BlindReader):
    def embed_images(self, images):
        count("First")
        return super().embed_images(images)

class Killed(BlindLover):
    def embed_images(self, images):
        if not Path("spared").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        count("Killed")
        return super().embed_images(images)

class Failing(BlindReader):
    def embed_images(self, images):
        if not Path("mended").exists():
            raise RuntimeError("[red]\\x1b[2J is broken\\nin two lines")
        return super().embed_images(images)

class Last(BlindLover):
    pass
"""

LIST = """
# Three that work, and one that does not.
python:fakes:First
python:fakes:Killed
python:fakes:Failing
python:fakes:Last
"""

ASKED = ("--design", "size,case", "--n", "6", "--k", "2,10", "--width", "0")


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, *options: object) -> Done:
    """Run the command line in this process, since loading torch takes longer than the work."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["synthtext", *map(str, options)])
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        with pytest.raises(SystemExit) as ended:
            app.main()
    said = [stream.buffer.getvalue().decode() for stream in (out, err) if not stream.flush()]
    return Done(int(ended.value.code or 0), *said)


def run_apart(folder: Path, *options: object) -> int:
    """Run the command line in a separate process that may be killed; return how it ended."""
    path = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(HELPERS)])
    env = os.environ | {"PYTHONPATH": path, "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-m", "synthtext_cli", *map(str, options)]
    return subprocess.run(command, check=False, cwd=folder, env=env).returncode


def find(folder: Path, name: str) -> Path:
    (found,) = folder.glob(f"{name}-*")
    return found


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that was killed, then resumed while a model failed, then resumed again."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "fakes.py").write_text(MODELS)
    (folder / "models.txt").write_text(LIST)
    command = ("probe", "--models", "models.txt", *ASKED, "--out", "out")
    assert run_apart(folder, *command) == -signal.SIGKILL
    assert (find(folder / "out", "First") / "report.html").exists()
    assert not (find(folder / "out", "Killed") / "summary.json").exists()
    assert not (folder / "out/leaderboard.json").exists()
    (folder / "spared").touch()
    (folder / "asked.txt").write_text("")
    failed = run(folder, *command)
    assert failed.returncode == 2
    (folder / "failed.txt").write_text(failed.stderr)
    board = json.loads((folder / "out/leaderboard.json").read_bytes())
    assert {model["name"] for model in board["models"]} == {
        "python:fakes:First", "python:fakes:Killed", "python:fakes:Last",
    }  # fmt: skip
    (folder / "mended").touch()
    done = run(folder, *command)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_model_that_fails_is_named_and_the_others_go_on(swept: Path) -> None:
    said = (swept / "failed.txt").read_text()
    assert (
        "python:fakes:Failing failed: RuntimeError: [red]\\x1b[2J is broken\n"
    ) in said  # On one line, with its escape shown.
    assert said.endswith(
        "synthtext: 1 of 4 models failed: python:fakes:Failing; the same command tries them"
        " again\n"
    )
    assert "Traceback" not in said


def test_a_full_disk_is_a_sentence_about_the_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def write(planned: Planned, _command: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(planned.folder / "a"))

    context = typer.Context(TyperCommand("probe"))
    planned = Planned(WantedModel("bundled"), tmp_path / "0", context, is_finished=False)
    with pytest.raises(SystemExit) as ended:
        run_sweep(context, [planned], tmp_path, write)
    assert ended.value.code == 2
    warned = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert warned == [f"bundled failed: {tmp_path}/0/a cannot be used: No space left on device"]


def test_what_is_finished_is_not_probed_again(swept: Path) -> None:
    asked = (swept / "asked.txt").read_text().split()
    assert "First" not in asked
    assert "Killed" in asked


def test_a_killed_sweep_ends_as_one_that_was_not(swept: Path) -> None:
    options = ("--model", "python:fakes:Killed", *ASKED, "--out", "alone")
    alone = run(swept, "probe", *options)
    assert alone.returncode == 0, alone.stderr
    own = find(swept / "out", "Killed")
    for name in ("outcomes.parquet", "plots/size_px.svg"):
        assert (own / name).read_bytes() == (swept / "alone" / name).read_bytes()
    noted = [
        json.loads((folder / "run.json").read_bytes()) for folder in (own, swept / "alone")
    ]
    assert noted[0]["options"] == noted[1]["options"] | {"out": str(own.relative_to(swept))}
    words = noted[0]["command"].split()
    assert words[:4] == ["synthtext", "probe", "--model", "python:fakes:Killed"]
    assert (words[words.index("--n") + 1], "--models" in words) == ("6", False)


def test_a_sweep_ends_in_a_leaderboard(swept: Path) -> None:
    assert {path.name for path in (swept / "out").iterdir() if path.is_file()} == {
        "leaderboard.json", "leaderboard.csv", "report.html", "run.json", "run.toml",
    }  # fmt: skip
    board = json.loads((swept / "out/leaderboard.json").read_bytes())
    assert (board["condition"], board["k"], len(board["models"])) == ("harder", 10, 4)
    assert len(board["pairs"]) == 6
    assert set(board["factors"]) == {"size_px", "case"}
    table = pd.read_csv(swept / "out/leaderboard.csv")
    assert table["rank"].tolist() == sorted(table["rank"])
    assert {"easy_accuracy", "harder_low", "harder_high", "gflop"} <= set(table.columns)
    plots = {path.name for path in (swept / "out/plots").iterdir()}
    assert {"ranking.svg", "ranking.png", "size_px.svg", "case.png", "pairs.svg"} <= plots


def test_results_with_other_options_are_not_written_over(swept: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (swept / "out").rglob("*")}
    other = ("--models", "models.txt", *ASKED, "--seed", "1", "--out", "out")
    refused = run(swept, "probe", *other)
    assert (refused.returncode, refused.stderr) == (
        2,
        f"synthtext: {find(swept / 'out', 'First').relative_to(swept)} has a run with other"
        " seed; give another --out, or --overwrite\n",
    )
    assert {path: path.stat().st_mtime_ns for path in (swept / "out").rglob("*")} == before


def test_one_model_and_many_do_not_share_a_folder(swept: Path) -> None:
    for options, sentence in (
        (("--model", "python:fakes:First", *ASKED, "--out", "out"),
         "out holds a leaderboard; give another --out, or --overwrite"),
        (("--models", "models.txt", *ASKED, "--out", find(swept / "out", "First")),
         f"{find(swept / 'out', 'First')} holds the results of one model; give another --out for"
         " many"),
    ):  # fmt: skip
        refused = run(swept, "probe", *options)
        assert (refused.returncode, refused.stderr) == (2, f"synthtext: {sentence}\n")


def test_any_number_of_results_is_compared(swept: Path) -> None:
    folders = sorted(path for path in (swept / "out").glob("*-*") if path.is_dir())
    theirs = pd.read_parquet(folders[0] / "outcomes.parquet")
    kept = ["key", "task", "word", "factor", "baseline", "level", "k", "rank", "guess", "correct",
            "size_px", "x_height_seen_px", "x_height_patches", "case", "protocol"]  # fmt: skip
    theirs[kept].to_parquet(swept / "theirs.parquet")
    done = run(swept, "compare", *folders, "theirs.parquet", "--out", "board")
    assert done.returncode == 0, done.stderr
    board = json.loads((swept / "board/leaderboard.json").read_bytes())
    assert len(board["models"]) == 5
    assert "theirs" in done.stdout
    assert "Pairs" in done.stdout


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("a",), "there is one result, a; give two or more"),
        (("a", "b", "c", "--out", "x.csv"), "x.csv would be a table of two results, but there are 3; give a folder"),
    ],
)  # fmt: skip
def test_a_comparison_that_cannot_be_is_one_sentence(
    options: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    done = run(tmp_path, "compare", *options)
    assert (done.returncode, done.stderr) == (2, f"synthtext: {sentence}\n")


def test_a_list_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "models.txt").write_text("a\x1b[2J\n")
    done = run(tmp_path, "probe", "--models", "models.txt", "--out", "out")
    assert (done.returncode, done.stderr) == (
        2,
        "synthtext: models.txt has a hidden character in line 1, 'a\\x1b[2J'; give a text file"
        " with a line for each model, its name and its weights\n",
    )
    assert not (tmp_path / "out").exists()


def test_models_are_given_one_by_one_or_in_a_file_of_options(
    swept: Path, tmp_path: Path
) -> None:
    # This leaderboard has two models, and that of the others stays unchanged.
    folder = shutil.copytree(swept, tmp_path / "sweep")
    names = ("python:fakes:First", "python:fakes:Last")
    given = ("--model", names[0], "--model", names[1], *ASKED, "--out", "out")
    done = run(folder, "probe", *given)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is finished in out") == 2
    again = run(folder, "probe", "--config", "out/run.toml")
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("is finished in out") == 2
    assert len(json.loads((folder / "out/leaderboard.json").read_bytes())["models"]) == 2
