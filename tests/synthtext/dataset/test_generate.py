from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import Plan, make_plan
from synthtext.drawing.fonts import Catalogue
from synthtext.errors import DatasetError
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.words import Texts, read_words


@pytest.fixture
def plan(words: Texts, fonts: Catalogue) -> Plan:
    recipe = edit_recipe(default_recipe(), {"shard_size": "20"})
    return make_plan(recipe, {"word": words}, fonts, seed=3, count=120)


def read_all(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_any_number_of_workers_writes_the_same_bytes(plan: Plan, tmp_path: Path) -> None:
    for n_workers in (1, 2, 4):
        render_dataset(plan, tmp_path / str(n_workers), n_workers=n_workers)
    one = read_all(tmp_path / "1")
    assert len(one) > 6
    assert one == read_all(tmp_path / "2") == read_all(tmp_path / "4")


def test_a_run_broken_off_is_taken_up_to_the_same_bytes(plan: Plan, tmp_path: Path) -> None:
    render_dataset(plan, tmp_path / "whole")

    def break_off(unit: str, n_done: int, n_all: int | None) -> None:
        assert (unit, n_all) == ("images", 120)
        if n_done > 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_dataset(plan, tmp_path / "broken", on_progress=break_off)
    assert json.loads((tmp_path / "broken/dataset.json").read_text())["complete"] is False
    render_dataset(plan, tmp_path / "broken")
    assert read_all(tmp_path / "whole") == read_all(tmp_path / "broken")


COMMAND = [
    sys.executable, "-m", "synthtext_cli", "render", "--words", "en", "--count", "3000",
    "--shard-size", "100", "--workers", "2", "--out",
]  # fmt: skip


def test_a_killed_run_is_taken_up_to_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([*COMMAND, str(tmp_path / "whole")], check=True, capture_output=True)
    n_whole = len(list((tmp_path / "whole").glob("*/*.tar")))
    killed = tmp_path / "killed"
    for n_shards in (1, 4, 9):
        process = subprocess.Popen(
            [*COMMAND, str(killed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        while len(list(killed.glob("*/*.tar"))) < n_shards and process.poll() is None:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert len(list(killed.glob("*/*.tar"))) < n_whole
    subprocess.run([*COMMAND, str(killed)], check=True, capture_output=True)
    assert read_all(tmp_path / "whole") == read_all(killed)


def test_ctrl_c_ends_with_a_sentence_and_loses_nothing(tmp_path: Path) -> None:
    # More than can be drawn before the signal arrives, however fast the machine is.
    command = [*COMMAND, str(tmp_path / "out"), "--count", "100000"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while not list((tmp_path / "out").glob("*/*.tar")):
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert stderr == (
        f"stopped; what was finished in {tmp_path / 'out'} is complete, and the same command continues\n"
    )
    assert not list((tmp_path / "out").glob("*/*.part"))


def test_a_shard_that_is_gone_is_drawn_again(plan: Plan, tmp_path: Path) -> None:
    render_dataset(plan, tmp_path / "out")
    before = read_all(tmp_path / "out")
    (tmp_path / "out/train/000002.tar").unlink()
    render_dataset(plan, tmp_path / "out")
    assert read_all(tmp_path / "out") == before


def test_a_finished_run_draws_nothing_again(plan: Plan, tmp_path: Path) -> None:
    render_dataset(plan, tmp_path / "out")
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*/*.tar")}
    render_dataset(plan, tmp_path / "out")
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_another_seed_is_refused(plan: Plan, tmp_path: Path) -> None:
    out = tmp_path / "out"
    render_dataset(plan, out)
    with pytest.raises(DatasetError) as caught:
        render_dataset(replace(plan, seed=4), out)
    assert str(caught.value) == (
        f"{out} was started with seed 3, not 4; use the same again, or give another folder"
    )


def test_another_recipe_is_refused(plan: Plan, tmp_path: Path) -> None:
    out = tmp_path / "out"
    render_dataset(plan, out)
    other = replace(plan, recipe=edit_recipe(plan.recipe, {"blur_px": "0:2"}))
    with pytest.raises(DatasetError) as caught:
        render_dataset(other, out)
    assert str(caught.value) == (
        f"{out} was started with recipe blur_px 0:1, not 0:2; use the same again, or give another folder"
    )


def test_a_folder_of_something_else_is_left_alone(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(DatasetError) as caught:
        render_dataset(plan, tmp_path)
    assert (
        str(caught.value)
        == f"{tmp_path} contains something else; give a new or an empty folder"
    )
    assert [path.name for path in tmp_path.iterdir() if path.name != "words.txt"] == [
        "thesis.tex"
    ]


def test_what_cannot_be_drawn_is_counted_and_named(fonts: Catalogue, tmp_path: Path) -> None:
    items = ("short", "m" * 150, "漢字")
    texts = Texts(items, (None, None, None), "mixed", "", 0)
    recipe = edit_recipe(default_recipe(), {"splits": "1,0,0", "case": "lower"})
    manifest = render_dataset(make_plan(recipe, {"word": texts}, fonts), tmp_path / "out")
    assert manifest["counts"]["drawn"] == 1
    assert {
        lost["text"]: lost["reason"].partition(";")[0] for lost in manifest["not_drawn"]
    } == {
        "m" * 150: f"{'m' * 150!r} does not fit 224x224 px even at 4 px",
        "漢字": "no font has all characters of '漢字'",
    }


def test_duplicates_that_were_merged_are_counted(fonts: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "twice.txt").write_text("pear\nfig\npear\n")
    plan = make_plan(default_recipe(), {"word": read_words(tmp_path / "twice.txt")}, fonts)
    counts = render_dataset(plan, tmp_path / "out")["counts"]
    assert (counts["drawn"], counts["duplicates_merged"]) == (2, 1)


def test_text_may_be_forbidden_to_shrink(fonts: Catalogue, tmp_path: Path) -> None:
    texts = Texts(("characteristically",), (None,), "long", "", 0)
    recipe = edit_recipe(
        default_recipe(),
        {"splits": "1,0,0", "size_px": "64", "shrink": "false", "case": "upper"},
    )
    manifest = render_dataset(make_plan(recipe, {"word": texts}, fonts), tmp_path / "out")
    (lost,) = manifest["not_drawn"]
    assert lost["reason"] == (
        "'CHARACTERISTICALLY' does not fit 224x224 px at 64 px; let it shrink or widen the image"
    )


@pytest.mark.skipif(os.name != "posix", reason="needs /dev/full")
def test_a_full_disk_is_one_sentence(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def open_full(path: Path, mode: str = "r", **options: object) -> object:
        is_second = path.name.startswith(".000001.tar.")
        if is_second:
            path, mode = Path("/dev/full"), mode.replace("x", "w")
        return opened(path, mode, **options)

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(DatasetError) as caught:
        render_dataset(plan, tmp_path / "out")
    assert str(caught.value) == (
        f"the disk of {tmp_path / 'out'} is full; what is finished there is complete, so free some space and run the same command again"
    )
    assert (tmp_path / "out/train/000000.tar").exists()


def test_a_finished_dataset_is_answered_without_writing(
    words: Texts, fonts: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(default_recipe(), {"word": words}, fonts, count=20)
    first = render_dataset(plan, tmp_path / "o")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("synthtext.dataset.generate.lock_folder", refuse)
    monkeypatch.setattr("synthtext.storage.write_whole", refuse)
    again = render_dataset(plan, tmp_path / "o")
    assert (again["complete"], again["counts"]) == (True, first["counts"])
    next((tmp_path / "o").glob("*/*.tar")).unlink()
    with pytest.raises(DatasetError, match="Read-only"):
        render_dataset(plan, tmp_path / "o")
