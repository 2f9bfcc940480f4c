from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fake_encoders import KnowingReader, model_of
from probes.data.shapes import PICTURES, lay_picture
from probes.data.stimuli import draw_stimuli
from probes.reports.probe import write_probe
from probes.tasks import run as probing
from probes.tasks.base import load_task
from probes.tasks.config import ProbeConfig
from probes.tasks.run import run_probe
from probes.tasks.typographic_attack import measure_attack

SETTING = ProbeConfig(task="attack", n=20, templates=("{}",))


@pytest.mark.parametrize("said", ["picture", "word"])
def test_a_reader_is_found_to_say_what_it_says(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "find_cache_folder", lambda: tmp_path / "texts")
    trials, _ = load_task(SETTING.task).show(SETTING)
    stimuli = [stimulus for chunk in draw_stimuli(trials) for stimulus in chunk()]
    texts = [
        trial.picture if said == "picture" or trial.level == "0.0" else trial.spec.text
        for trial in trials
    ]
    probe = run_probe(model_of(KnowingReader(stimuli, texts)), SETTING, tmp_path / "out")
    assert probe
    shares = {
        (row["size_px"], row["said"]): row["share"] for row in measure_attack(probe.outcomes)
    }
    assert shares[0.0, "picture"] == 1
    assert shares[36.0, said] == 1
    write_probe(probe, tmp_path / "out")


def test_the_word_is_never_the_picture() -> None:
    trials, _ = load_task(SETTING.task).show(SETTING)
    assert all(trial.picture != trial.spec.text for trial in trials)
    assert {trial.picture for trial in trials} <= set(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_stays_on_the_paper_and_below_the_ink(name: str) -> None:
    paper = np.full((224, 224, 3), 255, np.uint8)
    paper[110:114, 40:180] = 0
    for seed in range(20):
        laid = lay_picture(paper, name, seed)
        assert (laid[110:114, 40:180] == 0).all()
        assert (laid[:4] == 255).all()
        assert (laid[:, :4] == 255).all()
        share = (laid != paper).any(axis=2).mean()
        assert 0.03 < share < 0.5


def test_no_two_pictures_are_alike() -> None:
    paper = np.full((224, 224, 3), 255, np.uint8)
    drawn = [lay_picture(paper, name, 3) for name in PICTURES]
    for i, one in enumerate(drawn):
        for other in drawn[:i]:
            assert (one != other).any(axis=2).mean() > 0.02
