"""A signal ends every command cleanly, a second one ends it at once, and no process is left."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from fuzzing import IS_FULL

Tally = Callable[[str, int, int, str], None]

RENDER = "render --words en --shard-size 2000 --out out"

SLOW = "--model python:slow_reader:SlowReader"

COMMANDS = {
    "render": (RENDER, "out/*/.*.part"),
    "render --workers 2": (f"{RENDER} --workers 2", "out/*/.*.part"),
    "render-vqa --workers 2": (
        "render-vqa --count 5000 --workers 2 --out out", "out/images/*.jpg",
    ),
    "export": ("export words --to icdar --out out", ".out.*.part/*/images/*"),
    "probe": (f"probe {SLOW} --n 2 --design blur --k 2 --out out", "begun"),
    "match": (f"match a.png --texts a b {SLOW} --out out", "begun"),
    "matrix": (f"matrix a.png --texts a b {SLOW} --out out", "begun"),
    "classify": (f"classify classes {SLOW} --out out", "begun"),
    "probe --models": (
        "--quiet probe --models models.txt --n 2 --design blur --k 2 --out out", "begun",
    ),
    "score": (f"score words {SLOW} --out out", "begun"),
    "vqa": (
        "vqa --annotations signs/train.json --val signs/val.json --images signs/images"
        f" {SLOW} --out out", "begun",
    ),
    "fit": ("fit crops --count 20000 --out out.toml", "out/run.json"),
    "fit --workers 2": ("fit crops --count 20000 --workers 2 --out out.toml", "out/.fit/drawn-*"),
    "finetune": (
        "finetune --model bundled --data words --out out --steps 10000 --batch-size 8"
        " --save-every 1", "out/checkpoint.pt",
    ),
}  # fmt: skip
"""Command lines, and a path that exists once the command is at work."""

QUICK = ("render --workers 2", "export", "match")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

CASES = [
    (name, which)
    for place, name in enumerate(COMMANDS if IS_FULL else QUICK)
    for which in (SIGNALS if IS_FULL else (SIGNALS[place % 3],))
]

LONGEST_S = 20.0
"""More than a busy machine needs to end a process, and less than any command would go on."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signals")
    (folder / "classes/red").mkdir(parents=True)
    (folder / "classes/blue").mkdir(parents=True)
    for path in ("a.png", "classes/red/a.png", "classes/blue/a.png"):
        Image.new("RGB", (32, 32)).save(folder / path)
    (folder / "crops").mkdir()
    for number in range(20):
        Image.effect_noise((60, 24), 60).convert("RGB").save(folder / f"crops/{number}.png")
    (folder / "models.txt").write_text(SLOW.removeprefix("--model "))
    _run_whole("render --words en --count 1200 --out words", folder)
    if IS_FULL:
        _run_whole("render-vqa --count 16 --words en --out signs", folder)
    return folder


def _run_whole(line: str, folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "synthtext_cli", *line.split()], cwd=folder, env=_environment(),
        check=True, capture_output=True,
    )  # fmt: skip


@contextlib.contextmanager
def at_work(name: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield the process of a command that is in the middle of its work."""
    line, mark = COMMANDS[name]
    # A command that a second signal ended at once leaves its files.
    for path in (folder / "out", folder / "begun", *folder.glob(".*.part")):
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "synthtext_cli", *line.split()], cwd=folder, env=_environment(), text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        while not list(folder.glob(mark)):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.005)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _environment() -> dict[str, str]:
    here = Path(__file__).parent
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])])}


def find_session(number: int) -> list[int]:
    """Return the processes of a session that are still running, whichever process started them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[3]) == number and fields[0] != "Z":
                found.append(int(path.parent.name))
    return found


def await_end(process: subprocess.Popen[str]) -> tuple[str, float]:
    """Return what was printed, and how long it took until no process was left."""
    begin = time.monotonic()
    _, printed = process.communicate(timeout=60)
    while find_session(process.pid) and time.monotonic() < begin + 60:
        time.sleep(0.01)
    return printed, time.monotonic() - begin


@pytest.mark.parametrize(("name", "which"), CASES)
def test_the_first_signal_ends_a_command_cleanly(
    name: str, which: signal.Signals, base: Path
) -> None:
    with at_work(name, base) as process:
        process.send_signal(which)
        printed, _ = await_end(process)
        assert process.returncode == 128 + which
        assert printed.startswith("stopped; ")
        assert printed.count("\n") == 1
        assert find_session(process.pid) == []
        assert list(base.glob("**/.*.part")) == []


@pytest.mark.parametrize(("name", "which"), CASES)
def test_a_second_signal_ends_it_at_once(name: str, which: signal.Signals, base: Path) -> None:
    with at_work(name, base) as process:
        process.send_signal(which)
        process.send_signal(which)
        time.sleep(0.02)  # The kernel queues only one pending signal of each kind.
        process.send_signal(which)
        printed, seconds = await_end(process)
        # While the interpreter exits, the kernel handles signals; a shell reports both alike.
        assert process.returncode in (128 + which, -which)
        assert printed in ("", f"{printed.partition(chr(10))[0]}\n")
        assert find_session(process.pid) == []
        assert seconds < LONGEST_S


@pytest.mark.parametrize("which", SIGNALS)
def test_a_signal_to_all_processes_of_a_terminal_is_one_sentence(
    which: signal.Signals, base: Path
) -> None:
    with at_work("render --workers 2", base) as process:
        os.killpg(process.pid, which)
        printed, _ = await_end(process)
        assert process.returncode == 128 + which
        assert (
            printed
            == "stopped; what was finished in out is complete, and the same command continues\n"
        )
        assert list(base.glob("**/.*.part")) == []


def test_what_nohup_ignores_stays_ignored(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with at_work("export", base) as process:
            process.send_signal(signal.SIGHUP)
            await_end(process)
            assert process.returncode == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_run_whose_parent_is_killed_leaves_no_worker(base: Path) -> None:
    with at_work("render --workers 2", base) as process:
        process.kill()
        await_end(process)
        assert find_session(process.pid) == []
        assert list(base.glob("**/.*.part")) == []


STUCK = """
import sys, time
from pathlib import Path
from synthtext.engine import run_tasks
from synthtext.storage import write_whole

def write(path):
    with write_whole(path):
        (path.parent / f"{path.name}.begun").touch()
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass

if __name__ == "__main__":
    list(run_tasks(write, [Path(sys.argv[1]) / name for name in "ab"], 2))
"""


def test_a_worker_that_cannot_end_in_time_still_removes_its_unfinished_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "stuck.py").write_text(STUCK)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "stuck.py", tmp_path], env=_environment(), text=True,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        while len(list(tmp_path.glob("*.begun"))) < 2:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.005)
        assert len(list(tmp_path.glob(".*.part"))) == 2
        process.kill()
        await_end(process)
        assert find_session(process.pid) == []
        assert list(tmp_path.glob(".*.part")) == []
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_how_many_were_tried(tally: Tally) -> None:
    n = 2 * len(CASES) + len(SIGNALS)
    tally("SIGINT, SIGTERM and SIGHUP to every command with long work, once and twice", n, n,
          "one sentence, exit 130, 143 or 129; the second ends it within 2 s; no process left")  # fmt: skip
