"""The folder of a dataset: starting, resuming, checking and finishing it."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from synthtext.dataset.manifest import (
    CLASSNAMES,
    ShardRecord,
    check_same_plan,
    describe_dataset,
    encode_classnames,
    list_expected,
    read_manifest,
    read_record,
    to_json,
)
from synthtext.dataset.plan import Plan
from synthtext.dataset.sealing import REPAIR, read_sealed, seal
from synthtext.dataset.shapes import check_record
from synthtext.errors import DamageError, DatasetError
from synthtext.files import hash_file
from synthtext.storage import PART, replace_file

RECORDS = ".records"
"""Folder of the finished shards' records during a run."""

MAX_BESIDE_BYTES = 1 << 30
"""Maximum size of files other than shards: the names of five million classes."""


def open_folder(
    plan: Plan, folder: Path, files: Sequence[str] | None = None, *, repairs: bool = False
) -> dict[str, ShardRecord]:
    """Start or resume a dataset folder; return the records of its finished shards by file.

    Args:
        plan: what is drawn.
        folder: the folder to write.
        files: the shards whose records to return; None returns all.
        repairs: whether a damaged `dataset.json` is rewritten, and shards whose bytes have
            changed count as unfinished.

    Raises:
        DatasetError: the folder holds something else, or was started with another plan.
        DamageError: its `dataset.json` or `classnames.txt` is damaged, and `repairs` is not
            given.
    """
    is_anew = repairs and is_damaged(folder)
    if repairs:
        _remove_records(folder, only_broken=not is_anew)
    begun = describe_dataset(plan)
    begin_folder(folder, begun, encode_classnames(plan), is_anew=is_anew)
    for source in plan.sources:
        (folder / source.split).mkdir(exist_ok=True)
    records = read_records(folder, files)
    if not repairs:
        return records
    return {file: record for file, record in records.items() if is_whole(folder, record)}


def begin_folder(
    folder: Path, begun: Mapping[str, Any], classnames: bytes, *, is_anew: bool = False
) -> None:
    """Start a dataset folder, or check that it was started with the same plan.

    Args:
        folder: empty, or unfinished.
        begun: its `dataset.json` before it is finished.
        classnames: its `classnames.txt`.
        is_anew: whether its `dataset.json` is replaced, whatever its content.

    Raises:
        DatasetError: it holds something else, or was started with another plan.
    """
    path = folder / "dataset.json"
    if path.exists() and not is_anew:
        check_same_plan(folder, read_manifest(folder)["plan"], begun["plan"])
    elif not is_anew and any(path.suffix != PART for path in folder.glob("*")):
        raise DatasetError(f"{folder} contains something else; give a new or an empty folder")
    else:
        # Written first, so that another machine that starts its part at once recognises the
        # folder.
        replace_file(path, to_json(seal(begun)))
    if hash_if_there(folder / CLASSNAMES) != hashlib.sha256(classnames).hexdigest():
        replace_file(folder / CLASSNAMES, classnames)
    (folder / RECORDS).mkdir(exist_ok=True)


def check_outside(out: Path, folder: Path | None) -> None:
    """Refuse to write results into the dataset that they are computed from.

    Raises:
        DatasetError: the output is the dataset, or lies inside of it.
    """
    if folder is None:
        return
    place, source = out.resolve(), folder.resolve()
    if place == source or source in place.parents:
        raise DatasetError(
            f"{out} lies in the dataset {folder} that the command reads; give another --out"
        )


def is_damaged(folder: Path) -> bool:
    """Return whether the `dataset.json` of a folder is damaged."""
    if not (folder / "dataset.json").exists():
        return False
    try:
        read_manifest(folder)
    except DamageError:
        return True
    return False


def list_records(folder: Path, files: Sequence[str] | None = None) -> dict[str, ShardRecord]:
    """Return the records of all or some of the finished shards, by file."""
    rows = {row["file"]: row for row in read_manifest(folder).get("shards", [])}
    noted = list((folder / RECORDS).glob("*.json"))
    if files is not None:
        # A part of a large run must not read the records of hundreds of others.
        wanted = {_name_record(file) for file in files}
        noted = [path for path in noted if path.name in wanted]
        rows = {file: rows[file] for file in files if file in rows}
    for path in noted:
        # Another machine may be closing the folder, which removes the records.
        with contextlib.suppress(FileNotFoundError):
            row = _read_row(path)
            rows[row["file"]] = row
    return {file: read_record(row) for file, row in rows.items()}


def count_records(folder: Path) -> int:
    """Return the number of finished shards, without reading their records."""
    noted = {path.name for path in (folder / RECORDS).glob("*.json")}
    closed = {_name_record(row["file"]) for row in read_manifest(folder).get("shards", [])}
    return len(noted | closed)


def read_records(folder: Path, files: Sequence[str] | None = None) -> dict[str, ShardRecord]:
    """Return the records of the finished shards that exist, by file."""
    records = list_records(folder, files)
    return {file: record for file, record in records.items() if is_there(folder, record)}


def write_record(folder: Path, record: ShardRecord) -> None:
    """Record that a shard is finished; called after the shard was renamed."""
    content = to_json(seal(dataclasses.asdict(record)))
    replace_file(folder / RECORDS / _name_record(record.file), content)


def close_folder(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Write the finished `dataset.json`, remove temporary files of runs, and return it."""
    sealed = seal(manifest)
    replace_file(folder / "dataset.json", to_json(sealed))
    for path in [*folder.glob(f"**/.*{PART}"), *(folder / RECORDS).glob("*.json")]:
        path.unlink(missing_ok=True)
    if (folder / RECORDS).is_dir():
        (folder / RECORDS).rmdir()
    return sealed


def hash_if_there(path: Path) -> str | None:
    """Return the SHA-256 of a file, in hex; None if there is none."""
    return hash_file(path) if path.is_file() else None


def is_whole(folder: Path, record: ShardRecord) -> bool:
    """Return whether a shard has the bytes that were written."""
    # The size is checked first, because the checksum of an endless file would never end.
    return is_there(folder, record) and hash_file(folder / record.file) == record.sha256


def is_there(folder: Path, record: ShardRecord) -> bool:
    """Return whether a shard has the size that was written."""
    path = folder / record.file
    return path.is_file() and path.stat().st_size == record.n_bytes


def list_damaged(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Return which of the files other than shards are missing or changed."""
    files = manifest.get("files", {})
    return [
        file
        for file, sha256 in files.items()
        if is_too_large(folder / file) or hash_if_there(folder / file) != sha256
    ]


def is_too_large(path: Path) -> bool:
    """Return whether a file other than a shard is larger than any that is written."""
    return path.is_file() and path.stat().st_size > MAX_BESIDE_BYTES


def list_strays(folder: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Return the files that a loader might mistake for parts of the dataset.

    These are other files among the shards, and every other `.tar`. Your own files next to the
    folders of the splits are ignored.
    """
    known = set(list_expected(manifest))
    found = [path for split in manifest["splits"] for path in folder.glob(f"{split}/*")]
    found += [*folder.glob("**/*.tar"), *folder.glob(f"**/.*{PART}")]
    names = {path.relative_to(folder).as_posix() for path in found}
    yield from sorted(names - known)


def _remove_records(folder: Path, *, only_broken: bool) -> None:
    for path in (folder / RECORDS).glob("*.json"):
        with contextlib.suppress(DamageError):
            _read_row(path)
            if only_broken:
                continue
        path.unlink()


def _read_row(path: Path) -> dict[str, Any]:
    row, is_sealed = read_sealed(path)
    try:
        check_record(row)
    except ValueError as error:
        raise DamageError(f"{path} cannot be used: {error}; {REPAIR}") from error
    if not is_sealed:
        raise DamageError(f"{path} does not match its own checksum; {REPAIR}")
    return row


def _name_record(file: str) -> str:
    return file.replace("/", "-").removesuffix(".tar") + ".json"
