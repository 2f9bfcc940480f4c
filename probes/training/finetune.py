"""Fine-tuning: a model and shards -> a model that reads better, measured before and after."""

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
from probes.data.labelled import draw_shapes
from probes.data.pairs import keep_pairs
from probes.data.rendered import is_published, read_trials
from probes.data.stimuli import hash_files, name_stimuli
from probes.embeddings.images import Share, read_share
from probes.metrics.intervals import wilson
from probes.models.base import Model, identify_model
from probes.models.checkpoint import State
from probes.models.factory import Parts, follow_module, load_parts, make_reader
from probes.models.pretrained import RANDOM
from probes.models.save import save_model
from probes.tasks.base import choose_templates, load_task
from probes.tasks.classification import embed_labelled
from probes.tasks.config import ProbeConfig
from probes.tasks.run import run_probe
from probes.training.arms import ARMS
from probes.training.checkpoint import sketch_vectors
from probes.training.config import FinetuneConfig, Schedule, check_config
from probes.training.epochs import (
    count_steps,
    cut_epoch,
    list_mixed,
    make_training_set,
    order_epoch,
    read_split,
    read_training_pairs,
)
from probes.training.gains import tabulate_factors, tabulate_gains
from probes.training.loader import TrainingSet, read_training_batches
from probes.training.loop import Feed, OnProgress, train
from probes.training.losses import LetterHead, list_letters
from probes.training.retention import (
    Retention,
    RetentionSet,
    make_retention_set,
    measure_retention,
    read_words_of,
)
from probes.training.trained_clip import TrainedClip
from probes.training.validation import ValidationSet, read_validation_set
from probes.training.weight_averaging import ALPHAS, Mixture, choose_mixture, mix_states
from synthtext.dataset.manifest import list_files, read_manifest

N_VALIDATED = 512
"""Pictures of the split `val` that are read at each checkpoint and for each mixture."""


N_PSEUDOWORDS = 60
"""Pseudowords that are read before and after, at each size of a design."""

SHOWN = {"words": "words it was not taught", "sentiment": "reviews it was not taught"}
"""What the pictures of the split `test` show, by task."""

MODEL_FOLDER = "model"


@dataclass(frozen=True)
class Trained:
    """A model that has been trained, and what it takes to judge it.

    Attributes:
        config: with what it left open.
        schedule: likewise.
        parts: of the model, its module as training left it.
        before: the weights it began with.
        validation: words of the split `val`.
        history: scalars of the training.
    """

    config: FinetuneConfig
    schedule: Schedule
    parts: Parts
    before: State
    validation: ValidationSet
    history: list[dict[str, float]]


@dataclass(frozen=True)
class Finetuned:
    """What came of a run.

    Attributes:
        config: what was trained, on what, and how.
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

    config: FinetuneConfig
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
    config: FinetuneConfig, out: Path, *, on_progress: OnProgress = lambda *_: None
) -> Finetuned | None:
    """Train a model on a dataset, save it as `out/model`, and return what was gained and kept.

    Args:
        config: what to train, on what, and how.
        out: folder of the run, new or begun by the same setting.
        on_progress: called after every step, and as pictures are embedded.

    Returns:
        None under torchrun for every process but the first.

    Raises:
        ProbeError: the run cannot be made as asked.
    """
    check_config(config)
    # Known to be there before hours of training.
    read_split(config.data, "test", task=config.task, verify=config.verify)
    trained = train_model(config, out, on_progress=on_progress)
    if read_share().rank > 0:
        return None
    config, parts = trained.config, trained.parts
    before, trained_state = trained.before, _copy_state(parts.module)
    retention_set = make_retention_set(config, parts)
    mixtures: list[Mixture] = []
    alpha = 1.0
    if not ARMS[config.arm].starts_random:
        mixtures = _try_mixtures(trained, trained_state, retention_set, on_progress)
    first = _evaluate(config, parts, before, retention_set, out / "before", on_progress)
    if mixtures:
        alpha = choose_mixture(mixtures, _find_limit(config, retention_set, first.kept)).alpha
    chosen = mix_states(before, trained_state, alpha)
    parts.module.load_state_dict(chosen)
    # Saved before it is proven, so that a run that is killed meanwhile loses nothing.
    own = config.templates if config.task == "words" else parts.source.prompts
    save_model(out / MODEL_FOLDER, parts, templates=own)
    last = _evaluate(config, parts, chosen, retention_set, out / "after", on_progress)
    outcomes = (first.outcomes[config.task], last.outcomes[config.task])
    return Finetuned(
        config=config,
        schedule=trained.schedule,
        before=first.model,
        after=last.model,
        history=trained.history,
        mixtures=mixtures,
        alpha=alpha,
        gains=_gather_gains(config, first, last),
        factors=tabulate_factors(*outcomes),
        outcomes=outcomes,
        retention=measure_retention(
            retention_set.title, (first.kept, last.kept), (first.vectors, last.vectors)
        ),
    )


@dataclass(frozen=True)
class _Evaluation:
    """A model before or after training, and what it made of the same pictures."""

    model: Model
    outcomes: dict[str, pd.DataFrame]
    kept: NDArray[np.bool_]
    vectors: Vectors


def train_model(
    config: FinetuneConfig, out: Path, *, on_progress: OnProgress = lambda *_: None
) -> Trained:
    """Train a model on the split `train` and return it, all that was learnt inside it.

    Args:
        config: what to train, on what, and how.
        out: folder of the run, for its checkpoint and scalars.
        on_progress: called after every step.

    Raises:
        ProbeError: the run cannot be made as asked.
    """
    check_config(config)
    out.mkdir(parents=True, exist_ok=True)
    pretrained = RANDOM if ARMS[config.arm].starts_random else config.pretrained
    parts = load_parts(config.model, pretrained=pretrained, device=config.device)
    before = _copy_state(parts.module)
    reader = make_reader(parts, precision=config.precision)
    templates = config.templates or choose_templates(load_task(config.task), reader)
    config = replace(config, templates=templates)
    # What training leaves out is left out of what its weights are chosen by as well.
    shown = read_split(
        config.data, "val", config.exclude, task=config.task, verify=config.verify
    )
    shown = keep_pairs(shown, np.flatnonzero(~shown.is_marked))
    validation = read_validation_set(
        shown, N_VALIDATED, config.seed, fit=parts.fit_pixels, tokenize=reader.tokenize
    )
    pairs, n_own = read_training_pairs(config)
    training_set = make_training_set(config, pairs, n_own, parts, reader)
    trained_clip = _make_trained_clip(config, parts, pairs.captions[:n_own])
    learning = follow_module(reader, trained_clip.encode_image, trained_clip.encode_text)
    feed = _make_feed(
        config,
        training_set,
        trained_clip,
        parts,
        lambda: read_words_of(config, validation, learning),
    )
    schedule = replace(
        config.schedule,
        n_steps=config.schedule.n_steps or count_steps(config, n_own),
        lr=config.schedule.lr or ARMS[config.arm].lr,
        lowers=reader.precision == "bf16",
    )
    run = _name_run(config, schedule, reader)
    history = train(
        trained_clip, feed, schedule, out,
        run=run, replaces=config.overwrite, on_progress=on_progress,
    )  # fmt: skip
    trained_clip.finish()
    return Trained(config, schedule, parts, before, validation, history)


def _make_feed(
    config: FinetuneConfig,
    training_set: TrainingSet,
    trained_clip: TrainedClip,
    parts: Parts,
    validate: Callable[[], NDArray[np.bool_]],
) -> Feed:
    return Feed(
        order=functools.partial(order_epoch, config, training_set, trained_clip, parts),
        cut=functools.partial(cut_epoch, config, training_set),
        read=functools.partial(
            read_training_batches,
            training_set,
            fit=parts.fit_pixels,
            tokenizer=parts.tokenizer,
            letters=trained_clip.letters,
            seed=config.seed,
        ),
        validate=lambda: {"val_accuracy": float(validate().mean())},
        originals=_freeze_original(trained_clip) if config.schedule.distill else None,
        n_pairs=training_set.n_own,
        texts=sketch_vectors(training_set.vectors),
    )


def _make_trained_clip(
    config: FinetuneConfig, parts: Parts, captions: Sequence[str]
) -> TrainedClip:
    letters = None
    torch.manual_seed(config.seed)
    if config.schedule.letters:
        letters = LetterHead(parts.source.config["embed_dim"], list_letters(captions))
    if config.checkpointing:
        parts.module.set_grad_checkpointing()
    arm = ARMS[config.arm]
    trained_clip = TrainedClip(
        parts.module, parts.source.preprocessing, arm.prepare, arm.merge, letters
    )
    return trained_clip.to(parts.device)


def _freeze_original(trained_clip: TrainedClip) -> Callable[[Tensor], Tensor]:
    """Return what embeds images as the model does now, whatever training makes of it later."""
    original = copy.deepcopy(trained_clip).eval().requires_grad_(requires_grad=False)
    return original.embed_images


def _try_mixtures(
    trained: Trained, trained_state: State, retention_set: RetentionSet, on_progress: OnProgress
) -> list[Mixture]:
    """Return what each share of what was learnt is worth."""
    config, parts, labelled = trained.config, trained.parts, draw_shapes()
    found: list[Mixture] = []
    originals = None
    for alpha in ALPHAS:
        parts.module.load_state_dict(mix_states(trained.before, trained_state, alpha))
        model = make_reader(parts, precision=config.precision)
        vectors = embed_labelled(model, labelled)
        originals = vectors if originals is None else originals
        found.append(
            Mixture(
                alpha=alpha,
                reading=float(read_words_of(config, trained.validation, model).mean()),
                kept=float(retention_set.ask(model).mean()),
                drift=float(1 - (vectors * originals).sum(axis=1).mean()),
            )
        )
        on_progress("mixtures", len(found), len(ALPHAS))
    return found


def _find_limit(
    config: FinetuneConfig, retention_set: RetentionSet, right: NDArray[np.bool_]
) -> float | None:
    """Return how far the share right may fall, None where the model knew nothing before."""
    low, _ = wilson(right.sum(), len(right))
    return config.retention_limit if low > retention_set.chance else None


def _evaluate(
    config: FinetuneConfig,
    parts: Parts,
    state: State,
    retention_set: RetentionSet,
    out: Path,
    on_progress: OnProgress,
) -> _Evaluation:
    """Return what a model makes of the test split, of pseudowords, and what it kept."""
    parts.module.load_state_dict(state)
    model = make_reader(parts, precision=config.precision)
    own = ProbeConfig(
        task=config.task,
        data=config.data,
        split="test",
        templates=config.templates,
        seed=config.seed,
        verify=config.verify,
    )
    asked = {config.task: own}
    if config.task == "words":
        asked["pseudowords"] = replace(
            own, task="pseudowords", data=None, design="size", n=N_PSEUDOWORDS
        )
    outcomes = {}
    for name, each in asked.items():
        (out / name).mkdir(parents=True, exist_ok=True)
        probe = run_probe(model, each, out / name, on_progress=on_progress, share=Share())
        if probe is not None:  # As it is for the first process.
            outcomes[name] = probe.outcomes
    return _Evaluation(
        model, outcomes, retention_set.ask(model), embed_labelled(model, draw_shapes())
    )


def _gather_gains(
    config: FinetuneConfig, first: _Evaluation, last: _Evaluation
) -> pd.DataFrame:
    titles = {config.task: SHOWN[config.task], "pseudowords": "pseudowords"}
    tables = [
        tabulate_gains(
            first.outcomes[name],
            last.outcomes[name],
            config.exclude if name == config.task else {},
            titles[name],
        )
        for name in first.outcomes
    ]
    return pd.concat(tables, ignore_index=True)


def _copy_state(module: Any) -> State:  # noqa: ANN401 - open_clip carries no types.
    return {name: part.detach().cpu().clone() for name, part in module.state_dict().items()}


def _name_run(config: FinetuneConfig, schedule: Schedule, reader: Model) -> str:
    """Return what a checkpoint must agree with to be taken up."""
    # What is asked afterwards may be asked anew without training anew; and data and weights are
    # known by their hashes, wherever they lie and whatever device trains on them.
    trained = replace(
        config, schedule=schedule, retention=None, retention_limit=0.0, verify=True,
        overwrite=False, model="", pretrained=None, data=Path(), mix=None, device="",
    )  # fmt: skip
    parts = {
        **dataclasses.asdict(trained),
        "weights": identify_model(reader),
        "data": _name_data(config),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _name_data(config: FinetuneConfig) -> object:
    """Return what names the pairs to train on: what they show, and the bytes of their files."""
    folder, mix = config.data, config.mix
    mixed = hash_files(list_mixed(mix)) if mix else ""
    if is_published(folder):
        shown = read_trials(folder, "train")
        return [name_stimuli(shown.trials, shown.files), mixed]
    plan = read_manifest(folder, verify=config.verify)["plan"]
    return [plan, hash_files(list_files(folder, "train")), mixed]
