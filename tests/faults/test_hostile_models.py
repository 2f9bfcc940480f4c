"""Model folders and repositories that ask for their own code to be run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from probes.errors import ProbeError
from probes.models.factory import load_model
from tiny_clip import TINY, change

EVIL = """
from pathlib import Path
Path({marker!r}).write_text("ran")
from transformers import BertConfig, BertModel, BertTokenizerFast
class EvilTokenizer(BertTokenizerFast):
    pass
class EvilConfig(BertConfig):
    pass
class EvilModel(BertModel):
    pass
"""
"""A module that writes the marker file as soon as it is imported."""

AUTO_MAP = {
    "AutoTokenizer": ["evil.EvilTokenizer", "evil.EvilTokenizer"],
    "AutoConfig": "evil.EvilConfig",
    "AutoModel": "evil.EvilModel",
}


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "ran"


@pytest.fixture
def folder(tmp_path: Path, marker: Path) -> Path:
    """Return a model folder with its own tokenizer, and code beside it."""
    made = tmp_path / "evil"
    made.mkdir()
    (made / "evil.py").write_text(EVIL.format(marker=str(marker)))
    words = {"[PAD]": 0, "[UNK]": 1, "a": 2, "cat": 3}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(made / "tokenizer.json"))
    write(made / "tokenizer_config.json",
          {"tokenizer_class": "EvilTokenizer", "auto_map": AUTO_MAP, "pad_token": "[PAD]",
           "trust_remote_code": True})  # fmt: skip
    write(made / "config.json",
          {"model_type": "bert", "auto_map": AUTO_MAP, "trust_remote_code": True,
           "vocab_size": 4, "hidden_size": 32, "num_hidden_layers": 1,
           "num_attention_heads": 2, "intermediate_size": 32})  # fmt: skip
    return made


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


def put_config(folder: Path, **text: Any) -> None:  # noqa: ANN401 - any entries of a config.
    held = change(TINY, "text_cfg", hf_tokenizer_name=str(folder.name), **text)
    write(folder / "open_clip_config.json", {"model_cfg": held})


ENTRIES: dict[str, dict[str, Any]] = {
    "flag": {"tokenizer_kwargs": {"trust_remote_code": True}},
    "code revision": {"tokenizer_kwargs": {"code_revision": "main"}},
    "class": {"tokenizer_kwargs": {"tokenizer_class": "evil.EvilTokenizer"}},
    "unknown": {"hf_trust_remote_code": True},
    "folder": {"hf_model_name": "./evil"},
    "absolute": {"hf_model_name": "/tmp/evil"},
}


@pytest.mark.parametrize("case", ENTRIES)
def test_an_entry_that_asks_for_code_is_refused(case: str, folder: Path, marker: Path) -> None:
    put_config(folder, **ENTRIES[case])
    with pytest.raises(ProbeError) as caught:
        load_model(str(folder), pretrained="random", device="cpu")
    assert "\n" not in str(caught.value)
    assert not marker.exists()


def test_a_tokenizer_is_read_without_the_class_it_names(folder: Path, marker: Path) -> None:
    put_config(folder)
    model = load_model(str(folder), pretrained="random", device="cpu")
    assert model.tokenize(["a cat"]) == [(2, 3)]
    assert not marker.exists()


def test_no_environment_variable_lets_code_run(folder: Path, marker: Path) -> None:
    put_config(folder)
    script = (
        "from probes.models.factory import load_model;"
        f"print(load_model({str(folder)!r}, pretrained='random', device='cpu').input_px)"
    )
    trusting = {
        "HF_TRUST_REMOTE_CODE": "1", "TRUST_REMOTE_CODE": "1", "HF_HUB_TRUST_REMOTE_CODE": "1",
        "TRANSFORMERS_TRUST_REMOTE_CODE": "1", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | trusting, input="y\n" * 9,
        capture_output=True, text=True, cwd=folder, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not marker.exists()


@pytest.fixture
def cached(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a repository, in the cache of the hub, with the files of the folder."""
    cache = tmp_path / "hub" / "models--org--evil"
    snapshot = cache / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "refs/main").write_text("0" * 40)
    for path in folder.iterdir():
        (snapshot / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return "org/evil"


@pytest.mark.parametrize("reads", ["tokenizer", "tower"])
def test_a_repository_of_the_hub_runs_nothing(
    reads: str, cached: str, folder: Path, marker: Path, tmp_path: Path
) -> None:
    entries = {"hf_tokenizer_name": cached}
    if reads == "tower":
        entries |= {"hf_model_name": cached, "hf_proj_type": "linear"}
    held = change(TINY, "text_cfg", **entries)
    path = tmp_path / "model.json"
    write(path, held)
    model = load_model(str(path), pretrained="random", device="cpu")
    assert model.encoder.embed_texts(["a cat"]).shape[0] == 1
    assert not marker.exists()


def nest(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


HOSTILE: dict[str, Callable[[], str]] = {
    "deep": lambda: nest(100_000),
    "list": lambda: "[1, 2]",
    "null": lambda: "null",
    "text": lambda: '"config"',
    "number": lambda: "9" * 30_000,
    "giant entry": lambda: json.dumps(change(TINY, "vision_cfg", width=10**30)),
    "tower of text": lambda: json.dumps(TINY | {"text_cfg": "none"}),
    "tower of null": lambda: json.dumps(TINY | {"vision_cfg": None}),
    "entry of a list": lambda: json.dumps(change(TINY, "text_cfg", width=[64])),
    "terabytes": lambda: json.dumps(change(TINY, "text_cfg", vocab_size=2**40)),
    "nothing": lambda: "",
    "half": lambda: json.dumps(TINY)[:40],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_not_a_config_is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(HOSTILE[case]())
    with pytest.raises(ProbeError) as caught:
        load_model(str(path), pretrained="random", device="cpu")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("content", ["", "null", "[]", "{}", '{"model": 7}', "[" * 100_000])
def test_what_is_not_a_tokenizer_is_refused_in_one_sentence(content: str, folder: Path) -> None:
    put_config(folder)
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(ProbeError) as caught:
        load_model(str(folder), pretrained="random", device="cpu")
    assert "\n" not in str(caught.value)
