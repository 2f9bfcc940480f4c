"""Pickles from elsewhere, walked before they are read: few bytes may become gigabytes."""

from __future__ import annotations

import pickletools
from typing import BinaryIO

MAX_STEPS = 2_000_000
"""Most steps of pickles; a state dict takes 25 a tensor, CIFAR-100 some hundred thousand."""

NOTES = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
"""Steps that note an object under a number; room is made for all numbers below."""


class RefusedError(Exception):
    """A pickle asks for more than it may."""


def check_steps(file: BinaryIO, n_pickles: int = 1) -> None:
    """Refuse pickles that take long, or that note objects under numbers beyond all sense.

    Args:
        file: holds the pickles, one after the other.
        n_pickles: how many there are; they may have `MAX_STEPS` steps together.

    Raises:
        RefusedError: they ask for more than they may.
        Exception: of any class, as `pickletools` raises it for what is broken.
    """
    steps = (step for _ in range(n_pickles) for step in pickletools.genops(file))
    for number, (code, argument, _) in enumerate(steps):
        if number >= MAX_STEPS:
            raise RefusedError(f"it has more than {MAX_STEPS:,} steps")
        if code.name in NOTES and int(argument or 0) > MAX_STEPS:
            raise RefusedError(f"it stores an object under number {argument:,}")
