from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from command_line import run
from probes.data.rendered import is_published, read_trials
from probes.errors import ProbeError
from probes.tasks.linear_probe import STRENGTHS, describe_linear, fit_linear

COUNTS = {"train": 12, "valid": 6, "test": 8}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in the layout of Rendered SST2; the grey level encodes the label."""
    folder = tmp_path_factory.mktemp("sst2")
    rng = np.random.default_rng(0)
    for split, n in COUNTS.items():
        for label, name in enumerate(("negative", "positive")):
            (folder / split / name).mkdir(parents=True)
            for number in range(n // 2):
                pixels = rng.integers(120 * label, 120 * label + 60, (48, 48, 3), np.uint8)
                cv2.imwrite(str(folder / split / name / f"{number}.png"), pixels)
    return folder


def test_the_published_layout_is_read(published: Path) -> None:
    assert is_published(published)
    for split, n in (("train", 12), ("val", 6), ("test", 8), (None, 8)):
        shown = read_trials(published, split)
        assert [trial.spec.label for trial in shown.trials] == [0] * (n // 2) + [1] * (n // 2)
        stimuli = [stimulus for chunk in shown.chunks for stimulus in chunk()]
        assert [stimulus.key for stimulus in stimuli] == [trial.key for trial in shown.trials]
        assert stimuli[0].pixels.shape == (48, 48, 3)


def test_sentiment_of_a_folder_with_a_linear_probe(published: Path, tmp_path: Path) -> None:
    (published / "test" / "positive" / "z.png").write_bytes(b"broken")
    done = run(
        "probe", "--model", "bundled", "--pretrained", "random", "--task", "sentiment",
        "--data", published, "--linear", "--out", tmp_path,
    )  # fmt: skip
    (published / "test" / "positive" / "z.png").unlink()
    assert done.returncode == 0, done.stderr
    assert "cannot be read: positive/z.png" in done.stderr
    outcomes = pd.read_parquet(tmp_path / "outcomes.parquet")
    assert len(outcomes) == 8
    assert outcomes["p_positive"].between(0, 1).all()
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["broken"] == ["positive/z.png"]
    assert {"accuracy", "precision", "recall", "f1", "confusion"} <= set(summary["sentiment"])
    page = (tmp_path / "report.html").read_text()
    assert "positive/z.png" in page
    # Even random weights distinguish dark from light with a linear classifier.
    found = json.loads((tmp_path / "linear.json").read_text())
    assert found["accuracy"] > 0.8
    assert summary["linear"] == found
    assert "Linear probe" in page
    assert "Linear probe" in done.stdout


def test_words_cannot_be_asked_of_it(published: Path, tmp_path: Path) -> None:
    options = ("--model", "bundled", "--pretrained", "random", "--data", published)
    done = run("probe", *options, "--out", tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"synthtext: {published} does not record the texts of its images; use --task sentiment\n"
    )


def make_split(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    return (rng.normal(size=(n, 5)) + labels[:, None]).astype(np.float32), labels


def test_the_strength_is_chosen_on_the_validation_split() -> None:
    train, val, test = make_split(60, 0), make_split(80, 1), make_split(100, 2)
    probe = fit_linear(train, val, test)
    lines = {c: LogisticRegression(C=c, max_iter=1000).fit(*train) for c in STRENGTHS}
    assert probe.validation == {c: line.score(*val) for c, line in lines.items()}
    assert probe.validation[probe.strength] == max(probe.validation.values())
    assert probe.accuracy == lines[probe.strength].score(*test)
    found = describe_linear(probe)
    (tn, fp), (fn, tp) = found["confusion"]
    assert found["precision"] == pytest.approx(tp / (tp + fp))
    assert found["recall"] == pytest.approx(tp / (tp + fn))
    assert found["accuracy"] == pytest.approx((tp + tn) / 100)


def test_one_label_alone_is_refused() -> None:
    vectors, labels = make_split(10, 0)
    with pytest.raises(ProbeError) as caught:
        fit_linear((vectors, labels * 0), (vectors, labels), (vectors, labels))
    assert str(caught.value) == (
        "the split 'train' has only one label; a linear probe needs both"
    )
