from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import run
from synthtext.storage import (
    ABANDONED_S,
    remove_parts,
    replace_file,
    write_folder,
    write_whole,
)

WRITER = """
import sys, time
from pathlib import Path
from synthtext.storage import write_folder, write_whole
with {"file": write_whole, "folder": write_folder}[sys.argv[2]](Path(sys.argv[1])) as part:
    part.write(b"half") if sys.argv[2] == "file" else (part / "a").write_bytes(b"half")
    print("begun", flush=True)
    time.sleep(60)
"""

INDEX = """
import os, signal, sys
from pathlib import Path
import synthtext.dataset.wids_index
from synthtext_cli import app
def replace(path, target):
    os.kill(os.getpid(), signal.SIGKILL)
Path.replace = replace
sys.argv = ["synthtext", "index", sys.argv[1]]
app.main()
"""


def name_part(name: str, machine: str, folder: Path) -> Path:
    path = folder / f".{name}.{machine}-1-0123abcd.part"
    path.write_bytes(b"half")
    return path


@contextlib.contextmanager
def writing(path: Path, kind: str) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that has written half of a file or a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), kind], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_dead_process_left_goes_and_what_a_live_one_writes_stays(
    kind: str, tmp_path: Path
) -> None:
    with writing(tmp_path / "a", kind) as process:
        (part,) = tmp_path.iterdir()
        remove_parts(tmp_path)
        assert part.exists()
        process.kill()
        process.wait()
        remove_parts(tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_the_first_file_in_a_folder_takes_away_what_was_left_there(tmp_path: Path) -> None:
    left = name_part("another", os.uname().nodename, tmp_path)
    replace_file(tmp_path / "a", b"new")
    assert not left.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_another_machine_writes_stays_for_a_day(tmp_path: Path) -> None:
    part = name_part("a", "elsewhere", tmp_path)
    remove_parts(tmp_path)
    assert part.exists()
    before = time.time() - ABANDONED_S - 1
    os.utime(part, (before, before))
    remove_parts(tmp_path)
    assert not part.exists()


@pytest.mark.parametrize("name", [".film.mkv.part", ".a.part", "film.part"])
def test_unfinished_files_of_others_stay(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    os.utime(tmp_path / name, (0, 0))
    remove_parts(tmp_path)
    assert (tmp_path / name).exists()


def test_parts_in_folders_below_go_on_demand(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    part = name_part("a", os.uname().nodename, tmp_path / "train")
    remove_parts(tmp_path)
    assert part.exists()
    remove_parts(tmp_path, below=True)
    assert not part.exists()


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there/file")
    replace_file(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there/file").read_bytes() == b"new"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    replace_file(tmp_path / "pipe", b"new")
    assert os.read(reader, 10) == b"new"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


def test_a_folder_that_is_not_finished_is_never_seen(tmp_path: Path) -> None:
    with contextlib.suppress(KeyboardInterrupt), write_folder(tmp_path / "a") as part:
        (part / "file").touch()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with write_folder(tmp_path / "below/a") as part:
        (part / "file").touch()
    assert (tmp_path / "below/a/file").exists()


def test_a_file_that_cannot_get_its_name_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError), write_whole(tmp_path / "a") as file:
        file.write(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_index_that_was_killed_leaves_nothing_to_the_next(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    command = [
        sys.executable,
        "-m",
        "cli",
        "render",
        "--words",
        "en",
        "--count",
        "4",
        "--out",
        out,
    ]
    subprocess.run(command, check=True, capture_output=True)
    killed = subprocess.run(
        [sys.executable, "-c", INDEX, out], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert list(Path(out).glob(".*.part"))
    assert run("index", out).returncode == 0
    assert not list(Path(out).glob(".*.part"))
