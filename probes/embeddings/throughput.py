"""How fast a model embeds images, compared with the peak of its device."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from probes.data.stimuli import draw_stimuli
from probes.data.trials import Trial
from probes.embeddings.images import write_vectors
from probes.models.base import Model
from probes.models.registry import tower_gflop
from synthtext.spec import Spec

MATMUL_SIDES = {"cuda": 8192, "cpu": 1536}

N_ROUNDS = 5


@dataclass(frozen=True)
class Speed:
    """Throughput of a model on a device, measured in one run.

    Attributes:
        n_images: images embedded in each round.
        in_memory: images/s of the encoder alone, with images drawn beforehand.
        end_to_end: images/s including drawing and writing.
        share_waiting: fraction of the end-to-end time that the encoder waits for images.
        tflops: TFLOP/s of the encoder alone; None where the cost of an image is not known.
        ceiling_tflops: TFLOP/s of a large matrix product in the same precision.
    """

    n_images: int
    in_memory: float
    end_to_end: float
    share_waiting: float
    tflops: float | None
    ceiling_tflops: float


def measure_speed(model: Model, n_images: int) -> Speed:
    """Return how fast a model embeds images of its input size.

    Args:
        model: from `load_model`.
        n_images: images per round, enough for a few seconds.
    """
    side = model.input_px or 224
    trials = [
        Trial(f"{i:06d}", Spec(seed=0, index=i, split="", kind="word", text="quartz",
                               font="DejaVuSans.ttf", size_px=side / 8, width_px=side,
                               height_px=side, background="noise", paper_seed=i))
        for i in range(n_images)
    ]  # fmt: skip
    chunks = draw_stimuli(trials)
    pictures = [stimulus.pixels for chunk in chunks for stimulus in chunk()]
    model.encoder.embed_images(pictures)  # Warms up caches and compiled code.
    rates, ceilings = [], []
    for _ in range(N_ROUNDS):
        ceilings.append(measure_ceiling(model))
        begin = time.perf_counter()
        model.encoder.embed_images(pictures)
        rates.append(n_images / (time.perf_counter() - begin))
    with tempfile.TemporaryDirectory() as name:
        stats = write_vectors(model, chunks, Path(name), stimuli="speed")
    rate = statistics.median(rates)
    gflop = tower_gflop(model.name)
    return Speed(
        n_images=n_images,
        in_memory=rate,
        end_to_end=stats.n_images / stats.seconds,
        share_waiting=stats.seconds_waiting / stats.seconds,
        tflops=rate * gflop / 1000 if gflop else None,
        ceiling_tflops=statistics.median(ceilings),
    )


def measure_ceiling(model: Model) -> float:
    """Return the TFLOP/s of a large matrix product, on the model's device in its precision."""
    device = torch.device(model.device or "cpu")
    dtype = torch.bfloat16 if model.precision == "bf16" else torch.float32
    side = MATMUL_SIDES.get(device.type, 1024)
    one, other = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    seconds = []
    for _ in range(5):
        _wait(device)
        begin = time.perf_counter()
        one @ other
        _wait(device)
        seconds.append(time.perf_counter() - begin)
    return 2 * side**3 / min(seconds) / 1e12


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
