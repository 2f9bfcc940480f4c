"""Ranks: the rank of this process under torchrun, from the environment."""

from __future__ import annotations

import os

from probes.errors import ProbeError

MAX_NUMBER = 1_000_000
"""Upper bound of ranks and numbers of processes."""


def read_rank() -> tuple[int, int]:
    """Return the rank of this process and how many there are; (0, 1) without torchrun.

    Raises:
        ProbeError: a variable is not a valid number.
    """
    world_size = _read_number("WORLD_SIZE", 1, least=1)
    rank = _read_number("RANK", 0)
    if rank >= world_size:
        raise ProbeError(
            f"RANK is {rank} and WORLD_SIZE is {world_size}; ranks are counted from 0, so start"
            " the processes with torchrun, or unset both"
        )
    return rank, world_size


def read_local_rank() -> int:
    """Return the number of this process on its machine; 0 without torchrun.

    Raises:
        ProbeError: a variable is not a valid number.
    """
    return _read_number("LOCAL_RANK", 0)


def _read_number(name: str, default: int, least: int = 0) -> int:
    text = os.environ.get(name)
    if text is None:
        return default
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_NUMBER))
    if not is_number or not least <= int(text) <= MAX_NUMBER:
        raise ProbeError(
            f"{name} in the environment is {text[:40]!r}; it is a whole number, {least} or"
            " more, that torchrun sets, so unset it or start with torchrun"
        )
    return int(text)
