"""Heads: linear maps on frozen vectors, trained to find the answer to a question.

These are the heads of "Can CLIP Read?", with the batches compared there: random ones, and hard
negatives found by clustering images, answers or both. Equal answers in a batch are negatives of
each other unless masked; since clustered batches contain many, both variants are trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from probes.arrays import Vectors
from probes.errors import ProbeError
from probes.metrics.vqa_accuracy import normalise_answer
from probes.models.base import Model
from probes.training.batch_sampler import Order, cluster, cut_batches, shuffle
from probes.training.losses import Batch, clip_loss
from probes.vqa.methods import rank_answers, tabulate_guesses
from probes.vqa.questions import Candidates, QuestionSet

KINDS = {"random": "naive", "image": "hard by image", "text": "hard by answer",
         "both": "hard by both"}  # fmt: skip
"""Kinds of batches, with their names in "Can CLIP Read?"."""

BATCH_SIZE = 256

N_EPOCHS = 10

MIN_STEPS = 200
"""Minimum number of steps, for few questions."""

RATE, DECAY = 1e-3, 0.1

MIN_PAIRS = 16
"""Minimum number of training questions with an answer among the candidates."""


@dataclass(frozen=True)
class HeadTrainingSet:
    """The training data of heads, on the device.

    Attributes:
        images: (N, D), the image of each question.
        queries: (N, D), the questions.
        answers: int64 (N,), indices of the candidates.
        candidates: (K, D).
    """

    images: Tensor
    queries: Tensor
    answers: Tensor
    candidates: Tensor


class Head(nn.Module):
    """Linear maps of images, questions and answers; a query starts as image plus question."""

    def __init__(self, n_dims: int, scale: float) -> None:
        super().__init__()
        self.image, self.query, self.answer = (
            nn.Linear(n_dims, n_dims, bias=False) for _ in range(3)
        )
        for part in (self.image, self.query, self.answer):
            nn.init.eye_(part.weight)
        self.log_scale = nn.Parameter(torch.tensor(float(np.log(scale))))

    def ask(self, images: Tensor, queries: Tensor) -> Tensor:
        """Return the queries, (N, D), unit length."""
        return normalize(self.image(images) + self.query(queries), dim=-1)

    def name(self, answers: Tensor) -> Tensor:
        """Return the mapped answers, (K, D), unit length."""
        return normalize(self.answer(answers), dim=-1)


def train_heads(
    model: Model, train: QuestionSet, val: QuestionSet, candidates: Candidates, seed: int
) -> pd.DataFrame:
    """Return the outcomes on `val` of one head per kind of batch, with and without masks.

    Args:
        model: the model that the vectors come from.
        train: training questions; those without an answer among the candidates are left out.
        val: evaluation questions, none of them in `train`.
        candidates: the answers to choose among.
        seed: for the order of the batches.

    Raises:
        ProbeError: there are too few training questions.
    """
    training_set = _make_training_set(model, train, candidates)
    tables = []
    for kind, name in KINDS.items():
        for masks in (False, True):
            head = train_head(
                training_set, kind, masks=masks, scale=model.logit_scale, seed=seed
            )
            places, cosines = _answer(head, val, training_set)
            title = f"head, {name}{', equal answers masked' if masks else ''}"
            tables.append(
                tabulate_guesses(
                    val, candidates, title, places, cosines, scale=head.log_scale.exp().item()
                )
            )
    return pd.concat(tables, ignore_index=True)


def train_head(
    training_set: HeadTrainingSet, kind: str, *, masks: bool, scale: float, seed: int
) -> Head:
    """Return a head that was trained with one kind of batch.

    Args:
        training_set: the training data.
        kind: one of `KINDS`.
        masks: whether equal answers of a batch are left out of each other's comparisons.
        scale: initial factor for cosine similarities.
        seed: for the order.
    """
    device = training_set.images.device
    head = Head(training_set.images.shape[1], scale).to(device)
    optimizer = torch.optim.AdamW(head.parameters(), RATE, weight_decay=DECAY)
    size = min(BATCH_SIZE, len(training_set.answers))
    n_epochs = max(N_EPOCHS, MIN_STEPS * size // len(training_set.answers))
    orders = [_order(training_set, kind, size, seed, epoch) for epoch in range(n_epochs)]
    batches = [batch for order in orders for batch in cut_batches(order, size)]
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(batches))
    for batch in batches:
        rows = torch.from_numpy(batch).to(device)
        answers = training_set.answers[rows]
        loss = clip_loss(
            Batch(
                images=head.ask(training_set.images[rows], training_set.queries[rows]),
                texts=head.name(training_set.candidates[answers]),
                captions=answers,
                scale=head.log_scale.exp().clamp(max=100),
                bias=None,
            ),
            masks=masks,
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        rate.step()
    return head


def _make_training_set(
    model: Model, train: QuestionSet, candidates: Candidates
) -> HeadTrainingSet:
    truths = [normalise_answer(asked.answer) for asked in train.questions]
    kept = np.array([row for row, text in enumerate(truths) if text in candidates.place_of])
    if len(kept) < MIN_PAIRS:
        raise ProbeError(
            f"{len(kept)} training questions have an answer among the candidates; a head"
            f" needs {MIN_PAIRS} or more"
        )
    places = np.array([candidates.place_of[truths[row]] for row in kept.tolist()])
    device = torch.device(model.device or "cpu")

    def move(array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    return HeadTrainingSet(
        move(train.images[train.rows[kept]]), move(train.queries[kept]), move(places),
        move(candidates.vectors),
    )  # fmt: skip


def _order(training_set: HeadTrainingSet, kind: str, size: int, seed: int, epoch: int) -> Order:
    """Return the order in which an epoch sees the questions."""
    n = len(training_set.answers)
    if kind == "random" or n < 2 * size:
        return shuffle(n, seed, epoch)
    sides: dict[str, Vectors] = {
        "image": training_set.images.cpu().numpy(),
        "text": training_set.candidates[training_set.answers].cpu().numpy(),
    }
    names = sides if kind == "both" else (kind,)
    return cluster(np.concatenate([sides[name] for name in names], axis=1), size, seed + epoch)


@torch.inference_mode()
def _answer(
    head: Head, question_set: QuestionSet, training_set: HeadTrainingSet
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the best candidates of each question, and their cosines."""
    device = training_set.images.device
    images, queries = (
        torch.from_numpy(np.ascontiguousarray(array)).to(device)
        for array in (question_set.images[question_set.rows], question_set.queries)
    )
    asked = head.ask(images, queries).cpu().numpy()
    return rank_answers(asked, head.name(training_set.candidates).cpu().numpy())
