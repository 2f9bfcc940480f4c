"""Training batches: pairs -> the input of each training step."""

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
    """The training data.

    Attributes:
        pairs: images and captions; natural ones, if any, after the rendered ones.
        n_own: number of rendered pairs, which come first.
        captions: int64 (N,): equal numbers for captions that are the same to the model.
        texts: one caption for each number, V in all.
        templates: prompts for the rendered captions; one is drawn for each batch. Natural
            captions are used as they are.
        images: vectors of a frozen vision tower (N, D), None if the model sees pixels.
        vectors: vectors of a frozen text tower, one array (V, D) for each template; empty if
            the model sees tokens.
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
    """The input of a training step.

    Attributes:
        images: uint8 (B, S, S, 3), or vectors (B, D).
        texts: token ids (B, context), or vectors (B, D).
        captions: int64 (B,): equal numbers for captions that are the same to the model.
        letters: int64 (B, N_PLACES), None without the letter loss.
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
    """Return the training batches, with images read ahead.

    Args:
        training_set: the training data.
        batches: indices of pairs.
        fit: converts an image to the square input of the model.
        tokenizer: texts -> token ids (B, context).
        letters: the letter head, if the letter loss is used.
        seed: for the template of each batch.
    """
    seen: Iterable[Tensor]
    if training_set.images is None:
        seen = map(torch.from_numpy, read_batches(training_set.pairs, batches, fit))
    else:
        seen = (torch.from_numpy(training_set.images[batch]) for batch in batches)
    for batch, images in zip(batches, seen, strict=True):
        captions = training_set.captions[batch]
        # The draw depends on the pairs of the batch, so that a resumed run draws the same one.
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
