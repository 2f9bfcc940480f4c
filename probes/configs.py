"""Configs: the JSON that tells what a model is made of, read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probes.errors import ProbeError
from probes.prompts import SLOT

CONFIG_NAME = "open_clip_config.json"
"""Name of a config beside its weights, as open_clip writes it."""

MODEL_KEYS = ("embed_dim", "vision_cfg", "text_cfg")
"""Keys that every model config has."""


@dataclass(frozen=True)
class ModelConfig:
    """What a config file says.

    Attributes:
        model: embed_dim, vision_cfg, text_cfg and switches, in the form open_clip ships.
        preprocessing: the fields it states; none where it states none.
        prompts: templates the weights were trained with; none where it states none.
    """

    model: dict[str, Any]
    preprocessing: dict[str, Any]
    prompts: tuple[str, ...] = ()


def read_config(path: Path) -> ModelConfig:
    """Return the config in a file: a bare model config, or one with `model_cfg` inside.

    Beside `model_cfg` and `preprocess_cfg` a file may state `activation`, "gelu" or
    "quickgelu", and `tokenizer`, with its `vocab_size` and `context_length`. They say nothing
    new, but a `model_cfg` that was edited or swapped no longer agrees with them. `prompts` are
    templates to ask about text with.

    Raises:
        ProbeError: the file is missing, is no model config, or contradicts itself.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ProbeError(f"there is no file {path}; a model config belongs there") from error
    except (OSError, ValueError) as error:
        raise ProbeError(f"{path} is no JSON ({error}); pass a model config") from error
    model = content.get("model_cfg", content) if isinstance(content, dict) else None
    if not isinstance(model, dict):
        raise ProbeError(f"{path} is no model config; it holds no object of settings")
    lacking = [key for key in MODEL_KEYS if key not in model]
    if lacking:
        raise ProbeError(f"{path} is no model config: it lacks {', '.join(lacking)}")
    _check_activation(content, model, path)
    _check_tokenizer(content, model, path)
    return ModelConfig(
        model, dict(content.get("preprocess_cfg") or {}), _read_prompts(content, path)
    )


def _read_prompts(content: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    prompts = content.get("prompts") or []
    if not isinstance(prompts, list) or not all(SLOT in str(prompt) for prompt in prompts):
        raise ProbeError(f"{path} has prompts {prompts!r}; each is a text with {SLOT} in it")
    return tuple(map(str, prompts))


def name_activation(model: Mapping[str, Any]) -> str:
    """Return "quickgelu" or "gelu", whichever a model config asks for."""
    return "quickgelu" if model.get("quick_gelu", False) else "gelu"


def _check_activation(content: Mapping[str, Any], model: Mapping[str, Any], path: Path) -> None:
    stated = content.get("activation", name_activation(model))
    if stated != name_activation(model):
        quick = "true" if stated == "quickgelu" else "false"
        raise ProbeError(
            f"{path} says the weights were trained with {stated}, but its model_cfg computes"
            f" {name_activation(model)}; set model_cfg.quick_gelu to {quick}"
        )


def _check_tokenizer(content: Mapping[str, Any], model: Mapping[str, Any], path: Path) -> None:
    for key, stated in dict(content.get("tokenizer") or {}).items():
        held = model["text_cfg"].get(key, stated)
        if held != stated:
            raise ProbeError(
                f"{path} says its tokenizer has {key} {stated}, but its text_cfg has {held};"
                " load the config that was saved with the weights"
            )
