from __future__ import annotations

import gc
import json
import warnings
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs/notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("probes.training.finetune.N_PSEUDOWORDS", 4)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with warnings.catch_warnings():
        # webdataset leaves the shards to the garbage collector, open.
        warnings.simplefilter("ignore", ResourceWarning)
        names = run_cells(path)
        assert names
        names.clear()
        gc.collect()


def run_cells(path: Path) -> dict[str, Any]:
    """Return the names that a notebook has at its end."""
    names: dict[str, Any] = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            exec(compile(source, f"{path.name} {cell['id']}", "exec"), names)
    return names


def test_every_slider_draws_another_image() -> None:
    pytest.importorskip("ipywidgets")
    (path,) = (path for path in NOTEBOOKS if path.stem == "sliders")
    panel = run_cells(path)["panel"]
    controls = {
        each.description: each for each in panel.children if hasattr(each, "description")
    }
    assert set(controls) == {"text", "font", "size_px", "rotation_deg", "contrast", "blur_px"}
    panel.update()
    values = {"text": "zebra", "font": controls["font"].options[3]}
    for name, control in controls.items():
        before = panel.result.tobytes()
        control.value = values.get(name) or control.max / 2
        assert panel.kwargs[name] == control.value
        assert panel.result.tobytes() != before
