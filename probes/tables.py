"""Tables for pages and for the terminal, and how figures are written in them."""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = 1e-9
"""A fraction below this is 0, as the end of an interval may be but for rounding."""


@dataclass(frozen=True)
class Table:
    """A table of a page: what its columns are called, and its cells as text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def percent(share: float) -> str:
    """Return a fraction for people to read, two digits of one that is tiny."""
    is_tiny = NOTHING < share < 0.001
    return f"{100 * share:.2g} %" if is_tiny else f"{100 * share:.1f} %"
