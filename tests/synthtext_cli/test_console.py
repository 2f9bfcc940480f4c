from __future__ import annotations

import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from synthtext.escapes import MAX_CHARS, show_text
from synthtext_cli.console import print_table, print_text

ROOT = Path(__file__).parents[2]

OBEYED = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def run(
    *options: str | Path | bytes, env: dict[str, str] | None = None, shell: str = '"$@"'
) -> subprocess.CompletedProcess[bytes]:
    """Run the command line in a shell snippet that redirects its streams."""
    command = ["bash", "-c", shell, "bash", sys.executable, "-m", "synthtext_cli", *options]
    return subprocess.run(
        command, capture_output=True, check=False, env=os.environ | (env or {}), timeout=120
    )


def test_nothing_that_a_terminal_obeys_is_shown_as_it_is() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        is_obeyed = (
            unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}
            or unicodedata.bidirectional(char) in OBEYED
        )
        if is_obeyed:
            assert show_text(char).startswith("\\"), hex(code)
            assert show_text(char).isascii()
        elif char.isprintable():
            assert show_text(char) == char


def test_a_long_text_keeps_both_its_ends() -> None:
    shown = show_text("a" * 10**6 + "; remove it")
    assert len(shown) < MAX_CHARS + 100
    assert shown.startswith("aaa")
    assert shown.endswith("; remove it")
    assert "996,011 characters left out" in shown


@pytest.mark.parametrize(
    "text", ["[/b]", "[red]x[/red]", ":smile:", "[link=http://x]y", "\\[b]"]
)
def test_a_cell_is_not_markup(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_table((text, "b"), [(text, 1), ("\x1b[2J", "\u202ex")], text)
    title, names, row, escaped = capsys.readouterr().out.strip().splitlines()
    assert title == text
    assert names.split() == [text, "b"]
    assert row.split() == [text, "1"]
    assert escaped.split() == ["\\x1b[2J", "\\u202ex"]


def test_a_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_text("a\nb\r\x1b]0;title\x07")
    assert capsys.readouterr().out == "a\\nb\\r\\x1b]0;title\\x07\n"


def test_all_printing_goes_through_the_terminal() -> None:
    for path in sorted((ROOT / "synthtext_cli").glob("*.py")):
        if path.name != "console.py":
            assert not re.search(r"typer\.s?echo|sys\.std(out|err)", path.read_text()), path


def test_help_shows_choices_in_brackets() -> None:
    shown = run("recipe", "--help", env={"COLUMNS": "200"}).stdout.decode()
    assert "[as-is=2,lower,upper,title]" in shown
    assert "[0=4,-0.02,0.05,0.15]" in shown
    assert "\\[" not in shown


@pytest.mark.parametrize("command", ["fonts", "recipe", "experiments"])
def test_a_reader_that_leaves_is_not_a_fault(command: str) -> None:
    done = run(command, shell='"$@" | head -1; exit ${PIPESTATUS[0]}')
    assert (done.returncode, done.stderr) == (0, b"")


def test_work_is_kept_when_its_reader_has_left(tmp_path: Path) -> None:
    done = run(
        "render", "--words", "en", "--count", "5", "--out", tmp_path / "o",
        shell='"$@" | true; exit ${PIPESTATUS[0]}',
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "o" / "README.md").exists()


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_not_written_into_files(
    closed: str, tmp_path: Path
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "o"
    for folder, shell in ((whole, '"$@"'), (out, f'"$@" {closed}')):
        options = ("render", "--words", "en", "--count", "5", "--out", folder, "--workers", "2")
        done = run(*options, shell=shell)
        assert (done.returncode, done.stderr) == (0, b"")
    names = sorted(path.relative_to(whole) for path in whole.glob("**/*.*"))
    assert names == sorted(path.relative_to(out) for path in out.glob("**/*.*"))
    assert all((whole / name).read_bytes() == (out / name).read_bytes() for name in names)


def test_an_output_without_room_is_one_sentence() -> None:
    done = run("fonts", shell='"$@" >/dev/full')
    assert done.returncode == 2
    assert done.stderr == (
        b"synthtext: the standard output cannot be used: No space left on device\n"
    )


def test_an_error_that_nobody_can_read_keeps_its_exit_code() -> None:
    assert run("nothing", shell='"$@" 2>/dev/full').returncode == 2


@pytest.mark.parametrize(
    "env", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "POSIX"}]
)
def test_letters_that_the_terminal_lacks_are_escapes(
    env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_text("na\u00efve\u0219\n", encoding="utf-8")
    run("render", "--words", tmp_path / "words.txt", "--out", tmp_path / "o")
    done = run("show", tmp_path / "o", "000000000", "--out", tmp_path / "a.png", env=env)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert b"\\u0219" in done.stdout or "\u0219".encode() in done.stdout


def test_an_argument_that_is_not_utf_8_is_one_sentence() -> None:
    done = run("match", b"caf\xe9.jpg", "--texts", "x")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == (
        b"synthtext: the argument 'caf\\xe9.jpg' is not UTF-8; rename the file, or type it in"
        b" UTF-8\n"
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["render"], "Missing option '--out'."),
        (["render\x1b[2J"], "No such command 'render\\x1b[2J'."),
        (["fonts", "--x\u202e"], "No such option: --x\\u202e"),
        (["preview", "--n", "[/b]"], "Invalid value for '--n'"),
        (["fonts", "--fonts", "[red]\x1b[2J"], "[red]\\x1b[2J"),
        (["fonts", "--sheet", "f.txt"], "f.txt would be written as PNG; give a name with .png"),
        (["preview", "--sheet", "s.txt"], "s.txt would be written as PNG; give a name with .png"),
        (["show", "d", "1", "--out", "x.gif"], "x.gif would be written as PNG; give a name with .png"),
        (["show", "d", "1", "--out", "none/x.png"], "none/x.png cannot be written as a file; give a name in a folder that exists"),
        (["compare", "a", "b", "--out", "x.xlsx"], "x.xlsx would be written as CSV; give a name with .csv"),
        (["render", "--out", "http://x/y"], "http://x/y cannot be written to; give a folder, or an address of s3, gs,"),
        (["export", "d", "--to", "coco", "--out", "s3://b/x"], "s3://b/x is an address; give a folder on this machine"),
        (["render", "--out", "o", "--seed", "9" * 24], f"seed is {'9' * 24}; it must be 9007199254740992 or less"),
        (["render", "--out", "o", "--count", "9" * 24], f"count is {'9' * 24}; it must be 9007199254740992 or less"),
        (["render", "--out", "o", "--count", "9" * 14], "and the limit is 1,000,000; ask for fewer images"),
    ],
)  # fmt: skip
def test_options_of_the_wrong_shape_are_one_sentence(
    options: list[str], sentence: str, tmp_path: Path
) -> None:
    done = run(*options, shell=f'cd {tmp_path}; PYTHONPATH={ROOT} "$@"')
    said = done.stderr.decode()
    assert (done.returncode, done.stdout, said.count("\n")) == (2, b"", 1), said
    assert said.startswith("synthtext: ")
    assert sentence in said
    assert list(tmp_path.iterdir()) == []
