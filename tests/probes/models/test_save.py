from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from probes.errors import ProbeError
from probes.models.factory import load_model, load_parts, make_reader
from probes.models.save import save_model
from tiny_clip import TINY, draw_pictures
from tiny_training import PATCHED, SMALL, write_model

TEXTS = ["ox", "owl", "Ox"]


def save(tmp_path: Path, config: dict[str, object]) -> tuple[Path, dict[str, np.ndarray]]:
    """Save a model and return its folder and its vectors of images and texts."""
    if "hf_tokenizer_name" in config["text_cfg"]:  # type: ignore[operator]
        name = str(write_model(tmp_path / "from", config))
    else:
        name = str(tmp_path / "bare.json")
        Path(name).write_text(json.dumps(config))
    parts = load_parts(name, pretrained="random", device="cpu")
    with torch.no_grad():
        parts.module.logit_scale.fill_(1.5)
    save_model(tmp_path / "saved", parts, templates=("{}", "a sign: {}"))
    return tmp_path / "saved", embed(make_reader(parts))


def embed(model) -> dict[str, np.ndarray]:  # noqa: ANN001
    pictures = draw_pictures((64, 64), (40, 90))
    return {
        "images": model.encoder.embed_images(pictures),
        "texts": model.encoder.embed_texts(TEXTS),
        "scale": np.array(model.logit_scale),
    }


@pytest.mark.parametrize(
    "config", [SMALL, PATCHED, TINY, TINY | {"quick_gelu": True}, TINY | {"custom_text": True}]
)
def test_a_model_that_is_loaded_again_gives_equal_logits(
    config: dict[str, object], tmp_path: Path
) -> None:
    folder, before = save(tmp_path, config)
    loaded = load_model(str(folder), device="cpu")
    after = embed(loaded)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert loaded.prompts == ("{}", "a sign: {}")


@pytest.mark.parametrize("config", [SMALL, TINY])
def test_open_clip_loads_the_folder_and_gives_equal_logits(
    config: dict[str, object], tmp_path: Path
) -> None:
    folder, before = save(tmp_path, config)
    name = f"local-dir:{folder}"
    module, _, transform = open_clip.create_model_and_transforms(name)
    tokens = open_clip.get_tokenizer(name)(TEXTS)
    pictures = [Image.fromarray(pixels) for pixels in draw_pictures((64, 64), (40, 90))]
    with torch.inference_mode():
        images = module.eval().encode_image(torch.stack([transform(each) for each in pictures]))
        texts = module.encode_text(tokens)
    for name, vectors in (("images", images), ("texts", texts)):
        unit = torch.nn.functional.normalize(vectors, dim=-1).numpy()
        assert np.allclose(unit, before[name], atol=2e-6)
    assert module.logit_scale.exp().item() == pytest.approx(float(before["scale"]), rel=1e-6)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        ({"quick_gelu": True}, "says the weights were trained with gelu, but its model_cfg"),
        (
            {"text_cfg": {**SMALL["text_cfg"], "vocab_size": 300}},
            "says that its tokenizer has vocab",
        ),
    ],
)
def test_a_folder_with_another_activation_or_tokenizer_is_refused(
    edit: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    folder, _ = save(tmp_path, SMALL)
    path = folder / "open_clip_config.json"
    content = json.loads(path.read_text())
    content["model_cfg"] |= edit
    path.write_text(json.dumps(content))
    with pytest.raises(ProbeError, match=sentence):
        load_model(str(folder), device="cpu")


def test_prompts_have_a_place_for_the_text(tmp_path: Path) -> None:
    folder, _ = save(tmp_path, SMALL)
    path = folder / "open_clip_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"prompts": ["a word"]}))
    with pytest.raises(ProbeError) as caught:
        load_model(str(folder), device="cpu")
    assert str(caught.value) == (
        f"{path} has prompts ['a word']; each must be a text with {{}} in it"
    )
