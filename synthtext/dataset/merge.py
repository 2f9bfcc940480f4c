"""Merging: datasets with parts of one run -> one dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from synthtext.dataset.folders import (
    begin_folder,
    is_whole,
    list_records,
    read_records,
    write_record,
)
from synthtext.dataset.generate import finish_dataset
from synthtext.dataset.manifest import (
    CLASSNAMES,
    ShardRecord,
    check_same_plan,
    describe_run,
    list_expected,
    read_classnames_file,
    read_manifest,
)
from synthtext.dataset.sealing import REPAIR
from synthtext.errors import DamageError, DatasetError
from synthtext.storage import lock_folder, move_file


def merge_datasets(
    parts: Sequence[Path],
    out: Path,
    *,
    on_progress: Callable[[str, int, int | None], None] = lambda *_: None,
) -> dict[str, Any]:
    """Move the shards of parts into one folder, write its `dataset.json`, and return it.

    The same call finishes a merge that was killed. Existing files stay, even if some shards are
    still missing.

    Args:
        parts: folders that were started with the same plan, each with some of its shards.
        out: new, empty, one of the parts, or started with the same plan.
        on_progress: called after every shard.

    Raises:
        DatasetError: the parts have different plans, different bytes for one shard, or lack a
            shard.
        DamageError: a shard or `classnames.txt` has changed since it was written.
    """
    begun, classnames = _read_begun(parts[0])
    for part in parts[1:]:
        check_same_plan(part, read_manifest(part).get("plan", {}), begun["plan"])
    with lock_folder(out):
        begin_folder(out, begun, classnames)
        files = list_expected(begun)
        have = read_records(out)
        for record in have.values():
            _check_whole(out, record)
        for part in parts:
            for record in list_records(part).values():
                _take(record, part, out, have)
                on_progress("shards", len(have), len(files))
        manifest = describe_run(begun, have)
        missing = [file for file in files if file not in have]
        if missing:
            raise DatasetError(
                f"{out} still lacks {len(missing)} of {len(files)} shards, such as"
                f" {missing[0]}; render them with --shards, and merge again"
            )
        return finish_dataset(out, manifest)


def _read_begun(part: Path) -> tuple[dict[str, Any], bytes]:
    """Return the `dataset.json` of a part as it was started, and its `classnames.txt`."""
    manifest = read_manifest(part)
    classnames = read_classnames_file(part)
    found = hashlib.sha256(classnames).hexdigest()
    known = manifest.get("files", {CLASSNAMES: found})
    if known.get(CLASSNAMES) != found:
        raise DamageError(f"{part / CLASSNAMES} is not the file that was written; {REPAIR}")
    names = ("format", "plan", "splits", "duplicates_merged", "left_out_fonts")
    begun = {name: manifest[name] for name in names}
    return begun | {"complete": False, "files": {CLASSNAMES: found}}, classnames


def _take(record: ShardRecord, part: Path, out: Path, have: dict[str, ShardRecord]) -> None:
    """Move one shard, unless it was moved before."""
    if record.file in have:
        if have[record.file].sha256 != record.sha256:
            raise DatasetError(
                f"{part / record.file} differs from the file in {out}; render both parts with"
                f" one version"
            )
        return
    if (part / record.file).is_file():
        _check_whole(part, record)
        (out / record.file).parent.mkdir(parents=True, exist_ok=True)
        move_file(part / record.file, out / record.file)
    elif (out / record.file).is_file():  # A merge was killed after the move.
        _check_whole(out, record)
    else:
        return
    write_record(out, record)
    have[record.file] = record


def _check_whole(folder: Path, record: ShardRecord) -> None:
    if not is_whole(folder, record):
        raise DamageError(
            f"{folder / record.file} is not the file that was written; delete it, render it"
            f" again with --shards, and merge again"
        )
