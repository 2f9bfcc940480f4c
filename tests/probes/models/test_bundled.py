from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import run
from probes.models.factory import load_model
from probes.models.pretrained import READER

MAX_BYTES = 20_000_000


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("probe")
    options = ["--model", "bundled", "--n", "30", "--design", "size", "--k", "100,1000"]
    # Neither the user's caches nor the hub are accessible.
    home = {"HOME": str(out), "HF_HUB_OFFLINE": "1"}
    done = run("probe", *options, "--out", out / "r", env=home)
    assert done.returncode == 0, done.stderr
    return out / "r"


def test_the_bundled_reader_reads(results: Path) -> None:
    summary = json.loads((results / "summary.json").read_text())
    assert summary["model"]["name"] == "bundled"
    low = {row["k"]: row["low"] for row in summary["headline"] if row["condition"] == "easy"}
    assert low[100] > 0.5
    assert low[1000] > 0.3


def test_its_legibility_has_a_threshold(results: Path) -> None:
    thresholds = json.loads((results / "summary.json").read_text())["thresholds"]
    easy = next(
        row for row in thresholds
        if row["baseline"] == "easy" and row["unit"] == "x_height_seen_px"
    )  # fmt: skip
    assert easy["reached"]
    assert 2 < easy["level"] < 10


def test_it_is_small_and_says_where_it_comes_from() -> None:
    assert sum(path.stat().st_size for path in READER.iterdir()) < MAX_BYTES
    card = (READER / "README.md").read_text()
    assert "make reader" in card
    config = json.loads((READER / "open_clip_config.json").read_text())
    assert config["activation"] == "gelu"
    assert config["tokenizer"] == {"vocab_size": 259, "context_length": 32}


def test_its_name_takes_random_weights_too() -> None:
    model = load_model("bundled", pretrained="random", device="cpu")
    assert (model.name, model.tag, model.input_px) == ("bundled", "random", 128)
    assert model.prompts == ("{}",)
