"""`dataset.json`: what a dataset is made from, and what it contains."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from synthtext.dataset.plan import Plan, describe_plan, name_shard
from synthtext.dataset.sealing import REPAIR, read_sealed
from synthtext.dataset.shapes import check_shape
from synthtext.errors import DamageError, DatasetError, quote
from synthtext.files import read_file

FORMAT = 1
"""Version of the layout of `dataset.json`."""

CLASSNAMES = "classnames.txt"

MAX_CLASSNAMES_BYTES = 256 << 20


@dataclass(frozen=True)
class NotDrawn:
    """An image that is not in its shard, and the reason."""

    index: int
    text: str
    reason: str


@dataclass(frozen=True)
class ShardRecord:
    """A finished shard.

    Attributes:
        file: its name in the dataset folder.
        first: index of its first image.
        n_samples: number of images.
        n_bytes: size of the file.
        sha256: hash of the file, in hex.
        n_shrunk: number of images whose text was drawn smaller than requested, to fit.
        not_drawn: images that are missing from it.
    """

    file: str
    first: int
    n_samples: int
    n_bytes: int
    sha256: str
    n_shrunk: int
    not_drawn: tuple[NotDrawn, ...]


def read_manifest(folder: Path, *, verify: bool = True) -> dict[str, Any]:
    """Return the `dataset.json` of a dataset folder.

    Args:
        folder: the dataset.
        verify: whether its own checksum must match, if it has one.

    Raises:
        DatasetError: it is missing or malformed.
        DamageError: it has changed since it was written.
    """
    path = folder / "dataset.json"
    try:
        manifest, is_sealed = read_sealed(path)
    except OSError as error:
        raise DatasetError(
            f"{folder} has no dataset.json; give a folder that `synthtext render` wrote"
        ) from error
    if verify and not is_sealed:
        raise DamageError(f"{path} does not match its own checksum; {REPAIR}")
    if manifest.get("format") != FORMAT:
        raise DatasetError(f"{path} is not of format {FORMAT}; use the synthtext that wrote it")
    try:
        check_shape(manifest)
    except ValueError as error:
        raise DamageError(f"{path} cannot be used: {error}; {REPAIR}") from error
    return manifest


def list_rows(folder: Path, manifest: Mapping[str, Any], split: str) -> list[dict[str, Any]]:
    """Return the entries of the shards of one split in the `dataset.json` of a folder.

    Raises:
        DatasetError: the dataset has no such split, or it is empty.
    """
    rows = [row for row in manifest.get("shards", []) if row["file"].startswith(f"{split}/")]
    if not rows:
        have = ", ".join(manifest["splits"]) or "none yet; finish the render"
        raise DatasetError(f"{folder} has no images in the split {split!r}; it has {have}")
    return rows


def list_files(folder: Path, split: str) -> list[Path]:
    """Return the shards of one split of a dataset, without reading them.

    Raises:
        DatasetError: the dataset has no such split, or it is empty.
    """
    rows = list_rows(folder, read_manifest(folder, verify=False), split)
    return [folder / row["file"] for row in rows]


def describe_dataset(plan: Plan) -> dict[str, Any]:
    """Return the `dataset.json` of an unfinished dataset."""
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
        "files": {CLASSNAMES: hashlib.sha256(encode_classnames(plan)).hexdigest()},
    }


def read_classnames(folder: Path) -> tuple[str, ...]:
    """Return the lines of `classnames.txt`, whose checksum nobody has to have compared.

    Raises:
        DatasetError: it is missing, is not a regular file, too large, or not UTF-8.
    """
    raw = read_classnames_file(folder)
    try:
        return tuple(raw.decode("utf-8").removesuffix("\n").split("\n"))
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{folder / CLASSNAMES} is not UTF-8 ({error.reason}); {REPAIR}"
        ) from error


def read_classnames_file(folder: Path) -> bytes:
    """Return the content of `classnames.txt`, whose checksum nobody has to have compared.

    Raises:
        DatasetError: it is missing, is not a regular file, or is too large.
    """
    path = folder / CLASSNAMES
    return read_file(path, MAX_CLASSNAMES_BYTES, kind=DatasetError, remedy=REPAIR)


def encode_classnames(plan: Plan) -> bytes:
    """Return the `classnames.txt` of a dataset."""
    return "\n".join([*plan.classnames, ""]).encode()


def list_expected(begun: Mapping[str, Any]) -> list[str]:
    """Return the files of all shards that a dataset will have, in order."""
    size = begun["plan"]["recipe"]["shard_size"]
    return [
        name_shard(split, number)
        for split, row in begun["splits"].items()
        for number in range(-(-row["asked"] // size))
    ]


def describe_run(
    begun: Mapping[str, Any], records: Mapping[str, ShardRecord]
) -> dict[str, Any]:
    """Return the `dataset.json` of a dataset in its current state.

    Args:
        begun: its `dataset.json` from when it was started, or later.
        records: records of finished shards, by file.
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
        "files": begun.get("files", {}),
        "not_drawn": not_drawn,
        "shards": [dataclasses.asdict(record) for record in done],
    }


def _split_of(record: ShardRecord) -> str:
    return record.file.partition("/")[0]


def check_same_plan(
    folder: Path, have: Mapping[str, Any], want: Mapping[str, Any], inside: str = ""
) -> None:
    """Refuse to mix two plans in one folder; the error names the first difference."""
    for name in dict.fromkeys([*want, *have]):
        old, new = have.get(name), want.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            check_same_plan(folder, old, new, f"{inside}{name} ")
        elif old != new:
            raise DatasetError(
                f"{folder} was started with {inside}{name[:40]} {_cut(old)}, not {_cut(new)};"
                f" use the same again, or give another folder"
            )


def _cut(value: object) -> str:
    return value[:80] if isinstance(value, str) else quote(value)


def read_record(row: Mapping[str, Any]) -> ShardRecord:
    """Return the shard record in a row of `dataset.json`."""
    fields = {field.name: row[field.name] for field in dataclasses.fields(ShardRecord)}
    lost = tuple(NotDrawn(**each) for each in row["not_drawn"])
    return ShardRecord(**{**fields, "not_drawn": lost})


def to_json(value: object) -> bytes:
    """Return a value as JSON that a person can read."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
