from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError

from probes.errors import ProbeError
from probes.models import hub
from probes.models.registry import list_models
from tiny_clip import refuse


@pytest.fixture(autouse=True)
def empty_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without a network and with an empty cache."""
    monkeypatch.setattr(hub, "_check_metadata", lambda *_: None)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HOME", str(tmp_path))


def test_without_network_the_file_to_fetch_is_named() -> None:
    assert refuse(name="ViT-L-14") == (
        "open_clip_model.safetensors is not in the cache, and the hub cannot be reached (HF_HUB_OFFLINE"
        f" is set); download it from {constants.ENDPOINT}/timm/vit_large_patch14_clip_224.openai on another machine"
        " and pass --pretrained openai=FILE"
    )


def test_without_network_the_files_of_a_repository_are_named() -> None:
    assert refuse(name="hf-hub:org/reader") == (
        "open_clip_config.json is not in the cache, and the hub cannot be reached (HF_HUB_OFFLINE is"
        f" set); download it from {constants.ENDPOINT}/org/reader on another machine and pass --model FOLDER with"
        " open_clip_config.json and open_clip_model.safetensors in it, or config.json and model.safetensors"
    )


def test_a_tokenizer_from_the_hub_says_which_files_go_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = tmp_path / "cache/synthtext/hub/timm--ViT-B-16-SigLIP"
    sentence = (
        "tokenizer.json is not in the cache, and the hub cannot be reached (HF_HUB_OFFLINE is set);"
        f" download it from {constants.ENDPOINT}/timm/ViT-B-16-SigLIP on another machine and put it into {place},"
        " with special_tokens_map.json and tokenizer_config.json beside it"
    )
    assert refuse(name="ViT-B-16-SigLIP", pretrained="random") == sentence
    place.mkdir(parents=True)
    (place / "tokenizer.json").write_text("{}")
    assert refuse(name="ViT-B-16-SigLIP", pretrained="random").startswith(
        f"{place / 'tokenizer.json'} is not a tokenizer"
    )


def test_an_unreachable_hub_is_asked_once_and_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def answer(request: urllib.request.Request, timeout: float) -> None:
        waits.append(timeout)
        raise TimeoutError

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(urllib.request, "urlopen", answer)
    assert "the hub cannot be reached (TimeoutError);" in refuse(name="RN50")
    assert waits == [hub.REACH_TIMEOUT_S]


def test_a_broken_download_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(repo: str, file: str, **options: object) -> str:
        raise ConnectionResetError("reset by peer")

    monkeypatch.setattr(hub, "_find_obstacle", lambda: "")
    monkeypatch.setattr(hub, "hf_hub_download", download)
    assert refuse(name="RN50") == (
        "the download of open_clip_model.safetensors failed (reset by peer); try again, or"
        f" download it from {constants.ENDPOINT}/timm/resnet50_clip.openai on another machine"
        " and pass --pretrained openai=FILE"
    )


def test_a_cached_file_is_found_without_network(tmp_path: Path) -> None:
    snapshot = tmp_path / "hub" / "models--org--reader" / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (snapshot / "a.bin").touch()
    refs = tmp_path / "hub" / "models--org--reader" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0123")
    assert hub.fetch_file("org/reader", ("a.safetensors", "a.bin"), "") == snapshot / "a.bin"


def test_weights_in_open_clips_old_cache_are_found(tmp_path: Path) -> None:
    old = tmp_path / ".cache" / "clip"
    old.mkdir(parents=True)
    (old / "vit_b_32-laion2b_e16-af8dbd0c.pth").touch()
    (old / "ViT-B-32.pt").touch()
    (row,) = (row for row in list_models() if row.name == "ViT-B-32")
    assert row.cached == ("openai", "laion2b_e16")


def test_a_repository_without_weights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(repo: str, file: str, **_: object) -> str:
        raise EntryNotFoundError(file)

    monkeypatch.setattr(hub, "_find_obstacle", lambda: "")
    monkeypatch.setattr(hub, "_check_metadata", lambda *_: None)
    monkeypatch.setattr(hub, "hf_hub_download", download)
    with pytest.raises(ProbeError) as caught:
        hub.fetch_file("org/reader", ("a.safetensors", "a.bin"), "")
    assert str(caught.value) == (
        f"{constants.ENDPOINT}/org/reader has no a.safetensors and no a.bin; check the name"
    )
