"""Interpolation: weights before and after -> the best mixture that retains enough.

Source: Wortsman et al., "Robust fine-tuning of zero-shot models", 2022 (WiSE-FT).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

ALPHAS = tuple(step / 10 for step in range(11))
"""The interpolation ratios that are tried: 0 is the original model, 1 the trained one."""

ROUNDING = 1e-9
"""Accuracies that differ by less count as equal."""


@dataclass(frozen=True)
class Mixture:
    """Accuracy and retention at one interpolation ratio.

    Attributes:
        alpha: 0 is the model before, 1 the model after.
        reading: fraction of words of the split `val` that it reads correctly.
        kept: accuracy on the retention images.
        drift: mean of 1 - cosine between the vectors of bundled images and those before.
    """

    alpha: float
    reading: float
    kept: float
    drift: float


def mix_states(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor], alpha: float
) -> dict[str, Tensor]:
    """Return interpolated weights, `alpha` of the way to `after`; integers are from `after`."""
    return {
        name: before[name].lerp(after[name], alpha)
        if after[name].is_floating_point()
        else after[name]
        for name in after
    }


def choose_mixture(mixtures: Sequence[Mixture], limit: float | None) -> Mixture:
    """Return the mixture that reads best among those that retain enough.

    Args:
        mixtures: the candidates; the first is the model before.
        limit: how far `kept` may fall below that of the first; None ignores it. Of equally good
            mixtures, the one nearest to the original model is chosen.
    """
    least = -1.0 if limit is None else mixtures[0].kept - limit
    allowed = [mixture for mixture in mixtures if mixture.kept >= least - ROUNDING]
    return max(allowed, key=lambda mixture: (mixture.reading, -mixture.alpha))
