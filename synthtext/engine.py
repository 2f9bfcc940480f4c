"""The engine: tasks -> their results, by this process or by several on this machine."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import cv2

from synthtext.errors import DatasetError

Task = TypeVar("Task")
Result = TypeVar("Result")


def check_workers(n_workers: int) -> None:
    """Say at once that there must be somebody to do the work."""
    if n_workers < 1:
        raise DatasetError(f"workers is {n_workers}; it must be 1 or more")


def run_tasks(
    work: Callable[[Task], Result], tasks: Sequence[Task], n_workers: int
) -> Iterator[Result]:
    """Return the results of tasks as they are finished, in any order.

    Args:
        work: does one; it is sent to each worker once, so it may carry much.
        tasks: what is to be done, small.
        n_workers: processes, 1 or more; 1 works in this one.

    Raises:
        DatasetError: there are no workers, or one was killed.
    """
    check_workers(n_workers)
    cv2.setNumThreads(1)  # The workers share the cores already.
    n_workers = min(n_workers, len(tasks))
    return map(work, tasks) if n_workers <= 1 else _run_pool(work, tasks, n_workers)


def _run_pool(
    work: Callable[[Task], Result], tasks: Sequence[Task], n_workers: int
) -> Iterator[Result]:
    pool = concurrent.futures.ProcessPoolExecutor(
        n_workers,
        # A forked child would inherit the locks of OpenCV's and FreeType's threads.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_worker,
        initargs=(work,),
    )
    try:
        begun = [pool.submit(_work, task) for task in tasks]
        for task in concurrent.futures.as_completed(begun):
            yield task.result()
    except concurrent.futures.process.BrokenProcessPool as error:
        raise DatasetError(
            "a worker was killed, perhaps for want of memory; what is finished is whole, "
            "so run the same command again, with fewer --workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_worker: dict[str, Any] = {}
"""What a worker process does: sent to it once, not with every task."""


def _begin_worker(work: Callable[[Any], Any]) -> None:
    # The parent alone answers Ctrl-C: it lets the tasks in hand be finished.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    _worker["work"] = work


def _leave_with_parent() -> None:
    """End this process with its parent, which a SIGKILL may take without a word."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(task: Any) -> Any:  # noqa: ANN401 - the results are those of the work.
    return _worker["work"](task)
