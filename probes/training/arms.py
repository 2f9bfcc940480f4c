"""Training methods, by name: the parameters that each makes trainable.

The table is also read to check options, so torch is imported only when a method is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from probes.errors import ProbeError

if TYPE_CHECKING:
    from torch import nn

    from probes.training.trained_clip import TrainedClip

LORA_RANK = 16

LORA_ALPHA = 32
"""Scale of a low-rank update, in units of 1 / rank."""

IMAGE_PROJECTIONS = (
    "visual.proj", "visual.attnpool.c_proj", "visual.head.proj", "visual.head.mlp.fc2",
)  # fmt: skip
"""Attributes with the last linear map to the shared space, in open_clip's vision towers."""

TEXT_PROJECTIONS = ("text_projection", "text.text_projection", "text.proj", "text.proj.2")
"""Likewise in its text towers."""


def _train_head(trained_clip: TrainedClip) -> None:
    """Linear maps on frozen vectors, initialised to the identity."""
    from torch import nn

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
    """Low-rank updates of the vision tower's linear maps and convolutions."""
    from peft import LoraConfig, inject_adapter_in_model

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
    """Return the last linear map: a layer, or a matrix parameter."""
    from torch import nn

    for path in paths:
        outer, _, name = path.rpartition(".")
        try:
            found = getattr(module.get_submodule(outer), name)
        except AttributeError:
            continue
        if isinstance(found, nn.Linear | nn.Parameter):
            return found
    raise ProbeError(
        "--arm head needs towers that end in a linear map, and this model's do not; choose"
        " another --arm"
    )


def _fold_maps(trained_clip: TrainedClip) -> None:
    _fold(trained_clip.clip, IMAGE_PROJECTIONS, trained_clip.image_map)
    _fold(trained_clip.clip, TEXT_PROJECTIONS, trained_clip.text_map)


def _fold(module: nn.Module, paths: tuple[str, ...], each: Any) -> None:  # noqa: ANN401
    """Multiply a map into the projection before it."""
    import torch
    from torch import nn

    matrix, found = each.weight, _find_projection(module, paths)
    with torch.no_grad():
        if isinstance(found, nn.Linear):
            found.weight.copy_(matrix @ found.weight)
            if found.bias is not None:
                found.bias.copy_(matrix @ found.bias)
        else:
            found.copy_(found @ matrix.T)


def _list_low_rank(tower: nn.Module) -> list[str]:
    """Return the modules of a tower to which a low-rank update can be added."""
    from torch import nn

    whole = [
        name for name, part in tower.named_modules() if isinstance(part, nn.MultiheadAttention)
    ]
    # Modules inside an attention are never called: torch uses their weights directly, and peft
    # adapts the attention as a whole. The same holds for CLIP's attention pool.
    closed = (*(f"{name}." for name in whole), "attnpool.")
    return whole + [
        name
        for name, part in tower.named_modules()
        if isinstance(part, nn.Linear | nn.Conv2d) and not name.startswith(closed)
    ]


def _merge_adapters(trained_clip: TrainedClip) -> None:
    trained_clip.clip.visual = _merge_low_rank(trained_clip.clip.visual)


def _merge_low_rank(tower: nn.Module) -> nn.Module:
    """Return the tower with its low-rank updates added to its weights."""
    from peft.tuners.lora.layer import MultiheadAttention
    from peft.tuners.tuners_utils import BaseTunerLayer

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
            continue  # Inside an attention and merged with it.
        else:
            part.merge()
            plain = part.get_base_layer()
        setattr(tower.get_submodule(owner), child, plain)
    return tower


@dataclass(frozen=True)
class Arm:
    """A training method.

    Attributes:
        help: what is trained, for the tables in README.md and docs/finetuning.md.
        prepare: makes the right parameters trainable.
        lr: default peak learning rate.
        merge: merges the trained parameters into the plain module at the end.
        freezes: frozen towers, whose vectors are computed only once: "images", "texts".
        starts_random: whether to start from random weights.
    """

    help: str
    prepare: Callable[[TrainedClip], None]
    lr: float
    merge: Callable[[TrainedClip], None] = lambda _: None
    freezes: frozenset[str] = frozenset()
    starts_random: bool = False


ARMS = {
    "head": Arm(
        "linear maps on the frozen embeddings, folded into the last projection of each tower",
        _train_head, 1e-3, merge=_fold_maps, freezes=frozenset({"images", "texts"}),
    ),
    "vision": Arm(
        "the vision tower; the text tower is frozen and its embeddings are computed once",
        _train_vision, 1e-5, freezes=frozenset({"texts"}),
    ),
    "full": Arm("both towers", _train_all, 1e-5),
    "lora": Arm(
        "low-rank updates of the vision tower, merged at the end",
        _train_low_rank, 1e-4, merge=_merge_adapters, freezes=frozenset({"texts"}),
    ),
    "scratch": Arm("both towers from random weights", _train_all, 1e-3, starts_random=True),
}  # fmt: skip
"""Every method of training by its name."""
