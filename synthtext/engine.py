"""The engine: tasks -> their results, in this process, in several, or on a cluster."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess as Worker
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar, cast

import cv2

from synthtext.errors import DatasetError
from synthtext.signals import ENDING
from synthtext.storage import remove_own_parts

LOCAL = "local"

N_AHEAD = 4
"""Number of tasks submitted in advance for each processor of a cluster."""

GRACE_S = 5.0
"""How long a worker may take to clean up before it is killed."""

Task = TypeVar("Task")
Result = TypeVar("Result")


def check_engine(engine: str, n_workers: int) -> None:
    """Refuse invalid engines and numbers of workers at once.

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
) -> Generator[Result]:
    """Return the results of tasks as they finish, in any order.

    Args:
        work: does one task; it is sent to each worker once, so it may be large.
        tasks: the tasks, which should be small.
        n_workers: number of processes, 1 or more; with `local`, 1 means this process.
        engine: one of `ENGINES`.

    Raises:
        DatasetError: there are no workers, or one was killed.
    """
    check_engine(engine, n_workers)
    cv2.setNumThreads(1)  # The workers already share the cores.
    if engine == LOCAL and min(n_workers, len(tasks)) <= 1:
        return (work(task) for task in tasks)
    return ENGINES[engine](work, tasks, n_workers)


def _run_on_ray(
    work: Callable[[Task], Result], tasks: Sequence[Task], n_workers: int
) -> Generator[Result]:
    """Return the results from a Ray cluster: that of RAY_ADDRESS, or one on this machine.

    If a worker or a node is lost, its tasks are repeated elsewhere.
    """
    try:
        import ray
    except ImportError as error:
        raise DatasetError(
            "the engine ray needs ray; run: pip install 'synthtext[ray]'"
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
) -> Generator[Result]:
    """Return the results from processes on this machine, which end with this process.

    Each gets one task, and a second one in advance while there are many. No locks or threads
    are shared with this process, so that nothing waits for a process that has died.
    """
    waiting = list(reversed(tasks))
    crew: dict[Connection, Worker] = {}
    # Passed in a file, which they read concurrently, since it is too large for a pipe.
    with tempfile.NamedTemporaryFile(prefix="synthtext-") as file:
        pickle.dump(work, file)
        file.flush()
        try:
            for _ in range(min(n_workers, len(tasks))):
                _start_worker(file.name, crew)
            handed = dict.fromkeys(crew, 0)
            for link in crew:
                _hand_out(link, waiting, handed)
            while crew:
                for link in cast("list[Connection]", wait(list(crew))):
                    with _explain_loss():
                        is_done, result = link.recv()
                    handed[link] -= 1
                    _hand_out(link, waiting, handed)
                    if not handed[link]:
                        _dismiss(link, crew)
                    if not is_done:
                        raise result
                    yield result
        finally:
            _end_workers(list(crew.values()))


def _hand_out(link: Connection, waiting: list[Any], handed: dict[Connection, int]) -> None:
    """Hand tasks to a worker, so that it has one or, while there are many, two."""
    while waiting and handed[link] < (2 if len(waiting) > 2 * len(handed) else 1):
        with _explain_loss():
            link.send(waiting.pop())
        handed[link] += 1


@contextmanager
def _explain_loss() -> Iterator[None]:
    """Raise a clear error if the other end of a connection is gone."""
    try:
        yield
    except (EOFError, OSError) as error:
        raise DatasetError(
            "a worker was killed, perhaps for lack of memory; what is finished is complete,"
            " so run the same command again, with fewer --workers"
        ) from error


def _start_worker(file: str, crew: dict[Connection, Worker]) -> None:
    """Start a process that runs the function in a file, and add it to the crew."""
    # A forked child would inherit the locks of OpenCV's and FreeType's threads.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    resource_tracker.ensure_running()  # Its start would unblock the signals blocked below.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        # Signals are blocked until a new process can handle them, or one would be a traceback.
        worker = context.Process(target=_serve, args=(file, theirs), daemon=True)
        worker.start()
        crew[ours] = worker
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    theirs.close()


def _dismiss(link: Connection, crew: dict[Connection, Worker]) -> None:
    """Stop a worker for which no task is left."""
    worker = crew.pop(link)
    link.close()
    worker.join()


def _end_workers(workers: Sequence[Worker]) -> None:
    """End processes and remove their half-written files."""
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(GRACE_S)
        if worker.is_alive():
            worker.kill()
            worker.join()


def _serve(file: str, link: Connection) -> None:
    """Do tasks as they arrive, until the other end of the connection is closed."""
    # Only the parent reacts to the terminal; it then ends its workers with SIGTERM.
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    work = pickle.loads(Path(file).read_bytes())
    with suppress(EOFError):
        while True:
            task = link.recv()
            try:
                answer = True, work(task)
            except Exception as error:  # noqa: BLE001 - it is raised again by the parent.
                error.add_note("".join(traceback.format_exception(error)))
                answer = False, error
            link.send(answer)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # Cleaning up must not be interrupted.
    raise SystemExit(128 + number)


def _leave_with_parent() -> None:
    """End this process when its parent ends, even by SIGKILL."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_S)
        # The main thread may wait for a slow disk, or a library swallowed its exception.
        remove_own_parts()
        os._exit(1)


ENGINES: dict[str, Callable[..., Generator[Any]]] = {LOCAL: _run_pool, "ray": _run_on_ray}
"""The engines: processes of this machine, or a Ray cluster."""
