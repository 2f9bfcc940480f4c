"""Complexity: patch size, parameters and GFLOP, from a config without building the model.

Only plain vision transformers and plain text transformers are counted. For any other tower the
result is None rather than an estimate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Config = Mapping[str, Any]
"""A model config in the form open_clip ships: embed_dim, vision_cfg, text_cfg and switches."""

VISION_KEYS = frozenset(
    (
        "image_size",
        "layers",
        "width",
        "head_width",
        "mlp_ratio",
        "patch_size",
        "ls_init_value",
        "patch_dropout",
        "no_ln_pre",
        "pos_embed_type",
        "final_ln_after_pool",
        "pool_type",
        "act_kwargs",
        "norm_kwargs",
    )
)
"""Keys of a vision tower whose cost the formulas below cover."""

TEXT_KEYS = frozenset(
    (
        "context_length",
        "vocab_size",
        "width",
        "heads",
        "layers",
        "mlp_ratio",
        "ls_init_value",
        "embed_cls",
        "pool_type",
        "no_causal_mask",
        "final_ln_after_pool",
        "proj_bias",
        "pad_id",
        "eos_id",
        "act_kwargs",
        "norm_kwargs",
        "hf_tokenizer_name",
        "tokenizer_kwargs",
        "tokenizer_mode",
    )
)
"""Keys of a text tower whose parameters the formulas below cover."""


def read_input_px(config: Config) -> int:
    """Return the side of the square input of the tower; 0 if its input is not square."""
    size = config["vision_cfg"].get("image_size", 224)
    if isinstance(size, int):
        return size
    return int(size[0]) if len(set(size)) == 1 else 0


def read_patch_px(config: Config) -> int:
    """Return the side of a patch in input px; 0 if there is none or it is unknown."""
    vision = config["vision_cfg"]
    if vision.get("timm_model_name"):
        said = re.search(r"patch(\d+)", vision["timm_model_name"])
        return int(said[1]) if said else 0
    if not isinstance(vision.get("layers", 12), int):
        return 0
    return int(vision.get("patch_size", 16))


def count_gflop(config: Config) -> float | None:
    """Return the GFLOP of one image through the vision tower; None unless it is a plain ViT.

    A multiplication and an addition count as two operations. The count includes the patches,
    the four products and the two of the MLP in each layer, the two products of attention, and
    the last projection; norms, activations and biases are left out, as in published tables.

    Source: Kaplan et al., "Scaling laws for neural language models", 2020, table 1, with the
    attention over the whole context added. It gives 162.0 for ViT-L-14 and 8.82 for ViT-B-32,
    the figures that open_clip publishes.
    """
    vision = config["vision_cfg"]
    if not _is_plain_vision(vision):
        return None
    width, layers = vision.get("width", 768), vision.get("layers", 12)
    patch_px = read_patch_px(config)
    n_patches = (read_input_px(config) // patch_px) ** 2
    n_tokens = n_patches + 1
    per_token = width * width * (4 + 2 * vision.get("mlp_ratio", 4.0)) + 2 * n_tokens * width
    n_products = (
        layers * n_tokens * per_token
        + n_patches * 3 * patch_px**2 * width
        + width * config["embed_dim"]
    )
    return float(2 * n_products / 1e9)


def count_parameters(config: Config) -> int | None:
    """Return the number of parameters of both towers; None unless both are plain."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    if not (_is_plain_vision(vision) and set(text) <= TEXT_KEYS):
        return None
    if set(config) & {"multimodal_cfg"}:
        return None
    # The logit scale is one more parameter; the logit bias is another.
    n_scalars = 1 + ("init_logit_bias" in config)
    return (
        _count_vision(vision, config["embed_dim"])
        + _count_text(text, config["embed_dim"])
        + n_scalars
    )


def _is_plain_vision(vision: Config) -> bool:
    square = read_input_px({"vision_cfg": vision}) > 0
    return set(vision) <= VISION_KEYS and isinstance(vision.get("layers", 12), int) and square


def _count_vision(vision: Config, embed_dim: int) -> int:
    width, patch_px = vision.get("width", 768), vision.get("patch_size", 16)
    n_patches = (read_input_px({"vision_cfg": vision}) // patch_px) ** 2
    n_norms = 1 if vision.get("no_ln_pre", False) else 2
    return int(
        3 * patch_px**2 * width
        + width
        + (n_patches + 1) * width
        + n_norms * 2 * width
        + vision.get("layers", 12) * _count_layer(vision, width)
        + width * embed_dim
    )


def _count_text(text: Config, embed_dim: int) -> int:
    width = text.get("width", 512)
    has_class = bool(text.get("embed_cls", False))
    return int(
        text.get("vocab_size", 49408) * width
        + (text.get("context_length", 77) + has_class) * width
        + has_class * width
        + 2 * width
        + text.get("layers", 12) * _count_layer(text, width)
        + width * embed_dim
        + bool(text.get("proj_bias", False)) * embed_dim
    )


def _count_layer(tower: Config, width: int) -> int:
    hidden = int(width * tower.get("mlp_ratio", 4.0))
    attention = 4 * width * width + 4 * width
    mlp = 2 * width * hidden + hidden + width
    scales = 0 if tower.get("ls_init_value") is None else 2 * width
    return attention + mlp + 4 * width + scales
