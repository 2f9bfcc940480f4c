"""A dataset -> the formats of recognisers, detectors and other tools."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from synthtext.dataset.folders import check_outside
from synthtext.dataset.manifest import read_manifest
from synthtext.errors import DatasetError
from synthtext.export.formats import CROPS, TARGETS, WHOLE
from synthtext.export.items import Items, read_items
from synthtext.storage import write_folder

OnProgress = Callable[[str, int, int | None], None]


def export_dataset(
    folder: Path,
    out: Path,
    target: str,
    *,
    crops: bool = False,
    verify: bool = True,
    on_progress: OnProgress = lambda *_: None,
) -> dict[str, int]:
    """Write a dataset in another format and return the number of images of each split.

    The output gets its name only when it is complete; an export that was killed starts again.

    Args:
        folder: a dataset that `synthtext render` wrote.
        out: a new folder; existing files are never touched.
        target: one of `TARGETS`.
        crops: whether to write upright crops of all words instead of whole images.
        verify: whether to check the checksums of the shards.
        on_progress: called after every image.

    Raises:
        DatasetError: there is no such target, the output exists, or a package is missing.
        ShardError: a shard is missing, broken, or not the one that was written.
    """
    _check_target(target, out, crops=crops)
    check_outside(out, folder)
    manifest = read_manifest(folder, verify=verify)
    if not manifest.get("complete"):
        raise DatasetError(f"{folder} is not finished; run the same render command again")
    counts: dict[str, int] = {}

    def watch(items: Items, split: str) -> Items:
        for item in items:
            yield item
            counts[split] = counts.get(split, 0) + 1
            on_progress("images", sum(counts.values()), None)

    with _explain(out), write_folder(out) as part:
        for split in (name for name, row in manifest["splits"].items() if row["drawn"]):
            (part / split).mkdir()
            items = watch(read_items(folder, split, crops=crops, verify=verify), split)
            TARGETS[target](items, part / split, folder)
    return counts


@contextmanager
def _explain(out: Path) -> Iterator[None]:
    """Turn an error of the disk or file system into one sentence."""
    try:
        yield
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error
        raise DatasetError(
            f"{out} cannot be written ({reason}); nothing was left there, so fix that and run"
            " the same command again"
        ) from error


def _check_target(target: str, out: Path, *, crops: bool) -> None:
    if target not in TARGETS:
        raise DatasetError(
            f"there is no export format {target!r}; choose one of {', '.join(TARGETS)}"
        )
    if crops and target in WHOLE:
        raise DatasetError(f"{target} takes whole images; leave out --crops")
    if target in CROPS and not crops:
        raise DatasetError(f"{target} takes one word per image; add --crops")
    if out.exists():
        raise DatasetError(f"{out} already exists; give a new folder, or remove it")
