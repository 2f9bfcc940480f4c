"""The terminal: texts as data, tables, and a bar for long work. Quiet where nobody watches.

All printing goes through this file. A text may come from a file of a stranger, so it is never
taken for markup, and what a terminal would obey or hide is shown as an escape.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TextIO

from synthtext.escapes import show_text
from synthtext.signals import Stopped

PIPE_WIDTH = 240
"""A pipe has no width; a table cut to 80 columns would lose what a program looks for."""


def open_streams() -> None:
    """Make the standard streams fit for any text, and open those that are closed.

    A file that is opened while a standard stream is closed would get its number, and then be
    written what a library prints.
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
            # An ASCII terminal shows other letters as escapes, like a hidden character.
            stream.reconfigure(errors="backslashreplace")


def print_text(text: object = "") -> None:
    """Print one line to the standard output, the text as data."""
    _write(sys.stdout, show_text(text) + "\n")


def print_document(text: str) -> None:
    """Print a text of many lines to the standard output, whole, for a file to keep."""
    _write(sys.stdout, "\n".join(show_text(line, None) for line in text.split("\n")))


def print_note(text: object) -> None:
    """Print one line to the standard error, the text as data; nothing if nobody can read it."""
    # There is nowhere to say that this failed.
    with contextlib.suppress(OSError, ValueError):
        _write(sys.stderr, show_text(text) + "\n")


def print_table(
    names: Sequence[str], rows: Sequence[Sequence[object]], title: str = ""
) -> None:
    """Print a table to the standard output, its cells as data, below a title if it has one."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(Text(show_text(name)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(show_text(cell)) for cell in row))
    # Rich would end the process when a reader has gone, and there may be work to do still.
    shown, is_terminal = io.StringIO(), sys.stdout.isatty()
    width = None if is_terminal else PIPE_WIDTH
    Console(file=shown, force_terminal=is_terminal, width=width).print(table, highlight=False)
    _write(sys.stdout, (f"\n{show_text(title)}\n" if title else "") + shown.getvalue())


@contextmanager
def show_progress() -> Iterator[Callable[..., None]]:
    """Show bars with rate and time left on a terminal, one for each kind of work.

    Gives a function that moves one on: what is counted, how many are done, of how many or
    None, and a remark if there is one.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    count = TextColumn("{task.description}", markup=False)
    rate = TextColumn("{task.fields[rate]}/s", markup=False)
    columns = (BarColumn(), MofNCompleteColumn(), count, rate, TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

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


def _write(stream: TextIO, text: str) -> None:
    """Write and flush; once a reader has gone, what is said to it goes nowhere.

    The work goes on and ends as it would: `synthtext fonts | head -1` is not a fault.
    """
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        # What is still buffered is then flushed into nothing when Python ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        if not isinstance(error, BrokenPipeError):
            name = "the standard output"
            raise OSError(error.errno, error.strerror, name) from error


N_NAMED = 10
"""Texts named in a summary, of those that could not be drawn."""


def warn_some(what: str, reasons: Sequence[str]) -> None:
    """Print the first of some reasons, and how many there are."""
    for reason in reasons[:N_NAMED]:
        say(f"{what}: {reason}")
    if len(reasons) > N_NAMED:
        say(f"{what}: {len(reasons):,} in all")


def write_results(out: Path, name: str, png: bytes, summary: object) -> None:
    """Write a picture and a JSON file of the same name."""
    from synthtext.storage import replace_file

    out.mkdir(parents=True, exist_ok=True)
    replace_file(out / f"{name}.png", png)
    write_json(out / f"{name}.json", summary)
    say(f"wrote {out / name}.png and {out / name}.json")


def write_json(path: Path, content: object) -> None:
    """Write a JSON file, whole or not at all."""
    import orjson

    from synthtext.storage import replace_file

    settings = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY
    replace_file(path, orjson.dumps(content, option=settings))


def fail(message: str) -> NoReturn:
    """Say what is wrong and how to mend it, and end with exit code 2."""
    say(f"synthtext: {message}")
    sys.exit(2)


def stop(stopped: Stopped, where: str = "") -> NoReturn:
    """End a command that was interrupted, and say how to go on."""
    say(f"stopped; what is finished {where}is whole, and the same command goes on")
    sys.exit(stopped.exit_code)


def say(message: str) -> None:
    """Print a line for people, beside the results."""
    print_note(message)


def warn_broken(broken: tuple[str, ...]) -> None:
    """Name the files that are left out, and why."""
    for reason in broken:
        say(f"left out: {reason}")
