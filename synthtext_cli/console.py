"""Terminal output: untrusted texts, tables, and the progress of long work.

Progress is a bar on a terminal, and a line at intervals elsewhere. All printing goes through
this file. A text may come from an untrusted file, so it is never interpreted as markup, and
characters that a terminal would interpret or hide are shown as escapes.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NoReturn, TextIO

from synthtext.escapes import show_text
from synthtext.signals import Stopped

logger = logging.getLogger(__name__)

LOG_EVERY_S: ContextVar[float] = ContextVar("LOG_EVERY_S", default=30.0)
"""Seconds between two progress lines, where there is no terminal."""

PIPE_WIDTH = 240
"""Table width for pipes; a table cut to 80 columns would lose data that a program needs."""


def open_streams() -> None:
    """Make the standard streams accept any text, and open those that are closed.

    A file opened while a standard stream is closed would get its file descriptor, and a library
    that prints would then write into that file.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)  # noqa: FBT003 - the function takes it by position.
    os.close(number)
    number_of = {"stdout": 1, "stderr": 2}
    for name in number_of:
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(number_of[name], "w", encoding="utf-8"))
        elif hasattr(stream, "reconfigure"):
            # An ASCII terminal shows other letters as escapes, as hidden characters are shown.
            stream.reconfigure(errors="backslashreplace")


def print_text(text: object = "") -> None:
    """Print one line to standard output, with control characters escaped."""
    _write(sys.stdout, show_text(text) + "\n")


def print_document(text: str) -> None:
    """Print a multi-line text to standard output in full, for saving to a file."""
    _write(sys.stdout, "\n".join(show_text(line, None) for line in text.split("\n")))


def print_note(text: object) -> None:
    """Print one line to standard error, if open, with control characters escaped."""
    # There is nowhere left to report a failure.
    with contextlib.suppress(OSError, ValueError):
        _write(sys.stderr, show_text(text) + "\n")


def print_table(
    names: Sequence[str], rows: Sequence[Sequence[object]], title: str = ""
) -> None:
    """Print a table to standard output, with control characters escaped, below any title."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(Text(show_text(name)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(show_text(cell)) for cell in row))
    # Rich would end the process if the reader of a pipe is gone, but work may remain.
    shown, is_terminal = io.StringIO(), sys.stdout.isatty()
    width = None if is_terminal else PIPE_WIDTH
    Console(file=shown, force_terminal=is_terminal, width=width).print(table, highlight=False)
    _write(sys.stdout, (f"\n{show_text(title)}\n" if title else "") + shown.getvalue())


class _Notes(logging.Handler):
    """Prints a line for each log record of a module."""

    def emit(self, record: logging.LogRecord) -> None:
        print_note(self.format(record))


def start_logging(*, verbose: bool = False, quiet: bool = False) -> None:
    """Print log records: notes and warnings by default, every step, or warnings only."""
    handler = _Notes()
    if verbose:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    level = logging.WARNING if quiet else logging.INFO
    for name in ("synthtext", "probes", "synthtext_cli"):
        source = logging.getLogger(name)
        source.handlers, source.propagate = [handler], False
        source.setLevel(logging.DEBUG if verbose else level)


@contextmanager
def show_progress(out: object = None, *, resumes: bool = True) -> Iterator[Callable[..., None]]:
    """Show the progress of long work, and end the command if it is interrupted.

    Yields a function that advances the progress. Its arguments are the unit counted, the number
    done, the total or None, and optionally a remark. On a terminal there is a bar for each
    unit, elsewhere a line every `LOG_EVERY_S` seconds, with --quiet nothing.

    Args:
        out: where the results go, for the message about an interruption.
        resumes: whether the same command continues where it was interrupted.
    """
    try:
        if not logger.isEnabledFor(logging.INFO):
            yield lambda *_: None
        elif sys.stderr.isatty():
            with _show_bars() as advance:
                yield advance
        else:
            yield _make_lines()
    except Stopped as stopped:
        if resumes:
            stop(stopped, "" if out is None else f"in {out} ")
        print_note(f"stopped; nothing was written to {out}")
        sys.exit(stopped.exit_code)


@contextmanager
def _show_bars() -> Iterator[Callable[..., None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )

    count = TextColumn("{task.description}", markup=False)
    rate = TextColumn("{task.fields[rate]}/s", markup=False)
    columns = (BarColumn(), MofNCompleteColumn(), count, rate, TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def advance(unit: str, n_done: int, n_all: int | None, remark: str = "") -> None:
            if unit not in tasks:
                tasks[unit] = progress.add_task(show_text(unit), total=n_all, rate="-")
            task = tasks[unit]
            speed = progress.tasks[task].speed
            shown = f"{speed:,.0f}" if speed else "-"
            described = f"{unit}, {remark}" if remark else unit
            progress.update(
                task,
                completed=n_done,
                total=n_all,
                rate=shown,
                description=show_text(described),
            )

        yield advance


def _make_lines() -> Callable[..., None]:
    """Return a function that logs progress at intervals, and at the end if it logged before."""
    begun: dict[str, tuple[float, int]] = {}
    shown: set[str] = set()
    last = time.monotonic()

    def advance(unit: str, n_done: int, n_all: int | None, remark: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        began, n_before = begun.setdefault(unit, (now, n_done))
        ends = n_done == n_all and unit in shown
        # Under torchrun only the first process reports.
        if os.environ.get("RANK", "0") != "0" or (now - last < LOG_EVERY_S.get() and not ends):
            return
        last = now
        shown.add(unit)
        rate = (n_done - n_before) / (now - began) if now > began else 0.0
        logger.info("%s", _describe_progress(unit, n_done, n_all, rate, remark))

    return advance


def _describe_progress(
    unit: str, n_done: int, n_all: int | None, rate: float, remark: str
) -> str:
    """Return a progress line.

    >>> _describe_progress("images", 1500, 30_000, 12.5, "loss 0.310")
    'images: 1,500 of 30,000 (5 %), 12/s, 38 min left, loss 0.310'
    """
    parts = [f"{unit}: {n_done:,}"]
    if n_all:
        parts = [f"{unit}: {n_done:,} of {n_all:,} ({100 * n_done // n_all} %)"]
    if rate > 0:
        parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s")
        if n_all and n_all > n_done:
            parts.append(f"{_describe_seconds((n_all - n_done) / rate)} left")
    return ", ".join([*parts, remark] if remark else parts)


def _describe_seconds(seconds: float) -> str:
    """Return a duration in suitable units.

    >>> _describe_seconds(40), _describe_seconds(300), _describe_seconds(5400)
    ('40 s', '5 min', '1 h 30 min')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _write(stream: TextIO, text: str) -> None:
    """Write and flush; once the reader of a pipe is gone, discard the output.

    The work continues and ends normally: `synthtext fonts | head -1` is not an error.
    """
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        # Buffered output is then discarded when Python ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        if not isinstance(error, BrokenPipeError):
            name = "the standard output"
            raise OSError(error.errno, error.strerror, name) from error


N_NAMED = 10
"""Number of failures that a summary lists individually."""


def warn_some(what: str, reasons: Sequence[str]) -> None:
    """Print the first few reasons, and their total number."""
    for reason in reasons[:N_NAMED]:
        warn(f"{what}: {reason}")
    if len(reasons) > N_NAMED:
        warn(f"{what}: {len(reasons):,} in total")


def write_results(out: Path, name: str, png: bytes, summary: object) -> None:
    """Write an image and a JSON file of the same name."""
    from synthtext.storage import replace_file, write_json

    out.mkdir(parents=True, exist_ok=True)
    replace_file(out / f"{name}.png", png)
    write_json(out / f"{name}.json", summary)
    say(f"wrote {out / name}.png and {out / name}.json")


def fail(message: str) -> NoReturn:
    """Print what is wrong and how to fix it, and end with exit code 2."""
    print_note(f"synthtext: {message}")
    sys.exit(2)


def explain(error: OSError) -> str:
    """Return a sentence on an error of the operating system, which names the file."""
    return f"{error.filename or 'a file'} cannot be used: {error.strerror or error}"


def stop(stopped: Stopped, where: str = "") -> NoReturn:
    """End a command that was interrupted, and say how to continue."""
    print_note(f"stopped; what was finished {where}is complete, and the same command continues")
    sys.exit(stopped.exit_code)


def say(message: str) -> None:
    """Print a note, unless --quiet is given."""
    logger.info("%s", message)


def warn(message: str) -> None:
    """Print a warning about something that does not stop the work, even with --quiet."""
    logger.warning("%s", message)


def warn_broken(broken: tuple[str, ...]) -> None:
    """Report the files that are left out, with the reasons."""
    for reason in broken:
        warn(f"left out: {reason}")
