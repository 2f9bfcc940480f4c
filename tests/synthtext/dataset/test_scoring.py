from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from synthtext.dataset import scoring
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.manifest import read_manifest
from synthtext.dataset.map_style import load
from synthtext.dataset.plan import Plan, make_plan
from synthtext.dataset.scoring import (
    Keep,
    begin_scored,
    describe_scored,
    parse_keep,
    write_scored,
)
from synthtext.dataset.shards import read_samples
from synthtext.dataset.verify import verify_dataset
from synthtext.drawing.fonts import Catalogue
from synthtext.errors import DamageError, DatasetError, ShardError
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.words import make_texts

HOW = {"model": "a reader", "computed": "by hand"}


@pytest.fixture(scope="module")
def plan(fonts: Catalogue) -> Plan:
    words = [f"{a}{b}ord" for a in "bcdfglmnp" for b in "aeiou"]
    recipe = edit_recipe(default_recipe(), {"shard_size": "10", "size_px": "10:40"})
    texts = {"word": make_texts(words, [None] * len(words), "words")}
    return make_plan(recipe, texts, fonts, seed=3, count=40)


@pytest.fixture(scope="module")
def source(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    render_dataset(plan, folder)
    return folder


def list_fields(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        sample.key: orjson.loads(sample.files["json"])
        for file in sorted(folder.rglob("*.tar"))
        for sample in read_samples(file)
    }


def scores_of(folder: Path) -> dict[str, float]:
    return {key: int(key) % 10 / 10 + 0.00000049 for key in list_fields(folder)}


def copy(source: Path, out: Path, keep: Keep | None = None) -> dict[str, Any]:
    begun = describe_scored(source, HOW, keep)
    finished = begin_scored(source, out, begun)
    if finished is not None:
        return finished
    return write_scored(source, out, begun, scores_of(source), keep)


def read_all(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_a_copy_differs_by_the_score_alone_and_is_whole(source: Path, tmp_path: Path) -> None:
    manifest = copy(source, tmp_path / "a")
    assert list(verify_dataset(tmp_path / "a")) == []
    before, after = list_fields(source), list_fields(tmp_path / "a")
    scores = {key: int(key) % 10 / 10 for key in before}
    assert {key: row.pop("p_read") for key, row in after.items()} == scores
    assert after == before
    for one, other in zip(
        sorted(source.rglob("*.tar")), sorted((tmp_path / "a").rglob("*.tar")), strict=True
    ):
        for a, b in zip(read_samples(one), read_samples(other), strict=True):
            assert {n: c for n, c in a.files.items() if n != "json"} == {
                n: c for n, c in b.files.items() if n != "json"
            }
    kept = {name: value for name, value in manifest["plan"].items() if name != "scored"}
    assert kept == read_manifest(source)["plan"]
    assert manifest["plan"]["scored"] == {
        "field": "p_read", **HOW, "keep": None, "source": read_manifest(source)["checksum"],
    }  # fmt: skip
    assert len(load(tmp_path / "a", "train")) == len(load(source, "train"))


def test_what_is_left_out_is_named_and_counted(source: Path, tmp_path: Path) -> None:
    manifest = copy(source, tmp_path / "a", parse_keep("p_read >= 0.5"))
    assert list(verify_dataset(tmp_path / "a")) == []
    known = list_fields(source)
    kept = {key for key in known if int(key) % 10 >= 5}
    assert set(list_fields(tmp_path / "a")) == kept
    counts = manifest["counts"]
    assert (counts["drawn"], counts["not_drawn"]) == (len(kept), len(known) - len(kept))
    assert counts["asked"] == len(known)
    assert manifest["not_drawn"] == [
        {"index": int(key), "text": known[key]["text"],
         "reason": f"p_read is {int(key) % 10 / 10:g}; only p_read>=0.5 is kept"}
        for key in sorted(set(known) - kept)
    ]  # fmt: skip
    assert (
        "20 more\ncould not be drawn or are left out" in (tmp_path / "a/README.md").read_text()
    )


def test_a_copy_without_images_is_still_a_dataset(source: Path, tmp_path: Path) -> None:
    manifest = copy(source, tmp_path / "a", parse_keep("p_read>1"))
    assert manifest["counts"]["drawn"] == 0
    assert list(verify_dataset(tmp_path / "a")) == []


def test_a_killed_copy_is_finished_with_equal_bytes(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = parse_keep("p_read>0.3")
    copy(source, tmp_path / "a", keep)
    n_written = []

    def die_later(*_: object) -> None:
        n_written.append(1)
        if len(n_written) == 3:
            raise KeyboardInterrupt

    begun = describe_scored(source, HOW, keep)
    assert begin_scored(source, tmp_path / "b", begun) is None
    with pytest.raises(KeyboardInterrupt):
        write_scored(
            source, tmp_path / "b", begun, scores_of(source), keep, on_progress=die_later
        )
    rewritten: list[str] = []
    write = scoring._write_shard
    monkeypatch.setattr(
        scoring, "_write_shard", lambda *a: rewritten.append(a[2]["file"]) or write(*a)
    )
    copy(source, tmp_path / "b", keep)
    assert len(rewritten) == len(read_manifest(source)["shards"]) - 3
    assert read_all(tmp_path / "a") == read_all(tmp_path / "b")
    # A finished one is not changed.
    assert copy(source, tmp_path / "b", keep) == read_manifest(tmp_path / "b")
    assert len(rewritten) == len(read_manifest(source)["shards"]) - 3


def test_what_cannot_be_copied_is_one_sentence(
    source: Path, tmp_path: Path, plan: Plan
) -> None:
    copy(source, tmp_path / "a")
    with pytest.raises(DatasetError) as caught:
        copy(tmp_path / "a", tmp_path / "b")
    assert str(caught.value) == (
        f"{tmp_path / 'a'} already has scores; score the dataset that it was made from"
    )
    with pytest.raises(DatasetError) as caught:
        copy(source, tmp_path / "a", parse_keep("p_read<0.5"))
    assert str(caught.value) == (
        f"{tmp_path / 'a'} was started with scored keep None, not p_read<0.5; use the same"
        " again, or give another folder"
    )
    with pytest.raises(DatasetError, match="was started with scored"):
        render_dataset(plan, tmp_path / "a")
    begun = describe_scored(source, HOW, None)
    begin_scored(source, tmp_path / "c", begun)
    with pytest.raises(DatasetError) as caught:
        write_scored(source, tmp_path / "c", begun, {}, None)
    assert str(caught.value) == f"{source} contains '000000000', which has no score"


def test_a_damaged_source_is_refused(plan: Plan, tmp_path: Path) -> None:
    render_dataset(plan, tmp_path / "s")
    shard = min((tmp_path / "s").rglob("*.tar"))
    scores = scores_of(tmp_path / "s")
    content = bytearray(shard.read_bytes())
    content[1000] ^= 1
    shard.write_bytes(content)
    begun = describe_scored(tmp_path / "s", HOW, None)
    begin_scored(tmp_path / "s", tmp_path / "a", begun)
    with pytest.raises(ShardError, match="is not the file that was written"):
        write_scored(tmp_path / "s", tmp_path / "a", begun, scores, None)
    (tmp_path / "s/classnames.txt").write_text("other\n")
    with pytest.raises((DamageError, DatasetError), match="is not the file that was written"):
        describe_scored(tmp_path / "s", HOW, None)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("a pipe", "is a pipe and not a regular file"),
        ("a folder", "is a folder and not a regular file"),
        ("nothing", "cannot be read (no such file or directory)"),
        ("endless", "is larger than 256 MiB"),
    ],
)
def test_names_of_classes_are_a_bounded_file_even_if_nothing_is_verified(
    kind: str, reason: str, source: Path, tmp_path: Path
) -> None:
    shutil.copytree(source, tmp_path / "s")
    path = tmp_path / "s/classnames.txt"
    if kind == "endless":
        os.truncate(path, 1 << 40)
    else:
        path.unlink()
        {"a pipe": os.mkfifo, "a folder": os.mkdir}.get(kind, str)(path)
    begun = describe_scored(tmp_path / "s", HOW, None, verify=False)
    with pytest.raises(DatasetError) as caught:
        begin_scored(tmp_path / "s", tmp_path / "a", begun)
    assert str(caught.value).startswith(f"{path} {reason}; ")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "text", ["p_read>2", "p_read", "p_read==0.5", "size_px>3", "p_read>-1"]
)
def test_what_is_not_a_comparison_is_one_sentence(text: str) -> None:
    with pytest.raises(DatasetError) as caught:
        parse_keep(text)
    assert str(caught.value) == (
        f"--keep is {text!r}; compare the score with a number from 0 to 1, such as 'p_read>0.9'"
    )


@pytest.mark.parametrize(
    ("text", "held"), [("p_read>0.5", [0.6]), ("p_read>=0.5", [0.5, 0.6]), ("p_read<.5", [0.4])]
)
def test_a_comparison_holds_for_what_it_says(text: str, held: list[float]) -> None:
    keep = parse_keep(text)
    assert [score for score in (0.4, 0.5, 0.6) if keep.holds(score)] == held


def test_scores_are_written_without_torch() -> None:
    code = (
        "import sys, synthtext.dataset.scoring, synthtext_cli.app;"
        "assert not {'torch', 'probes.models.factory', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
