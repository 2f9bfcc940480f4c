"""Changes in a finished dataset are found by `verify` and by readers, and repaired."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from command_line import run
from harming import (
    REPAIR,
    WAY_OUT,
    change_font,
    cut_end,
    edit,
    edit_manifest,
    flip_bit,
    lose_shard,
    read_all,
    swap_lines,
)
from probes.data.labelled import read_labelled
from probes.data.rendered import read_trials
from probes.training.epochs import read_split
from synthtext.dataset.folders import list_strays
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.map_style import load
from synthtext.dataset.plan import Plan, make_plan
from synthtext.dataset.verify import (
    find_rendering,
    is_all_sealed,
    open_shards,
    spread_renderings,
    verify_dataset,
)
from synthtext.dataset.wids_index import index_shards
from synthtext.errors import DamageError, DatasetError, ShardError
from synthtext.export.export import export_dataset

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
