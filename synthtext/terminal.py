"""The terminal: tables, and a bar for long work. Quiet where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthtext.manifest import ShardRecord

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
def show_progress(unit: str, total: int) -> Iterator[Callable[[ShardRecord], None]]:
    """Show a bar with rate and time left on a terminal; what it gives moves it by a shard."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    rate = TextColumn("{task.fields[rate]} " + unit + "/s")
    columns = (BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(unit, total=total, rate="-")

        def advance(record: ShardRecord) -> None:
            progress.update(task, advance=record.n_samples + len(record.not_drawn))
            speed = progress.tasks[0].speed
            if speed:
                progress.update(task, rate=f"{speed:,.0f}")

        yield advance
