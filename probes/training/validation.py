"""Validation: how well a model reads words held out of its training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probes.arrays import Pixels
from probes.data.pairs import Pairs, read_batches
from probes.embeddings.texts import ensemble_prompts, fill_template
from probes.metrics.forced_choice import among_all, guess_nested
from probes.models.base import Model
from probes.models.tokenizers import Tokenize, number_texts
from synthtext.rng import draw_bits

K = 100
"""Number of candidates for a word, or all if there are fewer."""

BLOCK = 256
"""Number of images or texts that a tower embeds at a time."""


@dataclass(frozen=True)
class ValidationSet:
    """Images to read, and the candidates.

    Attributes:
        images: uint8 (N, S, S, 3).
        texts: V texts, all distinguishable by the model.
        truths: int64 (N,), the index of each image's text.
    """

    images: NDArray[np.uint8]
    texts: tuple[str, ...]
    truths: NDArray[np.int64]


def read_validation_set(
    pairs: Pairs,
    n: int,
    seed: int,
    *,
    fit: Callable[[Pixels], Pixels],
    tokenize: Tokenize,
) -> ValidationSet:
    """Return a validation set of n random pairs, or of all if there are fewer.

    Args:
        pairs: to choose from.
        n: number of pairs.
        seed: for the random choice.
        fit: converts an image to the square input of the model.
        tokenize: determines which captions are the same to the model.
    """
    order = np.argsort(
        draw_bits(seed, "validation", 0, len(pairs.captions))[:, 0], kind="stable"
    )
    chosen = np.sort(order[:n])
    shown = [pairs.captions[number] for number in chosen.tolist()]
    truths = number_texts(shown, tokenize)
    texts = dict(zip(reversed(truths.tolist()), reversed(shown), strict=True))
    batches = np.array_split(chosen, -(-len(chosen) // BLOCK))
    images = np.concatenate(list(read_batches(pairs, batches, fit)))
    return ValidationSet(images, tuple(texts[number] for number in sorted(texts)), truths)


def read_words_right(
    model: Model, validation: ValidationSet, templates: Sequence[str], seed: int
) -> NDArray[np.bool_]:
    """Return whether a model reads each image correctly, (N,), among `K` texts each.

    Args:
        model: may be in training, so nothing about it is cached.
        validation: what to read.
        templates: prompts that texts are put into; their vectors are averaged.
        seed: for the candidates.
    """
    images = model.encoder.embed_images(list(validation.images))
    texts = [
        model.encoder.embed_texts(fill_template(each, validation.texts)) for each in templates
    ]
    k = min(K, len(validation.texts))
    guesses = guess_nested(
        images, ensemble_prompts(texts), validation.truths,
        choice=among_all(validation.texts, seed), ks=(k,), headline=k,
    )  # fmt: skip
    return guesses.ranks[k] == 1
