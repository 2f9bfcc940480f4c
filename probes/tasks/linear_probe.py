"""A linear probe: labelled images -> the accuracy of a linear classifier on a model's vectors.

Logistic regression on frozen vectors, its regularisation chosen on the validation split.
Source: Radford et al. 2021, section 3.2 and appendix A.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from probes.arrays import Vectors
from probes.data.rendered import Shown, read_trials
from probes.data.stimuli import name_stimuli
from probes.embeddings.images import embed_renderings
from probes.errors import ProbeError
from probes.metrics.binary import score_binary
from probes.metrics.intervals import wilson
from probes.models.base import Model
from probes.tables import Table, percent

STRENGTHS = tuple(10.0**power for power in range(-4, 5))
"""The inverse regularisation strengths that are tried."""

MAX_ITERATIONS = 1000

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class LinearProbe:
    """The result of a linear probe.

    Attributes:
        strength: the chosen inverse regularisation strength.
        validation: accuracy on the split `val` by inverse strength.
        truths: labels of the test images, (N,).
        guesses: the guesses, (N,).
    """

    strength: float
    validation: dict[float, float]
    truths: Labels
    guesses: Labels

    @property
    def accuracy(self) -> float:
        """Accuracy on the test images."""
        return float((self.truths == self.guesses).mean())


def run_linear(model: Model, data: Path, folder: Path, *, verify: bool = True) -> LinearProbe:
    """Return a linear probe trained on `train`, tuned on `val` and evaluated on `test`.

    Args:
        model: embeds the images.
        data: labelled sentences, as `read_trials` reads them.
        folder: for the vectors during the run.
        verify: whether to verify the checksums of shards.

    Raises:
        ProbeError: a split is missing, or has only one label.
    """
    train, val, test = (
        _embed(model, read_trials(data, split, verify=verify), split, folder)
        for split in ("train", "val", "test")
    )
    return fit_linear(train, val, test)


def fit_linear(
    train: tuple[Vectors, Labels], val: tuple[Vectors, Labels], test: tuple[Vectors, Labels]
) -> LinearProbe:
    """Return the classifier that is best on `val`; of equal ones, the most regularised.

    Args:
        train: vectors (N, D) and labels (N,).
        val: likewise.
        test: likewise.

    Raises:
        ProbeError: the training data have only one label.
    """
    if len(np.unique(train[1])) < 2:
        raise ProbeError("the split 'train' has only one label; a linear probe needs both")
    lines = {}
    for strength in STRENGTHS:
        line = LogisticRegression(C=strength, max_iter=MAX_ITERATIONS)
        lines[strength] = line.fit(*train)
    validation = {strength: float(line.score(*val)) for strength, line in lines.items()}
    best = max(validation, key=lambda strength: (validation[strength], -strength))
    return LinearProbe(best, validation, test[1], lines[best].predict(test[0]))


def describe_linear(probe: LinearProbe) -> dict[str, Any]:
    """Return the results of a linear probe, for JSON and the terminal."""
    scores = score_binary(probe.truths, probe.guesses)
    n, n_right = len(probe.truths), int((probe.truths == probe.guesses).sum())
    low, high = wilson(n_right, n)
    return {
        "accuracy": scores.accuracy,
        "low": float(low),
        "high": float(high),
        "precision": scores.precision,
        "recall": scores.recall,
        "f1": scores.f1,
        "confusion": scores.confusion,
        "strength": probe.strength,
        "validation": {f"{strength:g}": share for strength, share in probe.validation.items()},
    }


def tabulate_linear(found: Mapping[str, Any]) -> Table:
    """Return the results of a linear probe, from `describe_linear`, as a table."""
    rows = (
        ("accuracy", percent(found["accuracy"])),
        ("95 % interval", f"{percent(found['low'])} to {percent(found['high'])}"),
        *((name, percent(found[name])) for name in ("precision", "recall", "f1")),
        ("inverse regularisation, chosen on val", f"{found['strength']:.4g}"),
    )
    note = "Logistic regression on frozen embeddings, trained on train, evaluated on test."
    return Table("Linear probe", ("metric", "value"), rows, note)


def _embed(model: Model, shown: Shown, split: str, folder: Path) -> tuple[Vectors, Labels]:
    labels = [trial.spec.label for trial in shown.trials]
    if None in labels:
        key = shown.trials[labels.index(None)].key
        raise ProbeError(f"{key} has no label; a linear probe needs labelled sentences")
    stimuli = f"{split} {name_stimuli(shown.trials, shown.files)}"
    embedded, _ = embed_renderings(model, shown.chunks, folder / split, stimuli=stimuli)
    if embedded is None:
        raise ProbeError("a linear probe runs in one process; leave out torchrun")
    return embedded.vectors, np.array(labels, np.int64)
