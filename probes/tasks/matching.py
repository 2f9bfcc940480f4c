"""Matching: images and texts -> which belong together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.arrays import Pixels, Vectors
from probes.data.images import name_file, read_image, shrink_pixels
from probes.embeddings.texts import embed_names
from probes.models.base import Model

Floats = NDArray[np.float64]

MAX_SHOWN = 64
"""Maximum number of images in a gallery, whose thumbnails are kept."""

BLOCK_PX = 32_000_000
"""Approximate number of pixels in memory at a time."""

BLOCK = 64
"""Maximum number of images embedded at a time."""


@dataclass(frozen=True)
class Entry:
    """An image and its best texts.

    Attributes:
        pixels: uint8 (H, W, 3).
        title: text below the image.
        texts: the best first.
        shares: probability of each.
        truth: the correct text, empty if unknown.
    """

    pixels: Pixels
    title: str
    texts: tuple[str, ...]
    shares: tuple[float, ...]
    truth: str = ""


def compare_all(
    model: Model, images: Sequence[Pixels], texts: Sequence[str], templates: Sequence[str]
) -> Vectors:
    """Return the cosine of each image with each text, float32 (N, T).

    Args:
        model: embeds both.
        images: uint8 (H, W, 3) each, of any size.
        texts: T texts.
        templates: prompts for the texts; their vectors are averaged.
    """
    vectors = model.encoder.embed_images(list(images))
    return vectors @ embed_names(model, texts, templates).T


def compare_files(
    model: Model, files: Sequence[Path], texts: Sequence[str], templates: Sequence[str]
) -> tuple[list[Pixels], Vectors]:
    """Return thumbnails of the first `MAX_SHOWN` images, and the cosines of all, (N, T).

    Only a few images are in memory at a time.

    Args:
        model: embeds both.
        files: images.
        texts: T texts.
        templates: prompts for the texts; their vectors are averaged.
    """
    names = embed_names(model, texts, templates)
    thumbnails: list[Pixels] = []
    cosines = []
    for images in _read_blocks(files):
        cosines.append(model.encoder.embed_images(images) @ names.T)
        n_wanted = max(0, MAX_SHOWN - len(thumbnails))
        thumbnails += [shrink_pixels(pixels) for pixels in images[:n_wanted]]
    return thumbnails, np.concatenate(cosines)


def _read_blocks(files: Sequence[Path]) -> Iterator[list[Pixels]]:
    """Yield the images of files, in batches that fit into memory."""
    block: list[Pixels] = []
    n_px = 0
    for file in files:
        block.append(read_image(file))
        n_px += block[-1].shape[0] * block[-1].shape[1]
        if n_px >= BLOCK_PX or len(block) == BLOCK:
            yield block
            block, n_px = [], 0
    if block:
        yield block


def match_images(
    model: Model,
    files: Sequence[Path],
    texts: Sequence[str],
    templates: Sequence[str],
    *,
    n_best: int,
) -> list[Entry]:
    """Return each image with its best matching texts.

    Args:
        model: embeds both.
        files: images.
        texts: T texts; probabilities are over all of them.
        templates: prompts for the texts; their vectors are averaged.
        n_best: number of texts per image.
    """
    entries = []
    names = embed_names(model, texts, templates)
    for file in files:
        pixels = read_image(file)
        shares = share_out(model.encoder.embed_images([pixels]) @ names.T, model.logit_scale)[0]
        best = np.argsort(-shares, kind="stable")[:n_best].tolist()
        found = tuple(texts[place] for place in best)
        entry = Entry(
            shrink_pixels(pixels), name_file(file), found, tuple(shares[best].tolist())
        )
        entries.append(entry)
    return entries


def describe_entry(entry: Entry) -> dict[str, Any]:
    """Return the entry of an image, for JSON."""
    found = zip(entry.texts, entry.shares, strict=True)
    texts = [{"text": text, "probability": share} for text, share in found]
    return {"picture": entry.title, "texts": texts}


def share_out(cosines: Vectors, scale: float) -> Floats:
    """Return the probability of each text for each image, (N, T): a softmax over the texts.

    Args:
        cosines: (N, T).
        scale: scale of the model's logits.
    """
    logits = scale * cosines.astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
