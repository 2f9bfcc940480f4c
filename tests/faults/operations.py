"""Numbered disk operations: a command runs in a fork in which the k-th operation fails.

Creating, opening for writing, writing, truncating, syncing, renaming, linking and removing files
and folders are counted if Python does it (`os`, `io`, `pathlib`, `shutil`), and connecting to a
server, which a client of the tests' hub does for every request. Writes by C code are not: LMDB's
pages and memory maps. Neither are TensorBoard's events, which a thread writes, so that they have
no fixed number.
"""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import signal
import socket
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

KILL = 0
"""Stands for SIGKILL among the error numbers."""

FAULTS = {"SIGKILL": KILL, "ENOSPC": errno.ENOSPC, "EIO": errno.EIO}

UNSEEN = ("/tensorboard/",)

NEEDS_SPACE = frozenset({"create", "write", "mkdir", "link", "connect"})
"""Operations that a full disk, or a lost network, keeps refusing; the others fail once."""

_write, _kill = os.write, os.kill


@dataclass(frozen=True)
class Outcome:
    """The result of a command.

    Attributes:
        code: its exit code, negative for a signal.
        printed: what it wrote to standard error.
        operations: its disk operations.
        modules: the modules that it had imported by its end.
    """

    code: int
    printed: str
    operations: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()


@dataclass
class Disk:
    """A disk on which the operation with a given number fails; with 0, none does."""

    root: str
    number: int = 0
    fault: int = KILL
    seen: list[str] = field(default_factory=list)

    def meet(
        self, what: str, path: object, before: Callable[[], object] = lambda: None
    ) -> None:
        """Record an operation, and fail if it is the chosen one."""
        name = os.path.abspath(os.fsdecode(path))  # type: ignore[arg-type] # noqa: PTH100
        if not f"{name}/".startswith(self.root) or any(part in name for part in UNSEEN):
            return
        self.seen.append(f"{what} {name[len(self.root) :] or '.'}")
        is_turn = len(self.seen) == self.number
        is_full = self.fault == errno.ENOSPC and 0 < self.number < len(self.seen)
        if is_turn or (is_full and what in NEEDS_SPACE):
            before()
            if self.fault == KILL:
                _kill(os.getpid(), signal.SIGKILL)
            raise OSError(self.fault, os.strerror(self.fault), name)


def run(
    argv: list[str],
    folder: Path,
    *,
    number: int = 0,
    fault: int = KILL,
    log: Path,
    cache: Path | None = None,
) -> Outcome:
    """Run a command in a folder, in a fork of this process, and return the result.

    Args:
        argv: the command line, without the program.
        folder: where it runs; operations elsewhere are not counted.
        number: the operation that fails; 0 is none.
        fault: the number of the error, or KILL.
        log: folder of what it prints.
        cache: the user's cache; None leaves it where it is.
    """
    log.mkdir(parents=True, exist_ok=True)
    process = os.fork()
    if process == 0:
        if cache:
            os.environ["XDG_CACHE_HOME"] = str(cache)
        _run_here(argv, folder, Disk(f"{folder}/", number, fault), log)
    _, status = os.waitpid(process, 0)
    noted = log / "operations.json"
    operations, modules = json.loads(noted.read_text()) if noted.exists() else ((), ())
    noted.unlink(missing_ok=True)
    return Outcome(
        os.waitstatus_to_exitcode(status), (log / "stderr").read_text("utf-8"),
        tuple(operations), tuple(modules),
    )  # fmt: skip


def _run_here(argv: list[str], folder: Path, disk: Disk, log: Path) -> NoReturn:
    from synthtext_cli import app

    code: object = 0
    try:
        for number, name in ((1, "stdout"), (2, "stderr")):
            handle = os.open(log / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, number)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        warnings.simplefilter("ignore")
        os.chdir(folder)
        sys.argv = ["synthtext", *argv]
        watch(disk)
        app.main()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:  # noqa: BLE001 - any exception is a fault that was found.
        traceback.print_exc()
        code = 1
    finally:
        disk.number = 0
        sys.stdout.flush()
        sys.stderr.flush()
        handle = os.open(log / "operations.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        _write(handle, json.dumps([disk.seen, list(sys.modules)]).encode())
        os._exit(code if isinstance(code, int) else 1)


def watch(disk: Disk) -> None:
    """Pass every operation of this process, from now on, through a disk."""
    for name in ("mkdir", "rmdir", "unlink", "remove", "truncate"):
        _watch_path(disk, name)
    for name in ("rename", "replace", "link", "symlink"):
        _watch_pair(disk, name)
    for name in ("fsync", "fdatasync", "ftruncate"):
        _watch_handle(disk, name)
    _watch_connections(disk)
    # This call syncs the whole machine, which would slow down other processes.
    os.sync = lambda: None
    opened, written, sent = os.open, os.write, os.sendfile

    def open_low(path: Any, flags: int, *rest: Any, **options: Any) -> int:  # noqa: ANN401
        if flags & os.O_CREAT:
            disk.meet("create", _place(path, options.get("dir_fd")))
        return opened(path, flags, *rest, **options)

    def write_low(handle: int, content: Any) -> int:  # noqa: ANN401
        half = memoryview(content)[: len(content) // 2]
        disk.meet("write", _name(handle), lambda: written(handle, half))
        return written(handle, content)

    def send(out: int, *rest: Any) -> int:  # noqa: ANN401
        disk.meet("write", _name(out))
        return sent(out, *rest)

    os.open, os.write, os.sendfile = open_low, write_low, send  # type: ignore[assignment]
    io.open = builtins.open = _make_open(disk, builtins.open)  # type: ignore[assignment]


def _watch_connections(disk: Disk) -> None:
    connected = socket.create_connection

    def connect(*rest: Any, **options: Any) -> socket.socket:  # noqa: ANN401
        disk.meet("connect", f"{disk.root}hub")
        return connected(*rest, **options)

    socket.create_connection = connect


def _make_open(disk: Disk, opened: Callable[..., Any]) -> Callable[..., Any]:
    class File(io.FileIO):
        """A file whose writes pass through the disk; a failing write writes half."""

        def write(self, content: Any) -> int:  # type: ignore[override] # noqa: ANN401
            half = memoryview(content).cast("B")[: memoryview(content).nbytes // 2]
            disk.meet("write", _name(self.fileno()), lambda: io.FileIO.write(self, half))
            return io.FileIO.write(self, content)

        def truncate(self, size: int | None = None) -> int:
            disk.meet("truncate", _name(self.fileno()))
            return io.FileIO.truncate(self, size)

    def open_file(
        file: Any,  # noqa: ANN401
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        if isinstance(file, int) or opener or not set(mode) & set("wax+"):
            return opened(file, mode, buffering, encoding, errors, newline, closefd, opener)
        if not (os.path.exists(file) and "x" in mode):  # noqa: PTH110
            disk.meet("create", file)
        raw = File(file, mode.replace("b", "").replace("t", ""))
        if buffering == 0:
            return raw
        buffer = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffer if "b" in mode else io.TextIOWrapper(buffer, encoding, errors, newline)

    return open_file


def _watch_path(disk: Disk, name: str) -> None:
    plain = getattr(os, name)

    def met(path: Any, *rest: Any, **options: Any) -> Any:  # noqa: ANN401
        disk.meet(name, _place(path, options.get("dir_fd")))
        return plain(path, *rest, **options)

    setattr(os, name, met)


def _watch_pair(disk: Disk, name: str) -> None:
    plain = getattr(os, name)

    def met(source: Any, target: Any, **options: Any) -> Any:  # noqa: ANN401
        disk.meet(name, target)
        return plain(source, target, **options)

    setattr(os, name, met)


def _watch_handle(disk: Disk, name: str) -> None:
    plain = getattr(os, name)

    def met(handle: Any, *rest: Any) -> Any:  # noqa: ANN401
        disk.meet(name, _name(handle if isinstance(handle, int) else handle.fileno()))
        return plain(handle, *rest)

    setattr(os, name, met)


def _place(path: Any, folder: int | None) -> str:  # noqa: ANN401
    return os.fsdecode(path) if folder is None else f"{_name(folder)}/{os.fsdecode(path)}"


def _name(handle: int) -> str:
    return os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115
