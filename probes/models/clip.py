"""Encoders: images and texts -> vectors, on a module with CLIP's two towers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from probes.arrays import Pixels, Vectors
from probes.errors import ProbeError
from probes.models.preprocessing import Preprocessing


@dataclass(frozen=True)
class ClipEncoder:
    """An encoder around a CLIP module; uint8 images are normalised on the device, in batches.

    Attributes:
        encode_image: float32 (B, 3, S, S) -> (B, D), on the device.
        encode_text: token ids (B, context) -> (B, D), on the device.
        n_dims: D.
        tokenizer: texts -> token ids (B, context).
        fit: scales an image to the input size, exactly as the model's own transform does.
        preprocessing: has the input size and the normalisation.
        device: device of the towers.
        precision: "fp32", or "bf16" for autocast.
        batch_size: images or texts per batch.
        pads: whether a short batch is padded, so that a compiled tower sees one shape.
    """

    encode_image: Callable[[Tensor], Tensor] = field(repr=False)
    encode_text: Callable[[Tensor], Tensor] = field(repr=False)
    n_dims: int
    tokenizer: Callable[[list[str]], Tensor]
    fit: Callable[[Image.Image], Image.Image]
    preprocessing: Preprocessing
    device: torch.device
    precision: str = "fp32"
    batch_size: int = 256
    pads: bool = False

    def embed_images(self, images: Sequence[Pixels]) -> Vectors:
        """Return vectors of unit length, (N, D), of uint8 images (H, W, 3) of any size.

        Images that already have the input size are used as they are.

        Raises:
            ProbeError: an image is not uint8 or not (H, W, 3).
        """
        mean, std = (
            torch.tensor(part, device=self.device).view(1, 3, 1, 1)
            for part in (self.preprocessing.mean, self.preprocessing.std)
        )
        batches = (images[at : at + self.batch_size] for at in self._starts(images))
        stage = self._stage_pinned if self.device.type == "cuda" else self._stage
        parts = []
        with self._inferring():
            for pixels in stage(batches):
                full = self._pad(pixels) if self.pads else pixels
                # The permuted view is already channels-last, which is fast for convolutions.
                inputs = full.permute(0, 3, 1, 2).float().div(255).sub(mean).div(std)
                parts.append(_normalise(self.encode_image(inputs)[: len(pixels)]))
        return self._collect(parts)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Return vectors of unit length, (N, D); texts are truncated to the context."""
        parts = []
        with self._inferring():
            for at in self._starts(texts):
                tokens = self.tokenizer(list(texts[at : at + self.batch_size]))
                parts.append(_normalise(self.encode_text(tokens.to(self.device))))
        return self._collect(parts)

    def _starts(self, things: Sequence[object]) -> range:
        return range(0, len(things), self.batch_size)

    @contextmanager
    def _inferring(self) -> Iterator[None]:
        lowers = self.precision == "bf16"
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=lowers),
        ):
            yield

    def _stage(self, batches: Iterator[Sequence[Pixels]]) -> Iterator[Tensor]:
        """Yield the batches as uint8 (B, S, S, 3) on the CPU."""
        side = self.preprocessing.size_px
        for images in batches:
            buffer = torch.empty((len(images), side, side, 3), dtype=torch.uint8)
            self._fill(buffer, images)
            yield buffer

    def _stage_pinned(self, batches: Iterator[Sequence[Pixels]]) -> Iterator[Tensor]:
        """Yield the batches as uint8 (B, S, S, 3) on the GPU.

        A batch is copied on a separate stream while the towers work on the previous one, and
        the next one is written to the other buffer meanwhile.
        """
        side = self.preprocessing.size_px
        shape = (self.batch_size, side, side, 3)
        buffers = [torch.empty(shape, dtype=torch.uint8, pin_memory=True) for _ in range(2)]
        copied = [torch.cuda.Event() for _ in buffers]  # type: ignore[no-untyped-call]
        copying = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        computing = torch.cuda.current_stream(self.device)
        for turn, images in enumerate(batches):
            buffer, event = buffers[turn % 2][: len(images)], copied[turn % 2]
            event.synchronize()  # Until then the buffer is still being copied.
            self._fill(buffer, images)
            with torch.cuda.stream(copying):
                pixels = buffer.to(self.device, non_blocking=True)
                event.record(copying)
            computing.wait_event(event)
            # The memory belongs to the copying stream; this keeps it until the towers are done.
            pixels.record_stream(computing)
            yield pixels

    def _fill(self, buffer: Tensor, images: Sequence[Pixels]) -> None:
        """Write images into a buffer (B, S, S, 3), scaled to its size."""
        rows = buffer.numpy()
        for row, pixels in zip(rows, images, strict=True):
            row[:] = fit_pixels(pixels, self.fit, len(row))

    def _pad(self, pixels: Tensor) -> Tensor:
        n_short = self.batch_size - len(pixels)
        return torch.cat([pixels, pixels[:1].expand(n_short, -1, -1, -1)])

    def _collect(self, parts: list[Tensor]) -> Vectors:
        if not parts:
            return np.zeros((0, self.n_dims), np.float32)
        vectors: Vectors = torch.cat(parts).cpu().numpy()
        return vectors


def fit_pixels(
    pixels: Pixels, fit: Callable[[Image.Image], Image.Image], side_px: int
) -> Pixels:
    """Return an image as the square input of a model; such a square is returned unchanged.

    Args:
        pixels: uint8 (H, W, 3).
        fit: the model's own transform.
        side_px: side of the square.

    Raises:
        ProbeError: the image is not uint8 or not (H, W, 3).
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ProbeError(
            f"an image is {pixels.dtype} of shape {pixels.shape}; an encoder takes uint8 of"
            f" shape (height, width, 3)"
        )
    if pixels.shape[:2] == (side_px, side_px):
        return pixels
    return np.asarray(fit(Image.fromarray(pixels)))


def _normalise(vectors: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vectors.float(), dim=-1)
