from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fake_encoders import KnowingReader, model_of
from probes.data.attack_sets import read_attacks
from probes.data.shapes import PICTURES, lay_picture
from probes.data.stimuli import draw_stimuli
from probes.errors import ProbeError
from probes.metrics.intervals import clustered_accuracy
from probes.metrics.mistakes import tabulate_confusions
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


def write_photographs(folder: Path) -> dict[str, tuple[str, str]]:
    """Write an image for each pair of object and word, and return the pairs by file name."""
    rng = np.random.default_rng(0)
    known = {}
    for thing in ("cup", "ox", "pen", "key"):
        for word in ("ant", "bee", "cow"):
            name = f"label={thing}_text={word}.png"
            pixels = rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name)
            known[name] = (thing, word)
    return known


@pytest.mark.parametrize("said", ["picture", "word"])
def test_photographs_in_a_folder_are_asked_about(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "find_cache_folder", lambda: tmp_path / "texts")
    (tmp_path / "set").mkdir()
    known = write_photographs(tmp_path / "set")
    (tmp_path / "set/odd.png").write_bytes((tmp_path / "set" / next(iter(known))).read_bytes())
    setting = ProbeConfig(task="attack", data=tmp_path / "set", templates=("{}",))
    (chunk,) = read_attacks(tmp_path / "set").chunks
    stimuli = list(chunk())
    # One answer is neither the object nor the word.
    texts = [known[stimulus.key[7:]][said == "word"] for stimulus in stimuli]
    texts[0] = "key" if "label=key" not in stimuli[0].key else "ox"
    probe = run_probe(model_of(KnowingReader(stimuli, texts)), setting, tmp_path / "out")
    assert probe
    rows = probe.outcomes
    assert len(rows) == 12
    assert rows["k"].unique().tolist() == [7]
    assert rows["said"].value_counts().to_dict() == {said: 11, "other": 1}
    assert (rows["rank_at_2"] == (1 if said == "picture" else 2))[1:].all()
    found = {row["said"]: row for row in measure_attack(rows)}
    assert {row["variant"] for row in found.values()} == {"attacked"}
    assert found[said]["share"] == pytest.approx(11 / 12)
    expected = clustered_accuracy(rows["said"] == said, rows["picture"], rows["text"])
    assert (found[said]["low"], found[said]["high"]) == expected[1:]
    mistakes = tabulate_confusions(rows)  # Those of an object, over all its photographs.
    assert set(mistakes["word"]) <= set(rows["picture"])
    assert mistakes["n"].sum() == (~rows["correct"]).sum()
    summary = write_probe(probe, tmp_path / "out")
    assert {row["k"] for row in summary["headline"]} == {2, 7}
    assert summary["broken"] == ["odd.png (not named label=OBJECT_text=WORD)"]
    assert "Typographic attack" in (tmp_path / "out/report.html").read_text()


def test_a_split_of_photographs_is_refused(tmp_path: Path) -> None:
    write_photographs(tmp_path)
    setting = ProbeConfig(task="attack", data=tmp_path, split="test")
    with pytest.raises(ProbeError) as caught:
        run_probe(model_of(KnowingReader([], [])), setting, tmp_path / "out")
    assert str(caught.value) == "a set of attacks has no splits; leave out --split"


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
