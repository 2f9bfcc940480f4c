from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from command_line import run
from synthtext import stream

CROPS = {"width_px": "0", "height_px": "0", "size_px": "20:30", "splits": "1,0,0"}


def run_checked(*words: object, ok: bool = True) -> subprocess.CompletedProcess[str]:
    done = run(*words)
    assert done.returncode == (0 if ok else 2), done.stderr
    return done


def refuse(*words: object) -> str:
    return run_checked("fit", *words, ok=False).stderr.strip()


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crops")
    for number, rendering in enumerate(stream(count=40, seed=1, edits=CROPS)):
        Image.fromarray(rendering.pixels).save(folder / f"{number}.jpg")
    return folder


def test_a_recipe_is_written_with_its_report(crops: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.toml"
    options = ("--count", 120, "--rounds", 1, "--device", "cpu")
    done = run_checked("fit", crops, "--out", out, *options)
    assert done.stdout.startswith("A classifier tells the drawn crops from the real ones in ")
    summary = json.loads((tmp_path / "mine/summary.json").read_text())
    assert summary["n_crops"] == 40
    assert 0 <= summary["two_sample"]["low"] <= summary["two_sample"]["high"] <= 1
    page = (tmp_path / "mine/report.html").read_text()
    assert "Least like anything drawn" in page
    assert "Real crops" in page
    assert not (tmp_path / "mine/.fit").exists()
    words = tmp_path / "mine/words.txt"
    run_checked(
        "render", "--recipe", out, "--words", words, "--count", 20, "--out", tmp_path / "data"
    )
    before = out.read_bytes()
    assert refuse(crops, "--out", out, *options, "--seed", 1) == (
        f"synthtext: {tmp_path}/mine has a run with other seed; give another --out, or --overwrite"
    )
    assert out.read_bytes() == before


def test_bad_input_is_one_sentence(crops: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.toml"
    assert refuse(tmp_path / "none", "--out", out) == (
        f"synthtext: {tmp_path}/none is not a folder; give one that contains crops of words"
    )
    assert refuse(crops, "--out", tmp_path / "mine.json") == (
        f"synthtext: {tmp_path}/mine.json would be written as TOML; give a name with .toml"
    )
    assert refuse(crops, "--out", out, "--count", 5) == (
        "synthtext: count is 5; it is from 100 to 1,000,000"
    )
    assert refuse(crops, "--out", out, "--report", crops) == (
        f"synthtext: {crops} holds the crops; give another --report for the results"
    )
    few = tmp_path / "few"
    few.mkdir()
    (few / "a.png").write_bytes((crops / "0.jpg").read_bytes())
    assert refuse(few, "--out", out) == (
        f"synthtext: {few} holds too few images, 1; a fit needs 20 crops or more, ideally 500"
    )
    assert not out.exists()
    assert not (tmp_path / "mine").exists()
