"""The models that open_clip knows: their tags, sizes and costs."""

from __future__ import annotations

from dataclasses import dataclass

import open_clip
from open_clip.pretrained import get_pretrained_cfg

from probes.models.complexity import count_gflop, count_parameters, read_input_px, read_patch_px
from probes.models.pretrained import Registry, find_weights


@dataclass(frozen=True)
class ModelRow:
    """One line of `synthtext models`.

    Attributes:
        name: the name for `--model`.
        tags: the values for `--pretrained`.
        cached: the tags whose weights are on this machine.
        input_px: side of the square input of the tower.
        patch_px: side of a patch; 0 if there are none or it is unknown.
        parameters_m: millions of parameters in both towers; None if the config alone does not
            determine them.
        gflop: GFLOP of one image through the vision tower; None likewise.
    """

    name: str
    tags: tuple[str, ...]
    cached: tuple[str, ...]
    input_px: int
    patch_px: int
    parameters_m: float | None
    gflop: float | None


def list_models() -> list[ModelRow]:
    """Return a row for each model of open_clip, without building the models."""
    registry = read_registry()
    rows = []
    for name, config in registry.configs.items():
        tags = registry.tags[name]
        n_parameters = count_parameters(config)
        row = ModelRow(
            name=name,
            tags=tuple(tags),
            cached=tuple(tag for tag, known in tags.items() if find_weights(known)),
            input_px=read_input_px(config),
            patch_px=read_patch_px(config),
            parameters_m=None if n_parameters is None else n_parameters / 1e6,
            gflop=count_gflop(config),
        )
        rows.append(row)
    return rows


def tower_gflop(name: str) -> float | None:
    """Return the GFLOP of one image through the vision tower, None if unknown."""
    config = read_registry().configs.get(name)
    return None if config is None else count_gflop(config)


def read_registry() -> Registry:
    """Return the configs and tags of the installed open_clip."""
    configs = {name: open_clip.get_model_config(name) for name in open_clip.list_models()}
    tags = {
        name: {
            tag: get_pretrained_cfg(name, tag)
            for tag in open_clip.list_pretrained_tags_by_model(name)
        }
        for name in configs
    }
    return Registry(configs, tags)
