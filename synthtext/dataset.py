"""A finished dataset folder: find a sample, spread over it, check every part of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from synthtext.codec import Sample, decode
from synthtext.errors import DatasetError, ShardError, shorten
from synthtext.manifest import read_manifest
from synthtext.rendering import Rendering
from synthtext.shards import read_samples, read_shard

QUAD_SLACK_PX = 0.01
"""Quads are kept to a hundredth of a px, so an edge may seem to lie outside by as much."""


def find_rendering(folder: Path, key: str) -> Rendering:
    """Return one image of a dataset by its key.

    Raises:
        DatasetError: no such key, or no dataset.
        ShardError: its shard is missing or broken.
    """
    rows = read_manifest(folder).get("shards", [])
    index = int(key) if key.isdecimal() and len(key) < 20 else -1
    for row in reversed(rows):
        if row["first"] <= index:
            for sample in read_samples(folder / row["file"]):
                if sample.key == f"{index:09d}":
                    return decode(sample)
            break
    known = f"keys run from {rows[0]['first']:09d}" if rows else "it is not finished"
    raise DatasetError(
        f"{folder} holds no sample {shorten(key)!r}; {known}, as in dataset.json"
    )


def spread_renderings(folder: Path, n: int) -> list[Rendering]:
    """Return up to n images of a dataset, from as many shards as possible.

    Raises:
        DatasetError: no dataset, or one that is not finished.
        ShardError: a shard is missing or broken.
    """
    rows = read_manifest(folder).get("shards", [])
    if not rows:
        raise DatasetError(f"{folder} is not finished; run the same render again")
    chosen = [rows[i] for i in np.unique(np.linspace(0, len(rows) - 1, n).astype(int))]
    share = -(-n // len(chosen))
    found = [r for row in chosen for r in islice(read_shard(folder / row["file"]), share)]
    return found[:n]


def verify_dataset(folder: Path) -> Iterator[str]:
    """Return every fault of a dataset, a sentence each; none if it is whole.

    Raises:
        DatasetError: no dataset there.
    """
    manifest = read_manifest(folder)
    if not manifest.get("complete"):
        yield "dataset.json says that the run is not finished; run the same render again"
        return
    classnames = (
        (folder / "classnames.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    )
    n_samples = 0
    for row in manifest["shards"]:
        path = folder / row["file"]
        yield from _verify_file(path, row)
        n_here = 0
        try:
            for sample in read_samples(path):
                n_here += 1
                yield from (f"{row['file']} {fault}" for fault in _verify(sample, classnames))
        except ShardError as error:
            yield str(error)
        if n_here != row["n_samples"]:
            yield f"{row['file']} holds {n_here} samples; dataset.json says {row['n_samples']}"
        n_samples += n_here
    drawn = manifest["counts"]["drawn"]
    if n_samples != drawn:
        yield f"the shards hold {n_samples} samples; dataset.json says {drawn}"


def _verify_file(path: Path, row: Mapping[str, Any]) -> Iterator[str]:
    if not path.is_file():
        return  # Reading it says so.
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != row["sha256"]:
            yield f"{row['file']} is not the file that was written; delete it and render again"


def _verify(sample: Sample, classnames: list[str]) -> Iterator[str]:
    try:
        rendering = decode(sample)
    except ShardError as error:
        yield str(error)
        return
    spec = rendering.spec
    if spec.key != sample.key:
        yield f"{sample.key}.json is that of {spec.key}"
    if sample.files.get("txt") != spec.drawn_text.encode():
        yield f"{sample.key}.txt is not the text of {sample.key}.json"
    if sample.files.get("cls") != str(spec.class_index).encode():
        yield f"{sample.key}.cls is not the class of {sample.key}.json"
    if not spec.class_index < len(classnames):
        n_lines = len(classnames)
        yield f"{sample.key}.cls is {spec.class_index}; classnames.txt has {n_lines} lines"
    height, width = rendering.pixels.shape[:2]
    for name in ("word_quads", "char_quads"):
        quads = getattr(rendering, name)
        edge = np.array([width, height]) + QUAD_SLACK_PX
        if quads.size == 0 or (quads < -QUAD_SLACK_PX).any() or (quads > edge).any():
            yield f"{sample.key}.json has {name} that are none or leave the image"
