from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch

from probes.errors import ProbeError
from probes.models.factory import Parts, load_parts
from probes.models.preprocessing import Preprocessing
from probes.training.arms import ARMS
from probes.training.trained_clip import MAX_LOGIT_SCALE, TrainedClip, group_weights
from tiny_training import PATCHED, SMALL, write_model

CONFIGS = {"resnet": SMALL, "transformer": PATCHED}


def make_parts(folder: Path, config: dict[str, Any] = SMALL) -> Parts:
    return load_parts(str(write_model(folder, config)), pretrained="random", device="cpu")


def wrap(module: torch.nn.Module, arm: str, preprocessing: Preprocessing) -> TrainedClip:
    return TrainedClip(module, preprocessing, ARMS[arm].prepare, ARMS[arm].merge)


def make_trained_clip(folder: Path, arm: str, config: dict[str, Any] = SMALL) -> TrainedClip:
    parts = make_parts(folder, config)
    return wrap(parts.module, arm, parts.source.preprocessing)


def draw_batch(n: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, 64, 64, 3), dtype=torch.uint8, generator=generator)
    tokens = torch.randint(1, 257, (n, 8), generator=generator)
    tokens[:, -1] = 258
    return images, tokens


def take_steps(trained_clip: TrainedClip, n: int = 3) -> None:
    trained_clip.train()
    optimizer = torch.optim.AdamW(group_weights(trained_clip, 0.1), lr=0.01)
    for _ in range(n):
        trained_state = trained_clip(*draw_batch(8), None)
        optimizer.zero_grad()
        (trained_state.images * trained_state.texts).sum().mul(trained_state.scale).backward()
        optimizer.step()
    trained_clip.eval()


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("arm", ARMS)
def test_training_begins_with_the_model_and_ends_with_one(
    arm: str, config: str, tmp_path: Path
) -> None:
    trained_clip = make_trained_clip(tmp_path, arm, CONFIGS[config]).eval()
    plain = make_parts(tmp_path, CONFIGS[config]).module
    images, tokens = draw_batch()
    pixels = images.permute(0, 3, 1, 2).float().div(255).sub(0.5).div(0.25)
    with torch.no_grad():
        begun = trained_clip.embed_images(images), trained_clip.embed_texts(tokens)
        first = plain.encode_image(pixels), plain.encode_text(tokens)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(begun, first, strict=True))
    names = list(plain.state_dict())
    take_steps(trained_clip)
    with torch.no_grad():
        trained_state = trained_clip.embed_images(images), trained_clip.embed_texts(tokens)
        module = trained_clip.finish()
        kept = module.encode_image(pixels), module.encode_text(tokens)
    assert sorted(module.state_dict()) == sorted(names)
    plain.load_state_dict(module.state_dict())
    with torch.no_grad():
        again = plain.encode_image(pixels), plain.encode_text(tokens)
    for a, b, c in zip(trained_state, kept, again, strict=True):
        assert torch.allclose(a, b, atol=1e-4, rtol=1e-3)
        assert torch.equal(b, c)


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_moves_what_it_says_and_nothing_else(arm: str, tmp_path: Path) -> None:
    trained_clip = make_trained_clip(tmp_path, arm, PATCHED)
    before = {name: part.clone() for name, part in trained_clip.clip.state_dict().items()}
    _, tokens = draw_batch()
    with torch.no_grad():
        texts = trained_clip.eval().embed_texts(tokens)
    take_steps(trained_clip)
    with torch.no_grad():
        moved = not torch.equal(texts, trained_clip.embed_texts(tokens))
    assert moved is (arm in ("full", "scratch", "head"))
    if arm == "head":
        after = trained_clip.clip.state_dict()
        assert {n for n in after if not torch.equal(before[n], after[n])} == {"logit_scale"}


@pytest.mark.parametrize("arm", [name for name, arm in ARMS.items() if "texts" in arm.freezes])
def test_frozen_towers_keep_still(arm: str, tmp_path: Path) -> None:
    trained_clip = make_trained_clip(tmp_path, arm).train()
    assert not trained_clip.clip.transformer.training
    assert trained_clip.clip.visual.training is (arm != "head")


def test_gains_and_biases_do_not_decay(tmp_path: Path) -> None:
    decaying, others = group_weights(make_trained_clip(tmp_path, "full"), 0.1)
    assert decaying["weight_decay"] == 0.1
    assert others["weight_decay"] == 0
    assert all(weight.ndim >= 2 for weight in decaying["params"])
    n_all = sum(1 for _ in make_trained_clip(tmp_path, "full").parameters())
    assert len(decaying["params"]) + len(others["params"]) == n_all


def test_low_rank_changes_are_few(tmp_path: Path) -> None:
    trained_clip = make_trained_clip(tmp_path, "lora", PATCHED)
    n_moved = sum(
        weight.numel() for weight in trained_clip.parameters() if weight.requires_grad
    )
    n_all = sum(weight.numel() for weight in trained_clip.clip.visual.parameters())
    assert 0 < n_moved < n_all / 2


def test_the_scale_stays_where_training_is_stable(tmp_path: Path) -> None:
    trained_clip = make_trained_clip(tmp_path, "full")
    with torch.no_grad():
        trained_clip.clip.logit_scale.fill_(9.0)
    trained_clip.clamp_scale()
    assert trained_clip.clip.logit_scale.item() == pytest.approx(MAX_LOGIT_SCALE)


def test_a_tower_without_a_last_map_has_no_head(tmp_path: Path) -> None:
    parts = make_parts(tmp_path, PATCHED)
    parts.module.visual.proj = None
    with pytest.raises(ProbeError, match="--arm head needs towers that end in a linear map"):
        wrap(parts.module, "head", parts.source.preprocessing)


def test_towers_of_timm_learn_in_every_arm(tmp_path: Path) -> None:
    vision = {"timm_model_name": "test_vit", "timm_pool": "", "image_size": 160}
    pytest.importorskip("timm")
    config = SMALL | {"vision_cfg": vision}
    module = open_clip.CustomTextCLIP(**config)
    preprocessing = make_parts(tmp_path).source.preprocessing
    for arm in ("head", "lora"):
        trained_clip = wrap(module, arm, preprocessing)
        assert any(weight.requires_grad for weight in trained_clip.parameters())
        module = trained_clip.finish()
