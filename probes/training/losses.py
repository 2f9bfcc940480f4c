"""Contrastive and auxiliary losses of image-caption pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from open_clip.loss import ClipLoss, SigLipLoss
from torch import Tensor, nn
from torch.nn import functional

N_PLACES = 14
"""Number of positions in a caption whose letters are predicted; few words are longer."""

N_LETTERS = 40
"""Number of letters with their own class, the most frequent; all others share one class."""


@dataclass(frozen=True)
class Batch:
    """The input of a loss.

    Attributes:
        images: (B, D), of any length.
        texts: (B, D); row i is the caption of image i.
        captions: int64 (B,): equal numbers for captions that are the same to the model.
        scale: factor for cosine similarities.
        bias: added after scaling; None if the model has none.
    """

    images: Tensor
    texts: Tensor
    captions: Tensor
    scale: Tensor
    bias: Tensor | None


def clip_loss(batch: Batch, *, masks: bool) -> Tensor:
    """Return the mean cross-entropy of choosing the caption and of choosing the image.

    Source: Radford et al., "Learning transferable visual models from natural language
    supervision", 2021, figure 3.

    Args:
        batch: images and captions.
        masks: whether pairs of equal captions are left out of each other's comparisons. Giving
            them equal target probability instead would have no effect: if equal captions have
            equal vectors, the gradient is the same as without a mask.
    """
    images, texts = _normalise(batch)
    if not masks:
        return ClipLoss()(images, texts, batch.scale, batch.bias)
    n = len(batch.captions)
    own = torch.arange(n, device=batch.captions.device)
    twins = (batch.captions[:, None] == batch.captions[None]) & (own[:, None] != own[None])
    both = ClipLoss().get_logits(images, texts, batch.scale, batch.bias)
    losses = [
        functional.cross_entropy(logits.masked_fill(twins, -torch.inf), own) for logits in both
    ]
    return torch.stack(losses).mean()


def siglip_loss(batch: Batch, *, masks: bool) -> Tensor:
    """Return the mean over images of the sum of their logistic losses with every caption.

    Source: Zhai et al., "Sigmoid loss for language image pre-training", 2023, equation 1.

    Args:
        batch: images and captions.
        masks: whether all images of a caption are positives for it, not only the one in its
            row.
    """
    images, texts = _normalise(batch)
    if not masks:
        return SigLipLoss()(images, texts, batch.scale, batch.bias)
    same = (batch.captions[:, None] == batch.captions[None]).float()
    logits = SigLipLoss().get_logits(images, texts, batch.scale, batch.bias)
    return -functional.logsigmoid((2 * same - 1) * logits).sum() / len(same)


LOSSES = {"clip": clip_loss, "siglip": siglip_loss}


def drift(vectors: Tensor, originals: Tensor) -> Tensor:
    """Return the mean distance of vectors from those of the frozen original, 1 - cosine."""
    return 1 - functional.cosine_similarity(vectors, originals).mean()


class LetterHead(nn.Module):
    """Predicts the letter at each position of a caption, from its vector or its image's.

    Both towers use the same head, so that a letter at a position is represented in the same
    way. It is used only in training: with few words, the model could distinguish whole words
    without reading all letters, and could not read a new word.
    """

    def __init__(self, n_dims: int, alphabet: str) -> None:
        super().__init__()
        self.alphabet = alphabet
        self._names = {letter: number for number, letter in enumerate(alphabet, 2)}
        self.linear = nn.Linear(n_dims, N_PLACES * (len(alphabet) + 2))

    def forward(self, vectors: Tensor, letters: Tensor) -> Tensor:
        """Return the mean cross-entropy over positions; letters are int64 (B, N_PLACES)."""
        logits = self.linear(vectors).view(-1, len(self.alphabet) + 2)
        return functional.cross_entropy(logits, letters.view(-1))

    def name(self, captions: Sequence[str]) -> Tensor:
        """Return the class at each position: 0 for none, 1 for a rare letter, else its own."""
        rows = torch.zeros(len(captions), N_PLACES, dtype=torch.int64)
        for row, caption in zip(rows, captions, strict=True):
            names = [self._names.get(letter, 1) for letter in caption.casefold()[:N_PLACES]]
            row[: len(names)] = torch.tensor(names, dtype=torch.int64)
        return rows


def list_letters(captions: Sequence[str]) -> str:
    """Return the most frequent letters of captions, in the order of their code points."""
    counts = Counter("".join(captions).casefold())
    common = sorted(counts, key=lambda letter: (-counts[letter], letter))[:N_LETTERS]
    return "".join(sorted(common))


def _normalise(batch: Batch) -> tuple[Tensor, Tensor]:
    return functional.normalize(batch.images, dim=-1), functional.normalize(batch.texts, dim=-1)
