"""An encoder whose vector is an angle, and images for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from probes.arrays import Pixels, Vectors
from probes.data.trials import Chunk, Stimulus
from probes.embeddings.images import (
    Embedded,
    Stats,
    embed_renderings,
)
from probes.errors import ProbeError
from probes.models.base import Model

N_KEYS, CHUNK = 10, 3
"""Images of a run, and images per chunk; the last chunk is short."""


class Killed(BaseException):
    """Simulates the end of a process."""


@dataclass
class Angle:
    """An encoder whose vector is an angle: the level of the first pixel in hundredths."""

    n_seen: int = 0
    dies_after: int = 1000

    def embed_images(self, images: Sequence[Pixels]) -> Vectors:
        if self.n_seen + len(images) > self.dies_after:
            raise Killed
        self.n_seen += len(images)
        angles = np.array([pixels[0, 0, 0] for pixels in images]) / 100
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        raise NotImplementedError


def name_key(number: int) -> str:
    return f"{number:09d}"


def draw(numbers: Sequence[int]) -> list[Stimulus]:
    return [
        Stimulus(
            name_key(number),
            np.full((4, 6, 3), number, np.uint8),
            {"number": number, "x_height_px": np.float32(number / 2)},
        )
        for number in numbers
    ]


def make_chunks(n: int = N_KEYS) -> list[Chunk]:
    starts = range(0, n, CHUNK)
    return [lambda at=at: draw(range(at, min(at + CHUNK, n))) for at in starts]  # type: ignore[misc]


def make_model(encoder: Angle | None = None, sha: str = "a") -> Model:
    return Model(encoder or Angle(), "angle", weights_sha256=sha)


def embed(folder: Path, model: Model, stimuli: str = "s") -> tuple[Embedded, Stats]:
    embedded, stats = embed_renderings(model, make_chunks(), folder, stimuli=stimuli)
    assert embedded is not None
    return embedded, stats


def refuse(call: Callable[[], object]) -> str:
    with pytest.raises(ProbeError) as caught:
        call()
    return str(caught.value)
