"""Tables for pages and for the terminal, and the format of numbers in them."""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = 1e-9
"""A fraction below this is shown as 0, since interval ends may miss 0 by rounding."""


@dataclass(frozen=True)
class Table:
    """A table: the names of its columns, and its cells as text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def percent(share: float) -> str:
    """Return a fraction as a percentage, with two digits if it is tiny."""
    is_tiny = NOTHING < share < 0.001
    return f"{100 * share:.2g} %" if is_tiny else f"{100 * share:.1f} %"
