from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from probes.errors import ProbeError
from probes.models.base import Model
from probes.models.factory import load_model, load_parts
from probes.models.file_tokenizer import _clean_siglip
from tiny_clip import draw_pictures, write_json
from tiny_transformers import write_naflex, write_siglip

WORDS = ["paper", "a stone,  here", "WINDOW"]


def compare_logits(
    folder: Path,
    ours: Model,
    theirs: Any,  # noqa: ANN401 - of transformers.
    processors: Any,  # noqa: ANN401 - likewise.
    images: list[np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the logits of images and `WORDS` by a model as we load it, and by transformers."""
    from transformers import AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(
        WORDS, padding="max_length", max_length=16, return_tensors="pt"
    )["input_ids"]
    processor = processors.from_pretrained(folder)
    shown = processor([Image.fromarray(image) for image in images], return_tensors="pt")
    with torch.inference_mode():
        expected = theirs(input_ids=tokens, **shown)
    bias = float(theirs.logit_bias.detach())
    found = bias + ours.logit_scale * (
        ours.encoder.embed_images(images) @ ours.encoder.embed_texts(WORDS).T
    )
    return found, expected.logits_per_image.numpy()


@pytest.mark.parametrize("changes", [{}, {"hidden_act": "gelu"}])
def test_logits_are_those_of_transformers(tmp_path: Path, changes: dict[str, Any]) -> None:
    from transformers import SiglipImageProcessor

    theirs = write_siglip(tmp_path, **changes)
    ours = load_model(str(tmp_path), device="cpu")
    images = draw_pictures((32, 32), (32, 32))
    found, expected = compare_logits(tmp_path, ours, theirs, SiglipImageProcessor, images)
    np.testing.assert_allclose(found, expected, atol=2e-5, rtol=1e-4)
    assert (ours.input_px, ours.patch_px) == (32, 8)
    assert ours.preprocessing["resize_mode"] == "squash"
    assert ours.preprocessing["mean"] == (0.5, 0.4, 0.3)


def test_texts_are_padded_and_lowered_as_transformers_does(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    write_siglip(tmp_path)
    texts = [*WORDS, "Straße ÉÀ", " two  spaces ", "far too long for sixteen tokens", ""]
    theirs = AutoTokenizer.from_pretrained(tmp_path)(
        texts, padding="max_length", max_length=16, truncation=True, return_tensors="pt"
    )["input_ids"]
    ours = load_parts(str(tmp_path), device="cpu").tokenizer(texts)
    assert ours.tolist() == theirs.tolist()
    assert ours[0].tolist().count(0) == 16 - len("paper") - 1
    tokenize = load_model(str(tmp_path), device="cpu").tokenize
    assert tokenize(["OX"]) == tokenize(["ox"]) != tokenize(["cow"])


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("The dog's SIGN, is it?", "the dogs sign is it"),
        ("x_y  -- z", "xy z"),
        (" \n tab\there ", "tab here"),
        ("Straße – 100 €", "straße – 100 €"),  # Only ASCII punctuation is removed.
    ],
)
def test_texts_of_the_first_siglip_lose_their_punctuation(text: str, cleaned: str) -> None:
    # As `SiglipTokenizer.canonicalize_text` of transformers 5, which needs sentencepiece.
    assert _clean_siglip(text) == cleaned


def test_the_first_vocabulary_is_cleaned_and_others_only_lowered(tmp_path: Path) -> None:
    write_siglip(tmp_path)
    path = tmp_path / "config.json"
    content = json.loads(path.read_text())
    assert load_parts(str(tmp_path), device="cpu").tokenizer.clean == "siglip2"
    content["text_config"]["vocab_size"] = 32_000
    write_json(path, content)
    parts = load_parts_without_weights(tmp_path)
    assert parts.tokenizer.clean == "siglip"
    one, other = parts.tokenizer(["A sign!", "a sign"])
    assert one.tolist() == other.tolist()


def load_parts_without_weights(folder: Path) -> Any:  # noqa: ANN401
    return load_parts(str(folder), pretrained="random", device="cpu")


def test_a_tuned_siglip_is_saved_and_loaded(tmp_path: Path) -> None:
    from probes.models.save import save_model

    write_siglip(tmp_path / "a")
    parts = load_parts(str(tmp_path / "a"), device="cpu")
    save_model(tmp_path / "b", parts, templates=())
    one, other = (load_model(str(tmp_path / name), device="cpu") for name in "ab")
    assert one.weights_sha256 == other.weights_sha256
    np.testing.assert_array_equal(
        one.encoder.embed_texts(WORDS), other.encoder.embed_texts(WORDS)
    )


@pytest.mark.parametrize(
    ("tower", "entries", "sentence"),
    [
        (
            "vision_config", {"hidden_size": 10**9},
            "the vision_config of {} has hidden_size 1000000000; it is a whole number from 1 to"
            " 16384",
        ),
        (
            "text_config", {"hidden_act": "silu"},
            "the text_config of {} has hidden_act 'silu'; it is one of 'gelu_pytorch_tanh',"
            " 'gelu'",
        ),
        (
            "text_config", {"projection_size": None},
            "{} has texts of 32 dimensions and images of 48; they must be the same in"
            " open_clip",
        ),
        (
            "vision_config", {"vision_use_head": False},
            "{} has vision_use_head false; only models that pool with this head can be loaded",
        ),
        (
            "vision_config", {"layer_norm_eps": 1e-5},
            "the vision_config of {} has layer_norm_eps 1e-05, which timm does not support;"
            " it must be 1e-06",
        ),
        (
            "vision_config", {"hidden_size": 50, "num_attention_heads": 4},
            "the vision_config of {} has hidden_size 50, which 4 heads do not divide evenly",
        ),
    ],
)  # fmt: skip
def test_a_config_that_cannot_be_built_is_one_sentence(
    tmp_path: Path, tower: str, entries: dict[str, Any], sentence: str
) -> None:
    write_siglip(tmp_path)
    path = tmp_path / "config.json"
    content = json.loads(path.read_text())
    content[tower] |= entries
    write_json(path, content)
    with pytest.raises(ProbeError) as caught:
        load_model(str(tmp_path), device="cpu")
    assert str(caught.value) == sentence.format(path)


def test_logits_of_naflex_are_those_of_transformers_on_square_images(tmp_path: Path) -> None:
    from transformers import Siglip2ImageProcessor

    theirs = write_naflex(tmp_path)
    ours = load_model(str(tmp_path), device="cpu")
    images = draw_pictures((32, 32), (48, 48))
    found, wanted = compare_logits(tmp_path, ours, theirs, Siglip2ImageProcessor, images)
    np.testing.assert_allclose(found[0], wanted[0], atol=2e-5, rtol=1e-4)
    np.testing.assert_allclose(found[1], wanted[1], atol=0.05)  # Resized by other libraries.
    assert (ours.input_px, ours.patch_px) == (32, 8)
    assert ours.preprocessing["interpolation"] == "bilinear"


def test_a_naflex_whose_patches_form_no_square_is_refused(tmp_path: Path) -> None:
    write_naflex(tmp_path)
    path = tmp_path / "config.json"
    content = json.loads(path.read_text())
    content["vision_config"]["num_patches"] = 15
    write_json(path, content)
    with pytest.raises(ProbeError) as caught:
        load_model(str(tmp_path), device="cpu")
    assert str(caught.value) == (
        f"the vision_config of {path} has num_patches 15, which is not the number of patches"
        " of a square"
    )


def test_tensors_that_are_missing_are_named(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    write_siglip(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    del state["vision_model.head.probe"]
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(ProbeError, match=r"lack visual\.trunk\.attn_pool\.latent of the model"):
        load_model(str(tmp_path), device="cpu")
