"""Errors of measuring and training, under `synthtext.errors.SynthtextError`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from synthtext.errors import SynthtextError


class ProbeError(SynthtextError):
    """A probe cannot be run, or its results cannot be read."""


def require_columns(present: Iterable[str], needed: Iterable[str]) -> None:
    """Check that a table has the required columns.

    Raises:
        ProbeError: one is missing; the message lists similar names, or all names.
    """
    names = [str(name) for name in present]
    for name in needed:
        if name not in names:
            near = difflib.get_close_matches(name, names) or sorted(names)
            raise ProbeError(
                f"the rows have no column {name!r}; use one of {', '.join(near) or 'none'}"
            )
