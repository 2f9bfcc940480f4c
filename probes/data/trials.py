"""Trials: an image to show and why; stimuli: the image itself."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from probes.arrays import Pixels
from synthtext.spec import Spec, spec_to_dict

ALL = "all"
"""Every split of a dataset."""


@dataclass(frozen=True)
class Trial:
    """An image to draw, and why.

    Attributes:
        key: names it within the probe.
        spec: what to draw.
        baseline: the one that it varies, empty in a Latin hypercube or a dataset.
        factor: the one that is varied, empty there too.
        level: the level of that factor, as text.
        picture: what is drawn below the text, one of `PICTURES`; empty for a background alone.
        file: the image itself, where it was not drawn here; its text is then not known.
        look: 1 in the coarse scan, more where its level was added by what was seen.
    """

    key: str
    spec: Spec
    baseline: str = ""
    factor: str = ""
    level: str = ""
    picture: str = ""
    file: str = ""
    look: int = 1


def hash_trials(trials: Sequence[Trial]) -> str:
    """Return a SHA-256 of what the trials draw, to key caches by."""
    digest = hashlib.sha256()
    for trial in trials:
        # A file is known by its bytes, which are hashed apart, and not by where it lies.
        digest.update(
            orjson.dumps([trial.key, trial.picture, bool(trial.file), spec_to_dict(trial.spec)])
        )
    return digest.hexdigest()


def trial_fields(trial: Trial) -> dict[str, object]:
    """Return the fields of a trial for a row of outcomes."""
    names = [field.name for field in dataclasses.fields(trial) if field.name != "spec"]
    return {**spec_to_dict(trial.spec), **{name: getattr(trial, name) for name in names}}


@dataclass(frozen=True)
class Stimulus:
    """An image to embed.

    Attributes:
        key: names it; no other image of the run has it.
        pixels: uint8 (H, W, 3).
        facts: kept beside the vector, for what only drawing tells; values that JSON knows.
    """

    key: str
    pixels: Pixels
    facts: Mapping[str, object] = field(default_factory=dict)


Chunk = Callable[[], Sequence[Stimulus]]
"""Draws or reads stimuli, a few thousand for a GPU; called in another thread or process."""
