"""Runs commands one after the other, each in a fork of a process that has imported everything.

Importing torch takes seconds, and thousands of commands are tried. `Forks` starts this file as a
process, which reads a line of JSON for each command and answers with one.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_WAIT_S = 60.0
"""A command is killed if it makes no progress for this long, or uses this much processor time.
This is far above the limits of the tests, so that the time of slow commands is still measured."""

STEP_S = 0.5
"""Processor time that counts as progress, which does not depend on the load of the machine."""

POLL_S = 0.01

MODULES = (
    "open_clip", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg",
    "pyarrow.parquet", "wordfreq", "probes.training.finetune", "probes.reports.finetune",
    "probes.vqa.run", "probes.reports.vqa", "probes.fitting.fit", "synthtext.export.export",
    "synthtext_cli.app",
)  # fmt: skip
"""What is imported once, so that no fork has to."""


@dataclass(frozen=True)
class Done:
    """The result of a command.

    Attributes:
        code: its exit code; negative for a signal that killed it.
        seconds: processor time that it used, or the time that it hung.
        peak_bytes: its peak memory.
        out: what it wrote to standard output.
        err: what it wrote to standard error.
    """

    code: int
    seconds: float
    peak_bytes: int
    out: str
    err: str


class Forks:
    """Runs commands of the program in forks of one process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUTF8": "1"},
        )

    def run(
        self,
        words: list[str],
        folder: Path,
        environment: dict[str, str],
        *,
        wait_s: float = MAX_WAIT_S,
        cwd: Path | None = None,
    ) -> Done:
        """Return the result of a command; it is killed if it hangs.

        Args:
            words: the command line, without the program.
            folder: folder in which its output is kept while it runs.
            environment: environment variables to set in addition.
            wait_s: see `MAX_WAIT_S`.
            cwd: its working directory; None is `here` in the folder.
        """
        asked = {
            "words": words, "folder": str(folder), "environment": environment,
            "wait_s": wait_s, "cwd": str(cwd or folder / "here"),
        }  # fmt: skip
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Done(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def _serve() -> None:
    import torch

    for name in MODULES:
        importlib.import_module(name)
    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(_try(json.loads(line))) + "\n")
        answers.flush()


def _try(asked: dict[str, Any]) -> dict[str, Any]:
    folder = Path(asked["folder"])
    said = [folder / f".{name}" for name in ("out", "err", "peak")]
    for path in said:
        path.write_bytes(b"")
    child = os.fork()
    if child == 0:
        _become(asked, folder, said)
    status, seconds = _await(child, asked["wait_s"])
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in said]
    for path in said:
        path.unlink()
    return {
        "code": os.waitstatus_to_exitcode(status), "seconds": seconds,
        "peak_bytes": int(texts[2] or 0), "out": texts[0], "err": texts[1],
    }  # fmt: skip


def _await(child: int, wait_s: float) -> tuple[int, float]:
    """Return how a process ended, and the seconds of processor time that it used, or hung."""
    worked, seen = 0.0, time.monotonic()
    while True:
        ended, status, used = os.wait4(child, os.WNOHANG)
        if ended:
            return status, used.ru_utime + used.ru_stime
        now, done = time.monotonic(), _read_work(child)
        if done - worked > STEP_S:
            worked, seen = done, now
        if now - seen > wait_s or done > wait_s:
            os.kill(child, signal.SIGKILL)
            _, status, used = os.wait4(child, 0)
            return status, max(used.ru_utime + used.ru_stime, wait_s)
        time.sleep(POLL_S)


def _read_work(process: int) -> float:
    """Return the processor time of a process, in seconds."""
    stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _become(asked: dict[str, Any], folder: Path, said: list[Path]) -> None:
    """Run the command in this process, and exit with its code."""
    from huggingface_hub import constants

    from synthtext_cli import app

    code = 1
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # The peak is reset, because it includes the memory of the parent process.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        for number, path in ((1, said[0]), (2, said[1])):
            os.dup2(os.open(path, os.O_WRONLY), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        Path(asked["cwd"]).mkdir(exist_ok=True)
        os.chdir(asked["cwd"])
        os.environ.update(asked["environment"])
        # The package has read this from the environment when it was imported.
        constants.HF_HUB_CACHE = os.environ.get("HF_HUB_CACHE", constants.HF_HUB_CACHE)
        sys.argv = ["synthtext", *asked["words"]]
        app.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - any exception is a fault that was found.
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        status = Path("/proc/self/status").read_text(encoding="ascii")
        peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024
        said[2].write_text(str(peak), encoding="ascii")
        os._exit(code)


if __name__ == "__main__":
    sys.path.insert(0, os.fspath(Path(__file__).parents[2]))
    _serve()
