from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from synthtext.errors import WordsError
from synthtext.vqa.generate import check_apart
from synthtext.vqa.textvqa import read_questions

NEW = {
    "dataset_type": "val", "dataset_name": "textvqa", "dataset_version": "0.5.1",
    "data": [
        {
            "question": "what is the brand of this camera?",
            "image_id": "003a8ae2ef43b901", "image_classes": ["Cassette deck", "Printer"],
            "flickr_original_url": "https://farm2.staticflickr.com/1_o.jpg",
            "flickr_300k_url": "https://c4.staticflickr.com/1_z.jpg",
            "image_width": 1024, "image_height": 664,
            "answers": ["nous les gosses", "dakota", *["dakota digital"] * 8],
            "question_tokens": ["what", "is", "the", "brand", "of", "this", "camera"],
            "question_id": 34602, "set_name": "val",
        },
    ],
}  # fmt: skip
"""The form of version 0.5.1."""

OLD = {
    "dataset_type": "val", "dataset_name": "TextVQA", "version": 0.1,
    "data": [
        {
            "image": "train/666bf94242a15dda.jpg", "image_class": "Telephone",
            "question": "what time is it?", "answers": ["11:28"] * 6,
            "flickr_url": "https://c3.staticflickr.com/9/1_o.jpg",
        },
    ],
}  # fmt: skip
"""The form of version 0.1."""


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_version_0_5_1_is_read(tmp_path: Path) -> None:
    questions = read_questions(write(tmp_path / "val.json", NEW))
    (asked,) = questions.items
    assert questions.version == "0.5.1"
    assert (asked.key, asked.picture, asked.file) == (
        "34602", "003a8ae2ef43b901", "003a8ae2ef43b901.jpg",
    )  # fmt: skip
    assert asked.answer == "dakota digital"
    assert len(asked.answers) == 10
    assert asked.box is None


def test_version_0_1_is_read(tmp_path: Path) -> None:
    (asked,) = read_questions(write(tmp_path / "val.json", OLD)).items
    assert (asked.key, asked.picture) == ("0", "666bf94242a15dda")
    assert asked.file == "train/666bf94242a15dda.jpg"
    assert asked.answers == ("11:28",) * 6


def test_what_cannot_be_asked_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    good = NEW["data"][0]
    rows: list[Any] = [
        good | {"answers": []}, good | {"question_id": 2, "answers": ["  ", 3]}, good,
        good, {"question": "why?"}, good | {"question_id": 5, "question": ""}, 7,
        good | {"question_id": 8, "answer_box": [1, 2]},
    ]  # fmt: skip
    questions = read_questions(write(tmp_path / "a.json", NEW | {"data": rows}))
    assert [asked.key for asked in questions.items] == ["34602"]
    assert questions.rows == (2,)
    assert questions.broken == (
        "question 1 of a.json has no answers (image 003a8ae2ef43b901)",
        "question 2 of a.json has no answers (image 003a8ae2ef43b901)",
        "question 4 of a.json repeats the key 34602",
        "question 5 of a.json names no image",
        "question 6 of a.json has no text, or one that is too long",
        "question 7 of a.json is not an object",
        "question 8 of a.json has an answer_box that is not four numbers",
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (NEW | {"data": []}, "{} has no usable question"),
        (
            NEW | {"data": [1]},
            "{} has no usable question, such as: question 1 of a.json is not an object",
        ),
        (
            NEW | {"dataset_version": "0.5"},
            "{} is not a TextVQA annotation file of version 0.5.1: it needs a version and a list named data",
        ),
        ({}, "{} is not a TextVQA annotation file of version 0.1 or 0.5.1: it needs a version and a list named data"),
        ([1], "{} is not a JSON object; give TextVQA's annotations"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_named(
    content: object, sentence: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.json", content)
    with pytest.raises(WordsError) as caught:
        read_questions(path)
    assert str(caught.value) == sentence.format(path)


def test_a_file_that_does_not_decode_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(
        WordsError, match=r"cannot be read .no such file or directory.; give a JSON"
    ):
        read_questions(path)
    path.write_text("{")
    with pytest.raises(WordsError, match=r"is not valid JSON .*; give TextVQA's annotations"):
        read_questions(path)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ({"image_id": "a\x00b"}, "names an image by a control character: 'a\\x00b.jpg'"),
        ({"image_id": "a\x1b[2Jb"}, "names an image by a control character: 'a\\x1b[2Jb.jpg'"),
        ({"image_id": "../../etc/passwd"}, "names an image outside its folder: '../../etc/passwd.jpg'"),
        ({"image": "train/../../a.jpg"}, "names an image outside its folder: 'train/../../a.jpg'"),
        ({"image": "/etc/passwd"}, "names an image outside its folder: '/etc/passwd'"),
        ({"image_id": "x" * 500}, "names an image by 504 characters, too many for a file"),
        ({"image_id": "\u00e9" * 61}, "names an image by 65 characters, too many for a file"),
        ({"image": "a/" * 600 + "b.jpg"}, "names an image by 1,205 characters, too many for a file"),
        ({"image_id": ".."}, "names no image"),
        ({"image_id": ".hidden"}, "names no image"),
        ({"image_id": ""}, "names no image"),
        ({"image_id": ["a"]}, "names no image"),
        ({"image_id": {"a": 1}}, "names no image"),
        ({"image_id": True}, "names no image"),
        ({"image_id": 1.5}, "names no image"),
        ({"image_id": "a", "question_id": "k" * 300}, "has an empty or a very long question_id"),
        ({"image_id": "a", "answer_box": [1, 2, 3, "4"]}, "has an answer_box that is not four numbers"),
    ],
)  # fmt: skip
def test_a_name_that_no_file_could_have_is_left_out(
    names: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    good = NEW["data"][0]
    bad = {name: good[name] for name in ("question", "answers")} | names
    questions = read_questions(write(tmp_path / "a.json", NEW | {"data": [bad, good]}))
    assert [asked.key for asked in questions.items] == ["34602"]
    assert questions.broken == (f"question 1 of a.json {reason}",)


def test_a_number_may_name_a_picture(tmp_path: Path) -> None:
    entry = NEW["data"][0] | {"image_id": 262148}
    (asked,) = read_questions(write(tmp_path / "a.json", NEW | {"data": [entry]})).items
    assert (asked.picture, asked.file) == ("262148", "262148.jpg")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"data": ' + b"[" * 100_000, "is not valid JSON ("),
        (b'{"version": ' + b"9" * 5000 + b"}", "is not valid JSON (number is infinity"),
        (b'{"version": [[]], "data": []}', "is not a TextVQA annotation file of version"),
        (b"[" + b"[]," * 4_000_001 + b"[]]", "has 8,000,004 values, more than 8,000,000; split"),
    ],
    ids=["deep", "giant", "list", "many"],
)  # fmt: skip
def test_a_hostile_file_is_refused_before_it_is_parsed(
    raw: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(raw)
    with pytest.raises(WordsError) as caught:
        read_questions(path)
    assert str(caught.value).startswith(f"{path} {reason}")


def test_annotations_are_a_regular_file(tmp_path: Path) -> None:
    with pytest.raises(
        WordsError, match="is a device and not a regular file; give a JSON file"
    ):
        read_questions(Path("/dev/zero"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WordsError, match="is a pipe and not a regular file; give a JSON file"):
        read_questions(tmp_path / "pipe")


@pytest.mark.skipif(
    not Path("../shared/data/textvqa").is_dir(), reason="the published annotations are not here"
)
def test_the_published_annotations_are_read_whole() -> None:
    questions = read_questions(Path("../shared/data/textvqa/textvqa_v0.1_val.json"))
    assert len(questions.items) == 4000
    assert len({asked.picture for asked in questions.items}) == 2943
    assert questions.broken == ()


def test_annotations_that_are_a_link_to_themselves_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.symlink_to(path)
    check_apart(path, tmp_path / "out")
    with pytest.raises(WordsError) as caught:
        read_questions(path)
    assert "\n" not in str(caught.value)
