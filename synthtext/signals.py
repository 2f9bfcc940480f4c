"""Signals: the first one ends a command cleanly, the second one at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals of Ctrl-C, of `kill` and batch systems, and of a closed terminal."""

SHOW_CURSOR = b"\x1b[?25h"
"""Source: DEC VT510, DECTCEM; a progress bar hides it."""


class Stopped(BaseException):
    """A signal asks the process to end.

    Not an `Exception`, so that no handler mistakes it for an ordinary failure, and not a
    `KeyboardInterrupt`, which the command-line parser handles itself.

    Attributes:
        exit_code: 128 plus the number of the signal, as in a shell.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


@contextmanager
def catch_signals() -> Iterator[None]:
    """Raise `Stopped` at the first of `ENDING`; a second one ends the process at once.

    Signals that were ignored from the start, as under `nohup`, stay ignored. After the context
    nothing is left to clean up, so that the first signal ends the process at once.
    """
    n_caught = 0

    def answer(number: int, frame: FrameType | None) -> None:
        nonlocal n_caught
        n_caught += 1
        if n_caught > 1:
            end_at_once(128 + number)
        raise Stopped(number)

    caught = [each for each in ENDING if signal.getsignal(each) != signal.SIG_IGN]
    for each in caught:
        signal.signal(each, answer)
    try:
        yield
    finally:
        n_caught += 1


def end_at_once(exit_code: int) -> NoReturn:
    """End this process and its workers without cleaning up."""
    processes = sys.modules.get("multiprocessing")
    for child in processes.active_children() if processes else ():
        child.kill()
    with suppress(OSError):
        if os.isatty(2):
            os.write(2, SHOW_CURSOR)
    os._exit(exit_code)
