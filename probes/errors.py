"""What can go wrong while reading is measured, under `synthtext.errors.SynthtextError`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from synthtext.errors import SynthtextError


class ProbeError(SynthtextError):
    """A probe cannot be run or read."""


def require_columns(present: Iterable[str], needed: Iterable[str]) -> None:
    """Check that a table of rows has the columns that are asked of it.

    Raises:
        ProbeError: one is absent; the near names, or all of them, are listed.
    """
    names = [str(name) for name in present]
    for name in needed:
        if name not in names:
            near = difflib.get_close_matches(name, names) or sorted(names)
            raise ProbeError(
                f"the rows have no column {name!r}; use one of {', '.join(near) or 'none'}"
            )
