"""Checkpoints: a model in training <-> its file, which is read as untrusted input."""

from __future__ import annotations

import sys
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from probes.arrays import Vectors
from probes.errors import ProbeError
from probes.models.archive import find_pickle, fits_in, list_entries
from probes.training.batch_sampler import Order
from probes.training.trained_clip import TrainedClip
from synthtext.storage import write_whole

CHECKPOINT = "checkpoint.pt"

MAX_PICKLE_BYTES = 256 << 20
"""Maximum size of a checkpoint's description, which is everything except the tensors."""

MAX_COUNT = 2**53

N_DIRECTIONS = 4
"""Number of values in the sketch of a vector."""

SKETCH_SLACK = 0.25
"""Maximum difference between two sketches of a vector, well above that between machines."""

SLOTS = {"step", "exp_avg", "exp_avg_sq"}
"""The state of AdamW for a weight."""


@dataclass
class Progress:
    """The progress of training: everything in a checkpoint besides weights.

    Attributes:
        step: steps done.
        epoch: the epoch of the next step.
        place: steps done in that epoch.
        order: the order of that epoch; empty if it has not started.
        history: scalars, a row for each time they were recorded.
    """

    step: int = 0
    epoch: int = 0
    place: int = 0
    order: Order = field(default_factory=lambda: np.empty(0, np.int64))
    history: list[dict[str, float]] = field(default_factory=list)

    def end_step(self) -> None:
        """Count a step."""
        self.step += 1
        self.place += 1

    def end_epoch(self) -> None:
        """Count an epoch; the order of the next one is not known yet."""
        self.epoch, self.place, self.order = self.epoch + 1, 0, self.order[:0]


@dataclass(frozen=True)
class Identity:
    """The identity that a checkpoint must match to be resumed.

    Attributes:
        run: identifies data, weights and options.
        texts: a sketch of the frozen text vectors, from `sketch_vectors`.
        n_pairs: number of pairs in an epoch.
        replaces: whether a checkpoint of another run is replaced, instead of refused.
    """

    run: str
    texts: Tensor
    n_pairs: int
    replaces: bool = False


def sketch_vectors(vectors: Sequence[Vectors]) -> Tensor:
    """Return a few numbers for each vector, which differ for other vectors.

    Vectors that differ in their last bits, as between machines, have nearly the same numbers.

    Args:
        vectors: arrays (N, D) of unit vectors, one for each template.

    Returns:
        float16 (T * N, 4), empty where there are no vectors.
    """
    if not vectors:
        return torch.empty(0, N_DIRECTIONS, dtype=torch.float16)
    directions = np.random.default_rng(0).normal(size=(vectors[0].shape[1], N_DIRECTIONS))
    sketches = [each @ directions.astype(np.float32) for each in vectors]
    return torch.from_numpy(np.concatenate(sketches)).half()


def save(
    path: Path,
    trained_clip: TrainedClip,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    identity: Identity,
) -> None:
    """Write a checkpoint, atomically.

    Raises:
        ProbeError: it cannot be written.
    """
    content = {
        "run": identity.run,
        "texts": identity.texts,
        "trained_clip": _list_trained(trained_clip),
        "optimizer": optimizer.state_dict(),
        "chance": torch.get_rng_state(),
        "step": progress.step,
        "epoch": progress.epoch,
        "place": progress.place,
        "order": torch.from_numpy(progress.order),
        "history": progress.history,
    }
    try:
        with write_whole(path) as file:
            torch.save(content, file)
    except (OSError, RuntimeError) as error:
        raise ProbeError(
            f"{path} cannot be written ({error}); the previous one is complete, so free some"
            f" space and run the same command again"
        ) from error


def resume(
    path: Path, trained_clip: TrainedClip, optimizer: torch.optim.Optimizer, identity: Identity
) -> Progress:
    """Restore a model and its optimiser from a checkpoint, and return the progress.

    Args:
        path: the checkpoint; if it does not exist, nothing is done.
        trained_clip: as it was built.
        optimizer: likewise.
        identity: what the checkpoint must match.

    Raises:
        ProbeError: it is broken, has other text vectors, or, unless it may be replaced, other
            data, weights or options.
    """
    if not path.exists():
        return Progress()
    content = _read_content(path)
    if content["run"] != identity.run:
        if identity.replaces:
            return Progress()
        raise ProbeError(
            f"{path.parent} contains another run, with other data, weights or options; give"
            f" the same ones, a new --out, or --overwrite"
        )
    if not _is_near(content["texts"], identity.texts):
        raise ProbeError(
            f"{path.parent} was trained with other text embeddings than the model computes"
            f" now; continue with the same model and device, or give a new --out"
        )
    try:
        _check_content(content, trained_clip, optimizer, identity.n_pairs)
        trained_clip.load_state_dict(content["trained_clip"], strict=False)
        # The groups of this run are kept: their rates are set again in each step.
        groups = optimizer.state_dict()["param_groups"]
        slots = content["optimizer"]["state"].items()
        state = {place: _intern(own) for place, own in slots}
        optimizer.load_state_dict({"state": state, "param_groups": groups})
        torch.set_rng_state(content["chance"])
        history = [_intern(row) for row in content["history"]]
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise _broken(path) from error
    return Progress(
        content["step"], content["epoch"], content["place"], content["order"].numpy(), history
    )


def _intern(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with names that are the same objects as those of new rows.

    A pickle refers back to an object that it has written, but writes an equal string again. So
    the next checkpoint has the bytes of one from a run that was never stopped.
    """
    return {sys.intern(name): value for name, value in row.items()}


def _list_trained(trained_clip: TrainedClip) -> dict[str, Tensor]:
    frozen = {
        name for name, weight in trained_clip.named_parameters() if not weight.requires_grad
    }
    return {
        name: part for name, part in trained_clip.state_dict().items() if name not in frozen
    }


def _broken(path: Path) -> ProbeError:
    return ProbeError(f"{path} is broken; delete it to start again")


def _read_content(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint, built only of tensors and plain containers."""
    try:
        _check_archive(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # About pickles that are refused below.
            content = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(content, dict) and isinstance(content["run"], str):
            return {**content, "texts": content["texts"]}
    except Exception as error:  # A hostile pickle may raise anything.
        raise _broken(path) from error
    raise _broken(path)


def _check_archive(path: Path) -> None:
    """Refuse a file that `torch.save` did not write, or that would expand when read."""
    if not path.is_file():
        raise ValueError("not a file")
    entries = list_entries(path)
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("compressed")
    if not fits_in(path, entries):
        raise ValueError("larger than the file")
    if find_pickle(entries).file_size > MAX_PICKLE_BYTES:
        raise ValueError("its description")


def _is_near(found: object, wanted: Tensor) -> bool:
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return False
    return bool(((found.float() - wanted.float()).abs() <= SKETCH_SLACK).all())


def _check_content(
    content: Mapping[str, Any],
    trained_clip: TrainedClip,
    optimizer: torch.optim.Optimizer,
    n_pairs: int,
) -> None:
    """Raise a ValueError or a type error for content that no run could have saved."""
    _check_tensors(content["trained_clip"], _list_trained(trained_clip))
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for place, slots in content["optimizer"]["state"].items():
        weight = weights[place] if place in range(len(weights)) else None
        if weight is None or set(slots) != SLOTS:
            raise ValueError("the optimiser")
        step = torch.zeros(())
        _check_tensors(slots, {"step": step, "exp_avg": weight, "exp_avg_sq": weight})
    for name in ("step", "epoch", "place"):
        if type(content[name]) is not int or not 0 <= content[name] <= MAX_COUNT:
            raise ValueError(name)
    order = content["order"]
    _check_tensors({"order": order}, {"order": torch.empty(len(order), dtype=torch.int64)})
    if len(order) and not (order.min() >= 0 and order.max() < n_pairs):
        raise ValueError("order")
    for row in content["history"]:
        if not all(isinstance(value, float) for value in {**row}.values()):
            raise ValueError("history")


def _check_tensors(found: Mapping[str, Any], wanted: Mapping[str, Tensor]) -> None:
    if set(found) != set(wanted):
        raise ValueError("names")
    for name, tensor in wanted.items():
        part = found[name]
        # A tensor may be small on disk but expand without limit.
        if (
            type(part) is not Tensor
            or (part.shape, part.dtype) != (tensor.shape, tensor.dtype)
            or not part.is_contiguous()
        ):
            raise ValueError(name)
