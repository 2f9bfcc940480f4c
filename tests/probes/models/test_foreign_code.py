"""An untrusted model with files that ask to be run; if one is, it leaves a marker."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from PIL import Image

from probes.errors import ProbeError
from probes.models.factory import load_model, load_parts
from probes.models.save import save_model
from probes.training.finetune import run_finetune
from tiny_clip import change
from tiny_training import SMALL, set_up, write_data, write_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"

EVIL = """
from pathlib import Path
Path({mark!r}).touch()
class EvilTokenizer: pass
class EvilConfig: pass
class EvilModel: pass
"""

MAP = {
    "AutoTokenizer": ["evil.EvilTokenizer", "evil.EvilTokenizer"],
    "AutoConfig": "evil.EvilConfig",
    "AutoModel": "evil.EvilModel",
}

ROBERTA: dict[str, Any] = {
    "model_type": "roberta", "vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 1,
    "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 40,
    "pad_token_id": 0, "type_vocab_size": 1,
}  # fmt: skip

ENVIRONMENT = {
    "HF_HUB_TRUST_REMOTE_CODE": "1", "TRANSFORMERS_TRUST_REMOTE_CODE": "1",
    "TRUST_REMOTE_CODE": "true", "TRANSFORMERS_ALLOW_UNSAFE_DESERIALIZATION": "1",
    "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1", "USE_HUB_KERNELS": "YES",
}  # fmt: skip
"""Variables that underlying libraries take, or might take, for consent."""


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    return tmp_path / "mark"


class Bomb:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.mark,)


def arm(folder: Path, mark: Path) -> Path:
    """Put everything that a library might run into a folder."""
    for name in ("evil.py", "tokenizer.py", "sitecustomize.py", "__init__.py"):
        (folder / name).write_text(EVIL.format(mark=str(mark)))
    for name in (
        "tokenizer.pkl",
        "vocab.pkl",
        "pytorch_model.bin",
        "vocab.txt",
        "spiece.model",
    ):
        (folder / name).write_bytes(pickle.dumps(Bomb(mark), protocol=2))
    template = "{{ ().__class__.__base__.__subclasses__() }}"
    (folder / "chat_template.jinja").write_text(template)
    edit(folder / "tokenizer_config.json", tokenizer_class="EvilTokenizer", auto_map=MAP,
         trust_remote_code=True, chat_template=template, backend="evil")  # fmt: skip
    kernels = {
        "attn_implementation": "evil/kernels",
        "quantization_config": {"quant_method": "x"},
    }
    edit(folder / "config.json", **ROBERTA, **kernels, auto_map=MAP, trust_remote_code=True)
    return folder


def edit(path: Path, **entries: object) -> None:
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(content | entries))


def put_into_hub(folder: Path, hub: Path, repo: str = "org/reader") -> None:
    place = hub / f"models--{repo.replace('/', '--')}"
    shutil.copytree(folder, place / "snapshots" / COMMIT)
    (place / "refs").mkdir()
    (place / "refs/main").write_text(COMMIT)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def armed(tmp_path: Path, mark: Path) -> Path:
    return arm(write_model(tmp_path / "model"), mark)


def trust(folder: Path, **settings: object) -> Path:
    """Make the config of a folder ask for trust, by a keyword argument of its tokenizer."""
    path = folder / "open_clip_config.json"
    content = json.loads(path.read_text())
    content["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = settings or {
        "trust_remote_code": True
    }
    path.write_text(json.dumps(content))
    return folder


def test_a_folder_runs_none_of_the_code_beside_its_tokenizer(armed: Path, mark: Path) -> None:
    model = load_model(str(armed), pretrained="random", device="cpu")
    assert model.tokenize(["ox"]) == [(79, 88)]
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["trust_remote_code", "bpe_path", "use_fast", "tokenizer_file"]
)
def test_a_keyword_argument_that_is_not_known_is_refused(
    armed: Path, mark: Path, name: str
) -> None:
    trust(armed, **{name: True})
    with pytest.raises(ProbeError) as caught:
        load_model(str(armed), pretrained="random", device="cpu")
    path = armed / "open_clip_config.json"
    assert str(caught.value) == (
        f"tokenizer_kwargs in the text_cfg of {path} has the unknown entry {name!r}; remove it,"
        " or update synthtext if newer models need it"
    )
    assert not mark.exists()


def test_a_repository_of_the_hub_runs_none_of_its_code(
    armed: Path, mark: Path, hub: Path, tmp_path: Path
) -> None:
    parts = load_parts(str(armed), pretrained="random", device="cpu")
    save_model(tmp_path / "saved", parts, templates=("{}",))
    for file in armed.iterdir():
        if not (tmp_path / "saved" / file.name).exists():
            shutil.copy(file, tmp_path / "saved")
    shutil.copy(armed / "tokenizer_config.json", tmp_path / "saved")
    content = json.loads((tmp_path / "saved/open_clip_config.json").read_text())
    content["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = "org/reader"
    edit(tmp_path / "saved/open_clip_config.json", **content)
    put_into_hub(tmp_path / "saved", hub)
    assert load_model("hf-hub:org/reader", device="cpu").max_tokens > 0
    assert not mark.exists()
    trust(hub / "models--org--reader/snapshots" / COMMIT)
    with pytest.raises(ProbeError, match="has the unknown entry 'trust_remote_code'"):
        load_model("hf-hub:org/reader", device="cpu")
    assert not mark.exists()


@pytest.mark.parametrize("pretrained", ["random", "weights"])
def test_a_text_tower_is_built_from_numbers_alone(
    pretrained: str, armed: Path, mark: Path, hub: Path, tmp_path: Path
) -> None:
    put_into_hub(armed, hub)
    tower = change(SMALL, "text_cfg", hf_model_name="org/reader",
                   hf_tokenizer_name="org/reader", hf_proj_type="linear")  # fmt: skip
    tower["text_cfg"].pop("heads")
    path = tmp_path / "tower.json"
    path.write_text(json.dumps(tower))
    parts = load_parts(str(path), pretrained="random", device="cpu")
    assert parts.module.text.config.model_type == "roberta"
    if pretrained == "weights":
        torch.save(parts.module.state_dict(), tmp_path / "w.pt")
        load_model(str(path), pretrained=str(tmp_path / "w.pt"), device="cpu")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("tower", "entry", "value"),
    [
        ("text_cfg", "hf_model_name", "/tmp/evil"), ("text_cfg", "hf_model_name", "./evil"),
        ("text_cfg", "hf_tokenizer_name", "../evil"), ("text_cfg", "hf_model_name", "a/b/c"),
        ("vision_cfg", "timm_model_name", "hf-hub:org/evil"),
        ("vision_cfg", "timm_model_name", "local-dir:evil"),
        ("vision_cfg", "timm_model_name", "timm/evil"),
    ],
)  # fmt: skip
def test_a_tower_is_not_taken_from_where_code_may_lie(
    tower: str, entry: str, value: str, armed: Path, mark: Path
) -> None:
    edit(armed / "open_clip_config.json", model_cfg=change(SMALL, tower, **{entry: value}))
    with pytest.raises(ProbeError, match=f"has {entry} '{value}'; it must be"):
        load_model(str(armed), pretrained="random", device="cpu")
    assert not mark.exists()


def test_a_run_that_is_saved_and_resumed_runs_none_of_the_code(
    armed: Path, mark: Path, tmp_path: Path
) -> None:
    data = write_data(tmp_path / "data", 60)
    setting = set_up(armed, data, schedule={"n_steps": 2})
    for _ in range(2):
        run_finetune(setting, tmp_path / "run")
    saved = next((tmp_path / "run").rglob("open_clip_config.json")).parent
    stated = json.loads((saved / "tokenizer_config.json").read_text())
    assert not {"auto_map", "chat_template", "trust_remote_code"} & set(stated)
    assert stated["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert not list(saved.glob("*.py"))
    assert not mark.exists()


@pytest.mark.parametrize("way", ["folder", "trusting folder"])
def test_the_command_line_runs_none_of_the_code(armed: Path, mark: Path, way: str) -> None:
    if way == "trusting folder":
        trust(armed)
    image = armed.parent / "ox.png"
    Image.new("RGB", (64, 64)).save(image)
    done = subprocess.run(
        [sys.executable, "-m", "synthtext_cli", "match", str(image), "--texts", "ox", "owl", "--out", str(armed.parent),
         "--model", str(armed), "--pretrained", "random", "--device", "cpu"],
        capture_output=True, text=True, check=False, timeout=120, input="y\ny\n",
        env=os.environ | ENVIRONMENT,
    )  # fmt: skip
    assert done.returncode == (0 if way == "folder" else 2), done.stderr
    assert "Traceback" not in done.stderr
    assert not mark.exists()
