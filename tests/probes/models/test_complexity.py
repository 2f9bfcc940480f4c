from __future__ import annotations

import open_clip
import pytest
import torch

from probes.models.complexity import count_gflop, count_parameters, read_patch_px
from probes.models.registry import read_registry, tower_gflop
from tiny_clip import TINY, change


def test_flops_are_those_that_are_published() -> None:
    # Source: docs/model_profile.csv of open_clip.
    assert tower_gflop("ViT-L-14") == pytest.approx(162.03, abs=0.01)
    assert tower_gflop("ViT-B-32") == pytest.approx(8.82, abs=0.01)


@pytest.mark.parametrize("name", ["RN50", "ViT-B-16-SigLIP", "coca_ViT-B-32", "no-such"])
def test_flops_of_other_towers_are_not_invented(name: str) -> None:
    assert tower_gflop(name) is None


def test_parameters_are_counted_as_open_clip_builds_them() -> None:
    n_counted = 0
    for name, config in read_registry().configs.items():
        n_parameters = count_parameters(config)
        if n_parameters is None:
            continue
        built = dict(config)
        custom = built.pop("custom_text", False)
        with torch.device("meta"):
            module = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**built)
        assert n_parameters == sum(part.numel() for part in module.parameters()), name
        n_counted += 1
    assert n_counted > 40


def test_layer_scales_and_a_logit_bias_are_counted() -> None:
    config = change(change(TINY, "vision_cfg", ls_init_value=0.1), "text_cfg", proj_bias=True)
    config = config | {"init_logit_bias": -10}
    module = open_clip.CustomTextCLIP(**config)
    assert count_parameters(config) == sum(part.numel() for part in module.parameters())


def test_a_patch_is_read_from_the_name_of_a_timm_tower() -> None:
    tower = {"timm_model_name": "vit_base_patch16_siglip_224", "image_size": 224}
    assert read_patch_px({"vision_cfg": tower}) == 16
    assert count_gflop({"vision_cfg": tower, "embed_dim": 768}) is None
