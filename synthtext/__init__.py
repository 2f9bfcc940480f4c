"""Renders text images, with every factor recorded, into WebDataset shards.

>>> import synthtext
>>> spec = synthtext.make_spec("quartz", size_px=40, rotation_deg=10)
>>> synthtext.render(spec).pixels.shape
(224, 224, 3)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from synthtext.environment import clear_environment

if TYPE_CHECKING:
    from synthtext.dataset.codec import decode, encode
    from synthtext.dataset.map_style import Dataset, Stream, load, stream
    from synthtext.dataset.shards import read_shard, write_shard
    from synthtext.drawing.fonts import read_catalogue
    from synthtext.drawing.layers import draw_layer
    from synthtext.drawing.rendering import Rendering, render
    from synthtext.errors import SynthtextError
    from synthtext.recipe import edit_recipe, read_recipe
    from synthtext.spec import Spec, make_spec

__all__ = [
    "Dataset",
    "Rendering",
    "Spec",
    "Stream",
    "SynthtextError",
    "decode",
    "draw_layer",
    "edit_recipe",
    "encode",
    "load",
    "make_spec",
    "read_catalogue",
    "read_recipe",
    "read_shard",
    "render",
    "stream",
    "write_shard",
]

clear_environment()

_HOMES = {
    "dataset.codec": ("decode", "encode"),
    "dataset.map_style": ("Dataset", "Stream", "load", "stream"),
    "errors": ("SynthtextError",),
    "drawing.fonts": ("read_catalogue",),
    "recipe": ("edit_recipe", "read_recipe"),
    "drawing.layers": ("draw_layer",),
    "drawing.rendering": ("Rendering", "render"),
    "dataset.shards": ("read_shard", "write_shard"),
    "spec": ("Spec", "make_spec"),
}
"""The module of each public name; it is imported on first use, so that importing is fast."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for.
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"synthtext.{module}"), name)
    raise AttributeError(f"module 'synthtext' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
