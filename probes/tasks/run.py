"""A complete probe: images -> vectors -> outcomes, in a folder of results."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from probes.arrays import Pixels, Vectors
from probes.data.designs import name_fonts
from probes.data.rendered import is_published, read_trials
from probes.data.stimuli import name_drawn, name_stimuli
from probes.data.trials import ALL, Chunk, Trial
from probes.embeddings.images import FOLDER, Embedded, Share, Stats
from probes.embeddings.texts import find_cache_folder
from probes.errors import ProbeError
from probes.models.base import Encoder, Model
from probes.readers.base import WatchedReader
from probes.readers.responses import Responses
from probes.tasks.base import (
    HEADLINE_K,
    Question,
    Task,
    choose_templates,
    list_readable,
    load_task,
)
from probes.tasks.chance import ask_beside_blank
from probes.tasks.config import ProbeConfig, check_names
from probes.tasks.looks import Shown, run_looks
from probes.tasks.outcomes import write_outcomes
from probes.tasks.stages import Decision, Stages
from probes.tasks.vocabulary import PROTOCOL, Candidates, list_candidates
from synthtext.dataset.generate import OnProgress
from synthtext.drawing.fonts import read_catalogue

Count = Callable[[int], None]
"""Called with the number of items that were completed since the last call."""


@dataclass(frozen=True)
class Probe:
    """The images and the outcomes of a probe.

    Attributes:
        model: the model that was probed.
        question: the question.
        trials: the images.
        outcomes: a row per image.
        stats: time and throughput of the encoder.
        by_template: accuracy with each of several prompts alone.
        broken: files that cannot be read and were left out.
        data: the dataset that the images were read from; None if they were drawn.
        split: split of the dataset, or `all`; empty if the images were drawn.
        decisions: the result of each stage for each curve; empty if no levels were to be added.
        linear: results of a linear probe, from `describe_linear`; None without one.
    """

    model: Model
    question: Question
    trials: tuple[Trial, ...]
    outcomes: pd.DataFrame
    stats: Stats
    by_template: dict[str, float]
    broken: tuple[str, ...] = ()
    data: Path | None = None
    split: str = ""
    decisions: tuple[Decision, ...] = ()
    linear: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ProbeImages:
    """The images of a probe, before any level is added.

    Attributes:
        trials: one for each image.
        chunks: draw or read the images, in the same order.
        candidates: texts to choose among.
        named: the cache key of these images.
        broken: files that cannot be read and were left out.
    """

    trials: list[Trial]
    chunks: list[Chunk]
    candidates: Candidates
    named: str
    broken: tuple[str, ...] = ()


class _Watched:
    """An encoder that reports how many images and texts are done."""

    def __init__(self, encoder: Encoder, count_pictures: Count, count_texts: Count) -> None:
        self._encoder = encoder
        self._count_pictures = count_pictures
        self._count_texts = count_texts

    def embed_images(self, images: Sequence[Pixels]) -> Vectors:
        vectors = self._encoder.embed_images(images)
        self._count_pictures(len(images))
        return vectors

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        vectors = self._encoder.embed_texts(texts)
        self._count_texts(len(texts))
        return vectors


def watch(model: Model, n_pictures: int | None, on_progress: OnProgress) -> Model:
    """Return the model with an encoder that reports progress."""

    def count(unit: str, n_all: int | None) -> Count:
        n_done = 0

        def add(n: int) -> None:
            nonlocal n_done
            n_done += n
            # Added levels raise the total beyond that of the scan.
            on_progress(unit, n_done, None if n_all is None else max(n_all, n_done))

        return add

    pictures = count("images", n_pictures)
    if model.reader is not None:
        return replace(model, reader=WatchedReader(model.reader, model.name, pictures))
    return replace(model, encoder=_Watched(model.encoder, pictures, count("texts", None)))


def run_probe(
    model: Model,
    config: ProbeConfig,
    out: Path,
    *,
    on_progress: OnProgress = lambda *_: None,
    share: Share | None = None,
) -> Probe | None:
    """Probe a model, write `outcomes.parquet` into a folder, and return the outcomes.

    Vectors are kept in the folder until the outcomes are written, so that a killed run resumes
    where it stopped.

    Args:
        model: from `load_model`, or any `Model` around an encoder.
        config: the settings.
        out: folder of results; created if needed.
        on_progress: called as images and texts are embedded.
        share: the part of this process; None takes it from torchrun.

    Returns:
        None under torchrun for every process but the first.

    Raises:
        ProbeError: the probe cannot be run with these settings.
    """
    task = check_config(config)
    check_reader(task, model, config)
    task = replace(task, ask=ask_beside_blank(task))
    found = show_images(config, task)
    trials = found.trials
    question = Question(
        task=config.task,
        candidates=found.candidates,
        templates=config.templates or choose_templates(task, model),
        ks=config.ks,
        headline=HEADLINE_K,
        seed=config.seed,
        cache_folder=find_cache_folder(),
    )
    # One additional white image, to measure chance.
    watched = watch(model, task.n_views * len(trials) + 1, on_progress)
    scan = Shown(tuple(trials), found.chunks, f"{task.n_views > 1} {found.named}")
    stages = _choose_stages(config, task, model, trials)
    looked = run_looks(
        watched, question, task, scan, out / FOLDER,
        stages=stages, n_threads=config.n_workers, share=share,
    )  # fmt: skip
    if looked is None:
        return None
    outcomes = looked.outcomes.assign(protocol=PROTOCOL)
    write_outcomes(out / "outcomes.parquet", outcomes)
    several = len(question.templates) > 1
    by_template = _measure_templates(question, watched, trials, looked.scan) if several else {}
    shutil.rmtree(out / FOLDER)
    return Probe(
        model, question, looked.trials, outcomes, looked.stats, by_template,
        found.broken, config.data, _name_split(config, trials), looked.decisions,
    )  # fmt: skip


def _name_split(config: ProbeConfig, trials: Sequence[Trial]) -> str:
    """Return the split that was read, `all` by default, empty if there is no dataset."""
    if config.data is None:
        return ""
    return config.split or (trials[0].spec.split if trials[0].file else ALL)


def _choose_stages(
    config: ProbeConfig, task: Task, model: Model, scan: Sequence[Trial]
) -> Stages | None:
    """Return how far to go after the scan, or None if no level can be added.

    Answers collected elsewhere exist only for the images of the scan.

    Raises:
        ProbeError: the budget is too small for the scan.
    """
    if config.budget is not None and config.budget < len(scan):
        raise ProbeError(
            f"the budget is {config.budget:,} images, but the coarse scan has {len(scan):,};"
            " give more, or fewer words or factors"
        )
    is_collected = isinstance(model.reader, Responses)
    if config.width is None or config.data is not None or not task.has_curves or is_collected:
        return None
    return Stages(config.width, config.budget)


def show_images(config: ProbeConfig, task: Task) -> ProbeImages:
    """Return the images of a config, drawn or read on demand.

    Raises:
        ProbeError: a dataset is empty, or does not record the texts of its images although
            the task needs them.
    """
    if config.data is not None and task.read is not None:
        found, candidates = task.read(config)
        named = name_stimuli(found.trials, found.files)
        return ProbeImages(found.trials, found.chunks, candidates, named, found.broken)
    if config.data is not None:
        split = config.split or (None if is_published(config.data) else ALL)
        found = read_trials(
            config.data, split, verify=config.verify, limit=config.limit, seed=config.seed
        )
        if not found.trials:
            raise ProbeError(f"{config.data} has no images; give a dataset that has some")
        if found.trials[0].file and task.needs_text:
            raise ProbeError(
                f"{config.data} does not record the texts of its images; use --task sentiment"
            )
        named = name_stimuli(found.trials, found.files)
        texts = {trial.spec.text for trial in found.trials}
        candidates = list_candidates(
            texts, config.vocabulary, rivals=config.rivals, seed=config.seed
        )
        return ProbeImages(found.trials, found.chunks, candidates, named, found.broken)
    fonts = read_catalogue()
    trials, candidates = task.show(config)
    trials = name_fonts(trials, fonts)
    return ProbeImages(trials, task.draw(trials), candidates, name_drawn(trials, fonts))


def check_config(config: ProbeConfig) -> Task:
    """Return the task of a config, or raise if the config does not suit it.

    Raises:
        ProbeError: as in `check_names`, or data that the task does not use.
    """
    check_names(config)
    task = load_task(config.task)
    if config.data is not None and not task.takes_data:
        raise ProbeError(f"the task {task.name} draws its own images; leave out --data")
    return task


def check_reader(task: Task, model: Model, config: ProbeConfig) -> None:
    """Refuse to use a reader that returns text for tasks that need vectors, or with prompts.

    Raises:
        ProbeError: the task needs vectors, or prompts are given.
    """
    if model.reader is None:
        return
    if not task.takes_readers:
        able = ", ".join(list_readable())
        raise ProbeError(
            f"{model.name} returns text, and the task {task.name} needs embeddings; choose"
            f" {able}"
        )
    if config.templates:
        raise ProbeError(f"{model.name} returns text; leave out the prompts")


def _measure_templates(
    question: Question, model: Model, trials: Sequence[Trial], embedded: Embedded
) -> dict[str, float]:
    """Return the accuracy with each prompt instead of the mean over all of them."""
    return {
        template: float(
            load_task(question.task)
            .ask(replace(question, templates=(template,)), model, trials, embedded)["correct"]
            .mean()
        )
        for template in question.templates
    }
