"""Texts: words and templates -> vectors (N, D), kept on disk for the next run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import platformdirs

from probes.embeddings import FORMAT, check_vectors
from probes.errors import ProbeError
from probes.prompts import SLOT
from probes.readers import Model, Vectors, identify_model

BLOCK = 1024
"""Texts that are embedded or averaged at a time, so that 100,000 words fit."""


def find_cache_folder() -> Path:
    """Return the folder for vectors of texts among the user's caches."""
    return platformdirs.user_cache_path("synthtext") / "texts"


def fill_template(template: str, words: Sequence[str]) -> list[str]:
    """Return the template with each word in its place.

    >>> fill_template("the word {}.", ["ox"])
    ['the word ox.']

    Raises:
        ProbeError: the template has no place for a word.
    """
    if SLOT not in template:
        raise ProbeError(
            f"the template {template!r} has no place for a word; write {SLOT} there"
        )
    # Not str.format: a word may hold braces of its own.
    return [template.replace(SLOT, word) for word in words]


def embed_prompts(
    model: Model, words: Sequence[str], templates: Sequence[str], cache_folder: Path
) -> list[Vectors]:
    """Return one array of vectors (N, D) for each template, read from disk as it is used.

    Args:
        model: embeds the texts.
        words: what the templates are filled with, N of them.
        templates: such as "the word {}.".
        cache_folder: keeps a file per model, template and list of words; made if need be.

    Raises:
        ProbeError: no words, no templates, a template without a place for the word, or an
            encoder that returns no vectors of unit length.
    """
    if not words or not templates:
        raise ProbeError(
            f"there are {len(words)} words and {len(templates)} templates to embed;"
            " give at least one of each"
        )
    cache_folder.mkdir(parents=True, exist_ok=True)
    identity = identify_model(model)
    by_template = []
    for template in templates:
        texts = fill_template(template, words)
        parts = json.dumps([FORMAT, identity, texts]).encode()
        path = cache_folder / f"{hashlib.sha256(parts).hexdigest()[:32]}.npy"
        vectors = _read_texts(path, len(texts))
        if vectors is None:
            _write_texts(path, model, texts)
            vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        by_template.append(vectors)
    return by_template


def ensemble_prompts(by_template: Sequence[Vectors]) -> Vectors:
    """Return the means of vectors over templates, (N, D), brought to unit length again.

    Source: Radford et al., "Learning transferable visual models from natural language
    supervision", 2021, section 3.1.4.

    Args:
        by_template: arrays (N, D) of unit vectors, one for each template.
    """
    ensemble = np.empty(by_template[0].shape, np.float32)
    for at in range(0, len(ensemble), BLOCK):
        block = slice(at, at + BLOCK)
        mean = np.mean([vectors[block] for vectors in by_template], axis=0, dtype=np.float64)
        ensemble[block] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return ensemble


def _read_texts(path: Path, n: int) -> Vectors | None:
    """Return the vectors in a file, None where it is missing or broken."""
    try:
        vectors: Vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError):
        return None
    return vectors if vectors.ndim == 2 and len(vectors) == n else None


def _write_texts(path: Path, model: Model, texts: Sequence[str]) -> None:
    """Embed the texts into a file, so that its name never shows half of them."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    rows: Vectors | None = None
    for at in range(0, len(texts), BLOCK):
        block = list(texts[at : at + BLOCK])
        vectors = check_vectors(model.encoder.embed_texts(block), len(block), "embed_texts")
        if rows is None:
            shape = (len(texts), vectors.shape[1])
            rows = np.lib.format.open_memmap(part, "w+", np.float32, shape)
        rows[at : at + len(block)] = vectors
    # Closes the file, which it must be before it is renamed on every system.
    del rows
    part.replace(path)
