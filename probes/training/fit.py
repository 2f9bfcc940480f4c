"""Fitting: a config -> a model that has been trained on the split `train`."""

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
import torch
from numpy.typing import NDArray
from torch import Tensor

from probes.data.pairs import keep_pairs
from probes.data.rendered import is_published, read_trials
from probes.data.stimuli import hash_files, name_stimuli
from probes.models.base import Model, identify_model
from probes.models.checkpoint import State
from probes.models.factory import Parts, follow_module, load_parts, make_reader
from probes.models.pretrained import RANDOM
from probes.tasks.base import choose_templates, load_task
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
from probes.training.loader import TrainingSet, read_training_batches
from probes.training.loop import Feed, OnProgress, train
from probes.training.losses import LetterHead, list_letters
from probes.training.retention import (
    read_words_of,
)
from probes.training.trained_clip import TrainedClip
from probes.training.validation import ValidationSet, read_validation_set
from synthtext.dataset.manifest import list_files, read_manifest

N_VALIDATED = 512
"""Number of images of `val` read at each checkpoint and interpolation ratio."""


@dataclass(frozen=True)
class Trained:
    """A trained model, with what its evaluation needs.

    Attributes:
        config: with defaults filled in.
        schedule: likewise.
        parts: parts of the model, with the trained module.
        before: the initial weights.
        validation: words of the split `val`.
        history: scalars of the training.
    """

    config: FinetuneConfig
    schedule: Schedule
    parts: Parts
    before: State
    validation: ValidationSet
    history: list[dict[str, float]]


def train_model(
    config: FinetuneConfig, out: Path, *, on_progress: OnProgress = lambda *_: None
) -> Trained:
    """Train a model on the split `train` and return it, with all trained parameters merged.

    Args:
        config: the settings.
        out: folder of the run, for its checkpoint and scalars.
        on_progress: called after every step.

    Raises:
        ProbeError: the run is not possible with these settings.
    """
    check_config(config)
    out.mkdir(parents=True, exist_ok=True)
    pretrained = RANDOM if ARMS[config.arm].starts_random else config.pretrained
    parts = load_parts(config.model, pretrained=pretrained, device=config.device)
    before = copy_state(parts.module)
    reader = make_reader(parts, precision=config.precision)
    templates = config.templates or choose_templates(load_task(config.task), reader)
    config = replace(config, templates=templates)
    # Levels held out of training are also held out of validation.
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
    """Return a frozen copy of the image encoder in its current state."""
    original = copy.deepcopy(trained_clip).eval().requires_grad_(requires_grad=False)
    return original.embed_images


def copy_state(module: Any) -> State:  # noqa: ANN401 - open_clip carries no types.
    """Return the weights of a module, on the CPU, as they are now."""
    return {name: part.detach().cpu().clone() for name, part in module.state_dict().items()}


def _name_run(config: FinetuneConfig, schedule: Schedule, reader: Model) -> str:
    """Return the identity that a checkpoint must match to be resumed."""
    # Settings of the evaluation are left out, since it can be repeated without training; data
    # and weights are identified by their hashes, whatever their paths and the device.
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
    """Return the identity of the training pairs: their captions and the bytes of the files."""
    folder, mix = config.data, config.mix
    mixed = hash_files(list_mixed(mix)) if mix else ""
    if is_published(folder):
        shown = read_trials(folder, "train")
        return [name_stimuli(shown.trials, shown.files), mixed]
    plan = read_manifest(folder, verify=config.verify)["plan"]
    return [plan, hash_files(list_files(folder, "train")), mixed]
