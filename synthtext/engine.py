"""The engine: tasks -> their results, by this process, by several, or by a cluster."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import cv2

from synthtext.errors import DatasetError

LOCAL = "local"

N_AHEAD = 4
"""Tasks for each processor of a cluster that are handed out ahead of time."""

Task = TypeVar("Task")
Result = TypeVar("Result")


def check_engine(engine: str, n_workers: int) -> None:
    """Say at once that there must be somebody to do the work.

    Raises:
        DatasetError: no such engine, or no workers.
    """
    if engine not in ENGINES:
        raise DatasetError(f"engine is {engine!r}; it is {' or '.join(ENGINES)}")
    if n_workers < 1:
        raise DatasetError(f"workers is {n_workers}; it must be 1 or more")


def run_tasks(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    n_workers: int,
    engine: str = LOCAL,
) -> Iterator[Result]:
    """Return the results of tasks as they are finished, in any order.

    Args:
        work: does one; it is sent to each worker once, so it may carry much.
        tasks: what is to be done, small.
        n_workers: processes, 1 or more; for `local` 1 works in this one.
        engine: one of `ENGINES`.

    Raises:
        DatasetError: there are no workers, or one was killed.
    """
    check_engine(engine, n_workers)
    cv2.setNumThreads(1)  # The workers share the cores already.
    if engine == LOCAL and min(n_workers, len(tasks)) <= 1:
        return map(work, tasks)
    return ENGINES[engine](work, tasks, n_workers)


def _run_on_ray(
    work: Callable[[Task], Result], tasks: Sequence[Task], n_workers: int
) -> Iterator[Result]:
    """Return the results from a Ray cluster: that of RAY_ADDRESS, or one of this machine.

    The tasks of a worker or a node that is lost are done again by others.
    """
    try:
        import ray
    except ImportError as error:
        raise DatasetError(
            "the engine ray needs ray; type: pip install 'synthtext[ray]'"
        ) from error
    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS")
        own = {} if address else {"num_cpus": n_workers, "include_dashboard": False}
        ray.init(address=address, log_to_driver=False, logging_level="error", **own)
    remote = ray.remote(num_cpus=1, max_retries=-1)(_work_on_ray)
    shared, waiting = ray.put(work), list(reversed(tasks))
    n_ahead = N_AHEAD * max(1, int(ray.cluster_resources().get("CPU", n_workers)))
    begun: list[Any] = []
    try:
        while waiting or begun:
            while waiting and len(begun) < n_ahead:
                begun.append(remote.remote(shared, waiting.pop()))
            done, begun = ray.wait(begun)
            yield from ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    finally:
        for task in begun:
            ray.cancel(task)


def _work_on_ray(work: Callable[[Any], Any], task: Any) -> Any:  # noqa: ANN401
    cv2.setNumThreads(1)
    return work(task)


def _run_pool(
    work: Callable[[Task], Result], tasks: Sequence[Task], n_workers: int
) -> Iterator[Result]:
    n_workers = min(n_workers, len(tasks))
    others = set(multiprocessing.active_children())
    # By way of a file: a process that dies while it is made would leave this one waiting to
    # hand it what does not fit into a pipe.
    with tempfile.NamedTemporaryFile(prefix="synthtext-") as file:
        pickle.dump(work, file)
        file.flush()
        pool = concurrent.futures.ProcessPoolExecutor(
            n_workers,
            # A forked child would inherit the locks of OpenCV's and FreeType's threads.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin_worker,
            initargs=(file.name,),
        )
        try:
            begun = [pool.submit(_work, task) for task in tasks]
            for task in concurrent.futures.as_completed(begun):
                yield task.result()
        except concurrent.futures.process.BrokenProcessPool as error:
            # The pool asks the others to end and waits for them, but one that is just being
            # made does not hear it.
            for child in set(multiprocessing.active_children()) - others:
                child.kill()
            raise DatasetError(
                "a worker was killed, perhaps for want of memory; what is finished is whole, "
                "so run the same command again, with fewer --workers"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


_worker: dict[str, Any] = {}
"""What a worker process does: sent to it once, not with every task."""


def _begin_worker(file: str) -> None:
    # The parent alone answers Ctrl-C: it lets the tasks in hand be finished.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    _worker["work"] = pickle.loads(Path(file).read_bytes())


def _leave_with_parent() -> None:
    """End this process with its parent, which a SIGKILL may take without a word."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(task: Any) -> Any:  # noqa: ANN401 - the results are those of the work.
    return _worker["work"](task)


ENGINES: dict[str, Callable[..., Iterator[Any]]] = {LOCAL: _run_pool, "ray": _run_on_ray}
"""What tasks run on: processes of this machine, or a Ray cluster."""
