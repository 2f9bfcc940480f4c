"""The folder of a dataset: `dataset.json`, its shards' records, and taking it up again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from synthtext.errors import DatasetError
from synthtext.plan import Plan, describe_plan
from synthtext.shards import replace_file

FORMAT = 1
"""Version of the layout of `dataset.json`."""

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
    return manifest


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


def open_folder(plan: Plan, folder: Path) -> dict[str, ShardRecord]:
    """Begin a dataset folder, or take it up; return the records of its finished shards by file.

    Raises:
        DatasetError: the folder holds something else, or was begun by another plan.
    """
    described = describe_plan(plan)
    rows: list[dict[str, Any]] = []
    if (folder / "dataset.json").exists():
        manifest = read_manifest(folder)
        check_same_plan(folder, manifest.get("plan", {}), described)
        rows = manifest.get("shards", [])
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DatasetError(f"{folder} holds something else; give a new or an empty folder")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / "classnames.txt", "\n".join([*plan.classnames, ""]).encode())
        begun = {"format": FORMAT, "complete": False, "plan": described}
        replace_file(folder / "dataset.json", _to_json(begun))
    for source in plan.sources:
        (folder / source.split).mkdir(exist_ok=True)
    (folder / RECORDS).mkdir(exist_ok=True)
    rows += [orjson.loads(path.read_bytes()) for path in (folder / RECORDS).glob("*.json")]
    records = {row["file"]: _read_record(row) for row in rows}
    return {file: record for file, record in records.items() if _is_there(folder, record)}


def write_record(folder: Path, record: ShardRecord) -> None:
    """Note that a shard is finished; called after the shard has its name."""
    name = record.file.replace("/", "-").removesuffix(".tar")
    replace_file(folder / RECORDS / f"{name}.json", orjson.dumps(record))


def close_folder(plan: Plan, folder: Path, records: Sequence[ShardRecord]) -> dict[str, Any]:
    """Write the finished `dataset.json`, tidy up what a run leaves behind, and return it.

    Args:
        plan: what was drawn.
        folder: where.
        records: every shard of the plan, in order.
    """
    not_drawn = [dataclasses.asdict(lost) for record in records for lost in record.not_drawn]
    manifest = {
        "format": FORMAT,
        "complete": True,
        "plan": describe_plan(plan),
        "counts": {
            "asked": plan.n_images,
            "drawn": sum(record.n_samples for record in records),
            "not_drawn": len(not_drawn),
            "shrunk": sum(record.n_shrunk for record in records),
            "bytes": sum(record.n_bytes for record in records),
            "shards": len(records),
            "duplicates_merged": sum(
                texts.n_duplicates for kind, texts in plan.texts.items() if kind == "word"
            ),
        },
        "splits": {
            source.split: {
                "first": source.first,
                "asked": count,
                "drawn": sum(r.n_samples for r in records if _split_of(r) == source.split),
                "n_texts": {deck.kind: len(deck.items) for deck in source.decks},
            }
            for source, count in zip(plan.sources, plan.counts, strict=True)
        },
        "left_out_fonts": list(plan.fonts.broken),
        "not_drawn": not_drawn,
        "shards": [dataclasses.asdict(record) for record in records],
    }
    replace_file(folder / "dataset.json", _to_json(manifest))
    for path in [*folder.glob("*/*.part"), *(folder / RECORDS).glob("*")]:
        path.unlink()
    (folder / RECORDS).rmdir()
    return manifest


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


def _is_there(folder: Path, record: ShardRecord) -> bool:
    path = folder / record.file
    return path.is_file() and path.stat().st_size == record.n_bytes


def _to_json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
