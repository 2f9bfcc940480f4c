"""The terminal: tables, and a bar for long work. Quiet where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

PIPE_WIDTH = 240
"""A pipe has no width; a table cut to 80 columns would lose what a program looks for."""


def print_table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table to the standard output, its cells as text."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*names, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table, highlight=False)


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
    count, rate = TextColumn("{task.description}"), TextColumn("{task.fields[rate]}/s")
    columns = (BarColumn(), MofNCompleteColumn(), count, rate, TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def advance(unit: str, n_done: int, n_all: int | None, remark: str = "") -> None:
            if unit not in tasks:
                tasks[unit] = progress.add_task(unit, total=n_all, rate="-")
            task = tasks[unit]
            speed = progress.tasks[task].speed
            shown = f"{speed:,.0f}" if speed else "-"
            described = f"{unit}, {remark}" if remark else unit
            progress.update(
                task, completed=n_done, total=n_all, rate=shown, description=described
            )

        yield advance
