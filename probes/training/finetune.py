"""Fine-tuning: a model and shards -> a model that reads better, and the proof of it."""

from __future__ import annotations

import copy
import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from probes.arrays import Vectors
from probes.data.labelled import draw_album
from probes.data.pairs import keep_pairs
from probes.data.rendered import is_published, read_trials
from probes.data.stimuli import hash_files, name_stimuli
from probes.embeddings.images import Share, read_share
from probes.embeddings.texts import fill_template
from probes.errors import ProbeError
from probes.metrics.intervals import wilson
from probes.models.base import Model, identify_model
from probes.models.checkpoint import State
from probes.models.factory import Parts, follow_module, load_parts, make_reader
from probes.models.pretrained import RANDOM
from probes.models.save import save_model
from probes.tasks.base import ProbeConfig, choose_templates
from probes.tasks.classification import embed_album
from probes.tasks.registry import TASKS as PROBES
from probes.tasks.run import run_probe
from probes.training.arms import ARMS, Student
from probes.training.batch_sampler import KINDS
from probes.training.checkpoint import sketch_vectors
from probes.training.config import (
    TASKS,
    Setting,
    count_steps,
    cut_epoch,
    list_mixed,
    make_course,
    order_epoch,
    read_course_pairs,
    read_split,
)
from probes.training.gains import tabulate_factors, tabulate_gains
from probes.training.loader import Course, read_lessons
from probes.training.loop import Feed, OnProgress, Schedule, train
from probes.training.losses import LOSSES, LetterHead, list_letters
from probes.training.retention import (
    Keeper,
    Retention,
    make_keeper,
    measure_retention,
    read_words_of,
)
from probes.training.validation import Exam, read_exam
from probes.training.weight_averaging import ALPHAS, Mixture, choose_mixture, mix_states
from synthtext.dataset.manifest import list_files, read_manifest

N_EXAMINED = 512
"""Pictures of the split `val` that are read at each checkpoint and for each mixture."""


N_PSEUDOWORDS = 60
"""Pseudowords that are read before and after, at each size of a design."""

SHOWN = {"words": "words it was not taught", "sentiment": "reviews it was not taught"}
"""What the pictures of the split `test` show, by task."""

CLUSTERED = frozenset({"random", "image"})
"""Kinds of batches that make sense where there are two captions alone."""


MODEL_FOLDER = "model"


@dataclass(frozen=True)
class Trained:
    """A model that has been trained, and what it takes to judge it.

    Attributes:
        setting: with what it left open.
        schedule: likewise.
        parts: of the model, its module as training left it.
        before: the weights it began with.
        exam: words of the split `val`.
        history: scalars of the training.
    """

    setting: Setting
    schedule: Schedule
    parts: Parts
    before: State
    exam: Exam
    history: list[dict[str, float]]


@dataclass(frozen=True)
class Finetuned:
    """What came of a run.

    Attributes:
        setting: what was trained, on what, and how.
        schedule: the same, with what it left open.
        before: the model as it was.
        after: the model that was saved.
        history: scalars of the training.
        mixtures: what each share of what was learnt is worth; empty where none was tried.
        alpha: the share that was saved.
        gains: a row for each group of pictures, from `tabulate_gains`.
        factors: a row for each level of each factor, from `tabulate_factors`.
        outcomes: of the test split, before and after.
        retention: what was kept.
    """

    setting: Setting
    schedule: Schedule
    before: Model
    after: Model
    history: list[dict[str, float]]
    mixtures: list[Mixture]
    alpha: float
    gains: pd.DataFrame
    factors: pd.DataFrame
    outcomes: tuple[pd.DataFrame, pd.DataFrame]
    retention: Retention

    @property
    def k(self) -> int:
        """Candidates that the words of the test split were picked from."""
        return int(self.outcomes[0]["k"].iloc[0])


def run_finetune(
    setting: Setting, out: Path, *, on_progress: OnProgress = lambda *_: None
) -> Finetuned | None:
    """Train a model on a dataset, save what came of it as `out/model`, and return the proof.

    Args:
        setting: what to train, on what, and how.
        out: folder of the run, new or begun by the same setting.
        on_progress: called after every step, and as pictures are embedded.

    Returns:
        None under torchrun for every process but the first.

    Raises:
        ProbeError: the run cannot be made as asked.
    """
    # Known to be there before hours of training.
    read_split(setting.data, "test", task=setting.task, verify=setting.verify)
    trained = train_model(setting, out, on_progress=on_progress)
    if read_share().rank > 0:
        return None
    setting, parts = trained.setting, trained.parts
    before, learnt = trained.before, _copy_state(parts.module)
    keeper = make_keeper(setting, parts)
    mixtures: list[Mixture] = []
    alpha = 1.0
    if not ARMS[setting.arm].starts_random:
        mixtures = _try_mixtures(trained, learnt, keeper, on_progress)
    first = _look(setting, parts, before, keeper, out / "before", on_progress)
    if mixtures:
        alpha = choose_mixture(mixtures, _find_limit(setting, keeper, first.kept)).alpha
    chosen = mix_states(before, learnt, alpha)
    parts.module.load_state_dict(chosen)
    # Saved before it is proven, so that a run that is killed meanwhile loses nothing.
    own = setting.templates if setting.task == "words" else parts.source.prompts
    save_model(out / MODEL_FOLDER, parts, templates=own)
    last = _look(setting, parts, chosen, keeper, out / "after", on_progress)
    outcomes = (first.outcomes[setting.task], last.outcomes[setting.task])
    return Finetuned(
        setting=setting,
        schedule=trained.schedule,
        before=first.model,
        after=last.model,
        history=trained.history,
        mixtures=mixtures,
        alpha=alpha,
        gains=_gather_gains(setting, first, last),
        factors=tabulate_factors(*outcomes),
        outcomes=outcomes,
        retention=measure_retention(
            keeper.title, (first.kept, last.kept), (first.vectors, last.vectors)
        ),
    )


@dataclass(frozen=True)
class _Look:
    """A model before or after training, and what it made of the same pictures."""

    model: Model
    outcomes: dict[str, pd.DataFrame]
    kept: NDArray[np.bool_]
    vectors: Vectors


def train_model(
    setting: Setting, out: Path, *, on_progress: OnProgress = lambda *_: None
) -> Trained:
    """Train a model on the split `train` and return it, all that was learnt inside it.

    Args:
        setting: what to train, on what, and how.
        out: folder of the run, for its checkpoint and scalars.
        on_progress: called after every step.

    Raises:
        ProbeError: the run cannot be made as asked.
    """
    _check(setting)
    out.mkdir(parents=True, exist_ok=True)
    pretrained = RANDOM if ARMS[setting.arm].starts_random else setting.pretrained
    parts = load_parts(setting.model, pretrained=pretrained, device=setting.device)
    before = _copy_state(parts.module)
    reader = make_reader(parts, precision=setting.precision)
    templates = setting.templates or choose_templates(PROBES[setting.task], reader)
    setting = replace(setting, templates=templates)
    # What training leaves out is left out of what its weights are chosen by as well.
    shown = read_split(
        setting.data, "val", setting.exclude, task=setting.task, verify=setting.verify
    )
    shown = keep_pairs(shown, np.flatnonzero(~shown.is_marked))
    exam = read_exam(
        shown, N_EXAMINED, setting.seed, fit=parts.fit_pixels, tokenize=reader.tokenize
    )
    pairs, n_own = read_course_pairs(setting)
    course = make_course(setting, pairs, n_own, parts, reader)
    student = _make_student(setting, parts, pairs.captions[:n_own])
    learning = follow_module(reader, student.encode_image, student.encode_text)
    feed = _make_feed(
        setting, course, student, parts, lambda: read_words_of(setting, exam, learning)
    )
    schedule = replace(
        setting.schedule,
        n_steps=setting.schedule.n_steps or count_steps(setting, n_own),
        lr=setting.schedule.lr or ARMS[setting.arm].lr,
        lowers=reader.precision == "bf16",
    )
    run = _name_run(setting, schedule, reader)
    history = train(student, feed, schedule, out, run=run, on_progress=on_progress)
    student.finish()
    return Trained(setting, schedule, parts, before, exam, history)


def _make_feed(
    setting: Setting,
    course: Course,
    student: Student,
    parts: Parts,
    examine: Callable[[], NDArray[np.bool_]],
) -> Feed:
    return Feed(
        order=functools.partial(order_epoch, setting, course, student, parts),
        cut=functools.partial(cut_epoch, setting, course),
        read=functools.partial(
            read_lessons,
            course,
            fit=parts.fit_pixels,
            tokenizer=parts.tokenizer,
            letters=student.letters,
            seed=setting.seed,
        ),
        examine=lambda: {"val_accuracy": float(examine().mean())},
        originals=_freeze_original(student) if setting.schedule.distill else None,
        n_pairs=course.n_own,
        texts=sketch_vectors(course.vectors),
    )


def _make_student(setting: Setting, parts: Parts, captions: Sequence[str]) -> Student:
    letters = None
    torch.manual_seed(setting.seed)
    if setting.schedule.letters:
        letters = LetterHead(parts.source.config["embed_dim"], list_letters(captions))
    if setting.checkpointing:
        parts.module.set_grad_checkpointing()
    student = Student(parts.module, setting.arm, parts.source.preprocessing, letters)
    return student.to(parts.device)


def _freeze_original(student: Student) -> Callable[[Tensor], Tensor]:
    """Return what embeds pictures as the student does now, however it is trained on."""
    original = copy.deepcopy(student).eval().requires_grad_(requires_grad=False)
    return original.embed_images


def _try_mixtures(
    trained: Trained, learnt: State, keeper: Keeper, on_progress: OnProgress
) -> list[Mixture]:
    """Return what each share of what was learnt is worth."""
    setting, parts, album = trained.setting, trained.parts, draw_album()
    found: list[Mixture] = []
    originals = None
    for alpha in ALPHAS:
        parts.module.load_state_dict(mix_states(trained.before, learnt, alpha))
        model = make_reader(parts, precision=setting.precision)
        vectors = embed_album(model, album)
        originals = vectors if originals is None else originals
        found.append(
            Mixture(
                alpha=alpha,
                reading=float(read_words_of(setting, trained.exam, model).mean()),
                kept=float(keeper.ask(model).mean()),
                drift=float(1 - (vectors * originals).sum(axis=1).mean()),
            )
        )
        on_progress("mixtures", len(found), len(ALPHAS))
    return found


def _find_limit(setting: Setting, keeper: Keeper, right: NDArray[np.bool_]) -> float | None:
    """Return how far the share right may fall, None where the model knew nothing before."""
    low, _ = wilson(right.sum(), len(right))
    return setting.retention_limit if low > keeper.chance else None


def _look(
    setting: Setting,
    parts: Parts,
    state: State,
    keeper: Keeper,
    out: Path,
    on_progress: OnProgress,
) -> _Look:
    """Return what a model makes of the test split, of pseudowords, and what it kept."""
    parts.module.load_state_dict(state)
    model = make_reader(parts, precision=setting.precision)
    own = ProbeConfig(
        task=setting.task,
        data=setting.data,
        templates=setting.templates,
        seed=setting.seed,
        verify=setting.verify,
    )
    asked = {setting.task: own}
    if setting.task == "words":
        asked["pseudowords"] = replace(
            own, task="pseudowords", data=None, design="size", n=N_PSEUDOWORDS
        )
    outcomes = {}
    for name, each in asked.items():
        (out / name).mkdir(parents=True, exist_ok=True)
        probe = run_probe(model, each, out / name, on_progress=on_progress, share=Share())
        if probe is not None:  # As it is for the first process.
            outcomes[name] = probe.outcomes
    return _Look(model, outcomes, keeper.ask(model), embed_album(model, draw_album()))


def _gather_gains(setting: Setting, first: _Look, last: _Look) -> pd.DataFrame:
    titles = {setting.task: SHOWN[setting.task], "pseudowords": "pseudowords"}
    tables = [
        tabulate_gains(
            first.outcomes[name],
            last.outcomes[name],
            setting.exclude if name == setting.task else {},
            titles[name],
        )
        for name in first.outcomes
    ]
    return pd.concat(tables, ignore_index=True)


def _copy_state(module: Any) -> State:  # noqa: ANN401 - open_clip carries no types.
    return {name: part.detach().cpu().clone() for name, part in module.state_dict().items()}


def _name_run(setting: Setting, schedule: Schedule, reader: Model) -> str:
    """Return what a checkpoint must agree with to be taken up."""
    # What is asked afterwards may be asked anew without training anew.
    trained = replace(
        setting, schedule=schedule, retention=None, retention_limit=0.0, verify=True
    )
    parts = {
        **dataclasses.asdict(trained),
        "weights": identify_model(reader),
        "data": _name_data(setting),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _name_data(setting: Setting) -> object:
    """Return what names the pairs to train on: what they show, and the bytes of their files."""
    folder, mix = setting.data, setting.mix
    mixed = hash_files(list_mixed(mix)) if mix else ""
    if is_published(folder):
        shown = read_trials(folder, "train")
        return [name_stimuli(shown.trials, shown.files), mixed]
    plan = read_manifest(folder, verify=setting.verify)["plan"]
    return [plan, hash_files(list_files(folder, "train")), mixed]


def _check(setting: Setting) -> None:
    for name, value, known in (
        ("task", setting.task, TASKS),
        ("arm", setting.arm, ARMS),
        ("batches", setting.batches, KINDS),
        ("loss", setting.schedule.loss, LOSSES),
    ):
        if value not in known:
            raise ProbeError(f"{name} is {value!r}; it is one of {', '.join(known)}")
    if setting.task == "sentiment" and setting.batches not in CLUSTERED:
        raise ProbeError(
            f"batches is {setting.batches!r}, but sentiment has two captions alone;"
            " take random or image"
        )
    if ARMS[setting.arm].starts_random and setting.schedule.distill:
        raise ProbeError(f"{setting.arm} has no original to stay near; leave out --distill")
    for template in setting.templates:
        fill_template(template, ())
