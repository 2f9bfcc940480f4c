"""Shards -> dataset folder, by one process or several; a killed run is resumed."""

from __future__ import annotations

import errno
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2

from synthtext.dataset.balance import write_balance
from synthtext.dataset.card import write_card
from synthtext.dataset.codec import Sample, encode
from synthtext.dataset.folders import (
    RECORDS,
    close_folder,
    count_records,
    is_damaged,
    is_there,
    list_damaged,
    open_folder,
    read_records,
    write_record,
)
from synthtext.dataset.manifest import (
    CLASSNAMES,
    NotDrawn,
    ShardRecord,
    describe_dataset,
    describe_run,
    read_manifest,
    read_record,
)
from synthtext.dataset.plan import (
    Plan,
    Shard,
    check_size,
    choose_part,
    describe_plan,
    list_shards,
    source_of,
)
from synthtext.dataset.shards import read_shard, write_shard
from synthtext.drawing.rendering import Rendering, render
from synthtext.engine import LOCAL, check_engine, run_tasks
from synthtext.errors import DatasetError, DrawError, SynthtextError
from synthtext.sampling import sample_specs
from synthtext.storage import lock_folder, remove_parts

OnProgress = Callable[[str, int, int | None], None]
"""Called with the unit counted, the number done, and the total or None."""


def render_dataset(  # noqa: PLR0913 - each is a separate setting of one run.
    plan: Plan,
    folder: Path,
    *,
    n_workers: int = 1,
    engine: str = LOCAL,
    part: str | None = None,
    repairs: bool = False,
    on_progress: OnProgress = lambda *_: None,
) -> dict[str, Any]:
    """Draw what is missing from a dataset folder and return its `dataset.json`.

    The bytes depend only on the plan, and not on the number of workers, the engine, the parts
    or earlier runs that were killed.

    Args:
        plan: what to draw.
        folder: new, empty, or started with the same plan; local or remote.
        n_workers: number of processes to draw with, 1 or more.
        engine: one of `ENGINES`.
        part: the shards to draw, as for `choose_part`; None draws all. The run that draws the
            last shard finishes the dataset.
        repairs: whether to redraw files whose bytes have changed; if `dataset.json` is one of
            them, all shards are redrawn, since only it has their checksums.
        on_progress: called after every shard.

    Raises:
        DatasetError: the folder holds something else, is being written by another process, or
            cannot be written.
    """
    check_size(plan)
    shards = list(list_shards(plan))
    mine = shards if part is None else [shards[k] for k in choose_part(part, len(shards))]
    check_engine(engine, n_workers)
    try:
        finished = None if repairs else read_finished(plan, folder)
        if finished is not None:
            on_progress("images", plan.n_images, plan.n_images)
            return finished
        with lock_folder(folder, is_shared=part is not None):
            if repairs and is_damaged(folder):
                _check_origin(plan, folder)
            files = [shard.file for shard in mine]
            records = open_folder(plan, folder, files, repairs=repairs)
            n_done = sum(len(shard.indices) for shard in mine if shard.file in records)
            n_all = sum(len(shard.indices) for shard in mine)
            on_progress("images", n_done, n_all)
            todo = [shard for shard in mine if shard.file not in records]
            draw = functools.partial(draw_shard, plan, folder)
            try:
                with closing(run_tasks(draw, todo, n_workers, engine)) as drawn:
                    for record in drawn:
                        records[record.file] = record
                        n_done += record.n_samples + len(record.not_drawn)
                        on_progress("images", n_done, n_all)
            except BaseException:
                # A worker that had to be killed has not removed its partial files.
                remove_parts(folder, below=True)
                raise
            if part is not None and count_records(folder) == len(shards):
                records = read_records(folder)  # Other machines have drawn the rest.
            manifest = describe_run(describe_dataset(plan), records)
            return finish_dataset(folder, manifest) if manifest["complete"] else manifest
    except OSError as error:
        raise DatasetError(explain_failure(folder, error)) from error


def finish_dataset(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Write the card of a complete dataset, then its `dataset.json`, and return the latter.

    The final `dataset.json` is written last, and has the checksums of all other files.
    """
    written = {**write_card(folder, manifest), **write_balance(folder, manifest)}
    files = {**manifest["files"], **written}
    return close_folder(folder, {**manifest, "files": files})


def read_finished(plan: Plan, folder: Path) -> dict[str, Any] | None:
    """Return the `dataset.json` of a folder with a complete plan; None if work is left.

    Nothing is written or locked, so the folder may be on a read-only disk.
    """
    if not (folder / "dataset.json").exists() or (folder / RECORDS).exists():
        return None
    manifest = read_manifest(folder)
    if not manifest["complete"] or manifest["plan"] != describe_plan(plan):
        return None
    is_all_there = all(is_there(folder, read_record(row)) for row in manifest["shards"])
    is_finished = is_all_there and not list_damaged(folder, manifest)
    return manifest if is_finished and (folder / CLASSNAMES).exists() else None


def _check_origin(plan: Plan, folder: Path) -> None:
    """Refuse to overwrite the shards of another run when dataset.json is damaged."""
    for shard in list_shards(plan):
        try:
            kept = next(read_shard(folder / shard.file)).spec
        except (SynthtextError, StopIteration):
            continue
        source = next((each for each in plan.sources if each.split == kept.split), None)
        specs = source and sample_specs(
            plan.recipe, source, plan.fonts,
            seed=plan.seed, indices=range(kept.index, kept.index + 1), photos=plan.photos,
        )  # fmt: skip
        # A text that did not fit was drawn smaller.
        if not specs or replace(specs[0], size_px=kept.size_px) != kept:
            raise DatasetError(
                f"{folder / shard.file} was not drawn by this command, and dataset.json is"
                " damaged; give the command that drew it, or another folder"
            )
        return


def draw_images(plan: Plan, shard: Shard) -> Iterator[Rendering | NotDrawn]:
    """Return the images of a shard in order, with a `NotDrawn` for those that failed."""
    source = source_of(plan, shard.split)
    specs = sample_specs(
        plan.recipe,
        source,
        plan.fonts,
        seed=plan.seed,
        indices=shard.indices,
        photos=plan.photos,
    )
    for spec in specs:
        try:
            yield render(spec, plan.fonts, plan.photos)
        except DrawError as error:
            yield NotDrawn(spec.index, spec.text, str(error))


def draw_shard(plan: Plan, folder: Path, shard: Shard) -> ShardRecord:
    """Draw one shard of a dataset into its folder and return its record."""
    not_drawn: list[NotDrawn] = []
    shrunk: list[int] = []

    def encode_images() -> Iterator[Sample]:
        for image in draw_images(plan, shard):
            if isinstance(image, NotDrawn):
                not_drawn.append(image)
                continue
            if image.spec.size_px < image.size_asked_px:
                shrunk.append(image.spec.index)
            yield encode(image, plan.recipe.image_format)

    file = write_shard(folder / shard.file, encode_images())
    record = ShardRecord(
        file=shard.file,
        first=shard.indices.start,
        n_samples=file.n_samples,
        n_bytes=file.n_bytes,
        sha256=file.sha256,
        n_shrunk=len(shrunk),
        not_drawn=tuple(not_drawn),
    )
    write_record(folder, record)
    return record


def measure_drawing(plan: Plan) -> float:
    """Return the images/s of drawing and encoding a plan in this process, without writing."""
    cv2.setNumThreads(1)
    begin = time.perf_counter()
    for shard in list_shards(plan):
        for image in draw_images(plan, shard):
            if not isinstance(image, NotDrawn):
                encode(image, plan.recipe.image_format)
    return plan.n_images / (time.perf_counter() - begin)


def explain_failure(folder: Path, error: OSError) -> str:
    """Return a message about a folder that cannot be written."""
    if error.errno == errno.ENOSPC:
        return (
            f"the disk of {folder} is full; what is finished there is complete, so free some"
            f" space and run the same command again"
        )
    return f"{folder} cannot be written ({error}); fix that and run the same command again"
