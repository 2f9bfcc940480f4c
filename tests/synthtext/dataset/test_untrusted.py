"""A `dataset.json` from elsewhere, and endless files, are read within bounds or refused."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harming import (
    REPAIR,
    edit,
    edit_manifest,
    swap_lines,
)
from probes.data.rendered import read_trials
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.manifest import read_manifest
from synthtext.dataset.merge import merge_datasets
from synthtext.dataset.plan import Plan
from synthtext.dataset.sealing import MAX_BYTES
from synthtext.dataset.verify import (
    open_shards,
    spread_renderings,
    verify_dataset,
)
from synthtext.errors import DamageError, DatasetError, ShardError

HOSTILE: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no versions": (lambda m: m["plan"].pop("versions"), "plan versions is missing"),
    "odd versions": (lambda m: m["plan"].update(versions={}), "plan versions is {}"),
    "no shard size": (
        lambda m: m["plan"]["recipe"].pop("shard_size"), "recipe shard_size is missing"
    ),
    "shard size 0": (
        lambda m: m["plan"]["recipe"].update(shard_size=0), "recipe shard_size is 0"
    ),
    "shard size true": (
        lambda m: m["plan"]["recipe"].update(shard_size=True), "recipe shard_size is True"
    ),
    "no format of images": (
        lambda m: m["plan"]["recipe"].update(image_format=[]), "recipe image_format is []"
    ),
    "too much asked": (
        lambda m: m["splits"]["train"].update(asked=10**9),
        "its splits have 1000000004 images, its plan has 60",
    ),
    "too many shards": (
        lambda m: (m["splits"]["train"].update(asked=10**9), m["plan"].update(count=10**9 + 4)),
        "it asks for 100000002 shards, and the limit is 1000000",
    ),
    "a giant": (lambda m: m["plan"].update(seed=2**64 - 1), f"plan seed is {2**64 - 1}"),
    "below 0": (lambda m: m["plan"].update(count=-1), "plan count is -1"),
    "a fraction": (lambda m: m["counts"].update(drawn=1.5), "counts drawn is 1.5"),
    "a list for a table": (lambda m: m.update(plan=[]), "plan is []"),
    "nothing for a table": (lambda m: m["plan"].update(texts=None), "plan texts is None"),
    "odd texts": (lambda m: m["plan"]["texts"].update(word=3), "texts 'word' is 3"),
    "odd fonts": (lambda m: m["plan"]["fonts"].update(a=1), "plan fonts is {"),
    "another split": (
        lambda m: m["splits"].update(dev=m["splits"].pop("val")), "it has a split 'dev'"
    ),
    "a way out": (
        lambda m: m["shards"][0].update(file="../../x.tar"), "a shard's file is '../../x.tar'"
    ),
    "another way out": (
        lambda m: m["files"].update({"../x": "0" * 64}), "files is {"
    ),
    "no list": (lambda m: m.update(shards={}), "shards is {}"),
    "no row": (lambda m: m["shards"].append(None), "a shard's is None"),
    "odd losses": (lambda m: m["shards"][0].update(not_drawn=[1]), "a shard's not_drawn is [1]"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_dataset_json_of_another_shape_is_one_sentence(
    harmed: Path, name: str, tmp_path: Path
) -> None:
    change, reason = HOSTILE[name]
    edit_manifest(harmed, change, sealed=True)
    readers: list[Callable[[], object]] = [
        lambda: list(verify_dataset(harmed)),
        lambda: merge_datasets([harmed], tmp_path / "merged"),
        lambda: spread_renderings(harmed, 4),
        lambda: read_trials(harmed, verify=False),
    ]
    said = f"{harmed / 'dataset.json'} cannot be used: {reason}"
    (fault,) = verify_dataset(harmed)
    assert fault.startswith(said)
    for read in readers[1:]:
        with pytest.raises(DamageError) as caught:
            read()
        assert str(caught.value).startswith(said)
    assert not (tmp_path / "merged").exists()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"[" * 100_000, "is broken ("),
        (b'{"a":' + b"[" * 900 + b"]" * 900 + b"}", "is nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is broken (number is infinity"),
        (b'{"a": "\xff"}', "is broken ("),
    ],
)
def test_json_that_is_deep_or_giant_is_one_sentence(
    harmed: Path, raw: bytes, reason: str
) -> None:
    (harmed / "dataset.json").write_bytes(raw)
    with pytest.raises(DamageError) as caught:
        read_manifest(harmed)
    assert str(caught.value).startswith(f"{harmed / 'dataset.json'} {reason}")


def test_json_that_is_too_large_is_not_parsed(harmed: Path) -> None:
    path = harmed / "dataset.json"
    with path.open("wb") as file:
        file.truncate(8 << 30)
    with pytest.raises(DamageError) as caught:
        read_manifest(harmed)
    assert str(caught.value) == f"{path} is larger than {MAX_BYTES >> 20} MiB; {REPAIR}"
    path.write_bytes(b"[" + b"{}," * 9_000_000 + b"{}]")
    with pytest.raises(DamageError) as caught:
        read_manifest(harmed)
    assert str(caught.value) == (
        f"{path} has about 18,000,002 values, and the limit is 16,000,000; {REPAIR}"
    )


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_not_a_file_is_not_read(harmed: Path, kind: str) -> None:
    path = harmed / "dataset.json"
    path.unlink()
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(DatasetError) as caught:
        read_manifest(harmed)
    assert str(caught.value) == f"{path} is not a file; give a folder that contains one"


def test_parts_with_other_names_of_classes_are_not_merged(plan: Plan, tmp_path: Path) -> None:
    part = tmp_path / "part"
    render_dataset(plan, part, part="0:1")
    edit(part / "classnames.txt", swap_lines)
    with pytest.raises(DamageError) as caught:
        merge_datasets([part], tmp_path / "all")
    assert str(caught.value) == (
        f"{part / 'classnames.txt'} is not the file that was written; {REPAIR}"
    )


def test_names_of_classes_without_end_are_not_merged(plan: Plan, tmp_path: Path) -> None:
    part = tmp_path / "part"
    render_dataset(plan, part, part="0:1")
    os.truncate(part / "classnames.txt", 1 << 40)
    with pytest.raises(DatasetError) as caught:
        merge_datasets([part], tmp_path / "all")
    assert str(caught.value) == (f"{part / 'classnames.txt'} is larger than 256 MiB; {REPAIR}")


@pytest.mark.parametrize("where", ["part", "all"])
def test_a_shard_of_equal_size_and_other_bytes_is_not_merged(
    where: str, plan: Plan, tmp_path: Path
) -> None:
    parts, out = [tmp_path / "part", tmp_path / "rest"], tmp_path / "all"
    for k, part in enumerate(parts):
        render_dataset(plan, part, part=f"{k}:{k + 1}")
    if where == "all":
        with pytest.raises(DatasetError, match="still lacks"):
            merge_datasets(parts[:1], out)
    path = next((tmp_path / where).glob("*/*.tar"))
    edit(path, lambda raw: raw[:600] + bytes([raw[600] ^ 1]) + raw[601:])
    with pytest.raises(DamageError) as caught:
        merge_datasets(parts, out)
    assert str(caught.value) == (
        f"{path} is not the file that was written; delete it, render it again with --shards, and merge again"
    )


@pytest.mark.parametrize("name", ["train/000000.tar", "classnames.txt"])
def test_a_file_without_end_is_not_read_to_its_end(harmed: Path, name: str) -> None:
    os.truncate(harmed / name, 1 << 40)
    began = time.monotonic()
    assert any(
        f"{name} is not the file that was written" in each for each in verify_dataset(harmed)
    )
    with pytest.raises((DamageError, ShardError)):
        list(open_shards(harmed, "train"))
    assert time.monotonic() - began < 10
