"""How often characters come up in each split, for the terminal."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from synthtext_cli.console import N_NAMED, print_table, print_text, warn

N_RAREST = 20
"""Number of characters in a table; the rest is counted."""


def report_balance(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Print how often the characters of a promised alphabet come up, if there is one.

    Ends the command with exit code 1 if the promise is broken.
    """
    from synthtext.dataset.balance import BALANCE, read_balance

    balance = read_balance(folder) if manifest["complete"] else None
    if balance is None:
        return
    print_table(
        ("characters", "in the alphabet", "least", "median", "most"),
        [
            (
                split,
                f"{len(counts):,}",
                f"{min(counts.values()):,}",
                f"{statistics.median_low(counts.values()):,}",
                f"{max(counts.values()):,}",
            )
            for split, counts in balance.counts.items()
        ],
    )
    print_text(f"{folder / BALANCE} has the count of each character")
    for split, counts in balance.lacking.items():
        named = ", ".join(f"{char!r} {n:,} times" for char, n in [*counts.items()][:N_NAMED])
        warn(
            f"{split} has fewer than {balance.n_each:,} of some characters ({named});"
            " render into another folder with a higher --cover"
        )
    if balance.lacking:
        raise typer.Exit(1)


def print_characters(counts: Mapping[str, Mapping[str, int]]) -> None:
    """Print how often each of the rarest characters comes up in each split.

    Args:
        counts: of each character, for each split.
    """
    chars = {char for each in counts.values() for char in each}
    least = {char: min(each.get(char, 0) for each in counts.values()) for char in chars}
    rarest = sorted(chars, key=lambda char: (least[char], char))
    rows = [
        (char, *(f"{each.get(char, 0):,}" for each in counts.values()))
        for char in rarest[:N_RAREST]
    ]
    print_table(("rarest characters", *counts), rows)
    if len(rarest) > N_RAREST:
        print_text(f"and {len(rarest) - N_RAREST:,} more characters; --json lists all")
