from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, top_k_accuracy_score

from command_line import run
from fake_encoders import BlindReader, model_of, vector_of
from probes.data.labelled import LabelledImages, read_labelled
from probes.errors import ProbeError
from probes.tasks.classification import (
    choose_examples,
    classify,
    tabulate_accuracy,
    tabulate_classes,
    tabulate_mistakes,
)

NAMES = ("ant", "bee", "cat", "dog", "eel", "fox")


class Levels:
    """Classifies an image as the name whose index is its grey level."""

    def embed_images(self, images):  # noqa: ANN001, ANN201
        return np.stack([vector_of(NAMES[int(pixels[0, 0, 0])]) for pixels in images])

    def embed_texts(self, texts):  # noqa: ANN001, ANN201
        return np.stack([vector_of(text) for text in texts])


def make_labelled(truths: list[int], shown: list[int] | None = None) -> LabelledImages:
    levels = truths if shown is None else shown
    pictures = tuple(lambda n=n: np.full((8, 8, 3), n, np.uint8) for n in levels)
    return LabelledImages("levels", pictures, NAMES, np.array(truths))


def test_who_knows_names_everything() -> None:
    guesses = classify(model_of(Levels()), make_labelled([0, 1, 2, 3, 4, 5] * 2), ("{}",))
    assert tabulate_accuracy(guesses, 6)["accuracy"].tolist() == [1.0, 1.0]
    assert tabulate_mistakes(guesses).empty


def test_who_sees_nothing_is_at_chance() -> None:
    guesses = classify(model_of(BlindReader()), make_labelled(list(range(6)) * 5), ("{}",))
    table = tabulate_accuracy(guesses, 6)
    assert table["accuracy"].tolist() == pytest.approx([1 / 6, 5 / 6])
    assert table["chance"].tolist() == pytest.approx([1 / 6, 5 / 6])


def test_accuracy_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truths = rng.integers(0, 6, 60).tolist()
    shown = np.where(rng.random(60) < 0.6, truths, rng.integers(0, 6, 60)).tolist()
    labelled = make_labelled(truths, shown)
    guesses = classify(model_of(Levels()), labelled, ("{}",))
    at_1, at_5 = tabulate_accuracy(guesses, 6)["accuracy"]
    guessed = [NAMES.index(name) for name in guesses["guess_1"]]
    assert at_1 == accuracy_score(truths, guessed)
    vectors = np.stack([vector_of(name) for name in NAMES])
    cosines = vectors[shown] @ vectors.T
    assert at_5 == top_k_accuracy_score(truths, cosines, k=5, labels=range(6))


def test_classes_and_mistakes_by_hand() -> None:
    guesses = classify(
        model_of(Levels()), make_labelled([0, 0, 0, 0, 1, 1], [0, 1, 1, 2, 1, 1]), ("{}",)
    )
    classes = tabulate_classes(guesses)
    assert classes[["truth", "n", "top_1"]].to_numpy().tolist() == [
        ["ant", 4, 0.25], ["bee", 2, 1.0],
    ]  # fmt: skip
    mistakes = tabulate_mistakes(guesses)
    assert mistakes.to_numpy().tolist() == [["ant", "bee", 2, 0.5], ["ant", "cat", 1, 0.25]]


def test_examples_show_the_truth_and_five_names() -> None:
    labelled = make_labelled(list(range(6)))
    guesses = classify(model_of(Levels()), labelled, ("{}",))
    entries = choose_examples(guesses, labelled, n=4)
    assert len(entries) == 4
    assert all(entry.truth == entry.texts[0] and len(entry.texts) == 5 for entry in entries)


def write_folders(folder: Path) -> Path:
    for name, level in (("ink", 10), ("paper", 240)):
        (folder / "test" / name).mkdir(parents=True)
        for number in range(3):
            path = folder / "test" / name / f"{number}.png"
            cv2.imwrite(str(path), np.full((20, 30, 3), level + number, np.uint8))
    return folder


def write_shards(folder: Path, label: bytes = b"7") -> Path:
    folder.mkdir()
    jpeg = cv2.imencode(".jpg", np.full((8, 8, 3), 99, np.uint8))[1].tobytes()
    files = {
        "0.jpg": jpeg, "0.cls": b"1", "1.jpg": jpeg, "1.cls": label, "2.jpg": jpeg, "2.cls": b"0\n",
    }  # fmt: skip
    with tarfile.open(folder / "0.tar", "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    (folder / "classnames.txt").write_text("ink\npaper\n")
    return folder


def test_shards_with_classes_are_labelled_images(tmp_path: Path) -> None:
    labelled = read_labelled(write_shards(tmp_path / "s"))
    assert labelled.truths.tolist() == [1, 0]
    assert labelled.names == ("ink", "paper")
    assert labelled.broken == ("0.tar: 1",)
    assert labelled.pictures[0]().shape == (8, 8, 3)
    (tmp_path / "s" / "classnames.txt").unlink()
    with pytest.raises(ProbeError, match=r"has shards but no classnames\.txt"):
        read_labelled(tmp_path / "s")


@pytest.mark.parametrize("label", [b"9" * 30_000, b"-1", b"ink", b"", b"2"])
def test_what_is_not_a_class_is_left_out_and_named(label: bytes, tmp_path: Path) -> None:
    labelled = read_labelled(write_shards(tmp_path / "s", label))
    assert labelled.truths.tolist() == [1, 0]
    assert labelled.broken == ("0.tar: 1",)


def test_a_blank_line_among_classes_is_refused(tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "s")
    (folder / "classnames.txt").write_text("ink\n\npaper\n")
    with pytest.raises(ProbeError) as caught:
        read_labelled(folder)
    assert str(caught.value) == (
        f"{folder / 'classnames.txt'} has a blank line; write one class name per line"
    )


def test_the_command_leaves_rows_a_page_and_examples(tmp_path: Path) -> None:
    folder = write_folders(tmp_path / "a")
    (folder / "test" / "ink" / "9.png").write_bytes(b"broken")
    options = ("--model", "bundled", "--pretrained", "random", "--out", tmp_path / "r")
    done = run("classify", folder, *options)
    assert done.returncode == 0, done.stderr
    assert "cannot be read: ink/9.png" in done.stderr
    assert "top 1" in done.stdout
    summary = json.loads((tmp_path / "r" / "summary.json").read_text())
    assert (summary["n_classes"], summary["accuracy"][0]["n"]) == (2, 6)
    # The model's own prompts are bare words, since it was trained on them.
    assert summary["templates"] == ["{}"]
    assert len(pd.read_parquet(tmp_path / "r" / "outcomes.parquet")) == 6
    assert (tmp_path / "r" / "report.html").exists()
    assert cv2.imread(str(tmp_path / "r" / "examples.png")) is not None


def test_an_empty_folder_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = run("classify", tmp_path, "--out", tmp_path / "r")
    assert done.returncode == 2
    assert done.stderr == (
        f"synthtext: {tmp_path} has no images in class folders; give FOLDER/CLASS/*.jpg\n"
    )


def test_a_class_without_pictures_is_named_and_still_to_choose(tmp_path: Path) -> None:
    for name in ("cat", "dog", "emu"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "dog" / "1.png"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "emu" / "2.png").write_bytes(b"no picture")
    labelled = read_labelled(tmp_path)
    assert labelled.names == ("cat", "dog", "emu")
    assert labelled.truths.tolist() == [1]
    assert labelled.broken == ("emu/2.png", "cat/, which is empty", "emu/, which is empty")
