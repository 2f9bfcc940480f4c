"""The settings of a fine-tuning, checked before anything slow is imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from probes.data.pairs import Exclusion
from probes.errors import ProbeError
from probes.models.prompts import check_template
from probes.training.arms import ARMS

TASKS = ("words", "sentiment")
"""Training targets: the text of an image, or the label of a review."""

KINDS = ("random", "image", "text", "both", "edit")
"""Random; similar images, texts, or both; captions one edit apart."""

LOSSES = ("clip", "siglip")
"""Names of the contrastive losses; `losses.LOSSES` has the functions."""

CLUSTERED = frozenset({"random", "image"})
"""Kinds of batches that make sense if there are only two captions."""


@dataclass(frozen=True)
class Schedule:
    """How a model is trained.

    Attributes:
        n_steps: total number of optimiser steps.
        lr: peak learning rate.
        weight_decay: weight decay for weights with two or more dimensions.
        warmup_frac: fraction of the steps in which the rate rises from 0; then it falls to 0
            as a cosine.
        clip_norm: maximum norm of the gradient.
        n_accumulated: number of batches whose gradients are summed for a step; images are
            compared only within their own batch.
        loss: one of `LOSSES`.
        masks: whether equal captions of a batch are left out of each other's negatives.
        letters: weight of the auxiliary loss that predicts letters; 0 leaves it out.
        distill: weight of distillation from the vectors of the original; 0 leaves it out.
        lowers: whether to compute in bfloat16 where that is safe.
        compiles: whether to compile the model for training.
        save_every: number of steps between two checkpoints.
    """

    n_steps: int
    lr: float
    weight_decay: float = 0.1
    warmup_frac: float = 0.05
    clip_norm: float = 1.0
    n_accumulated: int = 1
    loss: str = "clip"
    masks: bool = True
    letters: float = 0.0
    distill: float = 0.0
    lowers: bool = False
    compiles: bool = False
    save_every: int = 500


@dataclass(frozen=True)
class FinetuneConfig:
    """The settings of a fine-tuning.

    Attributes:
        model: as for `load_model`.
        data: a dataset written by `synthtext render`; for sentiment also Rendered SST2 as
            published.
        task: one of `TASKS`.
        pretrained: as for `load_model`.
        arm: one of `ARMS`.
        batches: one of `KINDS`.
        resamples: whether an epoch samples pairs with replacement instead of using each once.
        exclude: levels of factors that are held out of training for evaluation.
        mix: folder of WebDataset shards with natural images and captions, if any.
        mix_frac: fraction of natural pairs in a batch.
        n_epochs: number of epochs, if no steps are given.
        batch_size: pairs per batch, over all processes.
        templates: prompts for the captions; empty means those of the task.
        precision: "auto", "fp32" or "bf16".
        device: as for `load_model`.
        checkpointing: whether to recompute activations instead of storing them.
        retention: data on which accuracy should be retained: class folders, or a dataset
            written by `synthtext render`; None means bundled images.
        retention_limit: how far retention accuracy may fall, 0 to 1.
        seed: for weights, order and prompts.
        verify: whether to verify the checksums of the shards of `data` and `retention`.
        overwrite: whether the checkpoint of another run in the folder is replaced instead of
            refused.
        schedule: the other settings; 0 steps means epochs, and a rate of 0 means the default of
            the method.
    """

    model: str
    data: Path
    task: str = "words"
    pretrained: str | None = None
    arm: str = "vision"
    batches: str = "random"
    resamples: bool = False
    exclude: Exclusion = field(default_factory=dict)
    mix: Path | None = None
    mix_frac: float = 0.25
    n_epochs: int = 1
    batch_size: int = 256
    templates: tuple[str, ...] = ()
    precision: str = "auto"
    device: str = "auto"
    checkpointing: bool = False
    retention: Path | None = None
    retention_limit: float = 0.01
    seed: int = 0
    verify: bool = True
    overwrite: bool = False
    schedule: Schedule = field(default_factory=lambda: Schedule(0, 0.0))


def check_config(config: FinetuneConfig) -> None:
    """Refuse settings that are invalid for all data and weights.

    Raises:
        ProbeError: an unknown name, options that contradict each other, or a template without a
            placeholder.
    """
    for name, value, known in (
        ("task", config.task, TASKS),
        ("arm", config.arm, ARMS),
        ("batches", config.batches, KINDS),
        ("loss", config.schedule.loss, LOSSES),
    ):
        if value not in known:
            raise ProbeError(f"{name} is {value!r}; it is one of {', '.join(known)}")
    if config.task == "sentiment" and config.batches not in CLUSTERED:
        raise ProbeError(
            f"batches is {config.batches!r}, but sentiment has only two captions; choose"
            f" random or image"
        )
    if ARMS[config.arm].starts_random and config.schedule.distill:
        raise ProbeError(f"{config.arm} has no original to distil from; leave out --distill")
    for template in config.templates:
        check_template(template)
