"""Training: a model and its batches -> weights, in steps that a killed run can resume."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean as mean

import numpy as np
import torch
from open_clip.loss import gather_features
from torch import Tensor, distributed, nn
from torch.utils.tensorboard import SummaryWriter

from probes.embeddings.images import Share, read_share
from probes.errors import ProbeError
from probes.training.batch_sampler import Order
from probes.training.checkpoint import CHECKPOINT, Identity, Progress, resume, save
from probes.training.config import Schedule
from probes.training.loader import TrainingBatch
from probes.training.losses import LOSSES, Batch, drift
from probes.training.trained_clip import ClipOutputs, TrainedClip, group_weights

OnProgress = Callable[..., None]
"""Called with the unit counted, the number done, the total or None, and a remark."""

NOTE_EVERY = 20
"""Number of steps over which scalars are averaged."""

BETAS, EPS = (0.9, 0.98), 1e-6
"""Source: Radford et al. 2021, table 19, for vision transformers."""


@dataclass(frozen=True)
class Feed:
    """The sources of training batches and of validation results.

    Attributes:
        order: number of an epoch -> the order in which it sees the pairs.
        cut: order, number of the epoch, number of processes -> batches over all processes.
        read: orders of pairs -> their training batches.
        validate: returns scalars to record at each checkpoint.
        originals: pixels -> their vectors by the frozen original model, for `distill`.
        n_pairs: number of pairs in an epoch.
        texts: a sketch of the frozen text vectors, from `sketch_vectors`; empty without them.
    """

    order: Callable[[int], Order]
    cut: Callable[[Order, int, int], list[Order]]
    read: Callable[[Sequence[Order]], Iterator[TrainingBatch]]
    validate: Callable[[], dict[str, float]] = dict
    originals: Callable[[Tensor], Tensor] | None = None
    n_pairs: int = 0
    texts: Tensor = field(default_factory=lambda: torch.empty(0))


def train(  # noqa: PLR0913 - each is a separate setting of one run.
    trained_clip: TrainedClip,
    feed: Feed,
    schedule: Schedule,
    folder: Path,
    *,
    run: str,
    replaces: bool = False,
    on_progress: OnProgress = lambda *_: None,
) -> list[dict[str, float]]:
    """Train a model in place and return the history of its scalars.

    A run that was killed resumes from its last checkpoint. On the CPU it ends with exactly the
    weights of an uninterrupted run.

    Args:
        trained_clip: the model, on its device.
        feed: the source of training batches.
        schedule: the schedule.
        folder: for the checkpoint and the scalars.
        run: identifies the run; a checkpoint of another run is refused.
        replaces: whether such a checkpoint is replaced instead.
        on_progress: called after every step.

    Raises:
        ProbeError: the loss is NaN or infinite, the batch is larger than the data, the folder
            has another run, or the disk is full.
    """
    optimizer = torch.optim.AdamW(
        group_weights(trained_clip, schedule.weight_decay), lr=schedule.lr, betas=BETAS, eps=EPS
    )
    path, identity = folder / CHECKPOINT, Identity(run, feed.texts, feed.n_pairs, replaces)
    progress = resume(path, trained_clip, optimizer, identity)
    share = read_share()
    learner = _distribute(trained_clip, share, compiles=schedule.compiles)
    noted = Notes(folder / "tensorboard", progress, writes=share.rank == 0)
    while progress.step < schedule.n_steps:
        groups = _open_epoch(feed, progress, schedule, share)
        per_step = sum(len(batch) for group in groups for batch in group) / len(groups)
        todo = groups[progress.place :][: schedule.n_steps - progress.step]
        batches_read = feed.read(
            [batch[share.rank :: share.world_size] for group in todo for batch in group]
        )
        trained_clip.train()
        for group in todo:
            rate = _set_rate(optimizer, rate_at(progress.step, schedule))
            mine = [next(batches_read) for _ in group]
            scalars = _learn(learner, mine, schedule, feed, optimizer)
            _check_finite(scalars, progress, folder)
            optimizer.step()
            trained_clip.clamp_scale()
            progress.end_step()
            noted.add({**scalars, "lr": rate}, sum(len(batch) for batch in group))
            done, total = (round(n * per_step) for n in (progress.step, schedule.n_steps))
            on_progress("images", done, total, f"loss {scalars['loss']:.3f}")
            if progress.step % schedule.save_every == 0 or progress.step == schedule.n_steps:
                trained_clip.eval()
                noted.validate(feed.validate())
                trained_clip.train()
                if share.rank == 0:
                    save(path, trained_clip, optimizer, progress, identity)
        if progress.place >= len(groups):
            progress.end_epoch()
    if distributed.is_initialized():
        distributed.destroy_process_group()
    return progress.history


def rate_at(step: int, schedule: Schedule) -> float:
    """Return the learning rate of a step, counted from 0.

    >>> schedule = Schedule(n_steps=100, lr=1.0, warmup_frac=0.1)
    >>> [round(rate_at(step, schedule), 2) for step in (0, 9, 55, 99)]
    [0.1, 1.0, 0.5, 0.0]
    """
    n_warm = max(1, round(schedule.warmup_frac * schedule.n_steps))
    if step < n_warm:
        return schedule.lr * (step + 1) / n_warm
    done = (step - n_warm) / max(1, schedule.n_steps - n_warm)
    return schedule.lr * 0.5 * (1 + math.cos(math.pi * done))


class Notes:
    """Scalars of the run, averaged over a few steps, for TensorBoard and the history."""

    def __init__(self, folder: Path, progress: Progress, *, writes: bool) -> None:
        self._progress = progress
        # Scalars that a killed run wrote after its last checkpoint are dropped and rewritten.
        purge = progress.step + 1
        self._writer = SummaryWriter(str(folder), purge_step=purge) if writes else None
        self._rows: list[dict[str, float]] = []
        self._n_seen, self._began = 0, time.perf_counter()

    def add(self, scalars: Mapping[str, float], n_seen: int) -> None:
        """Add the scalars of a step, and record their means when there are enough."""
        self._rows.append(dict(scalars))
        self._n_seen += n_seen
        if len(self._rows) == NOTE_EVERY:
            self._note()

    def validate(self, scalars: Mapping[str, float]) -> None:
        """Record validation results together with the scalars not yet recorded."""
        self._note(scalars)

    def _note(self, extra: Mapping[str, float] | None = None) -> None:
        row = {"step": float(self._progress.step)}
        if self._rows:
            seconds = time.perf_counter() - self._began
            row |= {name: mean(each[name] for each in self._rows) for name in self._rows[0]}
            row["images_per_s"] = self._n_seen / seconds
        row |= extra or {}
        self._progress.history.append(row)
        if self._writer is not None:
            for name in row.keys() - {"step"}:
                self._writer.add_scalar(name, row[name], self._progress.step)
        self._rows, self._n_seen, self._began = [], 0, time.perf_counter()


def _learn(
    learner: nn.Module,
    batches_read: Sequence[TrainingBatch],
    schedule: Schedule,
    feed: Feed,
    optimizer: torch.optim.Optimizer,
) -> dict[str, float]:
    """Compute the gradients of a step, clip their norm, and return its scalars."""
    sums: dict[str, float] = defaultdict(float)
    optimizer.zero_grad(set_to_none=True)
    for number, training_batch in enumerate(batches_read, 1):
        is_last = number == len(batches_read)
        # Gradients are summed on each process, and exchanged once per step.
        with nullcontext() if is_last else _keep_local(learner):
            losses, scale = _compute_losses(learner, training_batch, schedule, feed)
            torch.autograd.backward(losses["loss"] / len(batches_read))
        for name, loss in losses.items():
            sums[name] += float(loss.detach()) / len(batches_read)
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    sums["gradient"] = float(nn.utils.clip_grad_norm_(weights, schedule.clip_norm))
    sums["logit_scale"] = float(scale.detach())
    return dict(sums)


def _keep_local(learner: nn.Module) -> AbstractContextManager[None]:
    """Return a context in which the processes of torchrun do not exchange gradients."""
    if isinstance(learner, nn.parallel.DistributedDataParallel):
        context: AbstractContextManager[None] = learner.no_sync()
        return context
    return nullcontext()


def _compute_losses(
    learner: nn.Module, training_batch: TrainingBatch, schedule: Schedule, feed: Feed
) -> tuple[dict[str, Tensor], Tensor]:
    """Return the losses of a batch, their sum as `loss`, and the logit scale."""
    device = next(learner.parameters()).device
    images, texts = (
        part.to(device, non_blocking=True)
        for part in (training_batch.images, training_batch.texts)
    )
    letters = None if training_batch.letters is None else training_batch.letters.to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=schedule.lowers):
        trained_state = learner(images, texts, letters)
    captions = training_batch.captions.to(device)
    losses = {"contrast": _contrast(trained_state, captions, schedule)}
    if trained_state.letters is not None:
        losses["letters"] = schedule.letters * trained_state.letters
    if feed.originals is not None:
        losses["drift"] = schedule.distill * drift(trained_state.images, feed.originals(images))
    total = torch.stack(list(losses.values())).sum()
    return {"loss": total, **losses}, trained_state.scale


def _contrast(trained_state: ClipOutputs, captions: Tensor, schedule: Schedule) -> Tensor:
    images, texts = trained_state.images, trained_state.texts
    if distributed.is_initialized():
        size = {"rank": distributed.get_rank(), "world_size": distributed.get_world_size()}
        images, texts = gather_features(images, texts, gather_with_grad=True, **size)
        everyone = [torch.empty_like(captions) for _ in range(size["world_size"])]
        distributed.all_gather(everyone, captions)
        captions = torch.cat(everyone)
    batch = Batch(images, texts, captions, trained_state.scale, trained_state.bias)
    return LOSSES[schedule.loss](batch, masks=schedule.masks)


def _distribute(trained_clip: TrainedClip, share: Share, *, compiles: bool) -> nn.Module:
    """Return the model wrapped for torchrun's processes, or unwrapped without torchrun."""
    learner: nn.Module = torch.compile(trained_clip) if compiles else trained_clip  # type: ignore[assignment]
    if share.world_size == 1:
        return learner
    if not distributed.is_initialized():
        try:
            distributed.init_process_group("nccl" if trained_clip.mean.is_cuda else "gloo")
        except (ValueError, RuntimeError) as error:
            raise ProbeError(
                f"the {share.world_size} processes of WORLD_SIZE cannot connect ({error});"
                f" start them with torchrun, or unset RANK and WORLD_SIZE"
            ) from error
    return nn.parallel.DistributedDataParallel(learner)


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> float:
    for weights in optimizer.param_groups:
        weights["lr"] = rate
    return rate


def _open_epoch(
    feed: Feed, progress: Progress, schedule: Schedule, share: Share
) -> list[list[Order]]:
    """Return the batches of each step of the current or next epoch."""
    if not len(progress.order):
        progress.order = _agree(feed, progress.epoch, share)
    batches = feed.cut(progress.order, progress.epoch, share.world_size)
    starts = range(0, len(batches), schedule.n_accumulated)
    return [batches[at : at + schedule.n_accumulated] for at in starts]


def _agree(feed: Feed, epoch: int, share: Share) -> Order:
    """Return the order of an epoch, on all processes that of the first."""
    if share.world_size == 1:
        return feed.order(epoch)
    # Processes might cluster differently, since vectors differ in their last bits.
    told = [feed.order(epoch) if share.rank == 0 else np.empty(0, np.int64)]
    distributed.broadcast_object_list(told)
    return told[0]


def _check_finite(scalars: Mapping[str, float], progress: Progress, folder: Path) -> None:
    if math.isfinite(scalars["loss"]) and math.isfinite(scalars["gradient"]):
        return
    path = folder / CHECKPOINT
    kept = f"{path} has the last checkpoint" if path.exists() else "no checkpoint was saved yet"
    raise ProbeError(
        f"the loss is {scalars['loss']:g} and its gradient {scalars['gradient']:g} at step"
        f" {progress.step + 1}, epoch {progress.epoch + 1}; {kept}; lower --lr"
    )
