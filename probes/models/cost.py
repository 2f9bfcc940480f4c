"""The cost of a model: its number of parameters, and the operations of its vision tower."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from probes.models.complexity import Config, count_gflop

logger = logging.getLogger(__name__)


def count_module(module: Any) -> int:  # noqa: ANN401 - open_clip's.
    """Return the number of parameters of both towers, including the logit scale."""
    return sum(parameter.numel() for parameter in module.parameters())


def measure_gflop(module: Any, config: Config, input_px: int) -> float | None:  # noqa: ANN401
    """Return the GFLOP of one image through the vision tower.

    For a plain vision transformer they are computed from its config. Any other is run on fake
    tensors, and its products and convolutions are counted, with a multiplication and an
    addition as two operations.

    Args:
        module: open_clip's module with both towers.
        config: the config that it was built from.
        input_px: side of the square input.

    Returns:
        None if a tower cannot be run on fake tensors.
    """
    known = count_gflop(config)
    if known is not None:
        return known
    first = next(module.parameters())
    try:
        with (
            torch.enable_grad(),  # Needed to count through learnt queries.
            FakeTensorMode(allow_non_fake_inputs=True),
            FlopCounterMode(display=False) as counter,
        ):
            shape = (1, 3, input_px, input_px)
            module.encode_image(torch.empty(shape, dtype=first.dtype, device=first.device))
    except Exception as error:  # noqa: BLE001 - a tower may raise anything.
        logger.debug("the operations of the tower are not known: %r", error)
        return None
    return float(counter.get_total_flops() / 1e9)
