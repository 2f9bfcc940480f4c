"""The folder of a dataset: `dataset.json`, its shards' records, and taking it up again."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from synthtext.errors import DatasetError
from synthtext.plan import Plan, describe_plan, name_shard
from synthtext.storage import PART, replace_file
from synthtext.words import SPLITS

FORMAT = 1
"""Version of the layout of `dataset.json`."""

SHARD_FILE = re.compile(r"(train|val|test)/[0-9]{6,12}\.tar")

COUNTED = ("asked", "drawn", "not_drawn", "shrunk", "bytes", "shards", "duplicates_merged")

MAX_COUNT = 2**53

RECORDS = ".records"
"""Folder of the finished shards' records while a run goes on."""


@dataclass(frozen=True)
class NotDrawn:
    """An image that is not in its shard, and why."""

    index: int
    text: str
    reason: str


@dataclass(frozen=True)
class ShardRecord:
    """A finished shard.

    Attributes:
        file: its name in the dataset folder.
        first: index of its first image.
        n_samples: images inside.
        n_bytes: size of the file.
        sha256: of the file, in hex.
        n_shrunk: images whose text was drawn smaller than asked, to fit.
        not_drawn: images that are missing from it.
    """

    file: str
    first: int
    n_samples: int
    n_bytes: int
    sha256: str
    n_shrunk: int
    not_drawn: tuple[NotDrawn, ...]


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the `dataset.json` of a dataset folder.

    Raises:
        DatasetError: it is missing or broken.
    """
    path = folder / "dataset.json"
    try:
        manifest = orjson.loads(path.read_bytes())
    except OSError as error:
        raise DatasetError(
            f"{folder} holds no dataset.json; give a folder that `synthtext render` wrote"
        ) from error
    except orjson.JSONDecodeError as error:
        raise DatasetError(f"{path} is broken ({error}); run the same render again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise DatasetError(f"{path} is not of format {FORMAT}; use the synthtext that wrote it")
    try:
        _check_manifest(manifest)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(
            f"{path} lacks or garbles {reason}; get it anew, or render again"
        ) from error
    return manifest


def _check_manifest(manifest: Mapping[str, Any]) -> None:
    """Raise any of the errors of a wrong type or value; a manifest may come from strangers."""
    plan, is_complete = manifest["plan"], manifest["complete"]
    _check_counts(manifest, ("duplicates_merged",))
    if not isinstance(manifest["left_out_fonts"], list):
        raise TypeError("left_out_fonts")
    _check_counts(plan, ("seed", "count"))
    _check_counts(plan["recipe"], ("shard_size",))
    for split, row in manifest["splits"].items():
        if split not in SPLITS:
            raise ValueError(f"the split {split[:20]!r}")
        _check_counts(row, ("first", "asked", *(("drawn",) if is_complete else ())))
        _check_counts(row["n_texts"], tuple(row["n_texts"]))
    if is_complete:
        _check_counts(manifest["counts"], COUNTED)
    for row in manifest["shards"] if is_complete else manifest.get("shards", ()):
        _check_record(row)


def _check_record(row: Mapping[str, Any]) -> None:
    # A name from elsewhere must not lead out of the folder.
    if not SHARD_FILE.fullmatch(row["file"]):
        raise ValueError(f"the shard {row['file'][:60]!r}")
    _check_counts(row, ("first", "n_samples", "n_bytes", "n_shrunk"))
    if not isinstance(row["sha256"], str):
        raise TypeError("sha256")
    for lost in row["not_drawn"]:
        NotDrawn(**lost)


def _check_counts(row: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in names:
        if not isinstance(row[name], int) or not 0 <= row[name] <= MAX_COUNT:
            raise ValueError(f"{name[:40]}, which is {str(row[name])[:40]}")


def list_files(folder: Path, split: str) -> list[Path]:
    """Return the shards of one split of a dataset.

    Raises:
        DatasetError: the dataset has no such split, or it is empty.
    """
    manifest = read_manifest(folder)
    found = [row["file"] for row in manifest.get("shards", [])]
    files = [folder / file for file in found if file.startswith(f"{split}/")]
    if not files:
        have = ", ".join(manifest.get("splits", {})) or "none yet; finish the render"
        raise DatasetError(f"{folder} has no pictures in the split {split!r}; it has {have}")
    return files


def open_folder(
    plan: Plan, folder: Path, files: Sequence[str] | None = None
) -> dict[str, ShardRecord]:
    """Begin a dataset folder, or take it up; return the records of its finished shards by file.

    Args:
        plan: what is drawn.
        folder: where.
        files: the shards whose records are asked for; None asks for all.

    Raises:
        DatasetError: the folder holds something else, or was begun by another plan.
    """
    begin_folder(folder, describe_dataset(plan), "\n".join([*plan.classnames, ""]).encode())
    for source in plan.sources:
        (folder / source.split).mkdir(exist_ok=True)
    return read_records(folder, files)


def begin_folder(folder: Path, begun: Mapping[str, Any], classnames: bytes) -> None:
    """Begin a dataset folder, or see that it was begun alike.

    Args:
        folder: empty, or begun.
        begun: its `dataset.json` until it is finished.
        classnames: its `classnames.txt`.

    Raises:
        DatasetError: it holds something else, or was begun by another plan.
    """
    if (folder / "dataset.json").exists():
        check_same_plan(folder, read_manifest(folder).get("plan", {}), begun["plan"])
    elif any(path.suffix != PART for path in folder.glob("*")):
        raise DatasetError(f"{folder} holds something else; give a new or an empty folder")
    else:
        # First of all, so that another machine that begins its part at once knows the folder.
        replace_file(folder / "dataset.json", to_json(begun))
    if not (folder / "classnames.txt").exists():
        replace_file(folder / "classnames.txt", classnames)
    (folder / RECORDS).mkdir(exist_ok=True)


def list_records(folder: Path, files: Sequence[str] | None = None) -> dict[str, ShardRecord]:
    """Return the records of the shards that were finished, by file; of all, or of some."""
    rows = {row["file"]: row for row in read_manifest(folder).get("shards", [])}
    noted = list((folder / RECORDS).glob("*.json"))
    if files is not None:
        # A part of a large run does not read what hundreds of others have noted.
        wanted = {_name_record(file) for file in files}
        noted = [path for path in noted if path.name in wanted]
        rows = {file: rows[file] for file in files if file in rows}
    for path in noted:
        # Another machine may be closing the folder, and then this is no longer ours to do.
        with contextlib.suppress(FileNotFoundError):
            row = _read_row(path)
            rows[row["file"]] = row
    return {file: _read_record(row) for file, row in rows.items()}


def _read_row(path: Path) -> dict[str, Any]:
    try:
        row: dict[str, Any] = orjson.loads(path.read_bytes())
        _check_record(row)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path} is broken; remove it and run the same again") from error
    return row


def count_records(folder: Path) -> int:
    """Return how many shards were finished, without reading their records."""
    noted = {path.name for path in (folder / RECORDS).glob("*.json")}
    closed = {_name_record(row["file"]) for row in read_manifest(folder).get("shards", [])}
    return len(noted | closed)


def read_records(folder: Path, files: Sequence[str] | None = None) -> dict[str, ShardRecord]:
    """Return the records of the shards that were finished and are there, by file."""
    records = list_records(folder, files)
    return {file: record for file, record in records.items() if is_there(folder, record)}


def describe_dataset(plan: Plan) -> dict[str, Any]:
    """Return the `dataset.json` of a dataset that is begun."""
    return {
        "format": FORMAT,
        "complete": False,
        "plan": describe_plan(plan),
        "splits": {
            source.split: {
                "first": source.first,
                "asked": count,
                "n_texts": {deck.kind: len(deck.items) for deck in source.decks},
            }
            for source, count in zip(plan.sources, plan.counts, strict=True)
        },
        "duplicates_merged": sum(
            texts.n_duplicates for kind, texts in plan.texts.items() if kind == "word"
        ),
        "left_out_fonts": list(plan.fonts.broken),
    }


def list_expected(begun: Mapping[str, Any]) -> list[str]:
    """Return the files of all shards that a dataset will have, in order."""
    size = begun["plan"]["recipe"]["shard_size"]
    return [
        name_shard(split, number)
        for split, row in begun["splits"].items()
        for number in range(-(-row["asked"] // size))
    ]


def write_record(folder: Path, record: ShardRecord) -> None:
    """Note that a shard is finished; called after the shard has its name."""
    replace_file(folder / RECORDS / _name_record(record.file), orjson.dumps(record))


def describe_run(
    begun: Mapping[str, Any], records: Mapping[str, ShardRecord]
) -> dict[str, Any]:
    """Return the `dataset.json` of a dataset as far as it is drawn.

    Args:
        begun: its `dataset.json` when it was begun, or later.
        records: of shards that are finished, by file.
    """
    files = list_expected(begun)
    done = [records[file] for file in files if file in records]
    not_drawn = [dataclasses.asdict(lost) for record in done for lost in record.not_drawn]
    return {
        "format": FORMAT,
        "complete": len(done) == len(files),
        "plan": begun["plan"],
        "counts": {
            "asked": begun["plan"]["count"],
            "drawn": sum(record.n_samples for record in done),
            "not_drawn": len(not_drawn),
            "shrunk": sum(record.n_shrunk for record in done),
            "bytes": sum(record.n_bytes for record in done),
            "shards": len(done),
            "duplicates_merged": begun["duplicates_merged"],
        },
        "splits": {
            split: {
                **row,
                "drawn": sum(each.n_samples for each in done if _split_of(each) == split),
            }
            for split, row in begun["splits"].items()
        },
        "duplicates_merged": begun["duplicates_merged"],
        "left_out_fonts": begun["left_out_fonts"],
        "not_drawn": not_drawn,
        "shards": [dataclasses.asdict(record) for record in done],
    }


def close_folder(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the finished `dataset.json` and tidy up what runs leave behind."""
    replace_file(folder / "dataset.json", to_json(manifest))
    for path in [*folder.glob(f"**/.*{PART}"), *(folder / RECORDS).glob("*.json")]:
        path.unlink(missing_ok=True)
    if (folder / RECORDS).is_dir():
        (folder / RECORDS).rmdir()


def _name_record(file: str) -> str:
    return file.replace("/", "-").removesuffix(".tar") + ".json"


def _split_of(record: ShardRecord) -> str:
    return record.file.partition("/")[0]


def check_same_plan(
    folder: Path, have: Mapping[str, Any], want: Mapping[str, Any], inside: str = ""
) -> None:
    """Refuse to mix two plans in one folder; name the first entry that differs."""
    for name in dict.fromkeys([*want, *have]):
        old, new = have.get(name), want.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            check_same_plan(folder, old, new, f"{inside}{name} ")
        elif old != new:
            raise DatasetError(
                f"{folder} was begun with {inside}{name} {old}, not {new}; "
                "give that again, or another folder"
            )


def _read_record(row: Mapping[str, Any]) -> ShardRecord:
    fields = {field.name: row[field.name] for field in dataclasses.fields(ShardRecord)}
    lost = tuple(NotDrawn(**each) for each in row["not_drawn"])
    return ShardRecord(**{**fields, "not_drawn": lost})


def is_whole(folder: Path, record: ShardRecord) -> bool:
    """Return whether a shard holds the bytes that were written."""
    with (folder / record.file).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == record.sha256


def is_there(folder: Path, record: ShardRecord) -> bool:
    """Return whether a shard has the size that was written."""
    path = folder / record.file
    return path.is_file() and path.stat().st_size == record.n_bytes


def to_json(value: object) -> bytes:
    """Return a value as JSON that a person can read."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
