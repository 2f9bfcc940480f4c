from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fake_encoders import BlindReader, KnowingReader, model_of
from probes.data.stimuli import draw_windows
from probes.data.windows import list_windows
from probes.models.base import Encoder
from probes.reports.probe import write_probe
from probes.tasks import run as probing
from probes.tasks.base import load_task
from probes.tasks.config import ProbeConfig
from probes.tasks.localization import N_VIEWS, WINDOW, measure_localization
from probes.tasks.run import Probe, run_probe

SETTING = ProbeConfig(task="where", n=12, ks=(2, 100), templates=("{}",))


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # noqa: ANN201 - a function
    monkeypatch.setattr(probing, "find_cache_folder", lambda: tmp_path / "texts")

    def run(encoder: Encoder) -> Probe:
        probe = run_probe(model_of(encoder), SETTING, tmp_path / "out")
        assert probe
        write_probe(probe, tmp_path / "out")
        return probe

    return run


def near_sighted() -> KnowingReader:
    """Return a reader that reads only windows that contain their word."""
    trials, _ = load_task(SETTING.task).show(SETTING)
    stimuli = [stimulus for chunk in draw_windows(trials) for stimulus in chunk()]
    texts = []
    for trial, at in zip(trials, range(0, len(stimuli), N_VIEWS), strict=True):
        left, top, right, bottom = stimuli[at].facts["word_box"]  # type: ignore[misc]
        holds = [
            x0 <= left and y0 <= top and right <= x1 and bottom <= y1
            for x0, y0, x1, y1 in list_windows(448, 448)
        ]
        texts += [f"\0{trial.key}"]
        texts += [
            trial.spec.text if held else f"\0{trial.key} {i}" for i, held in enumerate(holds)
        ]
    return KnowingReader(stimuli, texts)


def test_a_near_sighted_reader_gains_by_its_best_window(ask) -> None:  # noqa: ANN001
    outcomes = ask(near_sighted()).outcomes
    found = measure_localization(outcomes)
    has_window = outcomes["share_holding"] > 0
    assert outcomes.loc[has_window & (outcomes["view"] == WINDOW), "correct"].all()
    assert outcomes.loc[has_window, "hit"].all()
    assert found["gain_low"] > 0.5
    assert found["hit_rate"] > found["hit_chance"]


def test_a_blind_reader_gains_nothing(ask) -> None:  # noqa: ANN001
    found = measure_localization(ask(BlindReader()).outcomes)
    assert found["gain_low"] <= 0 <= found["gain_high"]


def test_windows_cover_the_picture() -> None:
    seen = np.zeros((448, 448), int)
    for left, top, right, bottom in list_windows(448, 448):
        seen[top:bottom, left:right] += 1
    assert seen.min() == 1
    assert seen[224, 224] == 4
