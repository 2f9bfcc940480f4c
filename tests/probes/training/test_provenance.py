from __future__ import annotations

import json
from pathlib import Path

import pytest

from probes.training.provenance import was_tuned_on


def test_a_model_beside_the_results_of_its_training_knows_its_data(tmp_path: Path) -> None:
    model, data = tmp_path / "run/model", tmp_path / "data"
    model.mkdir(parents=True)
    assert not was_tuned_on(model, data)
    (tmp_path / "run/summary.json").write_text(json.dumps({"config": {"data": str(data)}}))
    assert was_tuned_on(model, data)
    assert was_tuned_on(model, tmp_path / "run/../data")
    assert not was_tuned_on(model, tmp_path / "other")
    assert not was_tuned_on(Path("ViT-B-32"), data)


@pytest.mark.parametrize(
    "content",
    ["", "[1]", "{}", '{"config": 3}', '{"config": {"data": 1}}',
     '{"config": {"data": "a\\u0000b"}}'],
)  # fmt: skip
def test_a_summary_of_another_kind_says_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "summary.json").write_text(content)
    assert not was_tuned_on(tmp_path / "model", tmp_path / "data")
