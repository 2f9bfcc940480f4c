"""The recogniser of `benchmarks/recogniser.py` and `benchmarks/crnn.py`."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark_scripts import load_script


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """Return the script, as a module."""
    return load_script("recogniser")


def write_word(folder: Path, level: int) -> Path:
    """Return a folder with one grey image that is labelled "word"."""
    folder.mkdir()
    Image.new("RGB", (60, 20), (level, level, level)).save(folder / "0.png")
    (folder / "gt.txt").write_text('0.png, "word"\n')
    return folder


def test_folders_with_equal_labels_are_measured_separately(
    script: ModuleType, tmp_path: Path
) -> None:
    tests = {"real": (np.zeros((1, 32, 100), np.uint8), ["word"])}
    how = script.Training(steps=1, device="cpu", dtype=torch.float32)
    for level, name in ((0, "dark"), (255, "light")):
        script.measure(write_word(tmp_path / name, level), tests, how, 0, tmp_path)
    assert len(list(tmp_path.glob("errors-*.json"))) == 2


def test_letters_are_spread_evenly_with_gaps_between_them() -> None:
    script = load_script("crnn")
    a, b, gap = 1, 2, script.UNKNOWN
    spread = script.spread(["ab", "b"], 10)
    assert spread[0].tolist() == [gap, a, a, a, gap, gap, b, b, b, gap]
    assert spread[1].tolist() == [gap, gap, b, b, b, b, b, b, gap, gap]
