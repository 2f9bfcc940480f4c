"""SigLIP in transformers' format: its config and tensors converted to open_clip's layout.

SigLIP 2 of a fixed size is a `SiglipModel` too, with another vocabulary. The one that takes
images of any shape (NaFlex), `Siglip2Model`, is given square ones here, which makes it a model
of a fixed size. The vision tower is timm's, its sizes set by checked numbers. Source:
transformers 5, `configuration_siglip.py`, `modeling_siglip.py`, `modeling_siglip2.py`,
`image_processing_siglip2.py` and `tokenization_siglip2.py`; timm 1.0, `VisionTransformer`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from probes.errors import ProbeError
from probes.models.config import SIDE, TEXT, WIDTH
from probes.models.shapes import Either, Flag, Null, Shape, Text, Whole
from probes.models.transformers_towers import BLOCKS, JOINED, TowerShapes, read_tower

ACTIVATIONS = {"gelu_pytorch_tanh": "tanh", "gelu": "none"}
"""Activations, and how GELU is approximated in each."""

BASE = "vit_base_patch16_siglip_224"
"""The architecture of timm whose sizes are set."""

EPS = 1e-6
"""Epsilon of the layer norms in timm's SigLIP towers."""

FIRST_VOCABULARY = 32_000
"""Vocabulary size of the first SigLIP, which removes punctuation from texts."""

TOWER: Mapping[str, Shape] = {**BLOCKS, "hidden_act": Text(tuple(ACTIVATIONS))}

VISION: Mapping[str, Shape] = {
    **TOWER, "patch_size": SIDE, "num_channels": Whole(3, 3), "vision_use_head": Flag(),
}  # fmt: skip

KNOWN: dict[str, Any] = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
    "num_attention_heads": 12, "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": EPS,
}  # fmt: skip

TOWERS: Mapping[str, TowerShapes] = {
    "vision": (
        {**VISION, "image_size": SIDE},
        KNOWN | {"image_size": 224, "patch_size": 16, "vision_use_head": True},
    ),
    "text": (
        {
            **TOWER, "vocab_size": TEXT["vocab_size"],
            "max_position_embeddings": TEXT["context_length"],
            "projection_size": Either((Null(), WIDTH)),
        },
        KNOWN | {
            "vocab_size": FIRST_VOCABULARY, "max_position_embeddings": 64,
            "projection_size": None,
        },
    ),
}  # fmt: skip
"""Entries that define each tower, and their defaults."""

NAFLEX_TOWERS: Mapping[str, TowerShapes] = {
    "vision": (
        {**VISION, "num_patches": Whole(1, 65_536)},
        KNOWN | {"num_patches": 256, "patch_size": 16, "vision_use_head": True},
    ),
    "text": TOWERS["text"],
}  # fmt: skip
"""The same for a `Siglip2Model`."""

PREPROCESSING: Mapping[str, object] = {
    "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic",
    "resize_mode": "squash",
}  # fmt: skip
"""Defaults of `SiglipImageProcessor`."""

RENAMED = (
    (r"^text_model\.embeddings\.token_embedding\.weight$", "text.token_embedding.weight"),
    (r"^text_model\.embeddings\.position_embedding\.weight$", "text.positional_embedding"),
    (r"^text_model\.final_layer_norm\.", "text.ln_final."),
    (r"^text_model\.head\.", "text.text_projection."),
    (r"^(text)_model\.encoder\.layers\.(\d+)\.layer_norm([12])\.",
     r"\1.transformer.resblocks.\2.ln_\3."),
    (r"^(text)_model\.encoder\.layers\.(\d+)\.mlp\.fc1\.",
     r"\1.transformer.resblocks.\2.mlp.c_fc."),
    (r"^(text)_model\.encoder\.layers\.(\d+)\.mlp\.fc2\.",
     r"\1.transformer.resblocks.\2.mlp.c_proj."),
    (r"^(text)_model\.encoder\.layers\.(\d+)\.self_attn\.out_proj\.",
     r"\1.transformer.resblocks.\2.attn.out_proj."),
    (r"^text_model\.encoder\.layers\.(\d+)\.attn\.joined\.",
     r"text.transformer.resblocks.\1.attn.in_proj_"),
    (r"^vision_model\.embeddings\.patch_embedding\.", "visual.trunk.patch_embed.proj."),
    (r"^vision_model\.embeddings\.position_embedding\.weight$", "visual.trunk.pos_embed"),
    (r"^vision_model\.post_layernorm\.", "visual.trunk.norm."),
    (r"^vision_model\.encoder\.layers\.(\d+)\.layer_norm([12])\.",
     r"visual.trunk.blocks.\1.norm\2."),
    (r"^vision_model\.encoder\.layers\.(\d+)\.self_attn\.out_proj\.",
     r"visual.trunk.blocks.\1.attn.proj."),
    (r"^vision_model\.encoder\.layers\.(\d+)\.attn\.joined\.",
     r"visual.trunk.blocks.\1.attn.qkv."),
    (r"^vision_model\.encoder\.layers\.", "visual.trunk.blocks."),
    (r"^vision_model\.head\.probe$", "visual.trunk.attn_pool.latent"),
    (r"^vision_model\.head\.attention\.out_proj\.", "visual.trunk.attn_pool.proj."),
    (r"^vision_model\.head\.layernorm\.", "visual.trunk.attn_pool.norm."),
    (r"^vision_model\.head\.mlp\.", "visual.trunk.attn_pool.mlp."),
)  # fmt: skip
"""Renaming of tensors, from transformers to open_clip and timm."""

POOL = re.compile(r"vision_model\.head\.attention\.in_proj_(weight|bias)")
"""Three projections in one tensor, of which timm stores the first separately."""


def shape_siglip(content: Mapping[str, Any], path: Path, tokenizer: str) -> dict[str, Any]:
    """Return open_clip's model config for a `config.json` of transformers' `SiglipModel`.

    Args:
        content: content of the config.
        path: path of the config, for errors.
        tokenizer: source of the tokenizer.

    Raises:
        ProbeError: an entry is invalid, or the towers do not match.
    """
    vision, text = (read_tower(content, name, TOWERS[name], path) for name in TOWERS)
    return _shape_towers(vision, text, path, tokenizer)


def shape_naflex(content: Mapping[str, Any], path: Path, tokenizer: str) -> dict[str, Any]:
    """Return the same for a `Siglip2Model`, for images that are square.

    Their side is that at which the position embeddings are used as they are.
    """
    vision, text = (
        read_tower(content, name, NAFLEX_TOWERS[name], path) for name in NAFLEX_TOWERS
    )
    n_along = math.isqrt(vision["num_patches"])
    if n_along**2 != vision["num_patches"]:
        raise ProbeError(
            f"the vision_config of {path} has num_patches {vision['num_patches']}, which is"
            " not the number of patches of a square"
        )
    side_px = n_along * vision["patch_size"]
    return _shape_towers(vision | {"image_size": side_px}, text, path, tokenizer)


def _shape_towers(
    vision: Mapping[str, Any], text: Mapping[str, Any], path: Path, tokenizer: str
) -> dict[str, Any]:
    _check_vision(vision, text, path)
    first = text["vocab_size"] == FIRST_VOCABULARY
    return {
        "embed_dim": vision["hidden_size"],
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {
            "image_size": vision["image_size"], "timm_model_name": BASE,
            "timm_model_pretrained": False, "timm_pool": "map", "timm_proj": "none",
            "timm_model_kwargs": {
                "embed_dim": vision["hidden_size"], "depth": vision["num_hidden_layers"],
                "num_heads": vision["num_attention_heads"],
                "mlp_ratio": vision["intermediate_size"] / vision["hidden_size"],
                "patch_size": vision["patch_size"],
                "act_layer": "gelu_tanh" if vision["hidden_act"] != "gelu" else "gelu",
            },
        },
        "text_cfg": {
            "context_length": text["max_position_embeddings"],
            "vocab_size": text["vocab_size"], "hf_tokenizer_name": tokenizer,
            "tokenizer_kwargs": {"clean": "siglip" if first else "siglip2"},
            "width": text["hidden_size"], "heads": text["num_attention_heads"],
            "layers": text["num_hidden_layers"],
            "mlp_ratio": text["intermediate_size"] / text["hidden_size"],
            "no_causal_mask": True, "proj_bias": True, "pool_type": "last",
            "norm_kwargs": {"eps": text["layer_norm_eps"]},
            "act_kwargs": {"approximate": ACTIVATIONS[text["hidden_act"]]},
        },
    }  # fmt: skip


def _check_vision(vision: Mapping[str, Any], text: Mapping[str, Any], path: Path) -> None:
    if not vision["vision_use_head"]:
        raise ProbeError(
            f"{path} has vision_use_head false; only models that pool with this head can be"
            " loaded"
        )
    if vision["layer_norm_eps"] != EPS:
        raise ProbeError(
            f"the vision_config of {path} has layer_norm_eps {vision['layer_norm_eps']}, which"
            f" timm does not support; it must be {EPS}"
        )
    projected = text["projection_size"] or text["hidden_size"]
    if projected != vision["hidden_size"]:
        raise ProbeError(
            f"{path} has texts of {projected} dimensions and images of"
            f" {vision['hidden_size']}; they must be the same in open_clip"
        )
    for name, tower in (("vision", vision), ("text", text)):
        wide, hidden = tower["intermediate_size"], tower["hidden_size"]
        if int(hidden * (wide / hidden)) != wide:
            raise ProbeError(
                f"the {name}_config of {path} has intermediate_size {wide}, which open_clip"
                " cannot combine with its hidden_size"
            )


def rename_siglip(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a `SiglipModel` or a `Siglip2Model` under open_clip's names."""
    renamed: dict[str, Tensor] = {}
    for name, part in state.items():
        joined, pool = re.fullmatch(JOINED, name), POOL.fullmatch(name)
        if joined:
            parts = [state.get(name.replace("q_proj", f"{each}_proj")) for each in "qkv"]
            held = [each for each in parts if each is not None]
            renamed[_rename(f"{joined[1]}.attn.joined.{joined[2]}")] = torch.cat(held)
        elif pool:
            third = len(part) // 3
            renamed[f"visual.trunk.attn_pool.q.{pool[1]}"] = part[:third]
            renamed[f"visual.trunk.attn_pool.kv.{pool[1]}"] = part[third:]
        elif ".self_attn.k_proj." not in name and ".self_attn.v_proj." not in name:
            renamed[_rename(name)] = RESHAPED.get(name, _keep)(part)
    return {name: part for name, part in renamed.items() if not name.endswith("position_ids")}


def _keep(part: Tensor) -> Tensor:
    return part


def _unroll_patches(weights: Tensor) -> Tensor:
    """Return the weights of a linear layer over patches (h, w, channel) as a convolution's."""
    if weights.ndim != 2:
        return weights
    side = math.isqrt(weights.shape[1] // 3)
    if side * side * 3 != weights.shape[1]:
        return weights  # Refused later, for its shape.
    return weights.reshape(-1, side, side, 3).permute(0, 3, 1, 2).contiguous()


RESHAPED: Mapping[str, Callable[[Tensor], Tensor]] = {
    "vision_model.embeddings.position_embedding.weight": lambda part: part.unsqueeze(0),
    "vision_model.embeddings.patch_embedding.weight": _unroll_patches,
}
"""Tensors that have another shape in timm."""


def _rename(name: str) -> str:
    for old, new in RENAMED:
        name = re.sub(old, new, name)
    return name
