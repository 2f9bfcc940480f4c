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


@dataclass(frozen=True, slots=True)
class Trial:
    """An image to draw, and why.

    Attributes:
        key: unique within the probe.
        spec: what to draw.
        baseline: the baseline that it varies; empty in a Latin hypercube or a dataset.
        factor: the factor that is varied; empty there too.
        level: the level of that factor, as text.
        picture: the shape behind the text, one of `PICTURES`; empty for none.
        file: the image file, where it was not drawn here; its text is then unknown.
        look: 1 in the coarse scan, higher for levels added in response to its results.
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
    """Return a SHA-256 of what the trials draw, as a cache key."""
    digest = hashlib.sha256()
    for trial in trials:
        # A file is identified by its bytes, which are hashed separately, and not by its path.
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
        key: unique within the run.
        pixels: uint8 (H, W, 3).
        facts: stored with the vector, for what is known only from drawing; JSON values.
    """

    key: str
    pixels: Pixels
    facts: Mapping[str, object] = field(default_factory=dict)


Chunk = Callable[[], Sequence[Stimulus]]
"""Draws or reads stimuli; called in another thread or process."""
