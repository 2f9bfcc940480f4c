"""A reader in a separate process: a crash or a hang costs one image instead of the run."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np

from probes.arrays import Pixels
from probes.errors import ProbeError
from probes.readers.base import Reading

LIMIT_S = 30.0
"""Default time limit of a reader for one image."""

START_S = 3600.0
"""Time limit for its start; a language model may have to be downloaded."""

N_GIVE_UP = 8
"""Number of first images, all without an answer, after which the run stops."""

BLOCK = 1 << 16


class _LostError(Exception):
    """A reader gave no answer; the message says why."""


@dataclass(frozen=True)
class _Process:
    """A running reader.

    Attributes:
        popen: its process, the leader of a separate process group.
        requests: the pipe for requests.
        answers: the pipe for answers.
        said: what it printed.
        batch_size: maximum number of images per request.
    """

    popen: subprocess.Popen[bytes]
    requests: IO[bytes]
    answers: int
    said: IO[bytes]
    batch_size: int = 1


class GuardedReader:
    """A reader that runs in a separate process, which is restarted when it ends.

    A batch that fails, or exceeds the time limit of one image, is read again image by image, to
    find the image at fault.
    """

    def __init__(self, name: str, limit_s: float = LIMIT_S) -> None:
        """Store what to start; nothing runs before the first image."""
        self._name = name
        self._limit_s = limit_s
        self._process: _Process | None = None
        self._n_answers = 0
        self._n_faults = 0

    def read_images(self, images: Sequence[Pixels]) -> list[Reading]:
        """Return the text in each image, or why there is no answer.

        Raises:
            ProbeError: the reader cannot be started, returns something that is not an answer,
                or fails on all of the first images.
        """
        readings: list[Reading] = []
        while len(readings) < len(images):
            size = self._start().batch_size
            readings += self._read(images[len(readings) : len(readings) + size])
        return readings

    def close(self) -> None:
        """End the process of the reader; another image will start it again."""
        if self._process is not None:
            _end(self._process)
            self._process = None

    def _read(self, images: Sequence[Pixels]) -> list[Reading]:
        try:
            readings = self._ask(images)
        except _LostError as lost:
            if len(images) > 1:
                return [reading for image in images for reading in self._read([image])]
            readings = [Reading("", fault=str(lost))]
        for reading in readings:
            self._count(reading)
        return readings

    def _count(self, reading: Reading) -> None:
        if not reading.fault:
            self._n_answers += 1
            return
        self._n_faults += 1
        if self._n_answers == 0 and self._n_faults >= N_GIVE_UP:
            self.close()
            raise ProbeError(
                f"{self._name} gave no answer to any of the first {N_GIVE_UP} images"
                f" ({reading.fault}); try it on one of them by itself"
            )

    def _ask(self, images: Sequence[Pixels]) -> list[Reading]:
        process = self._start()
        heads = json.dumps([pixels.shape[:2] for pixels in images])
        try:
            process.requests.write(heads.encode() + b"\n")
            for pixels in images:
                process.requests.write(np.ascontiguousarray(pixels).tobytes())
            process.requests.flush()
        except OSError as error:
            raise self._lose() from error
        answer = self._await(process, self._limit_s)
        if "fault" in answer:
            raise _LostError(answer["fault"])
        sure = [np.nan if one is None else one for one in answer["confidences"]]
        return [
            Reading(*parts)
            for parts in zip(answer["texts"], sure, answer["faults"], strict=True)
        ]

    def _start(self) -> _Process:
        """Return the process of the reader, started if it is not running."""
        if self._process is None:
            started = _start_process(self._name)
            self._process = started
            weakref.finalize(self, _end, started)
            size = self._await(started, START_S)["batch_size"]
            self._process = replace(started, batch_size=size)
        return self._process

    def _await(self, process: _Process, limit_s: float) -> dict[str, Any]:
        """Return the next answer of the reader.

        Raises:
            _LostError: the process ended, or no answer came in time.
            ProbeError: the reader refuses to start.
        """
        line = _read_line(process.answers, limit_s)
        if line is None:
            self.close()
            raise _LostError(f"no answer within {limit_s:g} s")
        if not line:
            raise self._lose()
        answer: dict[str, Any] = json.loads(line)
        if "refused" in answer:
            self.close()
            raise ProbeError(str(answer["refused"]))
        return answer

    def _lose(self) -> Exception:
        """Return the exception to raise after the process of the reader has ended by itself."""
        process, self._process = self._process, None
        if process is None:
            return _LostError("it ended")
        with suppress(subprocess.TimeoutExpired):
            process.popen.wait(1.0)
        code = process.popen.returncode
        process.said.seek(0)
        lines = process.said.read(BLOCK).decode("utf-8", "replace").strip().splitlines()
        _end(process)
        if process.batch_size == 0:
            why = f": {lines[-1][:200]}" if lines else ""
            return ProbeError(f"{self._name} cannot be started{why}")
        return _LostError(
            "it crashed" + (f" by {_name_signal(-code)}" if code and code < 0 else "")
        )


def _start_process(name: str) -> _Process:
    asked, requests = os.pipe()
    answers, answered = os.pipe()
    said = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the process.
    popen = subprocess.Popen(
        [sys.executable, "-m", "probes.readers.worker", name, str(answered)],
        stdin=asked, stdout=said, stderr=said, pass_fds=(answered,),
        # A separate group: the terminal does not signal it, and all of it can be ended.
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    os.close(asked)
    os.close(answered)
    return _Process(popen, os.fdopen(requests, "wb"), answers, said, batch_size=0)


def _end(process: _Process) -> None:
    """End a process and everything that it started."""
    if process.said.closed:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.popen.pid, signal.SIGKILL)
    process.popen.wait()
    with suppress(OSError):
        process.requests.close()
    os.close(process.answers)
    process.said.close()


def _read_line(pipe: int, limit_s: float) -> bytes | None:
    """Return a line without its newline, empty at the end of the pipe, None if it is late."""
    deadline = time.monotonic() + limit_s
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return None
            block = os.read(pipe, BLOCK)
            if not block:
                return b""
            line += block
    return line[:-1]


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
