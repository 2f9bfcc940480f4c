"""Models from a reachable hub: fetched once, complete and verified, then used offline."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from model_hub import Answer, cut_always, flip, serve, use_hub
from probes.models import hub
from probes.models.factory import load_model
from tiny_clip import TINY, change, make_state, refuse, write_folder, write_json

WEIGHTS = "open_clip_model.safetensors"

AGAIN = (
    "pass --model FOLDER with open_clip_config.json and open_clip_model.safetensors in it, or"
    " config.json and model.safetensors"
)


def write_safetensors(folder: Path) -> None:
    write_folder(folder)


def write_pickled(folder: Path) -> None:
    write_folder(folder)
    (folder / WEIGHTS).unlink()
    torch.save(make_state(), folder / "open_clip_pytorch_model.bin")


def write_tokenizer(folder: Path) -> None:
    """Write a model with a Hugging Face tokenizer in the same repository."""
    write_folder(folder)
    known = {"[PAD]": 0, "[UNK]": 1, "a": 2, "cat": 3}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", {"pad_token": "[PAD]"})
    config = change(TINY, "text_cfg", hf_tokenizer_name="org/reader")
    write_json(folder / "open_clip_config.json", {"model_cfg": config})


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "safetensors": write_safetensors, "weights of torch": write_pickled,
    "a tokenizer of its own": write_tokenizer,
}  # fmt: skip


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Return a folder of repositories, one of which holds a model."""
    (tmp_path / "shelf/org/reader").mkdir(parents=True)
    write_safetensors(tmp_path / "shelf/org/reader")
    return tmp_path / "shelf"


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once: the hub's client waits a second before it retries a broken download."""
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_model_is_downloaded_once_and_then_needs_no_network(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, fetched = tmp_path / "shelf/org/reader", []
    folder.mkdir(parents=True)
    LAYOUTS[layout](folder)
    with serve(tmp_path / "shelf", fetched.append) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        first = load_model("hf-hub:org/reader", device="cpu")
    got = [each.file for each in fetched if each.method == "GET" and each.body]
    assert sorted(got) == sorted(path.name for path in folder.iterdir())
    again = load_model("hf-hub:org/reader", device="cpu")
    beside = load_model(str(folder), device="cpu")
    assert first.weights_sha256 == again.weights_sha256 == beside.weights_sha256
    assert first.tokenize(["a cat"]) == again.tokenize(["a cat"]) == beside.tokenize(["a cat"])


def test_a_command_fetches_from_the_hub_of_the_environment(shelf: Path, tmp_path: Path) -> None:
    script = (
        "from probes.models.factory import load_model;"
        "print(load_model('hf-hub:org/reader', device='cpu').input_px)"
    )
    known = {"HF_HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}
    known["PYTHONPATH"] = os.pathsep.join(sys.path)

    def run(**further: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script], env=known | further, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    with serve(shelf) as url:
        assert run(HF_ENDPOINT=url).stdout == "32\n"
    assert run(HF_ENDPOINT=url, HF_HUB_OFFLINE="1").stdout == "32\n"


def test_without_a_network_and_a_cache_the_way_out_is_named(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(shelf) as url:
        pass
    use_hub(monkeypatch, url, tmp_path / "cache")
    assert refuse(name="hf-hub:org/reader") == (
        "open_clip_config.json is not in the cache, and the hub cannot be reached (Connection"
        f" refused); download it from {url}/org/reader on another machine and {AGAIN}"
    )


def test_a_repository_that_is_not_there_is_named(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(shelf) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        assert refuse(name="hf-hub:org/other") == (
            f"the hub has no {url}/org/other; check the name, or log in if it is private"
        )


def test_a_repository_without_weights_is_named(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shelf / "org/reader" / WEIGHTS).unlink()
    with serve(shelf) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        assert refuse(name="hf-hub:org/reader") == (
            f"{url}/org/reader has no {WEIGHTS} and no open_clip_pytorch_model.bin;"
            " check the name"
        )


def test_half_a_download_is_not_kept(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(shelf, cut_always) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        said = refuse(name="hf-hub:org/reader")
        start, _, rest = said.partition(" (")
        cause, _, end = rest.partition("); ")
        assert start == "the download of open_clip_config.json failed"
        assert cause  # In the client's wording, which depends on its version.
        assert end == (
            f"try again, or download it from {url}/org/reader on another machine and {AGAIN}"
        )
    with serve(shelf) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        assert load_model("hf-hub:org/reader", device="cpu").input_px == 32


@pytest.mark.parametrize("file", ["open_clip_config.json", WEIGHTS])
def test_a_download_that_is_not_what_the_hub_promised_is_not_kept(
    file: str, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(shelf, lambda answer: answer.file == file and flip(answer)) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        for _ in range(2):
            assert refuse(name="hf-hub:org/reader") == (
                f"{file} from {url}/org/reader does not have the checksum that the hub states,"
                " and was deleted; try again"
            )
    with serve(shelf) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        assert load_model("hf-hub:org/reader", device="cpu").input_px == 32


def test_a_checksum_of_the_bytes_alone_serves_a_mirror(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def name(answer: Answer) -> None:
        path = shelf / "org/reader" / answer.file
        if "ETag" in answer.headers:
            answer.headers["ETag"] = f'"{hashlib.sha1(path.read_bytes()).hexdigest()}"'

    with serve(shelf, name) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        assert load_model("hf-hub:org/reader", device="cpu").input_px == 32


HOSTILE: dict[str, dict[str, str]] = {
    "no commit": {"X-Repo-Commit": ""},
    "a commit that leads out": {"X-Repo-Commit": "../../../../escape"},
    "a name that leads out": {"ETag": '"../../../escape"', "X-Linked-Etag": '"../../escape"'},
    "no name": {"ETag": "", "X-Linked-Etag": ""},
    "a giant": {"X-Linked-Size": "9" * 30, "Content-Length": "9" * 30},
    "a negative size": {"X-Linked-Size": "-1"},
    "a size that is not a number": {"X-Linked-Size": "zz", "Content-Length": "zz"},
    "a file of this machine": {"Location": "file:///etc/passwd"},
    "a place that is not an address": {"Location": "http://[/"},
    "a way that leads nowhere": {"Location": "http://127.0.0.1:1/a"},
    "xet": {"X-Xet-Hash": "0" * 64, "X-Xet-Refresh-Route": "http://127.0.0.1:1/token"},
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hub_that_lies_is_refused_in_one_sentence(
    case: str, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lie(answer: Answer) -> None:
        if answer.file and "Location" in HOSTILE[case]:
            answer.status = 302
        if answer.file:
            answer.headers |= HOSTILE[case]

    before = {path.name for path in tmp_path.iterdir()}
    with serve(shelf, lie) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        said = refuse(name="hf-hub:org/reader")
    assert "\n" not in said
    assert len(said) < 500
    assert {path.name for path in tmp_path.iterdir()} - before <= {"cache"}


ODD_BODIES: dict[str, bytes] = {
    "nothing": b"", "a page": b"<html>Log in</html>", "deep": b"[" * 100_000, "null": b"null",
    "bytes": bytes(range(256)),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD_BODIES)
def test_a_config_that_is_another_thing_is_refused_in_one_sentence(
    case: str, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shelf / "org/reader/open_clip_config.json").write_bytes(ODD_BODIES[case])
    with serve(shelf) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        said = refuse(name="hf-hub:org/reader")
    assert "\n" not in said
    assert "open_clip_config.json" in said


@pytest.mark.parametrize("status", [403, 404, 418, 500, 503])
def test_a_hub_that_fails_is_one_sentence(
    status: int, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(answer: Answer) -> None:
        answer.status, answer.headers, answer.body = status, {}, b""

    with serve(shelf, fail) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        said = refuse(name="hf-hub:org/reader")
    assert "\n" not in said
    assert f"{url}/org/reader" in said


def test_a_body_without_end_is_cut_short(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swell(answer: Answer) -> None:
        answer.headers["Content-Length"] = ""
        answer.body = bytes(1 << 20)

    monkeypatch.setitem(hub.MAX_BYTES, ".json", 1000)
    with serve(shelf, swell) as url:
        use_hub(monkeypatch, url, tmp_path / "cache")
        said = refuse(name="hf-hub:org/reader")
    assert "1,000 bytes" in said
    assert not list((tmp_path / "cache").rglob("blobs/*"))
