"""Models in training: a model and the parts of it that training moves, by arm."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora.layer import MultiheadAttention
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from probes.errors import ProbeError
from probes.models.preprocessing import Preprocessing
from probes.training.losses import LetterHead

MAX_LOGIT_SCALE = math.log(100)
"""Source: Radford et al. 2021, section 2.5: above it training is unstable."""

LORA_RANK = 16

LORA_ALPHA = 32
"""Scale of a low-rank change, in units of 1 / rank."""

IMAGE_PROJECTIONS = (
    "visual.proj", "visual.attnpool.c_proj", "visual.head.proj", "visual.head.mlp.fc2",
)  # fmt: skip
"""Where open_clip's vision towers keep the last linear map to the shared space."""

TEXT_PROJECTIONS = ("text_projection", "text.text_projection", "text.proj", "text.proj.2")
"""Where its text towers do."""


class ClipOutputs(NamedTuple):
    """What a model in training makes of a batch.

    Attributes:
        images: float32 (B, D), of any length.
        texts: float32 (B, D), of any length.
        scale: what cosines are multiplied by.
        bias: what is added after that; None where the model has none.
        letters: loss of naming letters from both vectors; None without it.
    """

    images: Tensor
    texts: Tensor
    scale: Tensor
    bias: Tensor | None
    letters: Tensor | None


class TrainedClip(nn.Module):
    """A CLIP module in training: pixels or vectors of pictures, tokens or vectors of texts.

    Frozen towers are not run: the caller passes the vectors that they gave.
    """

    def __init__(
        self,
        module: Any,  # noqa: ANN401 - open_clip carries no types.
        arm: str,
        preprocessing: Preprocessing,
        letters: LetterHead | None = None,
    ) -> None:
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        self.clip = module
        self.arm = arm
        self.letters = letters
        self.image_map: nn.Module = nn.Identity()
        self.text_map: nn.Module = nn.Identity()
        for name in ("mean", "std"):
            levels = torch.tensor(getattr(preprocessing, name)).view(1, 3, 1, 1)
            self.register_buffer(name, levels, persistent=False)
        ARMS[arm].prepare(self)

    def forward(self, images: Tensor, texts: Tensor, letters: Tensor | None) -> ClipOutputs:
        """Return what the losses need of a batch.

        Args:
            images: uint8 (B, S, S, 3), or vectors of a frozen tower.
            texts: token ids (B, context), or vectors of a frozen tower.
            letters: as `LetterHead.name` gives them, None without that loss.
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
        # The permuted view is channels-last already, which convolutions like.
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
        """Set the mode of those towers that train; frozen ones keep still."""
        super().train(mode)
        for part in self.clip.children():
            if not any(weight.requires_grad for weight in part.parameters()):
                part.eval()
        return self

    @torch.no_grad()
    def clamp_scale(self) -> None:
        """Keep the scale of the logits where training is stable."""
        self.clip.logit_scale.clamp_(0, MAX_LOGIT_SCALE)

    def finish(self) -> Any:  # noqa: ANN401
        """Return the plain module with all that was learnt inside it, in eval mode."""
        ARMS[self.arm].merge(self)
        # As a module that is loaded anew: torch computes by other ways, a bit apart in the last
        # places, where weights need no gradient.
        return self.clip.requires_grad_(requires_grad=True).eval()


def group_weights(trained_clip: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Return the weights that train, those of fewer than two dimensions without decay."""
    weights = [weight for weight in trained_clip.parameters() if weight.requires_grad]
    return [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]


def _train_head(trained_clip: TrainedClip) -> None:
    """Linear maps on frozen vectors, from the identity."""
    trained_clip.clip.requires_grad_(requires_grad=False)
    projection = _find_projection(trained_clip.clip, IMAGE_PROJECTIONS)
    _find_projection(trained_clip.clip, TEXT_PROJECTIONS)
    n_dims = (
        len(projection.weight) if isinstance(projection, nn.Linear) else projection.shape[1]
    )
    trained_clip.image_map, trained_clip.text_map = (
        nn.Linear(n_dims, n_dims, bias=False) for _ in "it"
    )
    for each in (trained_clip.image_map, trained_clip.text_map):
        nn.init.eye_(each.weight)
    _train_scale(trained_clip)


def _train_vision(trained_clip: TrainedClip) -> None:
    """The vision tower; the text tower is frozen."""
    trained_clip.clip.requires_grad_(requires_grad=False)
    trained_clip.clip.visual.requires_grad_(requires_grad=True)
    _train_scale(trained_clip)


def _train_low_rank(trained_clip: TrainedClip) -> None:
    """Low-rank changes of the vision tower's linear maps and convolutions."""
    trained_clip.clip.requires_grad_(requires_grad=False)
    names = _list_low_rank(trained_clip.clip.visual)
    settings = LoraConfig(r=LORA_RANK, lora_alpha=LORA_ALPHA, target_modules=names)
    trained_clip.clip.visual = inject_adapter_in_model(settings, trained_clip.clip.visual)
    _train_scale(trained_clip)


def _train_all(trained_clip: TrainedClip) -> None:
    """Both towers."""
    trained_clip.clip.requires_grad_(requires_grad=True)


def _train_scale(trained_clip: TrainedClip) -> None:
    trained_clip.clip.logit_scale.requires_grad_(requires_grad=True)
    if getattr(trained_clip.clip, "logit_bias", None) is not None:
        trained_clip.clip.logit_bias.requires_grad_(requires_grad=True)


def _find_projection(module: nn.Module, paths: tuple[str, ...]) -> Any:  # noqa: ANN401
    """Return the last linear map: a layer, or a parameter that is multiplied by."""
    for path in paths:
        outer, _, name = path.rpartition(".")
        try:
            found = getattr(module.get_submodule(outer), name)
        except AttributeError:
            continue
        if isinstance(found, nn.Linear | nn.Parameter):
            return found
    raise ProbeError(
        "the arm head needs a tower that ends in a linear map, and this model's does not;"
        " choose another --arm"
    )


def _fold_maps(trained_clip: TrainedClip) -> None:
    _fold(trained_clip.clip, IMAGE_PROJECTIONS, trained_clip.image_map)
    _fold(trained_clip.clip, TEXT_PROJECTIONS, trained_clip.text_map)


@torch.no_grad()
def _fold(module: nn.Module, paths: tuple[str, ...], each: Any) -> None:  # noqa: ANN401
    """Multiply a map into the projection before it."""
    matrix = each.weight
    found = _find_projection(module, paths)
    if isinstance(found, nn.Linear):
        found.weight.copy_(matrix @ found.weight)
        if found.bias is not None:
            found.bias.copy_(matrix @ found.bias)
    else:
        found.copy_(found @ matrix.T)


def _list_low_rank(tower: nn.Module) -> list[str]:
    """Return the modules of a tower that a low-rank change can be added to."""
    whole = [
        name for name, part in tower.named_modules() if isinstance(part, nn.MultiheadAttention)
    ]
    # What is inside an attention is never called: torch takes its weights, and peft changes
    # the attention as a whole. CLIP's attention pool hands out its weights too.
    closed = (*(f"{name}." for name in whole), "attnpool.")
    return whole + [
        name
        for name, part in tower.named_modules()
        if isinstance(part, nn.Linear | nn.Conv2d) and not name.startswith(closed)
    ]


def _merge_adapters(trained_clip: TrainedClip) -> None:
    trained_clip.clip.visual = _merge_low_rank(trained_clip.clip.visual)


def _merge_low_rank(tower: nn.Module) -> nn.Module:
    """Return the tower with its low-rank changes added to its weights."""
    changed = {
        name: part for name, part in tower.named_modules() if isinstance(part, BaseTunerLayer)
    }
    for name, part in changed.items():
        owner, _, child = name.rpartition(".")
        plain: nn.Module
        if isinstance(part, MultiheadAttention):
            plain = part.unload_and_optionally_merge_module(
                merge=True, safe_merge=False, adapter_names=None
            )
        elif ".base_layer." in name:
            continue  # Inside an attention, and merged with it.
        else:
            part.merge()
            plain = part.get_base_layer()
        setattr(tower.get_submodule(owner), child, plain)
    return tower


@dataclass(frozen=True)
class Arm:
    """What a run trains, and how.

    Attributes:
        help: what is trained, for help texts.
        prepare: makes trainable what is to be trained.
        lr: highest learning rate, where none is asked for.
        merge: puts what was trained into the plain module at the end.
        freezes: towers that stay as they are, so that their vectors are computed once:
            "images", "texts".
        starts_random: whether to begin with random weights.
    """

    help: str
    prepare: Callable[[TrainedClip], None]
    lr: float
    merge: Callable[[TrainedClip], None] = lambda _: None
    freezes: frozenset[str] = frozenset()
    starts_random: bool = False


ARMS = {
    "head": Arm(
        "linear maps on the frozen vectors, folded into the towers' last projections",
        _train_head, 1e-3, merge=_fold_maps, freezes=frozenset({"images", "texts"}),
    ),
    "vision": Arm(
        "the vision tower; the text tower is frozen, its vectors are computed once",
        _train_vision, 1e-5, freezes=frozenset({"texts"}),
    ),
    "full": Arm("both towers", _train_all, 1e-5),
    "lora": Arm(
        "low-rank changes of the vision tower, merged at the end",
        _train_low_rank, 1e-4, merge=_merge_adapters, freezes=frozenset({"texts"}),
    ),
    "scratch": Arm("both towers from random weights", _train_all, 1e-3, starts_random=True),
}  # fmt: skip
"""Every method of training by its name."""
