"""A probe from end to end: images -> vectors -> outcomes, in a folder of results."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from probes.arrays import Pixels, Vectors
from probes.data.designs import name_fonts
from probes.data.rendered import read_trials
from probes.data.stimuli import name_drawn, name_stimuli
from probes.data.trials import Trial
from probes.embeddings.images import FOLDER, Embedded, Share, Stats, embed_renderings
from probes.embeddings.texts import find_cache_folder
from probes.errors import ProbeError
from probes.models.base import Encoder, Model
from probes.tasks.base import HEADLINE_K, ProbeConfig, Question, Task, choose_templates
from probes.tasks.chance import ask_beside_blank
from probes.tasks.outcomes import write_outcomes
from probes.tasks.registry import TASKS
from probes.tasks.vocabulary import (
    N_POOL,
    PROTOCOL,
    RIVALS,
    Candidates,
    merge_cases,
    shuffle_texts,
    sort_by_frequency,
)
from synthtext.dataset.generate import OnProgress
from synthtext.drawing.fonts import read_catalogue
from synthtext.texts.words import read_words


@dataclass(frozen=True)
class Probe:
    """What a probe showed and what came of it.

    Attributes:
        model: what was probed.
        question: what was asked.
        trials: the pictures.
        outcomes: a row per picture.
        stats: what the encoder took.
        by_template: share read right with each of several prompts alone.
        broken: files that cannot be read, left out.
        data: the dataset that the pictures were read from; None if they were drawn.
    """

    model: Model
    question: Question
    trials: tuple[Trial, ...]
    outcomes: pd.DataFrame
    stats: Stats
    by_template: dict[str, float]
    broken: tuple[str, ...] = ()
    data: Path | None = None


class _Watched:
    """An encoder that says how many pictures and texts are done."""

    def __init__(
        self, encoder: Encoder, n_pictures: int | None, on_progress: OnProgress
    ) -> None:
        self._encoder = encoder
        self._n_pictures = n_pictures
        self._on_progress = on_progress
        self._n_done = {"pictures": 0, "texts": 0}

    def embed_images(self, images: Sequence[Pixels]) -> Vectors:
        vectors = self._encoder.embed_images(images)
        self._count("pictures", len(images), self._n_pictures)
        return vectors

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        vectors = self._encoder.embed_texts(texts)
        self._count("texts", len(texts), None)
        return vectors

    def _count(self, unit: str, n: int, n_all: int | None) -> None:
        self._n_done[unit] += n
        self._on_progress(unit, self._n_done[unit], n_all)


def watch(model: Model, n_pictures: int | None, on_progress: OnProgress) -> Model:
    """Return the model, saying how many of its pictures and texts are done."""
    return replace(model, encoder=_Watched(model.encoder, n_pictures, on_progress))


def run_probe(
    model: Model,
    config: ProbeConfig,
    out: Path,
    *,
    on_progress: OnProgress = lambda *_: None,
    share: Share | None = None,
) -> Probe | None:
    """Probe a model, write `outcomes.parquet` into a folder, and return what came of it.

    Vectors are kept in the folder until the outcomes are written, so a run that was killed is
    taken up where it stopped.

    Args:
        model: from `load_model`, or any `Model` around an encoder.
        config: what to ask.
        out: folder of results; made if need be.
        on_progress: called as pictures and texts are embedded.
        share: of this process; None takes what torchrun gives it.

    Returns:
        None under torchrun for every process but the first.

    Raises:
        ProbeError: the probe cannot be run as asked.
    """
    task = check_config(config)
    ask = ask_beside_blank(task)
    broken: tuple[str, ...] = ()
    if config.data is not None:
        shown = read_trials(config.data, verify=config.verify)
        trials, chunks, broken = shown.trials, shown.chunks, shown.broken
        if trials[0].file and task.needs_text:
            raise ProbeError(
                f"{config.data} does not say what is written in its pictures;"
                " ask for --task sentiment"
            )
        candidates = list_candidates(config, trials)
        named = name_stimuli(trials, shown.files)
    else:
        fonts = read_catalogue()
        trials, candidates = task.show(config)
        trials = name_fonts(trials, fonts)
        named = name_drawn(trials, fonts)
        chunks = task.draw(trials)
    question = Question(
        task=config.task,
        candidates=candidates,
        templates=config.templates or choose_templates(task, model),
        ks=config.ks,
        headline=HEADLINE_K,
        seed=config.seed,
        cache_folder=find_cache_folder(),
    )
    # One more, which is white, to measure chance by.
    model = watch(model, task.n_views * len(trials) + 1, on_progress)
    embedded, stats = embed_renderings(
        model,
        chunks,
        out / FOLDER,
        stimuli=f"{task.n_views > 1} {named}",
        expected=[trial.key for trial in trials] if task.n_views == 1 else None,
        share=share,
    )
    if embedded is None:
        return None
    outcomes = ask(question, model, trials, embedded).assign(protocol=PROTOCOL)
    write_outcomes(out / "outcomes.parquet", outcomes)
    several = len(question.templates) > 1
    by_template = _measure_templates(question, model, trials, embedded) if several else {}
    shutil.rmtree(out / FOLDER)
    return Probe(
        model, question, tuple(trials), outcomes, stats, by_template, broken, config.data
    )


def check_config(config: ProbeConfig) -> Task:
    """Return the task of a config, or say what of it cannot be asked.

    Raises:
        ProbeError: no such task, fewer than 2 words to a level, or data that is not used.
    """
    if config.task not in TASKS:
        raise ProbeError(f"no task {config.task!r}; there are {', '.join(TASKS)}")
    if config.n < 2:
        raise ProbeError(f"n is {config.n}; a level needs 2 words or more")
    if config.rivals not in RIVALS:
        raise ProbeError(f"rivals is {config.rivals!r}; it may be {' or '.join(RIVALS)}")
    task = TASKS[config.task]
    if config.data is not None and not task.takes_data:
        raise ProbeError(f"the task {task.name} draws its own pictures; leave out --data")
    return task


def _measure_templates(
    question: Question, model: Model, trials: Sequence[Trial], embedded: Embedded
) -> dict[str, float]:
    """Return the share read right with each prompt instead of the mean over all of them."""
    return {
        template: float(
            TASKS[question.task]
            .ask(replace(question, templates=(template,)), model, trials, embedded)["correct"]
            .mean()
        )
        for template in question.templates
    }


def list_candidates(config: ProbeConfig, trials: Sequence[Trial]) -> Candidates:
    """Return the texts of a dataset, each once, and words of a vocabulary to fill them up."""
    shown = shuffle_texts(sorted({trial.spec.text for trial in trials}), config.seed)
    if config.vocabulary is None:
        return Candidates(tuple(shown), len(shown), rivals=config.rivals)
    known = {text.casefold() for text in shown}
    words = merge_cases(read_words(config.vocabulary).items)
    spare = [word for word in sort_by_frequency(words) if word.casefold() not in known][:N_POOL]
    return Candidates((*shown, *spare), len(shown), n_spare=len(spare), rivals=config.rivals)
