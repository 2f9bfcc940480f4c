from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
import pytest

from probes.models.pretrained import find_source
from probes.models.registry import read_registry
from tiny_clip import TINY, change, refuse, write_folder, write_json


@pytest.fixture(scope="module")
def config_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_json(tmp_path_factory.mktemp("config") / "tiny.json", TINY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path)


def test_a_name_alone_means_openais_weights_with_quickgelu(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    asked: list[str] = []

    def find(repo: str, files: tuple[str, ...]) -> Path:
        asked.append(f"{repo}/{files[0]}")
        return folder / "open_clip_model.safetensors"

    monkeypatch.setattr("probes.models.pretrained.find_cached", find)
    source = find_source("ViT-L-14", None, read_registry())
    assert asked == ["timm/vit_large_patch14_clip_224.openai/open_clip_model.safetensors"]
    assert (source.tag, source.config["quick_gelu"]) == ("openai", True)


def test_every_tag_is_settled_with_its_own_activation() -> None:
    registry = read_registry()
    for name, tag in open_clip.list_pretrained():
        source = find_source(name, f"{tag}=w.pt", registry)
        if registry.tags[name][tag].get("quick_gelu"):
            assert source.config["quick_gelu"], (name, tag)


def test_quickgelu_is_not_computed_on_weights_trained_with_gelu() -> None:
    sentence = refuse(name="ViT-L-14-quickgelu", pretrained="laion2b_s32b_b82k")
    assert sentence == (
        "the weights laion2b_s32b_b82k were trained with gelu, but ViT-L-14-quickgelu computes"
        " quickgelu; pass --model ViT-L-14"
    )


def test_a_tuned_file_is_not_loaded_under_a_name_of_another_activation(folder: Path) -> None:
    file = folder / "open_clip_model.safetensors"
    assert refuse(name="ViT-L-14", pretrained=str(file)) == (
        f"{file} was trained with quickgelu, as {folder / 'open_clip_config.json'} says,"
        f" but ViT-L-14 computes gelu; pass --model {folder}"
    )


def test_a_file_that_says_nothing_is_not_guessed_at(tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    file.touch()
    assert refuse(name="ViT-B-16", pretrained=str(file)) == (
        f"{file} does not say which activation and preprocessing it was trained with, and ViT-B-16 has several; pass --pretrained TAG={file}, where TAG names the weights it is, or was fine-tuned from: openai, laion400m_e31, laion400m_e32, laion2b_s34b_b88k,"
        " datacomp_xl_s13b_b90k and 10 more, see `synthtext models`"
    )


@pytest.mark.parametrize(
    ("name", "quick"), [("RN50", True), ("ViT-L-14-quickgelu", True), ("ViT-S-32", False)]
)
def test_a_file_takes_the_only_activation_its_name_has(
    tmp_path: Path, name: str, *, quick: bool
) -> None:
    file = tmp_path / "w.pt"
    file.touch()
    source = find_source(name, str(file), read_registry())
    assert bool(source.config.get("quick_gelu")) == quick


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown name": (
        {"name": "ViT-L-41"},
        "there is no model and no folder 'ViT-L-41'; did you mean ViT-L-16, ViT-L-14, ViT-g-14",
    ),
    "nothing like it": (
        {"name": "qqqq"},
        "there is no model and no folder 'qqqq'; `synthtext models` lists them",
    ),
    "unknown tag": (
        {"name": "ViT-B-32", "pretrained": "openia"},
        "'openia' is neither a file nor a tag of ViT-B-32; did you mean openai",
    ),
    "no such file": (
        {"name": "ViT-L-14-336", "pretrained": "gone=w.pt"},
        "'gone=w.pt' is neither a file nor a tag of ViT-L-14-336; its tags: openai",
    ),
    "a tag and no file": (
        {"name": "ViT-L-14", "pretrained": "openai=gone.pt"},
        "there is no file gone.pt; pass the file with the weights",
    ),
    "several tags": (
        {"name": "ViT-H-14"},
        "ViT-H-14 has several sets of weights; choose one with --pretrained:"
        " laion2b_s32b_b79k, metaclip_fullcc, metaclip_altogether, dfn5b",
    ),
    "no tags": (
        {"name": "ViT-S-32"},
        "open_clip has no weights for ViT-S-32; pass them with --pretrained",
    ),
    "hub and weights": (
        {"name": "hf-hub:org/reader", "pretrained": "openai"},
        "hf-hub:org/reader includes its own weights; leave out --pretrained openai",
    ),
    "no repository": (
        {"name": "hf-hub:a/b/c"},
        "'a/b/c' is not the name of a repository on the hub; write it as 'org/name'",
    ),
    "no config": (
        {"name": "gone.json", "pretrained": "random"},
        "there is no file gone.json; give a model config",
    ),
    "no module": (
        {"name": "python:gone_readers:Reader"},
        "python:gone_readers:Reader cannot be imported (No module named 'gone_readers');"
        " write python:module:factory",
    ),
    "module and weights": (
        {"name": "python:gone:Reader", "pretrained": "openai"},
        "python:gone:Reader includes its own weights; leave out --pretrained openai",
    ),
    "device": (
        {"name": "ViT-B-32", "device": "gpu"},
        "device is 'gpu'; it is auto, cpu, cuda or cuda:N",
    ),
    "precision": (
        {"name": "ViT-B-32", "precision": "fp8"},
        "precision is 'fp8'; it is one of auto, fp32, bf16",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_loaded_is_refused_in_one_sentence(case: str) -> None:
    options, sentence = REFUSED[case]
    assert refuse(**options) == sentence


BROKEN: dict[str, tuple[object, str]] = {
    "no object": ([1], "{path} is not a model config; it is not a JSON object"),
    "lacks a tower": (
        {"embed_dim": 32, "vision_cfg": {}},
        "{path} is not a model config: it lacks text_cfg",
    ),
    "activation": (
        {"model_cfg": TINY, "activation": "quickgelu"},
        "{path} says the weights were trained with quickgelu, but its model_cfg computes gelu;"
        " set model_cfg.quick_gelu to true",
    ),
    "tokenizer": (
        {"model_cfg": TINY, "tokenizer": {"context_length": 77}},
        "{path} says that its tokenizer has context_length 77, but its text_cfg has 16;"
        " load the config that was saved with the weights",
    ),
    "size": (
        {"model_cfg": TINY, "preprocess_cfg": {"size": [224, 224]}},
        "{path} preprocesses to [224, 224] px, but its tower sees 32 px;"
        " set preprocess_cfg.size to 32 or load the config of these weights",
    ),
    "mean": (
        {"model_cfg": TINY, "preprocess_cfg": {"mean": [0.5, 0.5]}},
        "{path} has mean [0.5, 0.5]; it is one number per channel",
    ),
    "std": (
        {"model_cfg": TINY, "preprocess_cfg": {"std": 0}},
        "{path} has std 0; it is one number per channel",
    ),
    "resize mode": (
        {"model_cfg": TINY, "preprocess_cfg": {"resize_mode": "stretch"}},
        "{path} has resize_mode 'stretch'; it is one of shortest, longest, squash",
    ),
    "fill colour": (
        {"model_cfg": TINY, "preprocess_cfg": {"fill_color": "white"}},
        "{path} has fill_color 'white'; it is a level from 0 to 255",
    ),
    "oblong": (
        change(TINY, "vision_cfg", image_size=[32, 64]),
        "{path} takes [32, 64] px; only square inputs can be probed",
    ),
    "vocabulary": (
        change(TINY, "text_cfg", vocab_size=100),
        "the tokenizer of bad has 49408 tokens, but its text tower has 100; set"
        " text_cfg.vocab_size or text_cfg.hf_tokenizer_name as the weights were trained",
    ),
    "unknown setting": (
        TINY | {"colour": 1},
        "{path} has the unknown entry 'colour'; remove it, or update synthtext if newer models"
        " need it",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_config_that_cannot_be_used_is_refused_in_one_sentence(
    case: str, tmp_path: Path
) -> None:
    content, sentence = BROKEN[case]
    path = write_json(tmp_path / "bad.json", content)
    assert refuse(name=str(path), pretrained="random") == sentence.format(path=path)


def test_a_config_without_weights_is_refused(config_path: Path) -> None:
    assert refuse(name=str(config_path)) == (
        f"{config_path} has no weights; pass --pretrained FILE or random"
    )


def test_a_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "open_clip_model.safetensors").unlink()
    assert refuse(name=str(folder)) == (
        f"{folder} has no weights; put open_clip_model.safetensors beside its config"
    )
