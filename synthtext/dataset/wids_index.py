"""Indexing: the files by which `wids` finds a sample of a shard by its index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from synthtext.dataset.manifest import read_manifest
from synthtext.dataset.verify import check_shard
from synthtext.errors import DatasetError
from synthtext.storage import write_json


def index_shards(folder: Path, *, verify: bool = True) -> Sequence[Path]:
    """Write an index of each split for `wids`, and return the paths.

    Args:
        folder: the dataset.
        verify: whether to read every shard and verify its checksum.

    Raises:
        DatasetError: no dataset, or one that is unfinished.
        ShardError: a shard is missing or changed.
    """
    manifest = read_manifest(folder, verify=verify)
    if not manifest.get("complete"):
        raise DatasetError(f"{folder} is not finished; run the same render command again")
    if verify:
        for row in manifest["shards"]:
            check_shard(folder, row)
    written = []
    for split in manifest["splits"]:
        rows = [row for row in manifest["shards"] if row["file"].startswith(f"{split}/")]
        content = {
            "__kind__": "wids-shard-index-v1",
            "wids_version": 1,
            "name": f"{folder.name} {split}",
            "shardlist": [
                {"url": row["file"], "nsamples": row["n_samples"], "filesize": row["n_bytes"]}
                for row in rows
            ],
        }
        path = folder / f"{split}.json"
        write_json(path, content)
        written.append(path)
    return written
