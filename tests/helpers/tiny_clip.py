"""A CLIP of 1.6 million parameters, most of them its vocabulary, and helpers for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from probes.errors import ProbeError
from probes.models.factory import load_model

TINY: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": 32,
        "layers": 2,
        "width": 32,
        "head_width": 16,
        "patch_size": 16,
    },
    "text_cfg": {"context_length": 16, "width": 32, "heads": 2, "layers": 1},
}


def change(config: dict[str, Any], part: str, **settings: object) -> dict[str, Any]:
    return config | {part: config[part] | settings}


def write_json(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def make_state() -> dict[str, torch.Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return dict(open_clip.CLIP(**TINY).state_dict())


def write_folder(folder: Path) -> Path:
    """Write a model as a fine-tuned one: with QuickGELU and non-default preprocessing."""
    config = {
        "model_cfg": TINY | {"quick_gelu": True},
        "preprocess_cfg": {"size": 32, "mean": [0.5, 0.5, 0.5], "std": 0.25},
        "activation": "quickgelu",
        "tokenizer": {"context_length": 16},
    }
    write_json(folder / "open_clip_config.json", config)
    save_file(make_state(), folder / "open_clip_model.safetensors")
    return folder


def draw_pictures(*shapes: tuple[int, int]) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]


def refuse(**options: Any) -> str:  # noqa: ANN401 - those of load_model.
    """Return the whole error message with which a model is refused."""
    with pytest.raises(ProbeError) as caught:
        load_model(**options)
    return str(caught.value)
