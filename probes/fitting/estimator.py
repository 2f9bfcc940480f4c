"""An amortised estimator: a small network that predicts how likely each part of a factor is.

It is trained on crops whose factors are known, so the same network serves every folder. Its
probabilities hold under the proposal that it was trained on; `population` corrects them.

Source: Cranmer, Brehmer and Louppe, "The frontier of simulation-based inference", PNAS 117
(2020), on amortised neural posteriors; Guo et al., "On calibration of modern neural networks",
ICML 2017, on the temperature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from probes.arrays import Floats, Ints
from probes.fitting.crops import VIEW_PX, Crops

if TYPE_CHECKING:
    import torch

BATCH = 64

RATE = 3e-3

HELD_OUT_FRAC = 0.1
"""Fraction of the drawn crops that is held out for choosing the temperatures."""

WIDTH = 64
"""Channels of the last convolution in each stack."""

N_PLACES = VIEW_PX[0] // 8 * (VIEW_PX[1] // 8)
"""Spatial positions in the output of the last convolution over the view."""

N_FEATURES = 192


@dataclass(frozen=True)
class Estimator:
    """A network and what its outputs mean.

    Attributes:
        module: maps views, patches and scalars to the concatenated logits of all factors.
        sizes: number of parts of each factor, in order.
        temperatures: temperature by which the logits of each factor are divided.
        device: device of the module.
    """

    module: Any
    sizes: Mapping[str, int]
    temperatures: Mapping[str, float]
    device: Any


@dataclass(frozen=True)
class Schedule:
    """How to train.

    Attributes:
        n_epochs: epochs.
        seed: seed of the weights and of the order of the crops.
        device: where to train; on the CPU, equal seeds give equal weights.
        advance: called with the number of steps done, of all steps, and the loss.
    """

    n_epochs: int
    seed: int
    device: torch.device
    advance: Callable[..., None]


def train_estimator(
    crops: Crops,
    codes: Mapping[str, Ints],
    sizes: Mapping[str, int],
    schedule: Schedule,
    start: Estimator | None = None,
) -> Estimator:
    """Return an estimator that was trained on crops with known parts.

    Args:
        crops: N crops.
        codes: index of the part of each factor, int64 (N,) each.
        sizes: number of parts of each factor.
        schedule: how to train.
        start: an estimator to start from, for the same factors or others.
    """
    import torch

    torch.manual_seed(schedule.seed)
    module = make_module(crops.scalars.shape[1], sum(sizes.values()))
    module.to(schedule.device, memory_format=torch.channels_last)
    if start is not None:
        kept = start.module.state_dict()
        fits = {k: v for k, v in kept.items() if v.shape == module.state_dict()[k].shape}
        module.load_state_dict(fits, strict=False)
    order = np.random.default_rng(schedule.seed).permutation(len(crops))
    n_held = max(1, round(HELD_OUT_FRAC * len(crops)))
    held, rows = order[:n_held], order[n_held:]
    _run_epochs(module, crops, codes, _list_spans(sizes), rows, schedule)
    plain = Estimator(module.eval(), dict(sizes), dict.fromkeys(sizes, 1.0), schedule.device)
    logits = predict_logits(plain, crops.take(held))
    temperatures = {
        name: _choose_temperature(logits[name], codes[name][held]) for name in sizes
    }
    return replace(plain, temperatures=temperatures)


def _run_epochs(
    module: Any,  # noqa: ANN401
    crops: Crops,
    codes: Mapping[str, Ints],
    spans: Mapping[str, slice],
    rows: Ints,
    schedule: Schedule,
) -> None:
    import torch
    from torch import nn

    device, rng = schedule.device, np.random.default_rng(schedule.seed + 1)
    # A last batch of a single crop is left out: batch normalisation needs two or more.
    begins = range(0, max(1, len(rows) - 1), BATCH)
    n_steps = schedule.n_epochs * len(begins)
    optimizer = torch.optim.AdamW(module.parameters(), RATE, weight_decay=0.02)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, max(2, n_steps))
    module.train()
    step = 0
    for _ in range(schedule.n_epochs):
        mixed = rng.permutation(rows)
        for at in begins:
            chosen = mixed[at : at + BATCH]
            logits = module(*to_tensors(crops.take(chosen), device))
            losses = [
                nn.functional.cross_entropy(
                    logits[:, span], torch.from_numpy(codes[name][chosen]).to(device)
                )
                for name, span in spans.items()
            ]
            loss = torch.stack(losses).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            rates.step()
            step += 1
            if step % 10 == 0 or step == n_steps:
                schedule.advance("training steps", step, n_steps, f"loss {loss.item():.3f}")


def make_module(n_scalars: int, n_outputs: int) -> Any:  # noqa: ANN401
    """Return the network: two stacks of convolutions, joined with the scalars."""
    from torch import nn

    def stack(*strides: int) -> nn.Sequential:
        widths = (3, 16, 32, 48, WIDTH)
        layers: list[nn.Module] = []
        for before, after, stride in zip(widths[:-1], widths[1:], strides, strict=True):
            layers += [
                nn.Conv2d(before, after, 3, stride, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        return nn.Sequential(*layers)

    return _make_network(stack(2, 2, 1, 2), stack(1, 2, 2, 2), n_scalars, n_outputs)


def _make_network(view: Any, patch: Any, n_scalars: int, n_outputs: int) -> Any:  # noqa: ANN401
    import torch
    from torch import Tensor, nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.view, self.patch = view, patch
            self.scale = nn.BatchNorm1d(n_scalars)
            n_seen = (N_PLACES + 2) * WIDTH + n_scalars
            self.features = nn.Sequential(
                nn.Linear(n_seen, N_FEATURES), nn.ReLU(), nn.Dropout(0.1)
            )
            self.heads = nn.Linear(N_FEATURES, n_outputs)

        def forward(self, views: Tensor, patches: Tensor, scalars: Tensor) -> Tensor:
            whole, piece = self.view(views), self.patch(patches)
            # Positions in the view are kept, because rotation shows in them.
            places = whole.permute(0, 2, 3, 1).flatten(1)
            seen = (places, piece.mean((2, 3)), piece.amax((2, 3)), self.scale(scalars))
            return self.heads(self.features(torch.cat(seen, 1)))

    return Network()


def to_tensors(crops: Crops, device: torch.device) -> tuple[Any, Any, Any]:
    """Return crops as input of the network: float32, channels first, pixel values around 0."""
    import torch

    def scale(pixels: NDArray[np.uint8]) -> Any:  # noqa: ANN401
        # This keeps the channels-last memory layout, the fastest for convolutions on the CPU.
        moved = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2)
        return moved.float().div_(64).sub_(2)

    return (
        scale(crops.views), scale(crops.patches), torch.from_numpy(crops.scalars).to(device)
    )  # fmt: skip


def predict_logits(estimator: Estimator, crops: Crops) -> dict[str, NDArray[np.float32]]:
    """Return the logits of each factor before temperature scaling: float32 (N, k) each."""
    import torch

    parts = []
    with torch.inference_mode():
        for at in range(0, len(crops), 512):
            batch = to_tensors(crops.take(slice(at, at + 512)), estimator.device)
            parts.append(estimator.module(*batch).float().cpu().numpy())
    logits = np.concatenate(parts)
    return {name: logits[:, span] for name, span in _list_spans(estimator.sizes).items()}


def predict(estimator: Estimator, crops: Crops) -> dict[str, Floats]:
    """Return the probabilities of each factor's parts: float64 (N, k); rows add up to 1."""
    logits = predict_logits(estimator, crops)
    return {
        name: softmax(logits[name] / estimator.temperatures[name], axis=1) for name in logits
    }


def pack(estimator: Estimator) -> dict[str, NDArray[Any]]:
    """Return an estimator as arrays that can be saved."""
    arrays = {
        f"weight {name}": tensor.cpu().numpy()
        for name, tensor in estimator.module.state_dict().items()
    }
    for name, size in estimator.sizes.items():
        arrays[f"head {name}"] = np.array([size, estimator.temperatures[name]], np.float64)
    return arrays


def unpack(arrays: Mapping[str, NDArray[Any]], device: torch.device) -> Estimator:
    """Return the estimator that `pack` turned into arrays."""
    import torch

    heads = {k.removeprefix("head "): v for k, v in arrays.items() if k.startswith("head ")}
    sizes = {name: int(values[0]) for name, values in heads.items()}
    weights = {
        k.removeprefix("weight "): torch.from_numpy(np.array(v))
        for k, v in arrays.items()
        if k.startswith("weight ")
    }
    module = make_module(len(weights["scale.weight"]), sum(sizes.values()))
    module.load_state_dict(weights)
    temperatures = {name: float(values[1]) for name, values in heads.items()}
    return Estimator(module.to(device).eval(), sizes, temperatures, device)


def _list_spans(sizes: Mapping[str, int]) -> dict[str, slice]:
    spans, at = {}, 0
    for name, size in sizes.items():
        spans[name] = slice(at, at + size)
        at += size
    return spans


def _choose_temperature(logits: NDArray[np.float32], codes: Ints) -> float:
    def lose(temperature: float) -> float:
        shares = softmax(logits / temperature, axis=1)[np.arange(len(codes)), codes]
        return float(-np.log(shares + 1e-12).mean())

    return min(np.geomspace(0.6, 3, 33).tolist(), key=lose)
