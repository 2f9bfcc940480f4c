"""What a fine-tuning trains, on what, and how: checked before anything slow is imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from probes.data.pairs import Exclusion
from probes.errors import ProbeError
from probes.models.prompts import check_template
from probes.training.arms import ARMS

TASKS = ("words", "sentiment")
"""What can be trained on: the text of an image, or the label of a review."""

KINDS = ("random", "image", "text", "both", "edit")
"""By chance; near one another as images, as texts, as either; captions one edit apart."""

LOSSES = ("clip", "siglip")
"""Names of the contrastive losses, which `losses.LOSSES` computes."""

CLUSTERED = frozenset({"random", "image"})
"""Kinds of batches that make sense where there are two captions alone."""


@dataclass(frozen=True)
class Schedule:
    """How a model is trained.

    Attributes:
        n_steps: steps of the optimiser in all.
        lr: highest learning rate.
        weight_decay: of weights with two dimensions and more.
        warmup_frac: fraction of the steps in which the rate rises from 0; then it falls to 0
            as a cosine.
        clip_norm: longest gradient.
        n_accumulated: batches whose gradients are added up for a step; each is compared within
            itself alone.
        loss: one of `LOSSES`.
        masks: whether equal captions of a batch count as no mistakes for each other.
        letters: weight of the loss that names letters; 0 leaves it out.
        distill: weight of the drift from the vectors of the frozen original; 0 leaves it out.
        lowers: whether to compute in bfloat16 where that is safe.
        compiles: whether to compile the model in training.
        save_every: steps between two checkpoints.
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
    """What to train, on what, and how.

    Attributes:
        model: as `load_model` takes it.
        data: folder that `synthtext render` wrote; for sentiment also Rendered SST2 as it is
            published.
        task: one of `TASKS`.
        pretrained: as `load_model` takes it.
        arm: one of `ARMS`.
        batches: one of `KINDS`.
        resamples: whether an epoch draws pairs with replacement, instead of each once.
        exclude: levels of factors that are held out of training for evaluation.
        mix: folder of WebDataset shards with natural images and captions, if any.
        mix_frac: fraction of natural pairs in a batch.
        n_epochs: times that every pair is seen, where no steps are given.
        batch_size: pairs to a batch, over all processes.
        templates: prompts that captions are put into; none takes those of the task.
        precision: "auto", "fp32" or "bf16".
        device: as `load_model` takes it.
        checkpointing: whether to compute activations twice instead of keeping them.
        retention: what should not be forgotten: class folders, or a folder that `synthtext
            render` wrote; None takes bundled images.
        retention_limit: how far its accuracy may fall, 0 to 1.
        seed: of weights, order and prompts.
        verify: whether shards of `data` and `retention` must be those that were written.
        overwrite: whether the checkpoint of another run in the folder is replaced, instead of
            refused.
        schedule: the rest; 0 steps go by epochs, and a rate of 0 is that of the method.
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
    """Refuse what no run can train, whatever the data and the weights are.

    Raises:
        ProbeError: a name that stands for nothing, options that contradict each other, or a
            template without a place for the text.
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
