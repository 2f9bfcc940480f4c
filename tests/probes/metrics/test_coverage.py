from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from benchmark_scripts import load_script
from probes.tasks.outcomes import write_outcomes


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    """The script that simulates readers with planted truths."""
    return load_script("coverage")


def test_the_intervals_of_a_typical_reader_hold_its_truth(simulation: ModuleType) -> None:
    # An exact 95 % interval covers it in at least 26 of 30 runs, in 63 of 64 series; the script
    # itself makes 500 runs and has tighter bounds.
    for check in simulation.check_reader(simulation.READERS[0], 30):
        assert 0.85 <= check.share <= 1, check


@pytest.mark.parametrize("name", ["typical", "blur, steep, at 2.7 px", "a kink"])
def test_thresholds_of_the_design_hold_the_truth(simulation: ModuleType, name: str) -> None:
    reader = next(each for each in simulation.PLANTED_READERS if each.name == name)
    found = sys.modules["design_runs"].measure_coverage(reader, 30)
    assert found.held >= 0.85
    assert found.n_levels > 7


def test_a_dense_run_is_a_truth_to_draw_words_from(
    simulation: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pd.DataFrame(
        [
            {"key": f"{level} {word}", "task": "words", "word": f"w{word}", "factor": "blur_px",
             "baseline": "easy", "level": str(level), "k": 2, "rank": 1, "guess": "w",
             "correct": True, "rank_at_2": 1 if level < 2.2 + word / 50 else 2}
            for level in np.arange(0, 6.25, 0.25)
            for word in range(60)
        ]
    )  # fmt: skip
    write_outcomes(tmp_path / "outcomes.parquet", rows.assign(rank_at_2=rows["rank_at_2"]))
    (reader,) = simulation.read_real(tmp_path / "outcomes.parquet", 40)
    assert reader.name == f"{tmp_path.name}: blur_px, easy, 1 of 2"
    # Midway between one half and 1 is where half of the words are read.
    found = sys.modules["design_runs"].measure_coverage(reader, 20)
    assert found.held >= 0.8
    (check,) = simulation.check_real(reader, 30)
    assert check.share >= 0.85, check


def test_planted_effects_are_found_and_null_ones_are_not(simulation: ModuleType) -> None:
    assert all(check.holds for check in simulation.check_effects(15))


def test_equal_readers_are_told_apart_no_more_often_than_the_level(
    simulation: ModuleType,
) -> None:
    difference, twins = simulation.check_pairs(40)
    assert difference.share >= 0.85
    assert twins.holds


def test_the_script_fails_where_a_share_is_out_of_bounds(
    simulation: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = [
        simulation.Check("good", 0.95, 0.92, 0.98),
        simulation.Check("bad", 0.9, 0.92, 0.98),
    ]
    monkeypatch.setattr(simulation, "check_all", lambda n_runs, real: iter(checks))
    assert simulation.main(["--runs", "1", "--only", "others"]) == 1
    assert "NO   0.900  0.920-0.980    bad" in capsys.readouterr().out
