"""Untrusted pickles, checked before they are loaded: few bytes may become gigabytes."""

from __future__ import annotations

import pickletools
from typing import BinaryIO

MAX_STEPS = 2_000_000
"""Maximum number of opcodes; a state dict has 25 per tensor, CIFAR-100 about 100,000."""

NOTES = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
"""Opcodes that store an object under an index; memory is allocated for all indices below."""


class RefusedError(Exception):
    """A pickle exceeds the limits."""


def check_steps(file: BinaryIO, n_pickles: int = 1) -> None:
    """Refuse pickles that would take too long, or that store objects under huge indices.

    Args:
        file: holds the pickles, one after the other.
        n_pickles: how many there are; together they may have `MAX_STEPS` opcodes.

    Raises:
        RefusedError: they exceed the limits.
        Exception: of any class, as `pickletools` raises for broken pickles.
    """
    steps = (step for _ in range(n_pickles) for step in pickletools.genops(file))
    for number, (code, argument, _) in enumerate(steps):
        if number >= MAX_STEPS:
            raise RefusedError(f"it has more than {MAX_STEPS:,} steps")
        if code.name in NOTES and int(argument or 0) > MAX_STEPS:
            raise RefusedError(f"it stores an object under number {argument:,}")
