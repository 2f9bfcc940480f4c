"""A model in training: its module, and the maps and heads that training adds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from probes.models.preprocessing import Preprocessing
from probes.training.losses import LetterHead

MAX_LOGIT_SCALE = math.log(100)
"""Source: Radford et al. 2021, section 2.5: training is unstable above it."""


class ClipOutputs(NamedTuple):
    """The output of a model in training for a batch.

    Attributes:
        images: float32 (B, D), of any length.
        texts: float32 (B, D), of any length.
        scale: factor for cosine similarities.
        bias: added after scaling; None if the model has none.
        letters: loss of predicting letters from both vectors; None without it.
    """

    images: Tensor
    texts: Tensor
    scale: Tensor
    bias: Tensor | None
    letters: Tensor | None


class TrainedClip(nn.Module):
    """A CLIP module in training: pixels or vectors of images, tokens or vectors of texts.

    Frozen towers are not run: the caller passes their vectors.

    Args:
        module: open_clip's, which training changes in place.
        preprocessing: provides the normalisation.
        prepare: makes the right parameters trainable.
        merge: merges the trained parameters into the plain module at the end.
        letters: an auxiliary head, if there is one.
    """

    def __init__(
        self,
        module: Any,  # noqa: ANN401 - open_clip carries no types.
        preprocessing: Preprocessing,
        prepare: Callable[[TrainedClip], None],
        merge: Callable[[TrainedClip], None],
        letters: LetterHead | None = None,
    ) -> None:
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        self.clip = module
        self._merge = merge
        self.letters = letters
        self.image_map: nn.Module = nn.Identity()
        self.text_map: nn.Module = nn.Identity()
        for name in ("mean", "std"):
            levels = torch.tensor(getattr(preprocessing, name)).view(1, 3, 1, 1)
            self.register_buffer(name, levels, persistent=False)
        prepare(self)

    def forward(self, images: Tensor, texts: Tensor, letters: Tensor | None) -> ClipOutputs:
        """Return what the losses need for a batch.

        Args:
            images: uint8 (B, S, S, 3), or vectors of a frozen tower.
            texts: token ids (B, context), or vectors of a frozen tower.
            letters: from `LetterHead.name`, None without that loss.
        """
        images, texts = self.embed_images(images).float(), self.embed_texts(texts).float()
        named = None
        if self.letters is not None and letters is not None:
            named = self.letters(images, letters) + self.letters(texts, letters)
        bias = getattr(self.clip, "logit_bias", None)
        return ClipOutputs(images, texts, self.clip.logit_scale.exp(), bias, named)

    def embed_images(self, images: Tensor) -> Tensor:
        """Return (B, D) of uint8 (B, S, S, 3), or of vectors of a frozen tower."""
        if images.is_floating_point():
            return self.image_map(images)
        # The permuted view is already channels-last, which is fast for convolutions.
        pixels = images.permute(0, 3, 1, 2).float().div(255).sub(self.mean).div(self.std)
        return self.encode_image(pixels)

    def embed_texts(self, texts: Tensor) -> Tensor:
        """Return (B, D) of token ids (B, context), or of vectors of a frozen tower."""
        return self.text_map(texts) if texts.is_floating_point() else self.encode_text(texts)

    def encode_image(self, pixels: Tensor) -> Tensor:
        """Return (B, D) of float32 (B, 3, S, S), as open_clip's modules do."""
        return self.image_map(self.clip.encode_image(pixels))

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Return (B, D) of token ids (B, context), as open_clip's modules do."""
        return self.text_map(self.clip.encode_text(tokens))

    def train(self, mode: bool = True) -> TrainedClip:  # noqa: FBT001, FBT002 - as torch has it.
        """Set the mode of the towers that train; frozen ones stay in eval mode."""
        super().train(mode)
        for part in self.clip.children():
            if not any(weight.requires_grad for weight in part.parameters()):
                part.eval()
        return self

    @torch.no_grad()
    def clamp_scale(self) -> None:
        """Limit the logit scale to the range where training is stable."""
        self.clip.logit_scale.clamp_(0, MAX_LOGIT_SCALE)

    def finish(self) -> Any:  # noqa: ANN401
        """Return the plain module with all trained parameters merged, in eval mode."""
        self._merge(self)
        # As in a reloaded module: for weights without gradients torch uses other kernels, which
        # differ slightly in the last digits.
        return self.clip.requires_grad_(requires_grad=True).eval()


def group_weights(trained_clip: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Return the trainable weights, those with fewer than two dimensions without decay."""
    weights = [weight for weight in trained_clip.parameters() if weight.requires_grad]
    return [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
