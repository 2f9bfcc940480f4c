"""What a model costs: its parameters, counted, and the operations of its vision tower."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from probes.models.complexity import Config, count_gflop

logger = logging.getLogger(__name__)


def count_module(module: Any) -> int:  # noqa: ANN401 - open_clip's.
    """Return the number of parameters of both towers and of the scale of their logits."""
    return sum(parameter.numel() for parameter in module.parameters())


def measure_gflop(module: Any, config: Config, input_px: int) -> float | None:  # noqa: ANN401
    """Return the GFLOP of one image through the vision tower.

    Of a plain vision transformer they follow from its config. Any other is run on tensors that
    have a shape and no content, and its products and convolutions are counted, a
    multiplication and an addition as two operations.

    Args:
        module: open_clip's, both towers.
        config: that it was built from.
        input_px: side of the square that it sees.

    Returns:
        None where a tower cannot be run without content.
    """
    known = count_gflop(config)
    if known is not None:
        return known
    first = next(module.parameters())
    try:
        with (
            torch.enable_grad(),  # The counter follows gradients through learnt queries.
            FakeTensorMode(allow_non_fake_inputs=True),
            FlopCounterMode(display=False) as counter,
        ):
            shape = (1, 3, input_px, input_px)
            module.encode_image(torch.empty(shape, dtype=first.dtype, device=first.device))
    except Exception as error:  # noqa: BLE001 - a tower may do anything; its cost is a detail.
        logger.debug("the operations of the tower are not known: %r", error)
        return None
    return float(counter.get_total_flops() / 1e9)
