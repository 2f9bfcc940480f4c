"""Models of transformers from a hub: fetched once, complete and verified, then used offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_hub import Answer, cut_always, flip, serve, use_hub
from probes.models.factory import load_model
from tiny_clip import refuse
from tiny_transformers import write_clip, write_siglip

LAYOUTS: dict[str, Callable[[Path], Any]] = {"clip": write_clip, "siglip": write_siglip}

WEIGHTS = "model.safetensors"

AGAIN = "pass --model FOLDER with config.json and model.safetensors in it"


@pytest.fixture(params=LAYOUTS)
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a folder of repositories, one of which transformers wrote."""
    folder = tmp_path / "shelf/org/reader"
    folder.mkdir(parents=True)
    LAYOUTS[request.param](folder)
    return tmp_path / "shelf"


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once: the hub's client waits a second before it retries a broken download."""
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)


def test_a_model_is_downloaded_once_whatever_it_is_called_and_then_needs_no_network(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[Answer] = []
    with serve(shelf, fetched.append) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        first = load_model("org/reader", device="cpu")
        n_fetched = len(fetched)
        again = [
            load_model(f"{prefix}org/reader", device="cpu") for prefix in ("hf:", "hf-hub:")
        ]
        assert len([each for each in fetched[n_fetched:] if each.method == "GET"]) == 0
    got = {each.file for each in fetched if each.method == "GET" and each.body}
    needed = {"config.json", WEIGHTS, "preprocessor_config.json"}
    needed |= {name for name in ("tokenizer.json",) if (shelf / "org/reader" / name).is_file()}
    assert needed <= got <= {path.name for path in (shelf / "org/reader").iterdir()}
    offline = load_model("org/reader", device="cpu")
    beside = load_model(str(shelf / "org/reader"), device="cpu")
    assert {m.weights_sha256 for m in (first, *again, offline, beside)} == {
        first.weights_sha256
    }
    assert (
        first.tokenize(["A cat"]) == offline.tokenize(["A cat"]) == beside.tokenize(["A cat"])
    )
    assert first.preprocessing == offline.preprocessing == beside.preprocessing


def test_without_a_network_and_a_cache_the_way_out_is_named(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(shelf) as url:
        pass
    use_hub(monkeypatch, url, tmp_path / "cache")
    said = refuse(name="hf:org/reader")
    assert said.endswith(
        f"is not in the cache, and the hub cannot be reached (Connection refused); download it"
        f" from {url}/org/reader on another machine and pass --model FOLDER with"
        " open_clip_config.json and open_clip_model.safetensors in it, or config.json and"
        " model.safetensors"
    )


def test_a_repository_without_weights_is_named(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shelf / "org/reader" / WEIGHTS).unlink()
    with serve(shelf) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        assert refuse(name="hf:org/reader") == (
            f"{url}/org/reader has no {WEIGHTS} and no pytorch_model.bin; check the name"
        )


@pytest.mark.parametrize("file", ["config.json", WEIGHTS])
def test_a_download_that_is_not_what_the_hub_promised_is_not_kept(
    file: str, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(shelf, lambda answer: answer.file == file and flip(answer)) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        assert refuse(name="hf:org/reader") == (
            f"{file} from {url}/org/reader does not have the checksum that the hub states,"
            " and was deleted; try again"
        )
    with serve(shelf) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        assert load_model("hf:org/reader", device="cpu").input_px == 32


def test_half_a_download_of_weights_is_not_kept(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(shelf, lambda answer: answer.file == WEIGHTS and cut_always(answer)) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        said = refuse(name="hf:org/reader")
    assert said.startswith(f"the download of {WEIGHTS} failed (")
    assert said.endswith(
        f"); try again, or download it from {url}/org/reader on another machine and {AGAIN}"
    )
    with serve(shelf) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        assert load_model("hf:org/reader", device="cpu").input_px == 32
