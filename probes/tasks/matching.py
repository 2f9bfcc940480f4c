"""Matching: pictures and texts -> which belong together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.data.images import read_image, shrink_pixels
from probes.embeddings.texts import ensemble_prompts, fill_template
from probes.errors import ProbeError
from probes.models.base import Model, Pixels, Vectors
from synthtext.rng import draw_units

Floats = NDArray[np.float64]

MAX_SHOWN = 64
"""Pictures in a gallery, so those whose thumbnails are kept; more would not be looked at."""

BLOCK_PX = 32_000_000
"""Pixels that are in memory at a time, give or take a picture."""

BLOCK = 64
"""Most pictures that are embedded at a time."""


@dataclass(frozen=True)
class Entry:
    """A picture and its best texts.

    Attributes:
        pixels: uint8 (H, W, 3).
        title: below the picture.
        texts: the best first.
        shares: probability of each.
        truth: the right text, empty where it is not known.
    """

    pixels: Pixels
    title: str
    texts: tuple[str, ...]
    shares: tuple[float, ...]
    truth: str = ""


@dataclass(frozen=True)
class Recall:
    """How often the partner is found, one way.

    Attributes:
        at_1: share of those whose partner comes first.
        at_5: share of those whose partner is among the first five.
        chance_1: what guessing would find first.
        chance_5: what it would find among five.
    """

    at_1: float
    at_5: float
    chance_1: float
    chance_5: float


def compare_all(
    model: Model, images: Sequence[Pixels], texts: Sequence[str], templates: Sequence[str]
) -> Vectors:
    """Return the cosine of each picture with each text, float32 (N, T).

    Args:
        model: embeds both.
        images: uint8 (H, W, 3) each, of any size.
        texts: T of them.
        templates: prompts that the texts are put into; their vectors are averaged.
    """
    vectors = model.encoder.embed_images(list(images))
    return vectors @ embed_names(model, texts, templates).T


def compare_files(
    model: Model, files: Sequence[Path], texts: Sequence[str], templates: Sequence[str]
) -> tuple[list[Pixels], Vectors]:
    """Return thumbnails of the first `MAX_SHOWN` pictures, and the cosines of all, (N, T).

    A few pictures are in memory at a time, however many there are.

    Args:
        model: embeds both.
        files: pictures.
        texts: T of them.
        templates: prompts that the texts are put into; their vectors are averaged.
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
    """Give the pictures of files, as many at a time as memory should hold."""
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
    """Return each picture with the texts that fit it best.

    Args:
        model: embeds both.
        files: pictures.
        texts: T of them; probabilities are among all.
        templates: prompts that the texts are put into; their vectors are averaged.
        n_best: texts to a picture.
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


def name_file(file: str | Path) -> str:
    """Return a path as text that JSON can hold; bytes that are not UTF-8 become escapes."""
    return os.fsencode(file).decode("utf-8", "backslashreplace")


def describe_entry(entry: Entry) -> dict[str, Any]:
    """Return what a model makes of a picture, for JSON."""
    found = zip(entry.texts, entry.shares, strict=True)
    texts = [{"text": text, "probability": share} for text, share in found]
    return {"picture": entry.title, "texts": texts}


def embed_names(model: Model, texts: Sequence[str], templates: Sequence[str]) -> Vectors:
    """Return the vectors of texts in their prompts, averaged, (T, D), unit length.

    Raises:
        ProbeError: no texts, or a template without a place for one.
    """
    if not texts:
        raise ProbeError("there are no texts; give at least one")
    return ensemble_prompts(
        [model.encoder.embed_texts(fill_template(template, texts)) for template in templates]
    )


def share_out(cosines: Vectors, scale: float) -> Floats:
    """Return the probability of each text for each picture, (N, T): a softmax over the texts.

    Args:
        cosines: (N, T).
        scale: of the model's logits.
    """
    logits = scale * cosines.astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def measure_recall(cosines: Vectors, seed: int = 0) -> Recall:
    """Return how often row i finds column i; ties are broken by chance.

    Raises:
        ProbeError: rows and columns are not as many.
    """
    n, n_columns = cosines.shape
    if n != n_columns:
        raise ProbeError(f"{n} cannot be paired with {n_columns}; give one for each, in order")
    own = np.diag(cosines)[:, None]
    n_equal = (cosines == own).sum(axis=1) - 1
    before = (draw_units(seed, "recall", 0, n)[:, 0] * (n_equal + 1)).astype(np.int64)
    ranks = 1 + (cosines > own).sum(axis=1) + before
    return Recall(float((ranks <= 1).mean()), float((ranks <= 5).mean()), 1 / n, min(5, n) / n)
