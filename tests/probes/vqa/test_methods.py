from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score

from command_line import run
from fake_encoders import BlindReader, KnowingReader, model_of, vector_of
from probes.arrays import Vectors
from probes.data.images import read_image
from probes.data.trials import Stimulus
from probes.data.windows import list_windows
from probes.errors import ProbeError
from probes.models.base import Model
from probes.reports.vqa import write_vqa
from probes.vqa.heads import KINDS, train_heads
from probes.vqa.methods import (
    COMMONEST,
    POSSIBLE,
    RANDOM,
    answer_questions,
    find_windows,
    measure_windows,
    rank_answers,
    tabulate_baselines,
    tabulate_methods,
)
from probes.vqa.questions import Candidates, list_candidates, make_question_set
from probes.vqa.run import VqaConfig, run_vqa
from synthtext.drawing.fonts import read_catalogue
from synthtext.texts.words import read_words
from synthtext.vqa.generate import plan_scenes, render_scenes
from synthtext.vqa.textvqa import Asked, read_questions

N_SCENES = 120


@pytest.fixture(scope="module")
def signs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signs")
    render_scenes(
        plan_scenes(read_words("en"), read_catalogue(), seed=0, count=N_SCENES), folder
    )
    return folder


class OracleReader(KnowingReader):
    """Knows the text in each image, and ignores the question in a prompt."""

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return np.stack([vector_of(text.partition(". ")[0]) for text in texts])


def ask_once(folder: Path, split: str) -> list[Asked]:
    """Return one question for each image, since an oracle has one vector per image."""
    items = read_questions(folder / f"{split}.json").items
    return list({asked.picture: asked for asked in items}.values())


def know(folder: Path, questions: Sequence[Asked]) -> Model:
    """Return a reader that knows the answer, and the windows that contain it."""
    stimuli, texts = [], []
    for asked in questions:
        pixels = read_image(folder / "images" / f"{asked.picture}.jpg")
        assert asked.box is not None
        stimuli.append(Stimulus(asked.picture, pixels))
        texts.append(asked.answer)
        left, top, right, bottom = asked.box
        for number, (x0, y0, x1, y1) in enumerate(list_windows(448, 448)):
            is_hit = x0 <= left and y0 <= top and right <= x1 and bottom <= y1
            crop = np.ascontiguousarray(pixels[y0:y1, x0:x1])
            stimuli.append(Stimulus(f"{asked.picture}{number}", crop))
            texts.append(asked.answer if is_hit else f"\0{asked.picture}{number}")
    return model_of(OracleReader(stimuli, texts))


def offer(model: Model, questions: Sequence[Asked], n: int = 10_000) -> Candidates:
    texts = list_candidates(questions, n)
    return Candidates(texts, model.encoder.embed_texts(texts))


def test_a_reader_that_knows_the_answer_answers_everything(signs: Path, tmp_path: Path) -> None:
    questions = ask_once(signs, "val")
    model = know(signs, questions)
    question_set = make_question_set(model, questions, signs / "images", tmp_path, windows=True)
    candidates = offer(model, questions)
    outcomes = answer_questions(model, question_set, candidates)
    means = outcomes.groupby("method")[["exact", "soft"]].mean()
    for method in ("image alone", "question in the prompt", "best window"):
        assert means.loc[method].tolist() == [1.0, 1.0]
    # A meaningless question vector adds noise that the truth outweighs.
    assert means.loc["image + question", "exact"] > 0.95
    assert means.loc["question alone", "exact"] < 0.2
    found = measure_windows(question_set, candidates, outcomes)
    assert found["hit_rate"] == 1.0
    assert 0 < found["hit_chance"] < 0.5
    assert found["gain"] == 0.0


def test_a_blind_reader_is_at_chance(signs: Path, tmp_path: Path) -> None:
    questions = ask_once(signs, "train")
    model = model_of(BlindReader())
    question_set = make_question_set(model, questions, signs / "images", tmp_path, windows=True)
    candidates = offer(model, questions, n=10)
    among = replace(
        question_set,
        questions=tuple(
            # All candidates are right equally often, so a constant guess is at chance.
            replace(asked, answers=(candidates.texts[number % 10],) * 10)
            for number, asked in enumerate(question_set.questions[:90])
        ),
        rows=question_set.rows[:90],
        queries=np.tile(vector_of(""), (90, 1)),
    )
    methods = tabulate_methods(answer_questions(model, among, candidates)).set_index("method")
    for method in ("image alone", "question alone", "image + question", "best window"):
        assert methods.loc[method, "exact"] == pytest.approx(0.1)
        assert methods.loc[method, "exact_low"] < 0.1 < methods.loc[method, "exact_high"]


def test_a_window_that_reads_better_is_a_gain(signs: Path, tmp_path: Path) -> None:
    questions = ask_once(signs, "val")
    model = know(signs, questions)
    question_set = make_question_set(model, questions, signs / "images", tmp_path, windows=True)
    candidates = offer(model, questions)
    lost = replace(question_set, images=np.roll(question_set.images, 1, axis=0))
    found = measure_windows(lost, candidates, answer_questions(model, lost, candidates))
    assert found["gain"] == 1.0
    # All images gain; the lower end is as in Wilson's interval for no exceptions.
    assert found["gain_low"] > 0.8


def test_figures_agree_with_a_plain_count(signs: Path, tmp_path: Path) -> None:
    questions = read_questions(signs / "val.json").items
    model = model_of(BlindReader())
    question_set = make_question_set(
        model, questions, signs / "images", tmp_path, windows=False
    )
    candidates = offer(model, read_questions(signs / "train.json").items)
    outcomes = answer_questions(model, question_set, candidates)
    assert outcomes["method"].nunique() == 4
    for method, rows in outcomes.groupby("method"):
        mean = tabulate_methods(outcomes).set_index("method").loc[method, "exact"]
        assert mean == accuracy_score(rows["answer"], rows["guess"])
    shares = outcomes[[f"share_{k}" for k in range(1, 6)]].sum(axis=1)
    assert np.allclose(shares, 1)


def test_baselines_worked_by_hand() -> None:
    def ask(*answers: str) -> Asked:
        return Asked(str(answers), "p", "p.jpg", "what?", answers)

    questions = [
        ask(*["stop"] * 10),  # The most frequent.
        ask(*["exit"] * 9, "stop"),  # Not exact; soft 0.3 for "stop".
        ask(*["none of these"] * 10),  # Not among the candidates.
        ask(*["exit"] * 10),
    ]
    table = tabulate_baselines(questions, ("stop", "exit")).set_index("method")
    assert table.loc[POSSIBLE].tolist() == [4, 0.75, 0.75]
    assert table.loc[COMMONEST, "exact"] == 0.25
    assert table.loc[COMMONEST, "soft"] == pytest.approx(1.3 / 4)
    assert table.loc[RANDOM, "exact"] == 0.375
    assert table.loc[RANDOM, "soft"] == pytest.approx((1 + 1.3 + 0 + 1) / 4 / 2)


def test_candidates_are_the_commonest_in_the_spelling_they_are_compared_in() -> None:
    questions = [
        Asked("1", "p", "p.jpg", "?", ("The Stop", "stop", "Exit", "...")),
        Asked("2", "p", "p.jpg", "?", ("exit", "stop!", "open")),
    ]
    assert list_candidates(questions, 2) == ("stop", "exit")
    assert list_candidates(questions, 9) == ("stop", "exit", "open")
    with pytest.raises(ProbeError) as caught:
        list_candidates(questions, 1)
    assert str(caught.value) == "candidates is 1; it must be 2 or more"
    with pytest.raises(ProbeError) as caught:
        list_candidates(questions[:0], 5)
    assert str(caught.value) == (
        "the annotations have fewer than two answers; give more of them"
    )


def test_the_nearest_answers_are_those_of_a_full_sort() -> None:
    rng = np.random.default_rng(0)
    vectors, candidates = (rng.normal(size=(n, 8)).astype(np.float32) for n in (700, 40))
    places, cosines = rank_answers(vectors, candidates)
    sims = vectors @ candidates.T
    assert (places == np.argsort(-sims, axis=1)[:, :5]).all()
    assert np.allclose(cosines, -np.sort(-sims, axis=1)[:, :5])
    # Of equals the most frequent, which is the first, is guessed.
    assert (
        rank_answers(vectors[:3], np.ones_like(candidates))[0].tolist() == [[0, 1, 2, 3, 4]] * 3
    )


def test_a_head_learns_to_look_past_what_all_pictures_share(
    signs: Path, tmp_path: Path
) -> None:
    questions = ask_once(signs, "train")
    model = know(signs, questions)
    question_set = make_question_set(
        model, questions, signs / "images", tmp_path, windows=False
    )
    candidates = offer(model, questions)
    # Every image is most similar to the first answer.
    images = question_set.images + 3 * candidates.vectors[0]
    dazzled = replace(
        question_set, images=images / np.linalg.norm(images, axis=1, keepdims=True)
    )
    before = answer_questions(model, dazzled, candidates)
    assert before.groupby("method")["exact"].mean()["image alone"] < 0.1
    outcomes = train_heads(model, dazzled, dazzled, candidates, seed=0)
    means = outcomes.groupby("method")["exact"].mean()
    assert len(means) == 2 * len(KINDS)
    assert means.min() > 0.9


@pytest.fixture
def worn(signs: Path, tmp_path: Path) -> Path:
    """Return a copy of the images, with one missing and two that do not decode."""
    folder = tmp_path / "worn"
    folder.mkdir()
    items = ask_once(signs, "val")
    for asked in items[1:]:
        raw = (signs / "images" / f"{asked.picture}.jpg").read_bytes()
        (folder / f"{asked.picture}.jpg").write_bytes(raw)
    (folder / f"{items[1].picture}.jpg").write_bytes(b"no picture")
    whole = folder / f"{items[2].picture}.jpg"
    whole.write_bytes(whole.read_bytes()[:2000])
    return folder


def test_lost_pictures_are_named_and_the_rest_goes_on(
    signs: Path, worn: Path, tmp_path: Path
) -> None:
    questions = read_questions(signs / "val.json").items
    model = model_of(BlindReader())
    question_set = make_question_set(model, questions, worn, tmp_path / "v", windows=False)
    assert len(question_set.questions) == len(questions) - 6
    first = questions[0].picture
    assert question_set.broken[:2] == (
        f"{worn} has no image {first}.jpg (question 0)",
        f"{worn} has no image {first}.jpg (question 1)",
    )
    assert (
        question_set.broken[2]
        == f"{worn / questions[2].picture}.jpg cannot be decoded (question 2)"
    )
    assert len(question_set.broken) == 6


def test_an_annotation_cannot_reach_outside_its_folder(signs: Path, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "secret.png")
    asked = Asked("1", "secret", "../secret.png", "what?", ("x",))
    with pytest.raises(ProbeError) as caught:
        make_question_set(
            model_of(BlindReader()), [asked], inside, tmp_path / "v", windows=False
        )
    assert str(caught.value) == (
        f"no question is usable: {inside} has no image ../secret.png; give the right folder"
        " with --images"
    )


def test_the_best_window_is_found_without_the_truth(signs: Path, tmp_path: Path) -> None:
    questions = ask_once(signs, "val")
    model = know(signs, questions)
    question_set = make_question_set(model, questions, signs / "images", tmp_path, windows=True)
    candidates = offer(model, questions)
    hidden = replace(
        question_set,
        questions=tuple(replace(q, answers=("?",), box=None) for q in question_set.questions),
    )
    assert (find_windows(hidden, candidates) == find_windows(question_set, candidates)).all()
    outcomes = answer_questions(model, hidden, candidates)
    assert measure_windows(hidden, candidates, outcomes)["n_boxes"] == 0


def test_a_run_leaves_rows_figures_and_a_page(signs: Path, tmp_path: Path) -> None:
    model = model_of(BlindReader())
    config = VqaConfig(signs / "train.json", signs / "val.json", signs / "images")
    summary = write_vqa(run_vqa(model, config, tmp_path), tmp_path)
    outcomes = pd.read_parquet(tmp_path / "outcomes.parquet")
    assert set(outcomes["method"]) == {row["method"] for row in summary["methods"]}
    assert len(outcomes) == len(summary["methods"]) * summary["n_questions"]
    assert json.loads((tmp_path / "summary.json").read_text())["n_pictures"] == N_SCENES // 5
    for name in ("questions", "answers", "wrong"):
        assert cv2.imread(str(tmp_path / "plots" / f"{name}.png")) is not None
    page = (tmp_path / "report.html").read_text()
    assert "best possible" in page
    assert "head, hard by both, equal answers masked" in page
    assert not (tmp_path / ".vectors").exists()


def test_heads_are_not_trained_on_what_they_are_asked(signs: Path, tmp_path: Path) -> None:
    val = signs / "val.json"
    config = VqaConfig(val, val, signs / "images", windows=False)
    done = run_vqa(model_of(BlindReader()), config, tmp_path)
    assert done.notes == (
        "no heads were trained: 48 of the evaluation questions are also training questions",
    )
    assert not done.outcomes["method"].str.startswith("head").any()


def test_the_bundled_reader_is_asked(signs: Path, tmp_path: Path) -> None:
    done = run(
        "vqa", "--model", "bundled", "--no-heads", "--annotations", signs / "train.json",
        "--val", signs / "val.json", "--images", signs / "images", "--out", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "best window" in done.stdout
    assert "most frequent answer" in done.stdout
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["windows"]["n_boxes"] == summary["n_questions"] == 48


def test_bad_input_is_one_line_and_exit_code_2(signs: Path, tmp_path: Path) -> None:
    for options, sentence in (
        (["--images", str(tmp_path / "no")], f"{tmp_path / 'no'} is not a folder; give the folder of the images with --images"),
        (["--images", str(tmp_path)], f"no question is usable: {tmp_path} has no image"),
        (["--val", "no.json"], "no.json cannot be read (no such file or directory); give a JSON file"),
        (["--candidates", "1"], "candidates is 1; it must be 2 or more"),
    ):  # fmt: skip
        given = {
            "--annotations": str(signs / "train.json"), "--val": str(signs / "val.json"),
            "--images": str(signs / "images"), "--out": str(tmp_path / "out"),
            "--model": "bundled",
        } | dict(zip(options[::2], options[1::2], strict=True))  # fmt: skip
        command = [part for pair in given.items() for part in pair]
        done = run("vqa", *command)
        assert done.returncode == 2
        assert done.stderr.startswith(f"synthtext: {sentence}")
        assert done.stderr.count("\n") == 1
