"""Models that can be probed, and their properties. Imports neither torch nor open_clip."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from probes.arrays import Pixels, Vectors
from probes.models.preprocessing import (
    Box,
    Preprocessing,
    measure_scale,
    measure_visible,
    preprocessing_from_dict,
)
from probes.models.tokenizers import Tokenize, spell_texts
from probes.readers.base import Reader


class Encoder(Protocol):
    """The interface of an encoder that can be probed.

    Any object with these two methods is one:

    >>> import numpy as np
    >>> class LetterCounter:
    ...     '''Sees how dark a picture is, knows how long a word is.'''
    ...
    ...     def embed_images(self, images):
    ...         shares = np.array([np.mean(pixels < 128) for pixels in images])
    ...         return self._as_angles(100 * shares)
    ...
    ...     def embed_texts(self, texts):
    ...         return self._as_angles(np.array([len(text) for text in texts]))
    ...
    ...     def _as_angles(self, amounts):
    ...         angles = np.pi / 2 * amounts / (amounts + 10)
    ...         return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    >>> LetterCounter().embed_texts(["cat", "horse"]).shape
    (2, 2)

    In a file `readers.py`, it is probed with `--model python:readers:LetterCounter`.
    """

    def embed_images(self, images: Sequence[Pixels]) -> Vectors:
        """Return one vector of unit length for each image; their sizes may differ."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Return one vector of unit length for each text."""
        ...


@dataclass(frozen=True)
class Model:
    """An encoder and its properties.

    Attributes:
        encoder: embeds images and texts.
        name: such as "ViT-L-14".
        tag: such as "openai", "random" or a path; empty if the name is sufficient.
        weights_sha256: hash of the weights actually loaded. It is part of cache keys, so for
            your own encoder it must change whenever its vectors change.
        config: the model config, with the activation and the tokenizer; empty if unknown.
        input_px: side of the square input in px; 0 if unknown.
        patch_px: side of a patch in px of the input; 0 if there are no patches.
        tokenize: texts -> token ids, without padding, special tokens or truncation; texts with
            the same ids are the same to the model.
        max_tokens: maximum number of token ids of a text; 0 if there is no limit.
        preprocessing: the fields of `Preprocessing`; empty if unknown.
        precision: "fp32" or "bf16"; empty if unknown.
        device: such as "cpu" or "cuda:0"; empty if unknown.
        versions: versions of the packages that compute the vectors.
        logit_scale: factor for cosine similarities before the softmax.
        prompts: templates for texts; empty means those of the task.
        reader: an object that returns text instead of vectors; None for an encoder. If there is
            a reader, the encoder is never called.
        n_parameters: number of parameters of both towers; 0 if unknown.
        gflop: GFLOP of one image through the vision tower; None if unknown.
    """

    encoder: Encoder
    name: str
    tag: str = ""
    weights_sha256: str = ""
    config: dict[str, object] = field(default_factory=dict, repr=False)
    input_px: int = 0
    patch_px: int = 0
    tokenize: Tokenize = spell_texts
    max_tokens: int = 0
    preprocessing: dict[str, object] = field(default_factory=dict)
    precision: str = ""
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    logit_scale: float = 100.0
    prompts: tuple[str, ...] = ()
    reader: Reader | None = None
    n_parameters: int = 0
    gflop: float | None = None


def identify_model(model: Model) -> str:
    """Return a SHA-256 of everything that determines a model's vectors, as a cache key.

    The same weights with another activation, preprocessing or precision count as another model.
    """
    parts = [model.weights_sha256, model.config, model.preprocessing, model.precision]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def find_cut(model: Model, texts: Sequence[str]) -> list[str]:
    """Return the texts that are too long for the model's context."""
    if model.max_tokens == 0:
        return []
    # No tokenizer makes more than a few ids per byte, so short texts need not be tokenized.
    long = [text for text in texts if 4 * len(text.encode()) > model.max_tokens]
    ids = model.tokenize(long)
    return [text for text, row in zip(long, ids, strict=True) if len(row) > model.max_tokens]


def seen_scale(model: Model, width_px: int, height_px: int) -> float:
    """Return the vertical scale from px of an image to px of the model's input.

    The scale is 1 if the preprocessing is unknown.
    """
    preprocessing = _know_preprocessing(model)
    return 1.0 if preprocessing is None else measure_scale(preprocessing, width_px, height_px)


def visible_box(model: Model, width_px: int, height_px: int) -> Box:
    """Return the part of an image that the model sees: left, top, right, bottom in image px.

    Most models crop an image that is not square, so text near its edges may be lost.
    """
    preprocessing = _know_preprocessing(model)
    if preprocessing is None:
        return (0.0, 0.0, float(width_px), float(height_px))
    return measure_visible(preprocessing, width_px, height_px)


def _know_preprocessing(model: Model) -> Preprocessing | None:
    if not model.preprocessing:
        return None
    return preprocessing_from_dict(model.preprocessing, model.input_px, model.name)
