from __future__ import annotations

import logging
from pathlib import Path

import pytest

from command_line import run
from synthtext_cli.console import LOG_EVERY_S, show_progress, start_logging


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    start_logging()
    LOG_EVERY_S.set(0.0)


def test_progress_without_a_terminal_is_lines(tmp_path: Path) -> None:
    done = run(
        "--log-every", 0, "render", "--words", "en", "--count", 900, "--out", tmp_path / "d"
    )
    assert done.returncode == 0
    assert done.stderr.startswith("images: ")
    assert "images: 900 of 900 (100 %)" in done.stderr
    assert " left" in done.stderr


def test_no_line_comes_before_its_time(tmp_path: Path) -> None:
    done = run("render", "--words", "en", "--count", 9, "--out", tmp_path / "d")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_quiet_command_prints_its_results_alone(tmp_path: Path) -> None:
    options = ("render", "--words", "en", "--count", 900, "--out", tmp_path / "d")
    done = run("--quiet", "--log-every", 0, *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert "900 of 900" in done.stdout
    done = run("-q", "preview", tmp_path / "d", "--sheet", tmp_path / "s.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert run("-q", "preview", tmp_path / "e").stderr.startswith("synthtext: ")


def test_a_verbose_command_tells_the_time(tmp_path: Path) -> None:
    options = ("render", "--words", "en", "--count", 9, "--out", tmp_path / "d")
    done = run("-v", "--log-every", 0, *options)
    assert done.returncode == 0
    assert done.stderr[2] == done.stderr[5] == ":"


def test_verbose_and_quiet_together_are_refused() -> None:
    done = run("-v", "-q", "fonts")
    assert (done.returncode, done.stderr) == (
        2, "synthtext: --verbose and --quiet contradict each other; give one of them\n"
    )  # fmt: skip


@pytest.mark.usefixtures("lines")
def test_a_line_tells_how_much_is_done_and_what_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter((0.0, 10.0, 20.0, 30.0))
    monkeypatch.setattr("time.monotonic", lambda: next(seconds))
    with show_progress() as advance:
        advance("images", 100, 10_100)
        advance("images", 200, 10_100, "loss 0.310")
        advance("texts", 7, None)
    assert capsys.readouterr().err.splitlines() == [
        "images: 100 of 10,100 (0 %)",
        "images: 200 of 10,100 (1 %), 10/s, 16 min left, loss 0.310",
        "texts: 7",
    ]


@pytest.mark.usefixtures("lines")
def test_the_first_of_many_processes_reports_for_all(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    with show_progress() as advance:
        advance("images", 100, 200)
    assert capsys.readouterr().err == ""


def test_what_a_package_logs_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(quiet=True)
    logging.getLogger("probes.embeddings").warning("%s is damaged", "x\x1b")
    logging.getLogger("probes.embeddings").info("nothing")
    start_logging()
    assert capsys.readouterr().err == "x\\x1b is damaged\n"
