"""Configs: the JSON that describes a model, checked before it is used.

Everything that reaches open_clip, timm or transformers from a config is listed here with its
bounds; an unlisted entry is refused, since it could make one of them fetch or run code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probes.errors import ProbeError
from probes.models.prompts import SLOT
from probes.models.shapes import (
    Anything,
    Either,
    Flag,
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
from synthtext.errors import quote

CONFIG_NAME = "open_clip_config.json"
"""Name of a config file next to its weights, as written by open_clip."""

MODEL_KEYS = ("embed_dim", "vision_cfg", "text_cfg")
"""Keys that every model config has."""

MAX_CONFIG_BYTES = 4 << 20
"""Maximum size of a config; real ones have a few thousand bytes."""

MAX_PATCHES = 65_536
"""Maximum number of patches per image, since attention is quadratic in it."""

SIDE = Whole(1, 4096)
WIDTH = Whole(1, 16_384)
LAYERS = Whole(1, 256)
HEADS = Whole(1, 1024)
FRACTION = Real(0, 1)
SCALE = Either((Null(), Real(0, 1000)))
NAME = Either((Null(), Text(longest=200)))

BLOCK: dict[str, Shape] = {
    "width": WIDTH, "mlp_ratio": Real(0.01, 64), "ls_init_value": SCALE,
    "block_type": Either((Null(), Text(("default", "custom")))), "qk_norm": Flag(),
    "scaled_cosine_attn": Flag(), "scale_heads": Flag(), "scale_attn_inner": Flag(),
    "scale_attn": Flag(), "scale_fc": Flag(), "final_ln_after_pool": Flag(),
    "output_tokens": Flag(), "act_kwargs": Anything(), "norm_kwargs": Anything(),
}  # fmt: skip
"""Entries of both towers; those of the last two are in `KWARGS`."""

VISION: dict[str, Shape] = BLOCK | {
    "layers": Either((LAYERS, Row(LAYERS, 4, 4))), "head_width": WIDTH,
    "patch_size": Either((Null(), SIDE)), "image_size": Either((SIDE, Row(SIDE, 2, 2))),
    "patch_dropout": FRACTION,
    "attentional_pool": Either((Flag(), Text(("parallel", "cascade")))),
    "attn_pooler_queries": Whole(1, 4096), "attn_pooler_heads": HEADS, "no_ln_pre": Flag(),
    "pos_embed_type": Text(("learnable", "sin_cos_2d")),
    "pool_type": Text(("tok", "avg", "none")), "timm_model_name": NAME,
    "timm_model_pretrained": Flag(),
    "timm_pool": Text((
        "", "token", "avg", "map", "max", "avgmax", "catavgmax", "abs_attn", "rot_attn",
    )),
    "timm_proj": Either((Null(), Text(("", "linear", "mlp", "none")))),
    "timm_proj_bias": Flag(),
    "timm_drop": FRACTION, "timm_drop_path": Either((Null(), FRACTION)),
    "timm_model_kwargs": Anything(),
}  # fmt: skip
"""Source: open_clip 3.3, `CLIPVisionCfg`, and `timm_model_kwargs` of our own."""

TEXT: dict[str, Shape] = BLOCK | {
    "context_length": Whole(3, 4096), "vocab_size": Whole(1, 4_000_000),
    "hf_tokenizer_name": NAME, "tokenizer_mode": Either((Null(), Text(("clips",)))),
    "tokenizer_kwargs": Anything(), "heads": HEADS, "layers": LAYERS, "embed_cls": Flag(),
    "pad_id": Whole(0, 4_000_000), "eos_id": Whole(0, 4_000_000), "no_causal_mask": Flag(),
    "pool_type": Text(("first", "last", "argmax", "eos", "none")), "proj_bias": Flag(),
    "proj_type": Text(("linear", "none")), "hf_model_name": NAME, "hf_model_pretrained": Flag(),
    "hf_proj_type": Either((Null(), Text(("", "linear", "mlp")))),
    "hf_pooler_type": Either((Null(), Text((
        "mean_pooler", "max_pooler", "cls_pooler", "cls_last_hidden_state_pooler",
    )))),
}  # fmt: skip
"""Source: open_clip 3.3, `CLIPTextCfg`."""

DECODER: dict[str, Shape] = TEXT | {
    "dim_head": WIDTH, "n_queries": Whole(1, 4096), "attn_pooler_heads": HEADS,
}  # fmt: skip
"""Source: open_clip 3.3, `MultimodalCfg`."""

MODEL: Mapping[str, Shape] = {
    "embed_dim": WIDTH, "vision_cfg": Anything(), "text_cfg": Anything(),
    "multimodal_cfg": Anything(), "custom_text": Flag(), "quick_gelu": Flag(),
    "init_logit_scale": Real(-1000, 1000), "nonscalar_logit_scale": Flag(),
    "init_logit_bias": Either((Null(), Real(-1000, 1000))),
}  # fmt: skip
"""Entries at the top level of a config; the towers have their own tables."""

KWARGS: Mapping[str, Mapping[str, Shape]] = {
    "act_kwargs": {"approximate": Text(("none", "tanh"))},
    "norm_kwargs": {"eps": Real(0, 1)},
    "tokenizer_kwargs": {
        "clean": Text(("canonicalize", "lower", "whitespace", "siglip", "siglip2")),
        "strip_sep_token": Flag(),
    },
    "timm_model_kwargs": {
        "embed_dim": WIDTH, "depth": LAYERS, "num_heads": HEADS, "mlp_ratio": Real(0.01, 64),
        "patch_size": SIDE, "act_layer": Text(("gelu", "gelu_tanh")),
    },
}  # fmt: skip
"""The keyword arguments that a config may pass on."""

PREPROCESSING: Mapping[str, Shape] = {
    "mean": Either((Null(), Real(-1000, 1000), Row(Real(-1000, 1000), 1, 4))),
    "std": Either((Null(), Real(-1000, 1000), Row(Real(-1000, 1000), 1, 4))),
    "interpolation": Either((Null(), Text())), "resize_mode": Either((Null(), Text())),
}  # fmt: skip
"""Entries of `preprocess_cfg` that `probes.models.preprocessing` leaves to be checked here."""

TOKENIZER: Mapping[str, Shape] = {
    "vocab_size": TEXT["vocab_size"], "context_length": TEXT["context_length"],
}  # fmt: skip

HF_TYPES = ("roberta", "xlm-roberta", "mt5", "bert", "m2m_100")
"""Source: open_clip 3.3, `hf_configs.arch_dict`: the text towers that it can pool."""

_TOKEN = Either((Null(), Whole(0, 4_000_000)))

HF_MODEL: Mapping[str, Shape] = {
    "model_type": Text(HF_TYPES), "vocab_size": TEXT["vocab_size"],
    "is_encoder_decoder": Flag(), "tie_word_embeddings": Flag(), "scale_embedding": Flag(),
    "is_gated_act": Flag(), "pad_token_id": _TOKEN, "bos_token_id": _TOKEN,
    "eos_token_id": _TOKEN, "decoder_start_token_id": _TOKEN, "type_vocab_size": Whole(1, 1024),
    "max_position_embeddings": Whole(1, 65_536),
    "relative_attention_num_buckets": Whole(2, 1024),
    "relative_attention_max_distance": Whole(2, 65_536), "init_std": Real(0, 1000),
    "initializer_range": Real(0, 1000), "initializer_factor": Real(0, 1000),
    "layer_norm_eps": Real(0, 1), "layer_norm_epsilon": Real(0, 1),
    **dict.fromkeys(("hidden_act", "activation_function", "dense_act_fn"),
                    Text(("gelu", "gelu_new", "relu", "silu"))),
    "feed_forward_proj": Text(("gated-gelu", "relu", "gelu")),
    **dict.fromkeys(("hidden_size", "d_model", "intermediate_size", "d_ff", "d_kv",
                     "encoder_ffn_dim", "decoder_ffn_dim"), Whole(1, 65_536)),
    **dict.fromkeys(("num_hidden_layers", "num_layers", "num_decoder_layers", "encoder_layers",
                     "decoder_layers"), LAYERS),
    **dict.fromkeys(("num_attention_heads", "num_heads", "encoder_attention_heads",
                     "decoder_attention_heads"), HEADS),
    **dict.fromkeys(("dropout", "dropout_rate", "attention_dropout", "activation_dropout",
                     "hidden_dropout_prob", "attention_probs_dropout_prob",
                     "encoder_layerdrop", "decoder_layerdrop"), FRACTION),
}  # fmt: skip
"""Entries of a Hugging Face `config.json` that define a text tower; others are ignored."""


@dataclass(frozen=True)
class ModelConfig:
    """The content of a config file.

    Attributes:
        model: embed_dim, vision_cfg, text_cfg and switches, in the form open_clip ships.
        preprocessing: the stated fields; may be empty.
        prompts: the stated templates that the weights were trained with; may be empty.
    """

    model: dict[str, Any]
    preprocessing: dict[str, Any]
    prompts: tuple[str, ...] = ()


def read_config(path: Path) -> ModelConfig:
    """Return the config in a file: a bare model config, or one with `model_cfg` inside.

    Besides `model_cfg` and `preprocess_cfg`, a file may state `activation`, "gelu" or
    "quickgelu", and `tokenizer`, with its `vocab_size` and `context_length`. They are
    redundant, but a `model_cfg` that was edited or swapped no longer agrees with them.
    `prompts` are templates for texts.

    Raises:
        ProbeError: the file is missing, is not a model config, or contradicts itself.
    """
    raw = read_bounded(path, MAX_CONFIG_BYTES, "give a model config")
    content = parse_json(raw, path, "pass a model config")
    model = content.get("model_cfg", content) if isinstance(content, dict) else None
    if not isinstance(model, dict):
        raise ProbeError(f"{path} is not a model config; it is not a JSON object")
    check_model(model, str(path))
    _check_activation(content, model, path)
    _check_tokenizer(content, model, path)
    stated = check_entries(
        content.get("preprocess_cfg") or {},
        PREPROCESSING,
        f"the preprocess_cfg of {path}",
        others=True,
    )
    return ModelConfig(model, dict(stated), _read_prompts(content, path))


def check_model(model: Mapping[str, Any], origin: str) -> None:
    """Check that a model config has only entries that open_clip knows, within bounds.

    Raises:
        ProbeError: an entry is missing, unknown or invalid.
    """
    lacking = [key for key in MODEL_KEYS if key not in model]
    if lacking:
        raise ProbeError(f"{origin} is not a model config: it lacks {', '.join(lacking)}")
    check_entries(model, MODEL, origin)
    vision = _check_tower(model, "vision_cfg", VISION, origin)
    text = _check_tower(model, "text_cfg", TEXT, origin)
    if "multimodal_cfg" in model:
        _check_tower(model, "multimodal_cfg", DECODER, origin)
    _check_patches(vision, origin)
    timm_name = vision.get("timm_model_name") or "none"
    if not timm_name.replace(".", "_").isidentifier():
        raise ProbeError(
            f"the vision_cfg of {origin} has timm_model_name {quote(timm_name)};"
            " it must be the name of an architecture of timm, not a repository or a folder"
        )
    for key in ("hf_model_name", "hf_tokenizer_name"):
        name = text.get(key) or "none"
        if name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name:
            raise ProbeError(
                f"the text_cfg of {origin} has {key} {quote(name)}; it must be a repository"
                f" on the hub, written as 'org/name'"
            )


def read_text_config(path: Path) -> dict[str, Any]:
    """Return the entries of a Hugging Face `config.json` that define a text tower, checked.

    Everything else is ignored, including `auto_map`, `quantization_config` and the kind of
    attention, which name code to load.

    Raises:
        ProbeError: the file is missing or is not such a config.
    """
    raw = read_bounded(path, MAX_CONFIG_BYTES, "give the config of a text tower")
    content = parse_json(raw, path, "download it again")
    held = check_entries(content, HF_MODEL, str(path), others=True)
    if "model_type" not in held:
        raise ProbeError(f"{path} lacks model_type; it is one of {', '.join(HF_TYPES)}")
    return {name: value for name, value in held.items() if name in HF_MODEL}


def name_activation(model: Mapping[str, Any]) -> str:
    """Return "quickgelu" or "gelu", as a model config specifies."""
    return "quickgelu" if model.get("quick_gelu", False) else "gelu"


def _check_tower(
    model: Mapping[str, Any], key: str, shapes: Mapping[str, Shape], origin: str
) -> dict[str, Any]:
    place = f"the {key} of {origin}"
    tower = check_entries(model[key], shapes, place)
    for name, known in KWARGS.items():
        if tower.get(name) is not None:
            check_entries(tower[name], known, f"{name} in {place}")
    return tower


def _check_patches(vision: Mapping[str, Any], origin: str) -> None:
    if vision.get("timm_model_name") or isinstance(vision.get("layers"), list):
        return
    patch_px, size = vision.get("patch_size", 16), vision.get("image_size", 224)
    sides = size if isinstance(size, list) else [size, size]
    if (
        patch_px is None
        or not 0 < (sides[0] // patch_px) * (sides[1] // patch_px) <= MAX_PATCHES
    ):
        raise ProbeError(
            f"the vision_cfg of {origin} has image_size {size} and patch_size {patch_px};"
            f" together they must make 1 to {MAX_PATCHES:,} patches"
        )


def _read_prompts(content: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    prompts = content.get("prompts") or []
    if Row(Text(), 0, 1000).find_fault(prompts) or not all(SLOT in each for each in prompts):
        raise ProbeError(
            f"{path} has prompts {quote(prompts)}; each must be a text with {SLOT} in it"
        )
    return tuple(prompts)


def _check_activation(content: Mapping[str, Any], model: Mapping[str, Any], path: Path) -> None:
    stated = content.get("activation", name_activation(model))
    fault = Text(("gelu", "quickgelu")).find_fault(stated)
    if fault:
        raise ProbeError(f"{path} has activation {quote(stated)}; it is {fault}")
    if stated != name_activation(model):
        quick = "true" if stated == "quickgelu" else "false"
        raise ProbeError(
            f"{path} says the weights were trained with {stated}, but its model_cfg computes"
            f" {name_activation(model)}; set model_cfg.quick_gelu to {quick}"
        )


def _check_tokenizer(content: Mapping[str, Any], model: Mapping[str, Any], path: Path) -> None:
    stated = content.get("tokenizer") or {}
    for key, value in check_entries(stated, TOKENIZER, f"the tokenizer of {path}").items():
        held = model["text_cfg"].get(key, value)
        if held != value:
            raise ProbeError(
                f"{path} says that its tokenizer has {key} {value}, but its text_cfg has"
                f" {held};"
                " load the config that was saved with the weights"
            )
