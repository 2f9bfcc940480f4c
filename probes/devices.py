"""Devices: where a model computes, and in which precision."""

from __future__ import annotations

import os

import torch

from probes.errors import ProbeError

PRECISIONS = ("auto", "fp32", "bf16")
"""`auto` is bf16 autocast on a GPU and fp32 on the CPU."""


def choose_device(name: str) -> torch.device:
    """Return the device of a name: "auto", "cpu", "cuda" or "cuda:N".

    "auto" is the GPU where there is one, under torchrun the one of this process.

    Raises:
        ProbeError: no such name, or no such device here.
    """
    available = torch.cuda.is_available()
    if name == "auto":
        # torchrun numbers the processes of a machine, and each takes the GPU of its number.
        rank = os.environ.get("LOCAL_RANK", "0")
        if not rank.isdecimal():
            raise ProbeError(
                f"LOCAL_RANK is {rank!r} in the environment, which is not what torchrun sets;"
                " unset it, or start with torchrun"
            )
        return torch.device(f"cuda:{rank}" if available else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()):
        raise ProbeError(f"device is {name!r}; it is auto, cpu, cuda or cuda:N")
    if kind == "cuda" and not available:
        raise ProbeError(
            f"device is {name!r}, but no CUDA device is available here;"
            " use --device cpu or leave it out"
        )
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        n = torch.cuda.device_count()
        raise ProbeError(f"device is {name!r}, but this machine ends at cuda:{n - 1}; use that")
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
