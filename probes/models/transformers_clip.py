"""CLIP in transformers' format: its config and tensors converted to open_clip's layout.

No code of transformers is used: the entries of its config that define the towers are checked
and renamed, and so are its tensors. Source: transformers 5, `configuration_clip.py` and
`modeling_clip.py`; open_clip 3.3, `CLIP`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from probes.errors import ProbeError
from probes.models.config import (
    MAX_CONFIG_BYTES,
    SIDE,
    TEXT,
    WIDTH,
    check_model,
)
from probes.models.shapes import (
    Either,
    Null,
    Real,
    Row,
    Shape,
    Text,
    Whole,
    check_entries,
    parse_json,
    read_bounded,
)
from probes.models.transformers_siglip import (
    PREPROCESSING,
    rename_siglip,
    shape_naflex,
    shape_siglip,
)
from probes.models.transformers_towers import BLOCKS, JOINED, TowerShapes, read_tower
from synthtext.errors import quote

CONFIG_NAME = "config.json"

PREPROCESSOR_NAME = "preprocessor_config.json"

WEIGHT_NAMES = ("model.safetensors", "pytorch_model.bin")
"""Names of a weights file, in order of preference."""

OPENAI_VOCABULARY = 49_408
"""Size of OpenAI's vocabulary, which open_clip's own tokenizer uses."""

ACTIVATIONS = ("quick_gelu", "gelu")

ARGMAX = 2
"""An `eos_token_id` that means the largest id, since early configs stated it wrongly."""

TOWER: Mapping[str, Shape] = {**BLOCKS, "hidden_act": Text(ACTIVATIONS)}

TOWERS: Mapping[str, TowerShapes] = {
    "vision": (
        {**TOWER, "image_size": SIDE, "patch_size": SIDE, "num_channels": Whole(3, 3)},
        {
            "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
            "num_attention_heads": 12, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
            "image_size": 224, "patch_size": 32,
        },
    ),
    "text": (
        {
            **TOWER, "vocab_size": TEXT["vocab_size"],
            "max_position_embeddings": TEXT["context_length"],
            "eos_token_id": Either((Null(), Whole(0, 4_000_000))),
        },
        {
            "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12,
            "num_attention_heads": 8, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
            "vocab_size": OPENAI_VOCABULARY, "max_position_embeddings": 77,
            "eos_token_id": 49_407,
        },
    ),
}  # fmt: skip
"""Entries that define each tower, and their defaults."""

PREPROCESSOR: Mapping[str, Shape] = {
    "image_mean": Row(Real(-1000, 1000), 3, 3), "image_std": Row(Real(-1000, 1000), 3, 3),
    "resample": Either((Null(), Whole(0, 5))), "image_processor_type": Either((Null(), Text())),
}  # fmt: skip

NAFLEX_PROCESSOR = "Siglip2ImageProcessor"
"""What prepares images of any shape, bilinearly unless it is told otherwise."""

INTERPOLATIONS = {2: "bilinear", 3: "bicubic"}
"""Filters by their number in Pillow."""

RENAMED = (
    (r"^text_model\.embeddings\.token_embedding\.weight$", "token_embedding.weight"),
    (r"^text_model\.embeddings\.position_embedding\.weight$", "positional_embedding"),
    (r"^text_model\.final_layer_norm\.", "ln_final."),
    (r"^text_model\.encoder\.layers\.", "transformer.resblocks."),
    (r"^vision_model\.embeddings\.class_embedding$", "visual.class_embedding"),
    (r"^vision_model\.embeddings\.patch_embedding\.weight$", "visual.conv1.weight"),
    (r"^vision_model\.embeddings\.position_embedding\.weight$", "visual.positional_embedding"),
    (r"^vision_model\.pre_layrnorm\.", "visual.ln_pre."),
    (r"^vision_model\.post_layernorm\.", "visual.ln_post."),
    (r"^vision_model\.encoder\.layers\.", "visual.transformer.resblocks."),
    (r"\.layer_norm([12])\.", r".ln_\1."),
    (r"\.mlp\.fc1\.", ".mlp.c_fc."),
    (r"\.mlp\.fc2\.", ".mlp.c_proj."),
    (r"\.self_attn\.out_proj\.", ".attn.out_proj."),
)
"""Renaming of tensors, from transformers to open_clip."""

TURNED = {
    "text_projection.weight": "text_projection",
    "visual_projection.weight": "visual.proj",
}
"""Projections, which open_clip stores transposed."""


def is_transformers(folder: Path) -> bool:
    """Return whether a folder holds a model in transformers' format, not open_clip's."""
    return (folder / CONFIG_NAME).is_file() and any(
        (folder / name).is_file() for name in WEIGHT_NAMES
    )


def read_transformers_config(path: Path, tokenizer: str) -> dict[str, Any]:
    """Return open_clip's model config for a `config.json` of transformers.

    Args:
        path: the config file.
        tokenizer: source of the tokenizer, for vocabularies other than OpenAI's.

    Raises:
        ProbeError: it is the config of another model, or is inconsistent.
    """
    content = parse_json(
        read_bounded(path, MAX_CONFIG_BYTES, "give a model config"),
        path,
        "download it again",
    )
    kind = content.get("model_type") if isinstance(content, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise ProbeError(
            f"{path} is of model_type {quote(kind)}; of transformers' models only"
            f" {', '.join(map(repr, KINDS))} can be loaded; `synthtext models` lists those"
            " of open_clip"
        )
    model = KINDS[kind](content, path, tokenizer)
    check_model(model, str(path))
    return model


def _shape_clip(content: Mapping[str, Any], path: Path, tokenizer: str) -> dict[str, Any]:
    """Return the model config of a `CLIPModel`, not yet checked as a whole."""
    check_entries(content, {"projection_dim": Either((Null(), WIDTH))}, str(path), others=True)
    vision, text = (read_tower(content, name, TOWERS[name], path) for name in TOWERS)
    if vision["hidden_act"] != text["hidden_act"]:
        raise ProbeError(f"{path} has two activations; open_clip knows models with one")
    model = {
        "embed_dim": content.get("projection_dim") or 512,
        "quick_gelu": vision["hidden_act"] == "quick_gelu",
        "vision_cfg": {
            **_shape_tower(vision, path),
            "head_width": vision["hidden_size"] // vision["num_attention_heads"],
            "image_size": vision["image_size"], "patch_size": vision["patch_size"],
        },
        "text_cfg": {
            **_shape_tower(text, path),
            "heads": text["num_attention_heads"], "vocab_size": text["vocab_size"],
            "context_length": text["max_position_embeddings"],
        },
    }  # fmt: skip
    if text["vocab_size"] != OPENAI_VOCABULARY:
        model["text_cfg"]["hf_tokenizer_name"] = tokenizer
        if text["eos_token_id"] not in (None, ARGMAX):
            model["text_cfg"] |= {"pool_type": "eos", "eos_id": text["eos_token_id"]}
    return model


def read_preprocessor(path: Path | None, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a `Preprocessing` that a `preprocessor_config.json` states.

    Args:
        path: path of the file; None if there is none.
        config: from `read_transformers_config`; provides the defaults.

    Raises:
        ProbeError: it asks for preprocessing that is not supported.
    """
    usual = dict(PREPROCESSING) if config.get("custom_text") else {}
    if path is None or not path.is_file():
        return usual
    raw = read_bounded(path, MAX_CONFIG_BYTES, "remove it or download it again")
    content = parse_json(raw, path, "download it again")
    stated = check_entries(content, PREPROCESSOR, str(path), others=True)
    fields: dict[str, Any] = usual | {
        field: stated[name]
        for field, name in (("mean", "image_mean"), ("std", "image_std"))
        if name in stated
    }
    if stated.get("resample") is not None:
        if stated["resample"] not in INTERPOLATIONS:
            raise ProbeError(
                f"{path} has resample {stated['resample']}; it is 2 (bilinear) or 3 (bicubic)"
            )
        fields["interpolation"] = INTERPOLATIONS[stated["resample"]]
    elif str(stated.get("image_processor_type")).startswith(NAFLEX_PROCESSOR):
        fields["interpolation"] = "bilinear"
    if stated.get("do_center_crop") is False:
        fields["resize_mode"] = "squash"
    return fields


def rename_state(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors of transformers under open_clip's names.

    Args:
        state: of a `CLIPModel`, a `SiglipModel` or a `Siglip2Model`.
        config: from `read_transformers_config`.
    """
    if config.get("custom_text"):
        return rename_siglip(state)
    renamed: dict[str, Tensor] = {}
    for name, part in state.items():
        joined = re.fullmatch(JOINED, name)
        if joined:
            parts = [state.get(name.replace("q_proj", f"{each}_proj")) for each in "qkv"]
            held = [each for each in parts if each is not None]
            renamed[_rename(f"{joined[1]}.attn.in_proj_{joined[2]}")] = torch.cat(held)
        elif name in TURNED:
            renamed[TURNED[name]] = part.T.contiguous()
        elif ".self_attn.k_proj." not in name and ".self_attn.v_proj." not in name:
            renamed[_rename(name)] = part
    return {name: part for name, part in renamed.items() if not name.endswith("position_ids")}


def _rename(name: str) -> str:
    for old, new in RENAMED:
        name = re.sub(old, new, name)
    return name


def _shape_tower(tower: Mapping[str, Any], path: Path) -> dict[str, Any]:
    ratio = tower["intermediate_size"] / tower["hidden_size"]
    if int(tower["hidden_size"] * ratio) != tower["intermediate_size"]:
        raise ProbeError(
            f"{path} has intermediate_size {tower['intermediate_size']}, which open_clip"
            f" cannot combine with its hidden_size"
        )
    shaped = {"width": tower["hidden_size"], "layers": tower["num_hidden_layers"]}
    shaped |= {} if ratio == 4 else {"mlp_ratio": ratio}
    eps = tower["layer_norm_eps"]
    return shaped | ({} if eps == 1e-5 else {"norm_kwargs": {"eps": eps}})


KINDS: Mapping[str, Callable[[Mapping[str, Any], Path, str], dict[str, Any]]] = {
    "clip": _shape_clip, "siglip": shape_siglip, "siglip2": shape_naflex,
}  # fmt: skip
"""Types of models, by the model_type of their configs."""
