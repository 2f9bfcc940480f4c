"""Training batches: pairs -> what a model in training sees in a step, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probes.arrays import Pixels, Vectors
from probes.data.pairs import Pairs, read_batches
from probes.models.prompts import SLOT
from probes.training.batch_sampler import Order
from probes.training.losses import LetterHead
from synthtext.rng import draw_bits


@dataclass(frozen=True)
class TrainingSet:
    """What is trained on.

    Attributes:
        pairs: images and captions; natural ones, if any, after those to read.
        n_own: pairs to read, the first ones.
        captions: int64 (N,): the same number for captions that are the same to the model.
        texts: a caption of each number, V of them.
        templates: what captions to read are put into; one is drawn for each batch. Natural
            captions stay as they are.
        images: vectors of a frozen vision tower (N, D), None where the pixels are seen.
        vectors: vectors of a frozen text tower, one array (V, D) for each template, none where
            the tokens are seen.
    """

    pairs: Pairs
    n_own: int
    captions: NDArray[np.int64]
    texts: tuple[str, ...]
    templates: tuple[str, ...]
    images: Vectors | None = None
    vectors: tuple[Vectors, ...] = ()


@dataclass(frozen=True)
class TrainingBatch:
    """What a model in training sees in a step.

    Attributes:
        images: uint8 (B, S, S, 3), or vectors (B, D).
        texts: token ids (B, context), or vectors (B, D).
        captions: int64 (B,): the same number for captions that are the same to the model.
        letters: int64 (B, N_PLACES), None without the loss that names them.
    """

    images: Tensor
    texts: Tensor
    captions: Tensor
    letters: Tensor | None


def read_training_batches(
    training_set: TrainingSet,
    batches: Sequence[Order],
    *,
    fit: Callable[[Pixels], Pixels],
    tokenizer: Callable[[list[str]], Tensor],
    letters: LetterHead | None,
    seed: int,
) -> Iterator[TrainingBatch]:
    """Return the training batches of batches, their images read ahead.

    Args:
        training_set: what is trained on.
        batches: numbers of pairs.
        fit: brings an image to the square that the model sees.
        tokenizer: texts -> token ids (B, context).
        letters: knows the names of letters, if they are asked for.
        seed: draws the template of each batch.
    """
    seen: Iterable[Tensor]
    if training_set.images is None:
        seen = map(torch.from_numpy, read_batches(training_set.pairs, batches, fit))
    else:
        seen = (torch.from_numpy(training_set.images[batch]) for batch in batches)
    for batch, images in zip(batches, seen, strict=True):
        captions = training_set.captions[batch]
        # Drawn by the pairs in the batch, so that a resumed run draws the same.
        chance = draw_bits(seed, "template", int(batch[0]), int(batch[0]) + 1)[0, 0]
        template = int(chance % np.uint64(len(training_set.templates)))
        if training_set.vectors:
            texts = torch.from_numpy(np.asarray(training_set.vectors[template][captions]))
        else:
            texts = tokenizer(_fill(training_set, batch, template))
        own = [training_set.pairs.captions[number] for number in batch.tolist()]
        yield TrainingBatch(
            images=images,
            texts=texts,
            captions=torch.from_numpy(captions),
            letters=None if letters is None else letters.name(own),
        )


def _fill(training_set: TrainingSet, batch: Order, template: int) -> list[str]:
    written = training_set.templates[template]
    return [
        written.replace(SLOT, caption) if number < training_set.n_own else caption
        for number, caption in (
            (number, training_set.pairs.captions[number]) for number in batch.tolist()
        )
    ]
