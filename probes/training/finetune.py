"""Fine-tuning: a model and shards -> a fine-tuned model, evaluated before and after."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probes.arrays import Vectors
from probes.data.labelled import draw_shapes
from probes.embeddings.images import Share, read_share
from probes.metrics.intervals import wilson
from probes.models.base import Model
from probes.models.checkpoint import State
from probes.models.factory import Parts, make_reader
from probes.models.save import save_model
from probes.tasks.classification import embed_labelled
from probes.tasks.config import ProbeConfig
from probes.tasks.run import run_probe
from probes.training.arms import ARMS
from probes.training.config import FinetuneConfig, Schedule, check_config
from probes.training.epochs import (
    read_split,
)
from probes.training.fit import Trained, copy_state, train_model
from probes.training.gains import tabulate_factors, tabulate_gains
from probes.training.loop import OnProgress
from probes.training.retention import (
    Retention,
    RetentionSet,
    make_retention_set,
    measure_retention,
    read_words_of,
)
from probes.training.weight_averaging import ALPHAS, Mixture, choose_mixture, mix_states

N_PSEUDOWORDS = 60
"""Number of pseudowords read before and after, at each size of a design."""


SHOWN = {"words": "held-out words", "sentiment": "held-out reviews"}
"""Description of the images of the split `test`, by task."""


MODEL_FOLDER = "model"


@dataclass(frozen=True)
class Finetuned:
    """The results of a run.

    Attributes:
        config: the settings.
        schedule: the schedule, with defaults filled in.
        before: the original model.
        after: the model that was saved.
        history: scalars of the training.
        mixtures: accuracy and retention at each interpolation ratio; may be empty.
        alpha: the interpolation ratio that was saved.
        gains: a row for each group of images, from `tabulate_gains`.
        factors: a row for each level of each factor, from `tabulate_factors`.
        outcomes: outcomes on the test split, before and after.
        retention: the accuracy on the retention set.
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
        """Number of candidates for the words of the test split."""
        return int(self.outcomes[0]["k"].iloc[0])


def run_finetune(
    config: FinetuneConfig, out: Path, *, on_progress: OnProgress = lambda *_: None
) -> Finetuned | None:
    """Train a model on a dataset, save it as `out/model`, and return gains and retention.

    Args:
        config: the settings.
        out: folder of the run, new or started with the same settings.
        on_progress: called after every step, and as images are embedded.

    Returns:
        None under torchrun for every process but the first.

    Raises:
        ProbeError: the run is not possible with these settings.
    """
    check_config(config)
    # Checked before hours of training.
    read_split(config.data, "test", task=config.task, verify=config.verify)
    trained = train_model(config, out, on_progress=on_progress)
    if read_share().rank > 0:
        return None
    config, parts = trained.config, trained.parts
    before, trained_state = trained.before, copy_state(parts.module)
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
    # Saved before the evaluation, so that a run killed during it loses nothing.
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
    """A model before or after training, and its results on the same images."""

    model: Model
    outcomes: dict[str, pd.DataFrame]
    kept: NDArray[np.bool_]
    vectors: Vectors


def _try_mixtures(
    trained: Trained, trained_state: State, retention_set: RetentionSet, on_progress: OnProgress
) -> list[Mixture]:
    """Return accuracy and retention at each interpolation ratio."""
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
                kept=float(retention_set.ask(model, vectors).mean()),
                drift=float(1 - (vectors * originals).sum(axis=1).mean()),
            )
        )
        on_progress("mixtures", len(found), len(ALPHAS))
    return found


def _find_limit(
    config: FinetuneConfig, retention_set: RetentionSet, right: NDArray[np.bool_]
) -> float | None:
    """Return how far the accuracy may fall, or None if it was at chance before."""
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
    """Return the results of a model on the test split, pseudowords and the retention set."""
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
            own, task="pseudowords", data=None, split=None, design="size", n=N_PSEUDOWORDS
        )
    outcomes = {}
    for name, each in asked.items():
        (out / name).mkdir(parents=True, exist_ok=True)
        probe = run_probe(model, each, out / name, on_progress=on_progress, share=Share())
        if probe is not None:  # This is the first process.
            outcomes[name] = probe.outcomes
    vectors = embed_labelled(model, draw_shapes())
    return _Evaluation(model, outcomes, retention_set.ask(model, vectors), vectors)


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
