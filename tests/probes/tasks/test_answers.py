from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from probes.arrays import Pixels
from probes.data.stimuli import draw_stimuli
from probes.data.trials import Trial
from probes.errors import ProbeError
from probes.metrics import forced_choice
from probes.metrics.breakdown import tabulate_headline, tabulate_thresholds, take_scan
from probes.metrics.paired import compare
from probes.models.base import Model
from probes.models.factory import load_model
from probes.models.text_readers import make_reader_model
from probes.readers.base import Answer, Reader, ReaderFacts, Reading
from probes.readers.responses import hash_pixels
from probes.reports.probe import write_probe
from probes.tasks import run as probing
from probes.tasks.base import list_readable, load_task
from probes.tasks.config import ProbeConfig
from probes.tasks.exporting import export_pictures
from probes.tasks.outcomes import read_outcomes
from probes.tasks.run import run_probe

SMALL = ProbeConfig(design="size,case", n=12)


@pytest.fixture(autouse=True)
def _few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forced_choice, "KS", (2, 10, 100))


class Knowing:
    """Looks up its images instead of reading them."""

    def __init__(self, trials: Sequence[Trial], answers: Sequence[Answer]) -> None:
        stimuli = [stimulus for chunk in draw_stimuli(trials) for stimulus in chunk()]
        pairs = zip(stimuli, answers, strict=True)
        self.known = {hash_pixels(stimulus.pixels): answer for stimulus, answer in pairs}
        self.n_read = 0

    def read_images(self, images: Sequence[Pixels]) -> list[Answer]:
        self.n_read += len(images)
        return [self.known.get(hash_pixels(pixels), "") for pixels in images]


def model_of(reader: Reader) -> Model:
    return make_reader_model("a reader", reader, ReaderFacts("0" * 64))


def trials_of(config: ProbeConfig) -> list[Trial]:
    return load_task(config.task).show(config)[0]


@pytest.mark.parametrize("task", list_readable())
def test_a_reader_that_knows_the_texts_scores_1(task: str, tmp_path: Path) -> None:
    config = ProbeConfig(task=task, design="size,case", n=12)
    trials = trials_of(config)
    reader = Knowing(trials, [trial.spec.drawn_text for trial in trials])
    done = run_probe(model_of(reader), config, tmp_path)
    assert done
    assert (tabulate_headline(done.outcomes)["accuracy"] == 1).all()
    assert done.outcomes["exact_case"].all()
    assert (done.outcomes["n_edits"] == 0).all()


@pytest.mark.parametrize("task", list_readable())
def test_a_reader_that_reads_nothing_scores_at_chance(task: str, tmp_path: Path) -> None:
    class Blind:
        def read_images(self, images: Sequence[Pixels]) -> list[str]:
            return [""] * len(images)

    config = ProbeConfig(task=task, design="size,case", n=40)
    done = run_probe(model_of(Blind()), config, tmp_path)
    assert done
    for row in tabulate_headline(done.outcomes).itertuples():
        error = np.sqrt(row.chance * (1 - row.chance) / row.n)
        assert abs(row.accuracy - row.chance) < 10 * error
    assert not done.outcomes["exact"].any()


def test_answers_faults_and_confidences_come_into_outcomes_and_report(tmp_path: Path) -> None:
    trials = trials_of(SMALL)
    answers: list[Answer] = [trial.spec.drawn_text for trial in trials]
    answers[:4] = [("wrong", 0.25), "", Reading("", fault="it crashed"), ("WRONG", 1.0)]
    done = run_probe(model_of(Knowing(trials, answers)), SMALL, tmp_path)
    assert done
    rows = read_outcomes(tmp_path)
    assert rows["answer"].tolist()[:4] == ["wrong", "", "", "WRONG"]
    assert rows["fault"].tolist()[:4] == ["", "", "it crashed", ""]
    assert rows["confidence"].tolist()[:2] == pytest.approx([0.25, math.nan], nan_ok=True)
    summary = write_probe(done, tmp_path)
    assert summary["faults"] == [f"{trials[2].key}: it crashed"]
    found = {row["figure"]: row["value"] for row in summary["answers"]}
    assert found["exact, as drawn"] == pytest.approx(1 - 4 / len(trials))
    assert found["no answer"] == pytest.approx(1 / len(trials))
    page = (tmp_path / "report.html").read_text()
    assert f"No answer to {trials[2].key}: it crashed." in page
    assert "character error rate" in page


@pytest.mark.parametrize("width", [None, 0.05])
def test_confidences_are_kept_and_do_not_decide_intervals(
    tmp_path: Path, width: float | None
) -> None:
    config = ProbeConfig(design="size", n=12, width=width)
    trials = trials_of(config)
    answers: list[Answer] = [
        (trial.spec.drawn_text if trial.spec.size_px > 11 else "dunno", 0.25)
        for trial in trials
    ]
    done = run_probe(model_of(Knowing(trials, answers)), config, tmp_path)
    assert done
    scan = take_scan(done.outcomes)
    assert (scan["confidence"] == 0.25).all()
    rows = tabulate_thresholds(done.outcomes)
    assert rows["confidence"].min() >= 0.95
    summary = write_probe(done, tmp_path)
    found = summary["calibration"]
    overall = found["levels"][0]
    assert (found["right"], overall["confidence"]) == ("exact", 0.25)
    assert overall["gap"] == pytest.approx(0.25 - scan["exact"].mean())
    by_level = {
        (row["baseline"], row["label"]): row["accuracy"]
        for row in found["levels"] if row["factor"] == "size_px"
    }  # fmt: skip
    assert len(by_level) == 7 + 8  # The size of the harder baseline is a separate level.
    assert set(by_level.values()) == {0, 1}
    page = (tmp_path / "report.html").read_text()
    assert "Accuracy by mean confidence" in page
    assert "calibration error" in page
    assert (tmp_path / "plots/calibration.png").stat().st_size > 1000


def test_a_reader_that_says_nothing_of_its_confidence_has_no_calibration(
    tmp_path: Path,
) -> None:
    trials = trials_of(SMALL)
    reader = Knowing(trials, [trial.spec.drawn_text for trial in trials])
    done = run_probe(model_of(reader), SMALL, tmp_path)
    assert done
    assert write_probe(done, tmp_path)["calibration"] is None
    assert not (tmp_path / "plots/calibration.png").exists()
    assert "calibration error" not in (tmp_path / "report.html").read_text()


def test_what_is_left_out_of_the_calibration_is_counted(tmp_path: Path) -> None:
    trials = trials_of(SMALL)
    answers: list[Answer] = [(trial.spec.drawn_text, 0.9) for trial in trials]
    answers[:3] = [("", 0.0), "unsure", Reading("", fault="it crashed")]
    done = run_probe(model_of(Knowing(trials, answers)), SMALL, tmp_path)
    assert done
    found = write_probe(done, tmp_path)["calibration"]
    assert found["n_left_out"] == 3
    assert found["levels"][0]["n"] == len(trials) - 3
    assert (
        "3 images without an answer or a confidence" in (tmp_path / "report.html").read_text()
    )


def test_a_killed_probe_asks_a_reader_only_for_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = trials_of(SMALL)
    reader = Knowing(trials, [trial.spec.text for trial in trials])

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(probing, "write_outcomes", die)
        with pytest.raises(KeyboardInterrupt):
            run_probe(model_of(reader), SMALL, tmp_path)
    assert reader.n_read == len(trials) + 1  # One additional white image.
    done = run_probe(model_of(reader), SMALL, tmp_path)
    assert done
    assert reader.n_read == len(trials) + 2
    assert done.outcomes["exact"].all()


def test_progress_is_counted_in_images(tmp_path: Path) -> None:
    trials = trials_of(SMALL)
    seen: list[tuple[str, int, int | None]] = []
    reader = Knowing(trials, [trial.spec.text for trial in trials])
    run_probe(model_of(reader), SMALL, tmp_path, on_progress=lambda *step: seen.append(step))
    assert seen[0] == ("images", 32, len(trials) + 1)
    assert seen[-1] == ("images", len(trials) + 1, len(trials) + 1)


def test_a_reader_and_an_encoder_are_compared_on_the_same_images(tmp_path: Path) -> None:
    from fake_encoders import knowing_model

    trials = trials_of(SMALL)
    reader = Knowing(trials, [trial.spec.drawn_text for trial in trials])
    config = ProbeConfig(design="size,case", n=12, templates=("{}",))
    one = run_probe(model_of(reader), SMALL, tmp_path / "a")
    other = run_probe(knowing_model(trials), config, tmp_path / "b")
    assert one
    assert other
    table = compare(one.outcomes, other.outcomes, ["size_px", "case"])
    assert table["difference"].tolist()[0] == 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"task": "attack"},
            "a reader returns text, and the task attack needs embeddings; choose"
            f" {', '.join(list_readable())}",
        ),
        ({"templates": ("{}",)}, "a reader returns text; leave out the prompts"),
    ],
)
def test_what_cannot_be_asked_of_a_reader_is_refused(
    tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    config = ProbeConfig(**{"design": "size", "n": 12, **changes})
    with pytest.raises(ProbeError) as caught:
        run_probe(model_of(Knowing([], [])), config, tmp_path)
    assert str(caught.value) == sentence


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """Return a table with the correct answers, as people would fill it in."""
    folder = tmp_path / "show"
    n = export_pictures(SMALL, folder)
    trials = {trial.key: trial for trial in trials_of(SMALL)}
    assert n == len(trials)
    table = pd.read_csv(folder / "responses.csv", dtype=str, keep_default_na=False)
    assert (table["answer"] == "").all()
    table["answer"] = [trials[key].spec.drawn_text for key in table["key"]]
    table.to_csv(folder / "responses.csv", index=False)
    return folder / "responses.csv"


def test_answers_collected_elsewhere_are_scored(exported: Path, tmp_path: Path) -> None:
    done = run_probe(load_model(f"responses:{exported}"), SMALL, tmp_path / "out")
    assert done
    assert done.outcomes["exact_case"].all()
    assert len(list((exported.parent / "images").iterdir())) == len(done.trials)


def test_images_for_elsewhere_do_not_tell_their_words(exported: Path) -> None:
    with exported.open() as file:
        names = [row["image"] for row in csv.DictReader(file)]
    assert names == [f"images/{number:06d}.png" for number in range(len(names))]
    keys = pd.read_csv(exported)["key"].tolist()
    assert keys != sorted(keys)


def test_responses_to_other_images_are_refused(exported: Path, tmp_path: Path) -> None:
    model = load_model(f"responses:{exported}")
    other = ProbeConfig(design="size,case", n=12, seed=1)
    with pytest.raises(ProbeError) as caught:
        run_probe(model, other, tmp_path / "out")
    assert str(caught.value) == (
        "the responses belong to another image 'easy-baseline-baseline-000000'; probe with the options"
        " that the images were exported with"
    )
    more = ProbeConfig(design="size,case,blur", n=12)
    with pytest.raises(
        ProbeError, match="the responses have no row for the image 'easy-blur_px"
    ):
        run_probe(model, more, tmp_path / "more")


def test_a_table_that_may_be_filled_in_is_not_written_over(exported: Path) -> None:
    with pytest.raises(ProbeError) as caught:
        export_pictures(SMALL, exported.parent)
    assert str(caught.value) == f"{exported} may already be filled in; give another folder"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("key,said\na,b\n", "{} has no column 'answer'; it needs key and answer"),
        ("key,answer\na,b\na,c\n", "{} has two answers for 'a'; keep one"),
        (
            "key,answer,confidence\na,b,95 %\n",
            "{} has the confidence '95 %'; it must be from 0 to 1, or empty",
        ),
        (
            "key,answer\na,b,c\n",
            "{} has 3 cells in row 2, but 2 columns; give each row as many cells, and put texts with a separator in quotes",
        ),
        ("key,key\na,b\n", "{} has the column 'key' twice; give each column its own name"),
    ],
)
def test_what_is_not_a_table_of_responses_is_one_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "r.csv"
    path.write_text(text)
    with pytest.raises(ProbeError) as caught:
        load_model(f"responses:{path}")
    assert str(caught.value) == sentence.format(path)
