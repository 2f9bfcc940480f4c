"""Changes in a finished dataset are found by `verify` and by readers, and repaired."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from command_line import run
from probes.data.labelled import read_labelled
from probes.data.rendered import read_trials
from probes.training.epochs import read_split
from synthtext.dataset.folders import list_strays
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.manifest import read_manifest
from synthtext.dataset.map_style import load
from synthtext.dataset.merge import merge_datasets
from synthtext.dataset.plan import Plan, make_plan
from synthtext.dataset.sealing import MAX_BYTES, seal
from synthtext.dataset.verify import (
    find_rendering,
    is_all_sealed,
    open_shards,
    spread_renderings,
    verify_dataset,
)
from synthtext.dataset.wids_index import index_shards
from synthtext.drawing.fonts import Catalogue
from synthtext.errors import DamageError, DatasetError, ShardError
from synthtext.export.export import export_dataset
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.words import make_texts

REPAIR = "run the same render command with --repair, or get a new copy"

WAY_OUT = "run the same render command with --repair, or use it as it is with --no-verify"


def read_all(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def plan(fonts: Catalogue) -> Plan:
    words = [f"{a}{b}ord" for a in "bcdfglmnpstw" for b in "aeiou"]
    recipe = edit_recipe(default_recipe(), {"shard_size": "10"})
    texts = {"word": make_texts(words, [None] * len(words), "words")}
    return make_plan(recipe, texts, fonts, seed=3, count=60)


@pytest.fixture(scope="module")
def whole(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished dataset; copy it before damaging it."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    render_dataset(plan, folder)
    return folder


@pytest.fixture
def harmed(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "out"))


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def swap_lines(raw: bytes) -> bytes:
    lines = raw.splitlines(keepends=True)
    return b"".join([lines[1], lines[0], *lines[2:]])


def flip_bit(raw: bytes) -> bytes:
    return raw[:9] + bytes([raw[9] ^ 1]) + raw[10:]


def cut_end(raw: bytes) -> bytes:
    return raw[: -len(raw) // 4]


def edit_manifest(
    folder: Path, change: Callable[[dict[str, Any]], object], *, sealed: bool = False
) -> None:
    path = folder / "dataset.json"
    manifest = orjson.loads(path.read_bytes())
    change(manifest)
    path.write_bytes(orjson.dumps(seal(manifest) if sealed else manifest))


def lose_shard(manifest: dict[str, Any]) -> None:
    row = manifest["shards"].pop(1)
    manifest["counts"]["shards"] -= 1
    manifest["counts"]["drawn"] -= row["n_samples"]
    manifest["counts"]["bytes"] -= row["n_bytes"]
    manifest["counts"]["shrunk"] -= row["n_shrunk"]
    manifest["splits"]["train"]["drawn"] -= row["n_samples"]


def change_font(manifest: dict[str, Any]) -> None:
    manifest["plan"]["fonts"]["Lato_700Bold.ttf"] = "0" * 64


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a shard taken out": lose_shard,
    "the seed": lambda manifest: manifest["plan"].update(seed=4),
    "a font": change_font,
    "the counts": lambda manifest: manifest["counts"].update(shrunk=7),
    "its end": lambda manifest: manifest["plan"].pop("versions"),
    "the format": lambda manifest: manifest.update(format=7),
}


# Verification and repair.


@pytest.mark.parametrize("file", ["classnames.txt", "README.md", "preview.jpg"])
@pytest.mark.parametrize("change", [swap_lines, flip_bit, cut_end])
def test_a_changed_file_is_named_and_written_again(
    harmed: Path, whole: Path, plan: Plan, file: str, change: Callable[[bytes], bytes]
) -> None:
    edit(harmed / file, change)
    fault = (
        f"{file} is not the file that was written; run the same render command with --repair"
    )
    assert fault in list(verify_dataset(harmed))
    render_dataset(plan, harmed, repairs=True)
    assert read_all(harmed) == read_all(whole)


@pytest.mark.parametrize("file", ["classnames.txt", "README.md", "preview.jpg"])
def test_a_missing_file_is_named_and_written_again_by_any_rerun(
    harmed: Path, whole: Path, plan: Plan, file: str
) -> None:
    (harmed / file).unlink()
    assert any(file in fault for fault in verify_dataset(harmed))
    render_dataset(plan, harmed)
    assert read_all(harmed) == read_all(whole)


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_dataset_json_is_named_and_written_again(
    harmed: Path, whole: Path, plan: Plan, name: str
) -> None:
    edit_manifest(harmed, CHANGES[name])
    faults = list(verify_dataset(harmed))
    said = f"{harmed / 'dataset.json'} does not match its own checksum; {REPAIR}"
    assert said in faults
    with pytest.raises(DamageError) as caught:
        render_dataset(plan, harmed)
    assert str(caught.value) == said
    render_dataset(plan, harmed, repairs=True)
    assert read_all(harmed) == read_all(whole)


@pytest.mark.parametrize("change", [cut_end, lambda _: b"", lambda _: b"[1, 2]"])
def test_a_broken_dataset_json_is_named_and_written_again(
    harmed: Path, whole: Path, plan: Plan, change: Callable[[bytes], bytes]
) -> None:
    edit(harmed / "dataset.json", change)
    (fault,) = verify_dataset(harmed)
    assert fault.startswith(f"{harmed / 'dataset.json'} is broken (")
    render_dataset(plan, harmed, repairs=True)
    assert read_all(harmed) == read_all(whole)


def test_a_shard_taken_out_is_seen_though_all_checksums_fit(harmed: Path) -> None:
    edit_manifest(harmed, lose_shard, sealed=True)
    assert list(verify_dataset(harmed)) == [
        "dataset.json has no row for train/000001.tar; run the same render command with --repair"
    ]


def test_another_seed_is_seen_though_all_checksums_fit(harmed: Path) -> None:
    edit_manifest(harmed, CHANGES["the seed"], sealed=True)
    fault = "train/000000.tar 000000000.json has the seed 3; dataset.json says 4"
    assert fault in list(verify_dataset(harmed))


@pytest.mark.parametrize(
    "file", ["train/000099.tar", "test/notes.txt", "extra/000000.tar", "000000.tar"]
)
def test_a_stray_file_is_named_and_left_alone(harmed: Path, plan: Plan, file: str) -> None:
    (harmed / file).parent.mkdir(exist_ok=True)
    (harmed / file).write_bytes(b"mine")
    assert list(verify_dataset(harmed)) == [
        f"{file} is not part of this dataset, and loaders may read it; move it elsewhere"
    ]
    assert list(list_strays(harmed, render_dataset(plan, harmed, repairs=True))) == [file]
    assert (harmed / file).read_bytes() == b"mine"


def test_a_file_of_your_own_beside_the_splits_is_not_a_fault(harmed: Path) -> None:
    (harmed / "LICENSE").write_text("mine")
    index_shards(harmed)
    assert list(verify_dataset(harmed)) == []


def test_repair_draws_over_no_other_dataset(harmed: Path, whole: Path, plan: Plan) -> None:
    edit(harmed / "dataset.json", cut_end)
    before = read_all(harmed)
    other = make_plan(plan.recipe, plan.texts, plan.fonts, seed=4, count=60)
    with pytest.raises(DatasetError) as caught:
        render_dataset(other, harmed, repairs=True)
    assert str(caught.value) == (
        f"{harmed / 'train/000000.tar'} was not drawn by this command, and dataset.json is"
        " damaged; give the command that drew it, or another folder"
    )
    assert read_all(harmed) == before


def test_a_repair_that_was_killed_is_taken_up(harmed: Path, whole: Path, plan: Plan) -> None:
    edit(harmed / "dataset.json", cut_end)

    def break_off(_: str, n_done: int, __: int | None) -> None:
        if n_done > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_dataset(plan, harmed, repairs=True, on_progress=break_off)
    render_dataset(plan, harmed)
    assert read_all(harmed) == read_all(whole)


def test_a_changed_record_is_named_and_its_shard_drawn_again(
    whole: Path, plan: Plan, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    render_dataset(plan, out, part="0:2")
    path = out / ".records/train-000001.json"
    edit(path, lambda raw: raw.replace(b'"n_samples": 10', b'"n_samples": 11'))
    with pytest.raises(DamageError) as caught:
        render_dataset(plan, out)
    assert str(caught.value) == f"{path} does not match its own checksum; {REPAIR}"
    render_dataset(plan, out, repairs=True)
    assert read_all(out) == read_all(whole)


def test_a_dataset_of_an_earlier_version_is_read(harmed: Path, plan: Plan, whole: Path) -> None:
    def age(manifest: dict[str, Any]) -> None:
        del manifest["checksum"], manifest["files"]

    edit_manifest(harmed, age)
    assert list(verify_dataset(harmed)) == []
    assert (is_all_sealed(harmed), is_all_sealed(whole)) == (False, True)
    assert len(spread_renderings(harmed, 5)) == 5
    done = run("verify", harmed)
    assert (done.returncode, done.stderr) == (
        0,
        f"an earlier version wrote this dataset: only its shards have checksums\n{harmed} is complete and undamaged\n",
    )
    render_dataset(plan, harmed)
    assert not is_all_sealed(harmed)
    render_dataset(plan, harmed, repairs=True)
    assert read_all(harmed) == read_all(whole)


def test_a_finished_dataset_is_complete_where_nothing_can_be_written(
    whole: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    for name in ("lock_folder", "open_folder", "close_folder", "write_card"):
        monkeypatch.setattr(f"synthtext.dataset.generate.{name}", refuse)
    assert render_dataset(plan, whole)["complete"]


# Readers.

READERS: dict[str, Callable[[Path, bool], object]] = {
    "show": lambda folder, verify: find_rendering(folder, "000000059", verify=verify),
    "preview": lambda folder, verify: spread_renderings(folder, 60, verify=verify),
    "export": lambda folder, verify: export_dataset(
        folder, folder.parent / "exported", "folder", verify=verify
    ),
    "index": lambda folder, verify: index_shards(folder, verify=verify),
    "load": lambda folder, verify: load(folder, "test", verify=verify)[0],
    "probe": lambda folder, verify: read_trials(folder, verify=verify),
    "finetune": lambda folder, verify: read_split(folder, "test", verify=verify),
    "classify": lambda folder, verify: read_labelled(folder, "test", verify=verify),
    "open_shards": lambda folder, verify: list(open_shards(folder, "test", verify=verify)),
}
"""Functions that read the last shard, that of the split `test`."""


@pytest.mark.parametrize("name", READERS)
def test_a_reader_stops_at_a_shard_that_was_changed(harmed: Path, name: str) -> None:
    path = harmed / "test/000000.tar"
    whole = path.read_bytes()
    # After the last sample, where no reader would look.
    path.write_bytes(whole + bytes(512))
    with pytest.raises(ShardError) as caught:
        READERS[name](harmed, True)
    assert str(caught.value) == f"{path} is not the file that was written; {WAY_OUT}"
    path.write_bytes(whole)
    READERS[name](harmed, True)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_stops_at_training_samples_in_the_split_test(harmed: Path, name: str) -> None:
    train, test = harmed / "train/000000.tar", harmed / "test/000000.tar"
    shutil.copy(train, test)

    def put(manifest: dict[str, Any]) -> None:
        rows = {row["file"]: row for row in manifest["shards"]}
        for key in ("sha256", "n_bytes", "n_samples"):
            rows["test/000000.tar"][key] = rows["train/000000.tar"][key]

    edit_manifest(harmed, put, sealed=True)
    with pytest.raises(ShardError) as caught:
        READERS[name](harmed, True)
    assert str(caught.value) == (
        f"{test} contains 000000000, which belongs to the split 'train'; {WAY_OUT}"
    )


@pytest.mark.parametrize("name", [name for name in READERS if name != "show"])
def test_who_knows_better_reads_all_the_same(harmed: Path, name: str) -> None:
    edit(harmed / "classnames.txt", swap_lines)
    edit_manifest(harmed, lambda manifest: manifest["plan"].update(seed=4))
    with pytest.raises(DamageError):
        READERS[name](harmed, True)
    READERS[name](harmed, False)


@pytest.mark.parametrize("name", ["export", "load", "probe", "finetune", "classify"])
def test_a_reader_stops_at_other_names_of_classes(harmed: Path, name: str) -> None:
    edit(harmed / "classnames.txt", swap_lines)
    with pytest.raises(DamageError) as caught:
        READERS[name](harmed, True)
    assert str(caught.value) == (
        f"{harmed / 'classnames.txt'} is not the file that was written; {WAY_OUT}"
    )


@pytest.mark.parametrize(
    "command",
    [
        ["show", "OUT", "000000000", "--out", "NEW.png"],
        ["draw", "--from", "OUT", "000000000", "--out", "NEW.png"],
        ["preview", "OUT", "--sheet", "NEW.png"],
        ["export", "OUT", "--to", "folder", "--out", "NEW"],
        ["index", "OUT"],
    ],
)
def test_commands_stop_with_a_sentence_unless_told_not_to(
    harmed: Path, command: list[str]
) -> None:
    edit(harmed / "train/000000.tar", lambda raw: raw + bytes(512))
    new = str(harmed.parent / "new")
    words = [word.replace("OUT", str(harmed)).replace("NEW", new) for word in command]

    done = run(*words)
    assert (done.returncode, done.stderr) == (
        2,
        f"synthtext: {harmed / 'train/000000.tar'} is not the file that was written;"
        f" {WAY_OUT}\n",
    )
    assert run(*words, "--no-verify").returncode == 0


# Untrusted datasets.

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
