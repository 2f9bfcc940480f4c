"""Runs that are killed, run out of memory or disk, or are tampered with."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzzing import IS_FULL
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import Plan, make_plan
from synthtext.dataset.verify import verify_dataset
from synthtext.drawing.fonts import Catalogue
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.words import read_words

Tally = Callable[[str, int, int, str], None]

COMMAND = [
    sys.executable, "-m", "synthtext_cli", "render", "--words", "en", "--count", "1200", "--seed", "5",
    "--shard-size", "100",
]  # fmt: skip

EQUAL = "the same command finishes with identical bytes, nothing missing or duplicated"

N_KILLS = 200 if IS_FULL else 6
N_DISKS = 40 if IS_FULL else 3
N_DAMAGED = 100 if IS_FULL else 8
N_SIGNALS = 20 if IS_FULL else 2

ELSEWHERE = {
    "HB_SHAPER_LIST": "fallback", "HB_OPTIONS": "uniscribe-bug-compatible",
    "FREETYPE_PROPERTIES": "cff:no-stem-darkening=0 truetype:interpreter-version=35",
    "OPENCV_CPU_DISABLE": "AVX2,AVX512_SKX,FP16", "LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii",
}  # fmt: skip
"""Variables of another environment in which a run is continued."""


def read_all(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    """Return what an uninterrupted run writes, and the seconds that it takes."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    begin = time.monotonic()
    subprocess.run([*COMMAND, "--out", str(folder)], check=True, capture_output=True)
    return read_all(folder), time.monotonic() - begin


def begin(out: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *options, "--out", str(out)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(out: Path, **variables: str) -> dict[str, bytes]:
    subprocess.run(
        [*COMMAND, "--out", str(out)],
        check=True,
        capture_output=True,
        env=os.environ | variables,
    )
    return read_all(out)


def stop(process: subprocess.Popen[str], which: signal.Signals) -> tuple[int, str]:
    """Send a signal and return the exit code and what was printed."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(which)
    _, printed = process.communicate(timeout=60)
    return process.returncode, printed


def test_sigkill_at_any_moment(
    whole: tuple[dict[str, bytes], float], tmp_path: Path, tally: Tally
) -> None:
    expected, seconds = whole
    chance, n_equal, n_broken_off = random.Random(0), 0, 0
    for number in range(N_KILLS):
        out = tmp_path / str(number)
        workers = ("--workers", "2") if number % 2 else ()
        process = begin(out, *workers)
        time.sleep(chance.uniform(0.2, seconds))
        code, _ = stop(process, signal.SIGKILL)
        n_broken_off += code == -signal.SIGKILL
        n_equal += finish(out) == expected
        shutil.rmtree(out)
    tally("SIGKILL at a random moment, with one or two workers", N_KILLS, n_equal, EQUAL)
    assert n_equal == N_KILLS
    assert n_broken_off > N_KILLS // 2


def test_a_killed_run_is_continued_in_another_environment(
    whole: tuple[dict[str, bytes], float], tmp_path: Path, tally: Tally
) -> None:
    expected, _ = whole
    tries = [{name: value} for name, value in ELSEWHERE.items()] if IS_FULL else []
    n_equal = 0
    for number, variables in enumerate([ELSEWHERE, *tries]):
        out = tmp_path / str(number)
        process = begin(out)
        while not list(out.glob("*/*.tar")) and process.poll() is None:
            time.sleep(0.01)
        assert stop(process, signal.SIGKILL)[0] == -signal.SIGKILL
        n_equal += finish(out, **variables) == expected
        shutil.rmtree(out)
    n_tried = 1 + len(tries)
    tally("SIGKILL, then another environment", n_tried, n_equal, EQUAL)
    assert n_equal == n_tried


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_polite_signal(
    which: signal.Signals, whole: tuple[dict[str, bytes], float], tmp_path: Path, tally: Tally
) -> None:
    expected, _ = whole
    n_equal = 0
    for number in range(N_SIGNALS):
        out = tmp_path / str(number)
        process = begin(out, *(("--workers", "2") if number % 2 else ()))
        while not list(out.glob("*/*.tar")) and process.poll() is None:
            time.sleep(0.01)
        code, printed = stop(process, which)
        if code == 128 + which:
            # Once everything is drawn, the message names no folder.
            assert printed.replace(f" in {out}", "") == (
                "stopped; what was finished is complete, and the same command continues\n"
            )
        n_equal += code in (0, 128 + which) and finish(out) == expected
        shutil.rmtree(out)
    tally(f"{which.name}", N_SIGNALS, n_equal, f"one sentence, exit {128 + which}; {EQUAL}")
    assert n_equal == N_SIGNALS


def test_a_worker_is_killed_as_by_the_kernel_for_want_of_memory(
    whole: tuple[dict[str, bytes], float], tmp_path: Path, tally: Tally
) -> None:
    expected, _ = whole
    n_survived = 0
    for number in range(N_SIGNALS):
        out = tmp_path / str(number)
        process = begin(out, "--workers", "2")
        workers: list[int] = []
        while not workers or not list(out.glob("*/*.tar")):
            workers = _find_workers(process.pid)
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.01)
        os.kill(workers[0], signal.SIGKILL)
        _, printed = process.communicate(timeout=60)
        assert printed == (
            "synthtext: a worker was killed, perhaps for lack of memory; what is finished is complete, so run the same command again, with fewer --workers\n"
        )
        n_survived += process.returncode == 2 and finish(out) == expected
        shutil.rmtree(out)
    tally("one worker killed, as by the OOM killer", N_SIGNALS, n_survived,
          f"one sentence, exit 2; {EQUAL}")  # fmt: skip
    assert n_survived == N_SIGNALS


def _find_workers(parent: int) -> list[int]:
    """Return the worker processes of a run, without its resource tracker."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and b"spawn_main" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
    return found


def mount(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script that can mount a small disk on a folder which only it sees."""
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False
    )


@pytest.fixture
def needs_mounts(tmp_path: Path) -> None:
    if (
        not shutil.which("unshare")
        or mount(f"mount -t tmpfs tmpfs {tmp_path / 'try'}", tmp_path / "try").returncode
    ):
        pytest.skip("a disk of its own cannot be mounted here")


@pytest.mark.usefixtures("needs_mounts")
def test_a_disk_that_fills_up(
    whole: tuple[dict[str, bytes], float], tmp_path: Path, tally: Tally
) -> None:
    expected, _ = whole
    n_bytes = sum(map(len, expected.values()))
    chance, n_survived = random.Random(0), 0
    for number in range(N_DISKS):
        disk, copy = tmp_path / "disk", tmp_path / f"copy{number}"
        size = chance.randint(20_000, int(0.95 * n_bytes))
        command = " ".join([*COMMAND, "--out", str(disk / "out")])
        done = mount(
            f"mount -t tmpfs -o size={size} tmpfs {disk}; {command} 2> {tmp_path}/said;"
            f" echo $?; mount -o remount,size=100m {disk}; {command} > /dev/null 2>&1; echo $?;"
            f" cp -r {disk}/out {copy}",
            disk,
        )
        said = (tmp_path / "said").read_text()
        is_named = said == (
            f"synthtext: the disk of {disk / 'out'} is full; what is finished there is complete, so free some space and run the same command again\n"
        )
        n_survived += done.stdout == "2\n0\n" and is_named and read_all(copy) == expected
        shutil.rmtree(copy)
    tally("disk full at a random point", N_DISKS, n_survived,
          f"one sentence, exit 2; with free space, {EQUAL}")  # fmt: skip
    assert n_survived == N_DISKS


@pytest.mark.usefixtures("needs_mounts")
def test_an_output_that_is_read_only(tmp_path: Path, tally: Tally) -> None:
    disk = tmp_path / "disk"
    command = " ".join([*COMMAND, "--out", str(disk / "out")])
    done = mount(f"mount -t tmpfs -o ro tmpfs {disk}; {command}; echo $?", disk)
    assert done.stdout == "2\n"
    assert done.stderr.startswith(f"synthtext: {disk / 'out'} cannot be written (")
    assert done.stderr.count("\n") == 1
    tally("read-only output", 1, 1, "one sentence, exit 2")


def test_two_runs_to_one_folder(
    whole: tuple[dict[str, bytes], float], tmp_path: Path, tally: Tally
) -> None:
    expected, _ = whole
    first = begin(tmp_path / "out")
    while not (tmp_path / "out/dataset.json").exists():
        time.sleep(0.01)
    second = begin(tmp_path / "out")
    _, printed = second.communicate(timeout=60)
    assert second.returncode == 2
    assert printed == (
        f"synthtext: another process is writing to {tmp_path / 'out'}; wait for it, or give"
        " another folder\n"
    )
    first.communicate(timeout=60)
    assert read_all(tmp_path / "out") == expected
    tally(
        "two runs writing to one folder",
        1,
        1,
        "the second: one sentence, exit 2; the first is complete",
    )


@pytest.fixture
def plan(fonts: Catalogue) -> Plan:
    recipe = edit_recipe(default_recipe(), {"shard_size": "25"})
    return make_plan(recipe, {"word": read_words("en")}, fonts, seed=5, count=200)


def test_shards_that_are_tampered_with(plan: Plan, tmp_path: Path, tally: Tally) -> None:
    out = tmp_path / "out"
    render_dataset(plan, out)
    expected = read_all(out)
    files = sorted(out.glob("*/*.tar"))
    chance, n_survived = random.Random(0), 0
    for _ in range(N_DAMAGED):
        path = chance.choice(files)
        _damage(path, files, chance)
        name = str(path.relative_to(out))
        is_named = any(path.name in fault and name.split("/")[0] in fault
                       for fault in verify_dataset(out))  # fmt: skip
        render_dataset(plan, out, repairs=True)
        n_survived += is_named and read_all(out) == expected
    tally("a shard truncated, with a flipped bit, deleted, or replaced by another", N_DAMAGED,
          n_survived, "`verify` reports it, `render --repair` redraws it with identical bytes")  # fmt: skip
    assert n_survived == N_DAMAGED


def _damage(path: Path, files: list[Path], chance: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    how = chance.choice(["truncate", "flip", "delete", "replace"])
    if how == "delete":
        path.unlink()
    elif how == "replace":
        path.write_bytes(chance.choice([each for each in files if each != path]).read_bytes())
    elif how == "truncate":
        path.write_bytes(raw[: chance.randrange(len(raw))])
    else:
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        path.write_bytes(raw)


def test_a_clock_that_goes_back(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    render_dataset(plan, tmp_path / "whole")

    def break_off(unit: str, n_done: int, n_all: int | None) -> None:
        if n_done > 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_dataset(plan, tmp_path / "out", on_progress=break_off)
    ahead = time.time() + 1e8
    for path in (tmp_path / "out").rglob("*"):
        os.utime(path, (ahead, ahead))
    backwards = iter(range(10**9, 0, -1))
    monkeypatch.setattr(time, "time", lambda: float(next(backwards)))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(backwards)))
    render_dataset(plan, tmp_path / "out")
    monkeypatch.undo()
    assert read_all(tmp_path / "out") == read_all(tmp_path / "whole")
    assert json.loads((tmp_path / "out/dataset.json").read_text())["complete"]
    tally("a clock that is set back, files from the future", 1, 1, EQUAL)
