"""Saving: a module -> a folder that open_clip and `synthtext probe` can load."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch

from probes.models.config import CONFIG_NAME, name_activation
from probes.models.factory import Parts
from probes.models.file_tokenizer import save_tokenizer
from probes.models.preprocessing import Preprocessing
from probes.models.pretrained import WEIGHT_NAMES
from synthtext.storage import replace_file


def save_model(folder: Path, parts: Parts, *, templates: Sequence[str]) -> None:
    """Write weights, tokenizer and, last, the config: an incomplete folder is not a model.

    Args:
        folder: created if needed.
        parts: module, config, preprocessing and tokenizer.
        templates: prompts that it was trained with, which `probe` then uses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: part.contiguous().cpu() for name, part in parts.module.state_dict().items()}
    replace_file(folder / WEIGHT_NAMES[0], safetensors.torch.save(state))
    save_tokenizer(parts.tokenizer, folder)
    content = format_config(parts, templates)
    replace_file(folder / CONFIG_NAME, json.dumps(content, indent=2).encode() + b"\n")


def format_config(parts: Parts, templates: Sequence[str]) -> dict[str, Any]:
    """Return the content of `open_clip_config.json`, in open_clip's form with a few additions.

    Activation and tokenizer are stated redundantly, so that a config that was edited or swapped
    contradicts itself and is refused.
    """
    config, text = parts.source.config, parts.source.config["text_cfg"]
    return {
        "model_cfg": config,
        "preprocess_cfg": _describe_preprocessing(parts.source.preprocessing),
        "activation": name_activation(config),
        "tokenizer": {
            name: text[name] for name in ("vocab_size", "context_length") if name in text
        },
        "prompts": list(templates),
    }


def _describe_preprocessing(preprocessing: Preprocessing) -> Mapping[str, Any]:
    return {
        "size": preprocessing.size_px,
        "mean": list(preprocessing.mean),
        "std": list(preprocessing.std),
        "interpolation": preprocessing.interpolation,
        "resize_mode": preprocessing.resize_mode,
        "fill_color": preprocessing.fill_color,
    }
