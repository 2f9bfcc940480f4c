from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from probes.errors import ProbeError
from probes.models import hub, pretrained
from probes.models.factory import load_model, load_parts
from tiny_clip import draw_pictures, refuse, write_json
from tiny_transformers import write_clip

WORDS = ["paper", "a stone", "WINDOW"]


@pytest.mark.parametrize("changes", [{}, {"hidden_act": "gelu", "layer_norm_eps": 1e-3}])
def test_logits_are_those_of_transformers(tmp_path: Path, changes: dict[str, Any]) -> None:
    from transformers import CLIPImageProcessor

    theirs = write_clip(tmp_path, **changes)
    ours = load_model(str(tmp_path), device="cpu")
    tokens = load_parts(str(tmp_path), device="cpu").tokenizer(WORDS)
    # At the input size, since transformers 5 resizes with torchvision, CLIP with Pillow.
    images = draw_pictures((32, 32), (32, 32))
    processor = CLIPImageProcessor.from_pretrained(tmp_path)
    pixels = processor([Image.fromarray(image) for image in images], return_tensors="pt")
    with torch.inference_mode():
        expected = theirs(input_ids=tokens, pixel_values=pixels["pixel_values"])
    found = ours.logit_scale * (
        ours.encoder.embed_images(images) @ ours.encoder.embed_texts(WORDS).T
    )
    np.testing.assert_allclose(found, expected.logits_per_image.numpy(), atol=1e-5, rtol=1e-5)
    assert (ours.input_px, ours.patch_px) == (32, 8)
    assert ours.config["quick_gelu"] == (changes == {})


def test_a_repository_is_named_without_a_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clip(tmp_path)
    asked: list[str] = []

    def fetch(repo: str, files: tuple[str, ...], remedy: str) -> Path:
        asked.append(repo)
        return next(tmp_path / name for name in files if (tmp_path / name).is_file())

    monkeypatch.setattr(pretrained, "fetch_file", fetch)
    monkeypatch.setattr(pretrained, "find_file", lambda repo, name: tmp_path / name)
    one = load_model("openai/clip-vit-base-patch32", device="cpu")
    other = load_model("hf-hub:openai/clip-vit-base-patch32", device="cpu")
    assert set(asked) == {"openai/clip-vit-base-patch32"}
    assert one.weights_sha256 == other.weights_sha256
    assert one.preprocessing["mean"] == (0.5, 0.4, 0.3)


def test_without_network_a_repository_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_find_obstacle", lambda: "ConnectionError")
    assert refuse(name="openai/clip-vit-base-patch99") == (
        "there is no folder openai/clip-vit-base-patch99, and as a repository: open_clip_config.json is not in the cache, and the hub cannot be reached (ConnectionError); download it from https://huggingface.co/openai/clip-vit-base-patch99 on another machine and pass --model"
        " FOLDER with open_clip_config.json and open_clip_model.safetensors in it, or config.json and model.safetensors"
    )


def test_a_slip_is_still_a_slip() -> None:
    assert refuse(name="ViT-B/33") == (
        "there is no model and no folder 'ViT-B/33'; did you mean ViT-B-32, ViT-S-32, ViT-M-32"
    )


def test_an_older_entry_of_a_config_counts(tmp_path: Path) -> None:
    write_clip(tmp_path)
    path = tmp_path / "config.json"
    content = json.loads(path.read_text())
    content["text_config_dict"] = content["text_config"]
    content["text_config"] = {}
    write_json(path, content)
    assert load_model(str(tmp_path), device="cpu").config["text_cfg"]["width"] == 32


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        (
            {"model_type": "blip"},
            "{} is of model_type 'blip'; of transformers' models only 'clip', 'siglip', 'siglip2' can be"
            " loaded; `synthtext models` lists those of open_clip",
        ),
        (
            {"model_type": ["clip"]},
            "{} is of model_type ['clip']; of transformers' models only 'clip', 'siglip', 'siglip2' can be"
            " loaded; `synthtext models` lists those of open_clip",
        ),
        (
            {"vision_config": {"hidden_size": 10**9}},
            "the vision_config of {} has hidden_size 1000000000; it is a whole number from 1 to"
            " 16384",
        ),
        (
            {"vision_config": {"hidden_act": "silu"}},
            "the vision_config of {} has hidden_act 'silu'; it is one of 'quick_gelu', 'gelu'",
        ),
    ],
)
def test_a_config_that_cannot_be_built_is_one_sentence(
    tmp_path: Path, entries: dict[str, Any], sentence: str
) -> None:
    write_clip(tmp_path)
    path = tmp_path / "config.json"
    write_json(path, json.loads(path.read_text()) | entries)
    with pytest.raises(ProbeError) as caught:
        load_model(str(tmp_path), device="cpu")
    assert str(caught.value) == sentence.format(path)


def test_tensors_that_are_missing_are_named(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    write_clip(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    del state["vision_model.post_layernorm.bias"]
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(ProbeError, match=r"lack visual\.ln_post\.bias of the model"):
        load_model(str(tmp_path), device="cpu")
