"""The stages of a probe: images -> vectors -> outcomes, then more levels where curves fall.

Each stage keeps its vectors in its own folder until all is done, so that a killed run can reuse
them: equal answers lead to equal levels. Under torchrun the first process decides and writes
its decision next to the vectors; the others read it there.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pandas as pd

from probes.data.designs import add_levels
from probes.data.stimuli import name_drawn
from probes.data.trials import Chunk, Trial
from probes.embeddings.images import (
    N_THREADS,
    PATIENCE_S,
    POLL_S,
    Embedded,
    Share,
    Stats,
    embed_renderings,
    read_share,
    stamp_chunks,
)
from probes.errors import ProbeError
from probes.models.base import Model
from probes.tasks.base import Question, Task
from probes.tasks.stages import Decision, Stages, decide_look, note_confidence
from synthtext.drawing.fonts import read_catalogue
from synthtext.storage import write_whole


@dataclass(frozen=True)
class Shown:
    """The images of a stage.

    Attributes:
        trials: one for each image.
        chunks: draw or read them.
        stimuli: identifies them as a cache key.
    """

    trials: tuple[Trial, ...]
    chunks: Sequence[Chunk]
    stimuli: str


@dataclass(frozen=True)
class Looked:
    """The results of all stages.

    Attributes:
        trials: the trials of all stages, in order.
        outcomes: a row per image, or several.
        scan: vectors of the first stage.
        stats: time and throughput of the encoder.
        decisions: the result of each stage for each curve.
    """

    trials: tuple[Trial, ...]
    outcomes: pd.DataFrame
    scan: Embedded
    stats: Stats
    decisions: tuple[Decision, ...]


def run_looks(  # noqa: PLR0913 - each is a separate setting of one run.
    model: Model,
    question: Question,
    task: Task,
    scan: Shown,
    folder: Path,
    *,
    stages: Stages | None = None,
    n_threads: int = N_THREADS,
    share: Share | None = None,
) -> Looked | None:
    """Return the results of a coarse scan, and of the levels that were added to it.

    Args:
        model: embeds the images.
        question: the question about them.
        task: the task.
        scan: the first stage.
        folder: keeps the vectors.
        stages: how far to go; None means only the scan.
        n_threads: number of threads that draw or decode chunks ahead of the encoder.
        share: the part of this process; None takes it from torchrun.

    Returns:
        None under torchrun for every process but the first.
    """
    share = share or read_share()
    stamp = _stamp(model, question, scan, stages)
    shown, first = scan, None
    trials: list[Trial] = []
    tables: list[pd.DataFrame] = []
    stats: list[Stats] = []
    decisions: list[Decision] = []
    for look in itertools.count(1):
        embedded, took = _embed(
            model, task, shown, folder / str(look), n_threads=n_threads, share=share
        )
        stats.append(took)
        if embedded is None:
            added = _await_levels(folder, look, stamp) if stages else []
        else:
            first = first or embedded
            trials += shown.trials
            tables.append(task.ask(question, model, shown.trials, embedded))
            added = _decide(pd.concat(tables, ignore_index=True), look, stages, decisions)
            decisions += added
            _leave_levels(folder, look, stamp, added, share)
        added = [decision for decision in added if decision.levels]
        if not added:
            break
        shown = _show_added(task, scan.trials, added)
    if first is None:
        return None
    outcomes = pd.concat(tables, ignore_index=True)
    if stages:
        outcomes = note_confidence(outcomes, decisions)
    return Looked(tuple(trials), outcomes, first, _sum_stats(stats), tuple(decisions))


def _embed(
    model: Model, task: Task, shown: Shown, folder: Path, *, n_threads: int, share: Share
) -> tuple[Embedded | None, Stats]:
    return embed_renderings(
        model,
        shown.chunks,
        folder,
        stimuli=shown.stimuli,
        expected=[trial.key for trial in shown.trials] if task.n_views == 1 else None,
        n_threads=n_threads,
        share=share,
    )


def _decide(
    outcomes: pd.DataFrame, look: int, stages: Stages | None, before: Sequence[Decision]
) -> list[Decision]:
    if stages is None:
        return []
    done = {(each.factor, each.baseline) for each in before if not each.levels}
    return decide_look(outcomes, look, stages, done)


def _show_added(task: Task, scan: Sequence[Trial], added: Sequence[Decision]) -> Shown:
    trials = [
        trial
        for each in added
        for trial in add_levels(scan, each.factor, each.baseline, each.levels, each.look + 1)
    ]
    stimuli = f"{task.n_views > 1} {name_drawn(trials, read_catalogue())}"
    return Shown(tuple(trials), task.draw(trials), stimuli)


def _sum_stats(stats: Sequence[Stats]) -> Stats:
    totals = np.array([dataclasses.astuple(each) for each in stats]).sum(axis=0).tolist()
    return Stats(int(totals[0]), int(totals[1]), totals[2], totals[3])


def _stamp(model: Model, question: Question, scan: Shown, stages: Stages | None) -> str:
    """Return a string that identifies everything that determines the levels."""
    return stamp_chunks(model, f"{scan.stimuli} {question} {stages}", 1)[0]


def _leave_levels(
    folder: Path, look: int, stamp: str, added: Sequence[Decision], share: Share
) -> None:
    """Write the decision of a stage, for the other processes."""
    if share.world_size > 1:
        with write_whole(folder / f"{look}.json") as file:
            file.write(orjson.dumps([stamp, [dataclasses.asdict(each) for each in added]]))


def _await_levels(folder: Path, look: int, stamp: str) -> list[Decision]:
    """Return the decision of the first process about a stage; nothing if it has finished."""
    path = folder / f"{look}.json"
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if not folder.exists():
            return []
        with suppress(OSError):
            found, added = orjson.loads(path.read_bytes())
            if found == stamp:
                return [Decision(**{**each, "levels": tuple(each["levels"])}) for each in added]
        time.sleep(POLL_S)
    raise ProbeError(
        f"{path} did not appear within {PATIENCE_S:g} s; the first process has stopped, so run"
        " the same command again"
    )
