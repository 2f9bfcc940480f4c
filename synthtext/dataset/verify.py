"""A finished dataset: opening its shards, finding and selecting samples, verifying it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from synthtext.dataset.codec import Sample, decode, decode_fields
from synthtext.dataset.folders import is_too_large, is_whole, list_damaged, list_strays
from synthtext.dataset.manifest import (
    CLASSNAMES,
    describe_run,
    list_expected,
    list_rows,
    read_manifest,
    read_record,
)
from synthtext.dataset.sealing import CHECKSUM
from synthtext.dataset.shards import list_places, read_place, read_samples, read_shard
from synthtext.drawing.rendering import Rendering
from synthtext.errors import DamageError, DatasetError, ShardError, quote

MAX_KEY_DIGITS = 16

QUAD_SLACK_PX = 0.01
"""Quads are stored to a hundredth of a px, so an edge may lie outside by as much."""

REDO = "run the same render command with --repair"

WAY_OUT = f"{REDO}, or use it as it is with --no-verify"


def open_shards(folder: Path, split: str, *, verify: bool = True) -> Iterator[Path]:
    """Return the shards of one split of a dataset, each checked before it is passed on.

    This checks `dataset.json`, `classnames.txt`, every byte of a shard, and that it holds
    samples of its split. Reading it afterwards is cheap, since it is still cached in memory.

    Args:
        folder: the dataset.
        split: `train`, `val` or `test`.
        verify: whether to check anything.

    Raises:
        DatasetError: no such split, or no dataset.
        DamageError: `dataset.json` or `classnames.txt` has changed since it was written.
        ShardError: a shard is missing, changed, or of another split.
    """
    manifest = read_manifest(folder, verify=verify)
    rows = list_rows(folder, manifest, split)
    if verify and CLASSNAMES in list_damaged(folder, manifest):
        raise DamageError(f"{folder / CLASSNAMES} is not the file that was written; {WAY_OUT}")
    for row in rows:
        if verify:
            check_shard(folder, row)
        yield folder / row["file"]


def check_shard(folder: Path, row: Mapping[str, Any]) -> None:
    """Check that a shard matches its row of `dataset.json`.

    Raises:
        ShardError: it is missing, changed, or of another split.
    """
    path = folder / row["file"]
    if not path.is_file():
        raise ShardError(f"{path} is missing; `synthtext render` writes it")
    if not is_whole(folder, read_record(row)):
        raise ShardError(f"{path} is not the file that was written; {WAY_OUT}")
    for sample in islice(read_samples(path), 1):
        check_split(path, sample.key, decode_fields(sample).get("split"))


def check_split(path: Path, key: str, split: object) -> None:
    """Check that a sample belongs to the split of its shard's folder.

    Raises:
        ShardError: it belongs to another.
    """
    if split != path.parent.name:
        raise ShardError(
            f"{path} contains {key}, which belongs to the split {split!r}; {WAY_OUT}"
        )


def find_rendering(folder: Path, key: str, *, verify: bool = True) -> Rendering:
    """Return one image of a dataset by its key.

    Args:
        folder: the dataset.
        key: key of the image.
        verify: whether its shard must match its checksum.

    Raises:
        DatasetError: no such key, or no dataset.
        ShardError: its shard is missing, broken or changed.
    """
    rows = read_manifest(folder, verify=verify).get("shards", [])
    index = int(key) if key.isdecimal() and len(key) <= MAX_KEY_DIGITS else -1
    for row in reversed(rows):
        if row["first"] <= index:
            if verify:
                check_shard(folder, row)
            path = folder / row["file"]
            for place in list_places(path):
                if place.key == f"{index:09d}":
                    return decode(read_place(path, place))
            break
    known = f"keys run from {rows[0]['first']:09d}" if rows else "it is not finished"
    raise DatasetError(f"{folder} has no sample {quote(key)}; {known}, as in dataset.json")


def spread_renderings(folder: Path, n: int, *, verify: bool = True) -> list[Rendering]:
    """Return up to n images of a dataset, from as many shards as possible.

    Args:
        folder: the dataset.
        n: maximum number of images.
        verify: whether to verify the checksums of the shards.

    Raises:
        DatasetError: no dataset, or one that is unfinished.
        ShardError: a shard is missing, broken or changed.
    """
    rows = read_manifest(folder, verify=verify).get("shards", [])
    if not rows:
        raise DatasetError(f"{folder} is not finished; run the same render command again")
    return spread_rows(folder, rows, n, verify=verify)


def spread_rows(
    folder: Path, rows: Sequence[Mapping[str, Any]], n: int, *, verify: bool = True
) -> list[Rendering]:
    """Return up to n images, as `spread_renderings` does, from the shards in some rows."""
    chosen = [rows[i] for i in np.unique(np.linspace(0, len(rows) - 1, n).astype(int))]
    found: list[Rendering] = []
    for row, share in zip(
        chosen, _share_out([row["n_samples"] for row in chosen], n), strict=True
    ):
        if verify:
            check_shard(folder, row)
        found += islice(read_shard(folder / row["file"]), share)
    return found


def _share_out(sizes: Sequence[int], n: int) -> list[int]:
    """Return how many items to take from groups of these sizes, evenly and at most n in all.

    >>> _share_out([100, 2, 100], 12)
    [5, 2, 5]
    """
    shares = dict.fromkeys(range(len(sizes)), 0)
    # Small groups first: what they lack is taken from larger ones.
    for n_taken, place in enumerate(sorted(shares, key=lambda k: sizes[k])):
        share = -(-n // (len(sizes) - n_taken))
        shares[place] = min(sizes[place], share)
        n -= shares[place]
    return list(shares.values())


def verify_dataset(folder: Path) -> Iterator[str]:
    """Return every fault of a dataset, one sentence each; none if it is intact.

    Raises:
        DatasetError: no dataset.
    """
    try:
        manifest = read_manifest(folder)
    except DamageError as error:
        yield str(error)
        try:
            manifest = read_manifest(folder, verify=False)
        except DatasetError:
            return
    if not manifest["complete"]:
        yield (
            "according to dataset.json, the run is not finished; run the same render command"
            " again"
        )
        return
    yield from _verify_counts(manifest)
    for name in list_damaged(folder, manifest):
        yield f"{name} is not the file that was written; {REDO}"
    for name in list_strays(folder, manifest):
        yield f"{name} is not part of this dataset, and loaders may read it; move it elsewhere"
    n_classes = _count_lines(folder / CLASSNAMES)
    for row in manifest["shards"]:
        yield from _verify_shard(folder, row, manifest["plan"], n_classes)


def is_all_sealed(folder: Path) -> bool:
    """Return whether a dataset has checksums for all of its files.

    Datasets from earlier versions have them only for their shards.

    Raises:
        DatasetError: no dataset.
    """
    manifest = read_manifest(folder, verify=False)
    return CHECKSUM in manifest and "files" in manifest


def _verify_counts(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Return the entries of `dataset.json` that contradict its list of shards."""
    records = {row["file"]: read_record(row) for row in manifest["shards"]}
    for file in list_expected(manifest):
        if file not in records:
            yield f"dataset.json has no row for {file}; {REDO}"
    found = describe_run(manifest, records)
    for name in ("counts", "splits", "not_drawn"):
        if found[name] != manifest[name]:
            yield f"the {name} in dataset.json do not match its shards; render it again"


def _count_lines(path: Path) -> int:
    if not path.is_file() or is_too_large(path):
        return 0
    # In pieces, and by line feeds alone: a name may contain another line separator.
    with path.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))


def _verify_shard(
    folder: Path, row: Mapping[str, Any], plan: Mapping[str, Any], n_classes: int
) -> Iterator[str]:
    """Return the faults of a shard and of every sample in it."""
    path, file = folder / row["file"], row["file"]
    if path.is_file() and not is_whole(folder, read_record(row)):
        yield f"{file} is not the file that was written; delete it and render again"
    n_samples = 0
    try:
        for sample in read_samples(path):
            n_samples += 1
            yield from _verify_place(sample.key, row, plan["recipe"]["shard_size"])
            yield from (f"{file} {fault}" for fault in _verify(sample, path, plan, n_classes))
    except ShardError as error:
        yield str(error)
    if n_samples != row["n_samples"]:
        yield f"{file} has {n_samples} samples, but dataset.json says {row['n_samples']}"


def _verify_place(key: str, row: Mapping[str, Any], shard_size: int) -> Iterator[str]:
    """Return the fault of a sample that belongs to another shard."""
    index = int(key) if key.isdecimal() and len(key) <= MAX_KEY_DIGITS else -1
    if not row["first"] <= index < row["first"] + shard_size:
        yield f"{row['file']} contains {quote(key)}, which is in another shard; render it again"


def _verify(
    sample: Sample, path: Path, plan: Mapping[str, Any], n_classes: int
) -> Iterator[str]:
    """Return the faults of a sample."""
    try:
        rendering = decode(sample)
    except ShardError as error:
        yield str(error)
        return
    spec, key = rendering.spec, sample.key
    for fault, is_so in {
        f"{key}.json belongs to {spec.key}": spec.key != key,
        f"{key}.txt does not match the text in {key}.json": (
            sample.files.get("txt") != spec.drawn_text.encode()
        ),
        f"{key}.cls does not match the class in {key}.json": (
            sample.files.get("cls") != str(spec.class_index).encode()
        ),
        f"{key}.cls is {spec.class_index}; {CLASSNAMES} has {n_classes} lines": (
            spec.class_index >= n_classes
        ),
        f"{key}.json has the split {spec.split!r}": spec.split != path.parent.name,
        f"{key}.json has the seed {spec.seed}; dataset.json says {plan['seed']}": (
            spec.seed != plan["seed"]
        ),
        f"{key}.json has the font {spec.font!r}, which is not in dataset.json": (
            spec.font not in plan["fonts"]
        ),
        f"{key}.json has fallback_fonts {spec.fallback_fonts!r}, not all in dataset.json": (
            not plan["fonts"].keys() >= {*spec.font_files[1:]}
        ),
    }.items():
        if is_so:
            yield fault
    yield from _verify_quads(rendering, key)


def _verify_quads(rendering: Rendering, key: str) -> Iterator[str]:
    height, width = rendering.pixels.shape[:2]
    for name in ("word_quads", "char_quads", "other_quads"):
        quads = getattr(rendering, name)
        edge = np.array([width, height]) + QUAD_SLACK_PX
        is_missing = quads.size == 0 and name != "other_quads"
        if is_missing or (quads < -QUAD_SLACK_PX).any() or (quads > edge).any():
            yield f"{key}.json has {name} that are invalid or outside the image"
    if any(not -1 < share < 2 for share in _list_shares(rendering)):
        yield f"{key}.json has word_polygons that are far outside the image"


def _list_shares(rendering: Rendering) -> Iterator[float]:
    """Yield the coordinates of polygons, which may leave the image, in fractions of a side."""
    height, width = rendering.pixels.shape[:2]
    for polygon in rendering.bent_polygons:
        yield from (polygon / (width, height)).ravel().tolist()
