"""A training set that a tiny model learns in seconds: two black capitals in one font."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from probes.models.pretrained import READER
from probes.training.config import FinetuneConfig, Schedule
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import make_plan
from synthtext.drawing.fonts import read_catalogue
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.words import make_texts

LETTERS = "abehkmnorstx"

PLAIN = {
    "case": "upper", "font_family": "DejaVu Sans", "size_px": "28", "width_px": "64",
    "height_px": "64", "x_frac": "0.5", "y_frac": "0.5", "rotation_deg": "0", "ink": "black",
    "contrast": "21", "paper": "white", "opacity": "1", "background": "plain", "blur_px": "0",
    "noise_std": "0", "letter_spacing_em": "0", "splits": "0.7,0.15,0.15", "shard_size": "200",
}  # fmt: skip

SMALL: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "head_width": 64},
    "text_cfg": {
        "context_length": 8, "vocab_size": 259, "hf_tokenizer_name": "bytes", "width": 32,
        "heads": 2, "layers": 1,
    },
}  # fmt: skip
"""A residual network, like the bundled reader."""

PATCHED = SMALL | {
    "vision_cfg": {
        "image_size": 64, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16,
    }
}  # fmt: skip
"""A vision transformer."""

TINY: dict[str, Any] = {
    "embed_dim": 8,
    "vision_cfg": {
        "image_size": 32, "layers": 1, "width": 8, "head_width": 8, "patch_size": 16,
    },
    "text_cfg": SMALL["text_cfg"] | {"width": 8, "heads": 1},
}  # fmt: skip
"""The smallest, whose checkpoints are written in few pieces."""


def write_data(folder: Path, count: int = 600, **edits: str) -> Path:
    pairs = [a + b for a in LETTERS for b in LETTERS]
    texts = make_texts(pairs, [None] * len(pairs), "pairs")
    recipe = edit_recipe(default_recipe(), PLAIN | edits)
    render_dataset(make_plan(recipe, {"word": texts}, read_catalogue(), count=count), folder)
    return folder


def write_model(folder: Path, config: dict[str, Any] = SMALL) -> Path:
    """Write a folder with a config and a tokenizer, but no weights."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(READER / name, folder)
    content = {"model_cfg": config, "preprocess_cfg": {"mean": 0.5, "std": 0.25}}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    return folder


def set_up(model: Path, data: Path, **options: Any) -> FinetuneConfig:  # noqa: ANN401
    schedule = {"n_steps": 4, "lr": 3e-3, "save_every": 100} | options.pop("schedule", {})
    given = {"arm": "full", "batch_size": 32, "templates": ("{}",), "pretrained": "random"}
    return FinetuneConfig(
        model=str(model), data=data, schedule=Schedule(**schedule), **(given | options)
    )
