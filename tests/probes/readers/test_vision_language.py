from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from probes.errors import ProbeError
from probes.models.factory import load_model

TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}"
)

MARKS = ["<pad>", "<s>", "</s>", "<unk>", "<image>"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model of a few thousand random weights."""
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )

    folder = tmp_path_factory.mktemp("vlm")
    names = [*MARKS, *(f"w{number}" for number in range(27))]
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(names)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        unk_token="<unk>", additional_special_tokens=["<image>"],
    )  # fmt: skip
    square = {"height": 32, "width": 32}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=square),
        tokenizer=tokenizer, patch_size=16, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=TEMPLATE,
    )  # fmt: skip
    small = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            **small, num_hidden_layers=2, image_size=32, patch_size=16
        ),
        text_config=LlamaConfig(
            **small, num_hidden_layers=1, vocab_size=len(names), num_key_value_heads=2,
            pad_token_id=0, bos_token_id=1, eos_token_id=2,
        ),
        image_token_id=4,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlavaForConditionalGeneration(config)
    # No mark is ever the likeliest token, so that every answer has words.
    model.lm_head.weight.data[: len(MARKS)] = 0
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def test_a_vision_language_model_answers_in_text(folder: Path) -> None:
    model = load_model(f"hf-vlm:{folder}")
    assert model.reader is not None
    images = [np.full((224, 224, 3), level, np.uint8) for level in (0, 255)]
    said = model.reader.read_images(images)
    assert [reading.fault for reading in said] == ["", ""]
    assert all(reading.text.startswith("w") for reading in said)
    assert all(0 < reading.confidence < 0.1 for reading in said)  # A token is one of 32.
    assert model.reader.read_images(images) == said
    assert model.config["prompt"] == (
        "What is written in this image? Answer with the text alone."
    )
    assert len(model.weights_sha256) == 64


def test_a_folder_without_such_a_model_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ProbeError) as caught:
        load_model(f"hf-vlm:{tmp_path}")
    assert str(caught.value) == (
        f"{tmp_path} has no config.json; give a folder that transformers saved"
    )
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    model = load_model(f"hf-vlm:{tmp_path}")
    assert model.reader is not None
    with pytest.raises(ProbeError, match=r"^hf-vlm:.* cannot be started \(\w+: .+\)$"):
        model.reader.read_images([np.zeros((8, 8, 3), np.uint8)])


def test_a_model_on_the_hub_that_cannot_be_reached_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        ProbeError, match=r"^config\.json is not in the cache, and the hub cannot"
    ):
        load_model("hf-vlm:org/nothing-here")
