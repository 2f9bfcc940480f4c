"""Towers in transformers' configs: the entries that are read, and their bounds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from probes.errors import ProbeError
from probes.models.config import FRACTION, HEADS, LAYERS, WIDTH
from probes.models.shapes import Shape, Whole, check_entries

TowerShapes = tuple[Mapping[str, Shape], dict[str, Any]]
"""Entries that define a tower, and their defaults."""

BLOCKS: Mapping[str, Shape] = {
    "hidden_size": WIDTH, "intermediate_size": Whole(1, 65_536), "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS, "layer_norm_eps": FRACTION,
}  # fmt: skip
"""Entries of every tower; activations differ."""

JOINED = r"(.+)\.self_attn\.q_proj\.(weight|bias)"
"""The first of three projections that other libraries store as one tensor."""


def read_tower(
    content: Mapping[str, Any], name: str, tower_shapes: TowerShapes, path: Path
) -> dict[str, Any]:
    """Return the definition of a tower; the older entry `..._config_dict` takes precedence.

    Args:
        content: content of a `config.json`.
        name: "vision" or "text".
        tower_shapes: the entries that define the tower, and their defaults.
        path: path of the config, for errors.

    Raises:
        ProbeError: an entry is invalid.
    """
    shapes, known = tower_shapes
    tower = dict(known)
    for key in (f"{name}_config", f"{name}_config_dict"):
        stated = check_entries(
            content.get(key) or {}, shapes, f"the {key} of {path}", others=True
        )
        tower |= {entry: stated[entry] for entry in shapes if stated.get(entry) is not None}
    if tower["hidden_size"] % tower["num_attention_heads"]:
        raise ProbeError(
            f"the {name}_config of {path} has hidden_size {tower['hidden_size']}, which"
            f" {tower['num_attention_heads']} heads do not divide evenly"
        )
    return tower
