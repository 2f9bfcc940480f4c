"""Devices and precisions of a model."""

from __future__ import annotations

import re

import torch

from probes.errors import ProbeError
from probes.models.ranks import read_local_rank

PRECISIONS = ("auto", "fp32", "bf16")
"""`auto` is bf16 autocast on a GPU and fp32 on the CPU."""

NUMBER = re.compile("[0-9]{0,3}")
"""Index of a GPU; empty means the first."""


def choose_device(name: str) -> torch.device:
    """Return the device of a name: "auto", "cpu", "cuda" or "cuda:N".

    "auto" is the GPU if there is one; under torchrun, the one of this process.

    Raises:
        ProbeError: no such name, no such device on this machine, or LOCAL_RANK is not a number.
    """
    available = torch.cuda.is_available()
    if name == "auto":
        # torchrun numbers the processes of a machine; each uses the GPU with that index.
        place = read_local_rank()
        name = f"cuda:{place}" if available else "cpu"
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or not NUMBER.fullmatch(number):
        raise ProbeError(f"device is {name!r}; it is auto, cpu, cuda or cuda:N")
    if kind == "cuda" and not available:
        raise ProbeError(
            f"device is {name!r}, but no CUDA device is available here;"
            " use --device cpu or leave it out"
        )
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        n = torch.cuda.device_count()
        raise ProbeError(
            f"device is {name!r}, but the last device of this machine is cuda:{n - 1}; use that"
        )
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> str:
    """Return "fp32" or "bf16" for one of `PRECISIONS`.

    Raises:
        ProbeError: no such precision.
    """
    if name not in PRECISIONS:
        listed = ", ".join(PRECISIONS)
        raise ProbeError(f"precision is {name!r}; it is one of {listed}")
    if name == "auto":
        return "bf16" if device.type == "cuda" else "fp32"
    return name
