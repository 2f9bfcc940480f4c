from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.data.windows import list_windows
from synthtext.drawing.colours import parse_hex
from synthtext.drawing.fonts import read_catalogue
from synthtext.errors import DatasetError
from synthtext.texts.words import make_texts, read_words
from synthtext.vqa import generate as scenery
from synthtext.vqa.generate import plan_scenes, plan_stand_ins, render_scenes
from synthtext.vqa.scenes import COLOURS, PLACES, SIDE_PX, ask_about, draw_scene, sample_scene
from synthtext.vqa.textvqa import read_questions

FONTS = read_catalogue()

WORDS = ("stop", "exit", "bakery", "open", "harbour", "museum")

COMMAND = [sys.executable, "-m", "synthtext_cli", "render-vqa"]


def sample(texts: tuple[str, ...] = WORDS, index: int = 0):  # noqa: ANN201
    return sample_scene(texts, FONTS, name="x", split="val", seed=3, index=index)


@given(index=st.integers(0, 10_000), n=st.integers(1, 6))
def test_signs_differ_in_colour_and_place(index: int, n: int) -> None:
    signs = sample(WORDS[:n], index).signs
    assert len({sign.colour for sign in signs}) == len({sign.place for sign in signs}) == n
    assert [sign.spec.text for sign in signs] == list(WORDS[:n])


def test_a_sign_is_where_and_what_it_is_said_to_be() -> None:
    for index in range(12):
        drawn = draw_scene(sample(index=index), FONTS)
        assert drawn.lost == ()
        for sign, box in zip(drawn.scene.signs, drawn.boxes, strict=True):
            assert box is not None
            left, top, right, bottom = map(round, box)
            row, column = divmod(PLACES.index(sign.place), 2)
            assert column == int((left + right) / 2 > SIDE_PX / 2)
            assert row == int(3 * (top + bottom) / 2 / SIDE_PX)
            board = drawn.pixels[top:bottom, left:right].reshape(-1, 3).astype(int)
            ink = np.array(parse_hex(sign.spec.ink))
            paper = np.array(parse_hex(COLOURS[sign.colour]))
            # Every pixel is between the colours of the board and the text, and both occur.
            assert (np.abs(board - paper).max(axis=1) < 6).any()
            assert (np.abs(board - ink).max(axis=1) < 60).any()


def test_every_sign_lies_whole_in_some_window() -> None:
    windows = list_windows(SIDE_PX, SIDE_PX)
    for index in range(30):
        for box in draw_scene(sample(index=index), FONTS).boxes:
            assert box is not None
            left, top, right, bottom = box
            assert any(
                x0 <= left and y0 <= top and right <= x1 and bottom <= y1
                for x0, y0, x1, y1 in windows
            )


def test_questions_name_the_place_and_the_colour_of_their_signs() -> None:
    scene = sample()
    place, colour = ask_about(scene)
    assert place.question == f"what word is at the {scene.signs[0].place}?"
    assert place.answer == "stop"
    assert colour.question == f"what does the {scene.signs[-1].colour} sign say?"
    assert colour.answer == "museum"


def test_long_text_is_wrapped_and_text_without_a_font_is_named() -> None:
    drawn = draw_scene(sample(("a sentence that goes on and on and on for lines", "字")), FONTS)
    assert drawn.boxes[0] is not None
    assert drawn.boxes[1] is None
    assert drawn.lost == ("no font has all characters of '字'; add one with --fonts",)


def read_all(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_one_worker_and_two_write_the_same_bytes(tmp_path: Path) -> None:
    plan = plan_scenes(read_words("en"), FONTS, seed=1, count=250)
    counts = render_scenes(plan, tmp_path / "one")["counts"]
    render_scenes(plan, tmp_path / "two", n_workers=2)
    assert read_all(tmp_path / "one") == read_all(tmp_path / "two")
    assert counts == {"scenes": 250, "questions": 500, "signs_not_drawn": 0}
    train, val = (read_questions(tmp_path / "one" / f"{s}.json") for s in ("train", "val"))
    assert (len(train.items), len(val.items)) == (400, 100)
    assert {asked.picture for asked in train.items}.isdisjoint(a.picture for a in val.items)
    assert all(asked.box is not None for asked in val.items)
    # Answers in train also occur in val, as in TextVQA.
    assert {a.answer for a in train.items} & {a.answer for a in val.items}


def test_a_killed_run_is_taken_up_to_the_same_bytes(tmp_path: Path) -> None:
    command = [*COMMAND, "--count", "700", "--out"]
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True)
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        [*command, str(killed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while len(list(killed.glob(".records/*.json"))) < 2 and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not json.loads((killed / "scenes.json").read_bytes())["complete"]
    subprocess.run([*command, str(killed)], check=True, capture_output=True)
    assert read_all(tmp_path / "whole") == read_all(killed)


def test_a_run_that_ends_before_it_has_begun_its_folder_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_scenes(make_texts(WORDS, [None] * len(WORDS), "words"), FONTS, seed=0, count=2)

    def break_off(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scenery, "replace_file", break_off)
    with pytest.raises(DatasetError):
        render_scenes(plan, tmp_path / "out")
    monkeypatch.undo()
    assert render_scenes(plan, tmp_path / "out")["complete"]


def test_stand_ins_show_the_answers(tmp_path: Path) -> None:
    rows = [
        {
            "image": "train/a.jpg",
            "question": "what time is it?",
            "answers": ["11:28"] * 3 + ["noon"],
        },
        {"image": "train/a.jpg", "question": "what brand?", "answers": ["acme"]},
        {"image": "train/b.jpg", "question": "what does it say?", "answers": ["字"]},
        {"image": "train/b.jpg", "question": "what else?", "answers": []},
    ]
    path = tmp_path / "val.json"
    path.write_text(json.dumps({"version": 0.1, "dataset_name": "TextVQA", "data": rows}))
    out = tmp_path / "out"
    done = subprocess.run(
        [*COMMAND, "--annotations", str(path), "--out", str(out)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == (
        "left out: question 4 of val.json has no answers (image b)\n"
        "not drawn: b: no font has all characters of '字'; add one with --fonts\n"
    )
    first, second, third = read_questions(out / "val.json").items
    assert first.question == "what time is it?"
    assert first.box is not None
    assert second.box is not None
    assert first.box != second.box
    assert third.box is None
    assert sorted(path.name for path in (out / "images").iterdir()) == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--count", "1"], "count is 1; it must be 2 or more"),
        (["--seed", "-1"], "seed is -1; it must be 0 or more"),
        (["--workers", "0"], "workers is 0; it must be 1 or more"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    options: list[str], sentence: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [*COMMAND, "--out", str(tmp_path / "out"), *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, f"synthtext: {sentence}\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--size", "12"], "vqa draws its own signs; leave out size_px"),
        (
            ["--shards", "0/2", "--repair"],
            "vqa draws its own signs; leave out shards, repair",
        ),
        (["--recipe", "clip-224"], "vqa draws its own signs; leave out recipe"),
        (["--task", "quiz"], "--task is 'quiz'; it must be words or vqa"),
        (
            ["--task", "words", "--annotations", "a.json"],
            "--annotations works only with `synthtext render-vqa`; use that, or leave it out",
        ),
    ],
)
def test_the_old_name_of_the_command_refuses_what_it_did(
    options: list[str], sentence: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [*COMMAND[:-1], "render", "--task", "vqa", "--out", str(tmp_path / "out"), *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, f"synthtext: {sentence}\n")


def test_the_old_name_of_the_command_draws_the_same(tmp_path: Path) -> None:
    for name, command in (
        ("old", [*COMMAND[:-1], "render", "--task", "vqa"]), ("new", COMMAND),
    ):  # fmt: skip
        subprocess.run([*command, "--count", "2", "--out", str(tmp_path / name)], check=True)
    old, new = (sorted((tmp_path / name).rglob("*.jpg")) for name in ("old", "new"))
    assert [path.read_bytes() for path in old] == [path.read_bytes() for path in new]
    assert len(old) == 2


def test_another_plan_is_not_mixed_in(tmp_path: Path) -> None:
    words = read_words("en")
    render_scenes(plan_scenes(words, FONTS, seed=0, count=3), tmp_path)
    with pytest.raises(DatasetError) as caught:
        render_scenes(plan_scenes(words, FONTS, seed=1, count=3), tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} was started with seed 0, not 1; use the same again, or give another folder"
    )


def test_words_must_be_of_a_length_that_signs_take() -> None:
    with pytest.raises(DatasetError) as caught:
        plan_scenes(make_texts(["ox"], [None], "two.txt"), FONTS, seed=0, count=5)
    assert str(caught.value) == ("two.txt has no word of 3 to 12 letters; give other --words")


@pytest.mark.parametrize(
    ("count", "seed", "sentence"),
    [
        (1, 0, "count is 1; it must be 2 or more"),
        (10**7, 0, "count is 10000000; it must be at most 1000000"),
        (2, 2**63, f"seed is {2**63}; it must be at most {2**53}"),
    ],
)
def test_numbers_are_bounded(count: int, seed: int, sentence: str) -> None:
    words = make_texts(WORDS, [None] * len(WORDS), "six")
    with pytest.raises(DatasetError) as caught:
        plan_scenes(words, FONTS, seed=seed, count=count)
    assert str(caught.value) == sentence


def write_annotations(path: Path) -> bytes:
    path.parent.mkdir(exist_ok=True)
    entry = {"image_id": "a", "question": "what?", "answers": ["stop"]}
    path.write_text(json.dumps({"dataset_version": "0.5.1", "data": [entry]}))
    return path.read_bytes()


@pytest.mark.parametrize("out", [".", "../mine", "link"])
def test_annotations_are_not_written_over(out: str, tmp_path: Path) -> None:
    path = tmp_path / "mine/val.json"
    before = write_annotations(path)
    (path.parent / "link").symlink_to(path.parent)
    # As a run of the same plan would have left it.
    plan = plan_stand_ins(read_questions(path), read_words("en"), FONTS, seed=0, file=path.name)
    render_scenes(plan, tmp_path / "other")
    (path.parent / "scenes.json").write_bytes((tmp_path / "other/scenes.json").read_bytes())
    done = subprocess.run(
        [*COMMAND, "--annotations", str(path), "--out", str(path.parent / out)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "and would be overwritten; give another folder" in done.stderr
    assert done.stderr.count("\n") == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["scenes.json", "images", ".records"])
def test_annotations_do_not_take_a_name_of_the_output(name: str, tmp_path: Path) -> None:
    write_annotations(tmp_path / name)
    questions = read_questions(tmp_path / name)
    with pytest.raises(DatasetError) as caught:
        plan_stand_ins(questions, read_words("en"), FONTS, seed=0, file=name)
    assert str(caught.value) == f"{name} is the name of an output file; rename it"


@pytest.mark.parametrize("content", ["[]", "3", '{"plan": 3}', '{"data": []}'])
def test_a_record_of_something_else_is_kept(content: str, tmp_path: Path) -> None:
    (tmp_path / "scenes.json").write_text(content)
    words = make_texts(WORDS, [None] * len(WORDS), "six")
    with pytest.raises(
        DatasetError,
        match=r"scenes\.json is (broken|not the file that was written); give another",
    ):
        render_scenes(plan_scenes(words, FONTS, seed=0, count=2), tmp_path)
    assert (tmp_path / "scenes.json").read_text() == content


@pytest.mark.skipif(
    not Path("../shared/data/textvqa").is_dir(), reason="the published annotations are not here"
)
def test_there_is_a_stand_in_for_every_published_picture() -> None:
    questions = read_questions(Path("../shared/data/textvqa/textvqa_v0.1_val.json"))
    plan = plan_stand_ins(questions, read_words("en"), FONTS, seed=0, file="val.json")
    assert len(plan.pictures) == 2943
    shown = {picture.name: picture.texts for picture in plan.pictures}
    assert all(asked.answer in shown[asked.picture] for asked in questions.items)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("images/000000003.jpg", b"another picture"),
        (".records/000000000.json", b"["),
        (".records/000000000.json", b'{"rows": 3}'),
        (".records/x.json", b"{}"),
    ],
)
def test_scenes_that_were_changed_meanwhile_are_drawn_again(
    file: str, content: bytes, tmp_path: Path
) -> None:
    plan = plan_scenes(read_words("en"), FONTS, seed=0, count=105)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    render_scenes(plan, whole)

    def break_off(_: str, n_done: int, __: int | None) -> None:
        if n_done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_scenes(plan, broken, on_progress=break_off)
    (broken / file).write_bytes(content)
    render_scenes(plan, broken)
    assert read_all(broken) == read_all(whole)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[", "is broken"),
        (b"[" * 100_000, "is broken"),
        (b"[]", "is broken"),
        (b'{"plan": []}', "is not the file that was written"),
        (b'{"plan": {}, "checksum": "0"}', "is not the file that was written"),
    ],
)
def test_a_scenes_json_of_another_shape_is_one_sentence(
    content: bytes, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "scenes.json").write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        render_scenes(plan_scenes(read_words("en"), FONTS, seed=0, count=3), tmp_path)
    assert str(caught.value) == f"{tmp_path / 'scenes.json'} {sentence}; give another folder"
