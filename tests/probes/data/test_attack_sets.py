from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from probes.data.attack_sets import read_attacks
from probes.errors import ProbeError


def paint(path: Path, number: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((24, 32, 3), 10 + number, np.uint8)).save(path)


def write_scam(folder: Path, rows: list[dict[str, object]]) -> Path:
    (folder / "images/train").mkdir(parents=True, exist_ok=True)
    table = folder / "images/train/metadata.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return table


def test_names_of_files_carry_object_and_word(tmp_path: Path) -> None:
    paint(tmp_path / "data/label=acoustic guitar_text=sea_lion.png", 1)
    paint(tmp_path / "data/label=cup_text=pen.JPG", 2)
    paint(tmp_path / "other.png")
    (tmp_path / "notes.txt").write_text("not an image")
    shown = read_attacks(tmp_path)
    assert [(t.picture, t.spec.text, t.level) for t in shown.trials] == [
        ("acoustic guitar", "sea_lion", "attacked"), ("cup", "pen", "attacked"),
    ]  # fmt: skip
    assert shown.broken == ("other.png (not named label=OBJECT_text=WORD)",)
    (chunk,) = shown.chunks
    stimuli = chunk()
    assert [stimulus.key for stimulus in stimuli] == [trial.key for trial in shown.trials]
    assert [int(stimulus.pixels[0, 0, 0]) // 2 for stimulus in stimuli] == [5, 6]
    assert stimuli[0].facts["width_px"] == 32


def test_a_table_beside_images_carries_object_word_and_variant(tmp_path: Path) -> None:
    for number, name in enumerate(("a.jpg", "b.jpg", "c.jpg")):
        paint(tmp_path / "images/train" / name, number)
    write_scam(
        tmp_path,
        [
            {"file_name": "a.jpg", "object_label": "ball", "attack_word": "car", "type": "SCAM",
             "postit_area_pct": 0.377, "id": "SCAM_img_0001"},
            {"file_name": "b.jpg", "object_label": "ball", "attack_word": "car",
             "type": "NoSCAM"},
            {"file_name": "c.jpg", "object_label": "Car", "attack_word": "car"},
            {"file_name": "d.jpg", "object_label": "pen", "attack_word": "cup"},
        ],
    )  # fmt: skip
    shown = read_attacks(tmp_path)
    assert [(t.picture, t.spec.text, t.level) for t in shown.trials] == [
        ("ball", "car", "SCAM"), ("ball", "car", "NoSCAM"),
    ]  # fmt: skip
    assert shown.broken == (
        "images/train/c.jpg (the word is the object)", "images/train/d.jpg (not there)",
    )  # fmt: skip


def test_a_table_may_be_csv(tmp_path: Path) -> None:
    paint(tmp_path / "a b.png")
    (tmp_path / "metadata.csv").write_text(
        "file_name,object_label,attack_word\na b.png,ox,ant\n"
    )
    (trial,) = read_attacks(tmp_path).trials
    assert (trial.picture, trial.spec.text, trial.level) == ("ox", "ant", "attacked")


def test_some_of_the_images_are_drawn_at_random_and_the_same_for_a_seed(tmp_path: Path) -> None:
    for number in range(12):
        paint(tmp_path / f"label=thing {number}_text=word.png", number)
    one, again, other = (
        [t.picture for t in read_attacks(tmp_path, 5, seed).trials] for seed in (0, 0, 1)
    )
    assert len(set(one)) == 5
    assert one == again != other


def test_an_image_that_is_broken_is_named_and_left_out(tmp_path: Path) -> None:
    paint(tmp_path / "label=cup_text=pen.png")
    (tmp_path / "label=ox_text=ant.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    shown = read_attacks(tmp_path)
    assert [trial.picture for trial in shown.trials] == ["cup"]
    assert shown.broken == ("label=ox_text=ant.png",)


WAY_OUT = (
    "name them label=OBJECT_text=WORD.jpg, as RTA-100 and PAINT do, or put metadata.jsonl beside"
    " them, with file_name, object_label and attack_word, as SCAM does"
)


def test_a_folder_without_attacks_is_one_sentence(tmp_path: Path) -> None:
    paint(tmp_path / "cup.png")
    with pytest.raises(ProbeError) as caught:
        read_attacks(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} holds no images of attacks that can be read; {WAY_OUT}"
    )
    with pytest.raises(ProbeError) as caught:
        read_attacks(tmp_path / "nowhere")
    assert str(caught.value) == (
        f"there is no folder {tmp_path / 'nowhere'}; give one with images of attacks"
    )


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            {"file_name": "../../a.jpg", "object_label": "ox", "attack_word": "ant"},
            "{} names '../../a.jpg', which leads out of its folder; do not use it",
        ),
        (
            {"file_name": "/etc/passwd", "object_label": "ox", "attack_word": "ant"},
            "{} names '/etc/passwd', which leads out of its folder; do not use it",
        ),
        (
            {"file_name": "a.jpg", "object_label": 3, "attack_word": "ant"},
            "{} has no text object_label in row 1; each row has file_name, object_label and"
            " attack_word",
        ),
        (
            {"object_label": "ox", "attack_word": "ant"},
            "{} has no text file_name in row 1; each row has file_name, object_label and"
            " attack_word",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_one_sentence(
    tmp_path: Path, row: dict[str, object], sentence: str
) -> None:
    table = write_scam(tmp_path, [row])
    with pytest.raises(ProbeError) as caught:
        read_attacks(tmp_path)
    assert str(caught.value) == sentence.format(table)


def test_a_table_that_is_broken_is_one_sentence(tmp_path: Path) -> None:
    table = write_scam(tmp_path, [])
    table.write_text('{"file_name": "a.jpg"\n')
    with pytest.raises(
        ProbeError, match=r"metadata\.jsonl is broken in line 1 \(.*\); get a new copy"
    ):
        read_attacks(tmp_path)


def test_texts_that_cannot_be_asked_about_are_named(tmp_path: Path) -> None:
    paint(tmp_path / "images/train/a.jpg")
    rows = [
        {"file_name": "a.jpg", "object_label": "x" * 201, "attack_word": "ant"},
        {"file_name": "a.jpg", "object_label": "ox", "attack_word": " \n"},
        {"file_name": "a.jpg", "object_label": "\x1b[31mox", "attack_word": "ant"},
        {"file_name": "a.jpg", "object_label": "ox", "attack_word": "ant"},
    ]
    write_scam(tmp_path, rows)  # type: ignore[arg-type]
    shown = read_attacks(tmp_path)
    assert len(shown.trials) == 1
    reason = "images/train/a.jpg (object and word are texts of 1 to 200 letters)"
    assert shown.broken == (reason,) * 3


def test_a_table_that_is_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metadata.jsonl")
    with pytest.raises(ProbeError, match=r"metadata\.jsonl is a pipe and not a regular file"):
        read_attacks(tmp_path)
