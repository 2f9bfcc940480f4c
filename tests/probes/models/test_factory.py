from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import open_clip
import pytest
import torch

from probes.models.base import Model, find_cut, identify_model
from probes.models.checkpoint import hash_state
from probes.models.factory import load_model, load_parts, read_patch
from probes.models.modules import UNSET_STD
from probes.models.registry import list_models
from tiny_clip import TINY, draw_pictures, make_state, refuse, write_folder, write_json


@pytest.fixture(scope="module")
def config_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_json(tmp_path_factory.mktemp("config") / "tiny.json", TINY)


@pytest.fixture(scope="module")
def tiny(config_path: Path) -> Model:
    return load_model(str(config_path), pretrained="random", device="cpu")


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return make_state()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path)


def test_random_weights_are_the_same_every_time(config_path: Path, tiny: Model) -> None:
    before = torch.get_rng_state()
    again = load_model(str(config_path), pretrained="random", device="cpu")
    assert again.weights_sha256 == tiny.weights_sha256
    assert torch.equal(torch.get_rng_state(), before)


def test_what_open_clip_leaves_unset_is_drawn_too(tmp_path: Path) -> None:
    text = TINY["text_cfg"] | {"context_length": 7}
    vision = TINY["vision_cfg"] | {"attentional_pool": True, "output_tokens": True}
    config = {
        "vision_cfg": vision,
        "text_cfg": text | {"embed_cls": True, "output_tokens": True},
        "multimodal_cfg": text | {"attn_pooler_heads": 2},
        "custom_text": True,
    }
    path = write_json(tmp_path / "coca.json", TINY | config)
    parts = load_parts(str(path), pretrained="random", device="cpu")
    projection = parts.module.text_decoder.text_projection
    assert float(projection.detach().std()) == pytest.approx(UNSET_STD, rel=0.3)
    assert not torch.are_deterministic_algorithms_enabled()


def test_vit_b_32_is_built_with_random_weights() -> None:
    model = load_model("ViT-B/32", pretrained="random", device="cpu")
    assert (model.name, model.tag, model.input_px, model.patch_px) == (
        "ViT-B-32",
        "random",
        224,
        32,
    )
    assert model.encoder.embed_images(draw_pictures((100, 100))).shape == (1, 512)


def test_words_of_one_spelling_to_the_tokenizer_have_the_same_ids(tiny: Model) -> None:
    lower, upper, other = tiny.tokenize(["paper", "PAPER", "pepper"])
    assert lower == upper != other


def test_ids_carry_neither_padding_nor_marks(tiny: Model) -> None:
    tokenizer = open_clip.SimpleTokenizer()
    texts = ["a", "!!", "straße", ""]
    assert tiny.tokenize(texts) == [tuple(tokenizer.encode(text)) for text in texts]


def test_a_text_longer_than_the_context_is_found(tiny: Model) -> None:
    assert tiny.max_tokens == 14
    texts = ["a " * 14, "a " * 15, "a", "a " * 999]
    assert find_cut(tiny, texts) == [texts[1], texts[3]]


def test_a_folder_is_loaded_with_its_activation_and_preprocessing(
    folder: Path, state: dict[str, torch.Tensor]
) -> None:
    model = load_model(str(folder), device="cpu")
    assert model.weights_sha256 == hash_state(state)
    assert model.config["quick_gelu"] is True
    assert model.preprocessing["mean"] == (0.5, 0.5, 0.5)
    assert model.preprocessing["std"] == (0.25, 0.25, 0.25)


def test_the_activation_of_a_folder_is_computed(folder: Path) -> None:
    quick = load_model(f"local-dir:{folder}", device="cpu")
    plain = {"model_cfg": TINY, "preprocess_cfg": quick.preprocessing}
    write_json(folder / "open_clip_config.json", plain)
    slow = load_model(str(folder), device="cpu")
    pictures = draw_pictures((32, 32))
    assert slow.weights_sha256 == quick.weights_sha256
    assert identify_model(slow) != identify_model(quick)
    one, other = (model.encoder.embed_images(pictures) for model in (slow, quick))
    assert not np.allclose(one, other)


READERS = """
import numpy as np

class Reader:
    def embed_images(self, images):
        return np.array([[1.0, 0.0] for _ in images], np.float32)

    def embed_texts(self, texts):
        return np.array([[0.0, 1.0] for _ in texts], np.float32)

def build_number():
    return 7
"""


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_readers", raising=False)
    (tmp_path / "my_readers.py").write_text(READERS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_encoder_of_ones_own_is_a_model(readers: Path) -> None:
    model = load_model("python:my_readers:Reader")
    assert model.encoder.embed_texts(["a", "b"]).shape == (2, 2)
    assert model.tokenize(["ab"]) == [(97, 98)]
    assert (model.input_px, model.patch_px, model.max_tokens) == (0, 0, 0)


def test_changed_code_is_another_encoder(
    readers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_model("python:my_readers:Reader").weights_sha256
    monkeypatch.delitem(sys.modules, "my_readers")
    (readers / "my_readers.py").write_text(READERS + "# Edited.\n")
    assert load_model("python:my_readers:Reader").weights_sha256 != before


def test_cuda_without_a_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert refuse(name="ViT-B-32", device="cuda") == (
        "device is 'cuda', but no CUDA device is available here;"
        " use --device cpu or leave it out"
    )


def test_a_gpu_beyond_the_last_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert refuse(name="ViT-B-32", device="cuda:2") == (
        "device is 'cuda:2', but the last device of this machine is cuda:1; use that"
    )


def test_what_is_not_an_encoder_is_refused(readers: Path) -> None:
    assert refuse(name="python:my_readers:build_number") == (
        "python:my_readers:build_number returned int, which is not an encoder; it needs the methods embed_images and embed_texts, or read_images"
    )


def test_every_model_of_open_clip_is_listed() -> None:
    rows = {row.name: row for row in list_models()}
    assert list(rows) == open_clip.list_models()
    row = rows["ViT-L-14"]
    assert (row.input_px, row.patch_px, row.tags[0]) == (224, 14, "openai")
    assert row.parameters_m == pytest.approx(427.62, abs=0.01)


def test_a_model_config_loads_without_network_in_a_fresh_process(config_path: Path) -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*_): raise SystemExit('asked the network')\n"
        "socket.getaddrinfo = socket.socket.connect = refuse\n"
        "from probes.models.factory import load_model\n"
        "load_model(sys.argv[1], pretrained='random', device='cpu')\n"
    )
    command = [sys.executable, "-c", code, str(config_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("patch", "grid", "patch_px"),
    # A hybrid such as ViTamin cuts patches of 1 px from an image convolved to 14 x 14.
    [((1, 1), (14, 14), 16), ((16, 16), (14, 14), 16), (14, (16, 16), 14)],
)
def test_a_patch_is_counted_in_px_of_the_input(
    patch: object, grid: tuple[int, int], patch_px: int
) -> None:
    embed = SimpleNamespace(patch_size=patch, grid_size=grid, img_size=(224, 224))
    module = SimpleNamespace(visual=SimpleNamespace(trunk=SimpleNamespace(patch_embed=embed)))
    assert read_patch(module, SimpleNamespace(config={})) == patch_px  # type: ignore[arg-type]
