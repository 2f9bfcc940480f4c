"""Shards -> dataset folder, by one process or several; a killed run is taken up again."""

from __future__ import annotations

import concurrent.futures
import errno
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2

from synthtext.codec import Sample, encode
from synthtext.errors import DatasetError, DrawError
from synthtext.manifest import NotDrawn, ShardRecord, close_folder, open_folder, write_record
from synthtext.plan import Plan, Shard, list_shards, source_of
from synthtext.render import Rendering, render
from synthtext.sampling import sample_specs
from synthtext.shards import write_shard

OnProgress = Callable[[str, int, int | None], None]
"""Takes what is counted, how many are done, and of how many, if that is known."""


def render_dataset(
    plan: Plan, folder: Path, *, n_workers: int = 1, on_progress: OnProgress = lambda *_: None
) -> dict[str, Any]:
    """Draw what is missing from a dataset folder and return its `dataset.json`.

    The bytes depend on the plan alone, not on the number of workers nor on earlier runs that
    were killed.

    Args:
        plan: what to draw.
        folder: new, empty, or begun by the same plan.
        n_workers: processes to draw with, 1 or more.
        on_progress: called after every shard.

    Raises:
        DatasetError: the folder holds something else, or cannot be written.
    """
    if n_workers < 1:
        raise DatasetError(f"workers is {n_workers}; it must be 1 or more")
    shards = list(list_shards(plan))
    try:
        records = open_folder(plan, folder)
        n_done = sum(len(shard.indices) for shard in shards if shard.file in records)
        on_progress("images", n_done, plan.n_images)
        todo = [shard for shard in shards if shard.file not in records]
        for record in _draw_shards(plan, folder, todo, n_workers):
            records[record.file] = record
            n_done += record.n_samples + len(record.not_drawn)
            on_progress("images", n_done, plan.n_images)
        return close_folder(plan, folder, [records[shard.file] for shard in shards])
    except OSError as error:
        raise DatasetError(_explain(folder, error)) from error


def draw_images(plan: Plan, shard: Shard) -> Iterator[Rendering | NotDrawn]:
    """Return the images of a shard, in order, and in their place those that cannot be drawn."""
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
    cv2.setNumThreads(1)  # The workers share the cores already.
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
    """Return the images/s of drawing and encoding a plan in this process, nothing written."""
    cv2.setNumThreads(1)
    begin = time.perf_counter()
    for shard in list_shards(plan):
        for image in draw_images(plan, shard):
            if not isinstance(image, NotDrawn):
                encode(image, plan.recipe.image_format)
    return plan.n_images / (time.perf_counter() - begin)


def _draw_shards(
    plan: Plan, folder: Path, shards: Sequence[Shard], n_workers: int
) -> Iterator[ShardRecord]:
    """Return the records of shards as they are finished, in any order."""
    n_workers = min(n_workers, len(shards))
    if n_workers <= 1:
        yield from (draw_shard(plan, folder, shard) for shard in shards)
        return
    pool = concurrent.futures.ProcessPoolExecutor(
        n_workers,
        # A forked child would inherit the locks of OpenCV's and FreeType's threads.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_worker,
        initargs=(plan, folder),
    )
    try:
        tasks = [pool.submit(_draw_in_worker, shard) for shard in shards]
        for task in concurrent.futures.as_completed(tasks):
            yield task.result()
    except concurrent.futures.process.BrokenProcessPool as error:
        raise DatasetError(
            f"a worker was killed, perhaps for want of memory; what is in {folder} is whole, "
            "so run the same command again, with fewer --workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_worker: dict[str, Any] = {}
"""The plan and the folder of a worker process: sent to it once, not with every shard."""


def _begin_worker(plan: Plan, folder: Path) -> None:
    # The parent alone answers Ctrl-C: it lets the shards in hand be finished.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    _worker.update(plan=plan, folder=folder)


def _leave_with_parent() -> None:
    """End this process with its parent, which a SIGKILL may take without a word."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _draw_in_worker(shard: Shard) -> ShardRecord:
    return draw_shard(_worker["plan"], _worker["folder"], shard)


def _explain(folder: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return (
            f"the disk of {folder} is full; what is finished there is whole, "
            "so make room and run the same command again"
        )
    return f"{folder} cannot be written ({error}); mend that and run the same command again"
