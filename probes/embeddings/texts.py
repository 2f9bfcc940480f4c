"""Texts: words and templates -> vectors (N, D), kept on disk for the next run."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import platformdirs

from probes.arrays import Vectors
from probes.embeddings.images import FORMAT, check_vectors
from probes.embeddings.vector_files import DamagedFileError, read_vector_file, write_vector_file
from probes.errors import ProbeError
from probes.models.base import Model, identify_model
from probes.models.prompts import SLOT, check_template

logger = logging.getLogger(__name__)

SUFFIX = ".vectors"

BLOCK = 1024
"""Number of texts embedded or averaged at a time, so that 100,000 words fit into memory."""


def find_cache_folder() -> Path:
    """Return the folder for vectors of texts in the user's cache."""
    return platformdirs.user_cache_path("synthtext") / "texts"


def fill_template(template: str, words: Sequence[str]) -> list[str]:
    """Return the template filled with each word.

    >>> fill_template("the word {}.", ["ox"])
    ['the word ox.']

    Raises:
        ProbeError: the template has no placeholder for a word.
    """
    check_template(template)
    # Not str.format, since a word may contain braces.
    return [template.replace(SLOT, word) for word in words]


def embed_prompts(
    model: Model, words: Sequence[str], templates: Sequence[str], cache_folder: Path
) -> list[Vectors]:
    """Return one array of vectors (N, D) for each template, read from disk as it is used.

    Args:
        model: embeds the texts.
        words: N words to fill the templates with.
        templates: such as "the word {}.".
        cache_folder: keeps a file per model, template and list of words; created if needed. A
            file that is damaged, or that another user could have written, is rewritten; a
            folder that cannot be written is not used. Either is logged as a warning.

    Raises:
        ProbeError: no words, no templates, a template without a placeholder, or an encoder that
            returns no vectors of unit length.
    """
    if not words or not templates:
        raise ProbeError(
            f"there are {len(words)} words and {len(templates)} templates to embed;"
            " give at least one of each"
        )
    identity = identify_model(model)
    damaged: list[str] = []
    by_template = []
    for template in templates:
        texts = fill_template(template, words)
        origin = hashlib.sha256(json.dumps([FORMAT, identity, texts]).encode()).digest()
        path = cache_folder / f"{origin.hex()[:32]}{SUFFIX}"
        vectors = _read_texts(path, origin, len(texts), damaged)
        if vectors is None:
            vectors = _keep_texts(path, origin, _embed_texts(model, texts))
        by_template.append(vectors)
    if damaged:
        _warn(
            f"{len(damaged)} of {len(templates)} text embedding files in {cache_folder} are"
            f" not valid, such as {damaged[0]}; they were computed again"
        )
    return by_template


def ensemble_prompts(by_template: Sequence[Vectors]) -> Vectors:
    """Return the means of vectors over templates, (N, D), normalised to unit length.

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


def _read_texts(path: Path, origin: bytes, n: int, damaged: list[str]) -> Vectors | None:
    """Return the vectors in a file; None if it is missing, or damaged, which is noted."""
    try:
        found = read_vector_file(path, origin, is_private=True)
    except DamagedFileError as error:
        damaged.append(f"{path.name} ({error})")
        return None
    return found.vectors if found is not None and len(found.vectors) == n else None


def _embed_texts(model: Model, texts: Sequence[str]) -> Vectors:
    blocks = []
    for at in range(0, len(texts), BLOCK):
        block = list(texts[at : at + BLOCK])
        vectors = model.encoder.embed_texts(block)
        blocks.append(check_vectors(vectors, len(block), "embed_texts"))
    return np.concatenate(blocks)


def _keep_texts(path: Path, origin: bytes, vectors: Vectors) -> Vectors:
    """Write vectors to the cache and return them from there; if that fails, as they are."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_vector_file(path, vectors, origin, is_private=True)
        found = read_vector_file(path, origin, is_private=True)
    except (OSError, DamagedFileError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        _warn(
            f"text embeddings cannot be cached in {path.parent} ({reason}); the run continues"
            f" without a cache, and the next one computes them again"
        )
        return vectors
    return vectors if found is None else found.vectors


@functools.cache
def _warn(message: str) -> None:
    """Log a warning once, however many tasks and templates cause it."""
    logger.warning("%s", message)


def embed_names(model: Model, texts: Sequence[str], templates: Sequence[str]) -> Vectors:
    """Return the vectors of texts in their prompts, averaged, (T, D), unit length.

    Raises:
        ProbeError: no texts, or a template without a placeholder.
    """
    if not texts:
        raise ProbeError("there are no texts; give at least one")
    return ensemble_prompts(
        [model.encoder.embed_texts(fill_template(template, texts)) for template in templates]
    )
