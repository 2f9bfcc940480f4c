"""The probability that a model reads each image of a dataset correctly."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from probes.errors import ProbeError
from probes.models.base import Model, identify_model
from probes.tasks.base import HEADLINE_K, choose_templates, load_task
from probes.tasks.config import ProbeConfig
from probes.tasks.outcomes import read_outcomes
from probes.tasks.run import run_probe
from synthtext.dataset.generate import OnProgress
from synthtext.dataset.manifest import read_manifest
from synthtext.dataset.scoring import Keep, begin_scored, describe_scored, write_scored
from synthtext.storage import lock_folder

WORK = ".scores"
"""Folder for the model's answers until the copy is written."""

TASK = "words"

READS = (
    "the confidence of the reader, or 1 where it states none, if its answer is the text, case"
    " folded; else 0"
)

CHOOSES = (
    f"softmax probability of the text among up to {HEADLINE_K} candidates from the texts of the"
    " dataset, as long and as common, by the model's own logit scale"
)


def score_dataset(  # noqa: PLR0913 - each is a separate option.
    model: Model,
    source: Path,
    out: Path,
    *,
    keep: Keep | None = None,
    seed: int = 0,
    verify: bool = True,
    on_progress: OnProgress = lambda *_: None,
) -> dict[str, Any]:
    """Write a copy of a dataset with `p_read` in every `KEY.json`; return its `dataset.json`.

    After a run was killed, the same call finishes it.

    Args:
        model: an encoder, or a reader that returns text.
        source: a finished dataset of words or sentences.
        out: a folder that is new, empty, or was begun by the same call.
        keep: which images are kept; None keeps all.
        seed: for the candidates that an encoder chooses among.
        verify: whether the source must match its checksums.
        on_progress: called as images are read and written.

    Raises:
        ProbeError: there are too few texts to choose among.
        DatasetError: the source is incomplete, or the folder holds something else.
    """
    begun = describe_scored(source, _describe(model, seed), keep, verify=verify)
    with lock_folder(out):
        finished = begin_scored(source, out, begun)
        if finished is not None:
            # Left behind by a run that was killed just before its end.
            shutil.rmtree(out / WORK, ignore_errors=True)
            return finished
        config = ProbeConfig(task=TASK, data=source, seed=seed, verify=verify, width=None)
        scores = _read_scores(model, source, out / WORK, config, on_progress)
        manifest = write_scored(source, out, begun, scores, keep, on_progress=on_progress)
        shutil.rmtree(out / WORK)
        return manifest


def find_scores(outcomes: pd.DataFrame, scale: float) -> dict[str, float]:
    """Return the probability that each image is read, 0 to 1, by its key.

    Args:
        outcomes: outcomes of a probe.
        scale: scale of the model's logits.
    """
    if "answer" in outcomes:
        found = outcomes["confidence"].fillna(1.0) * outcomes["exact"]
    else:
        # The margin is to the best distractor, which is the guess if the guess is wrong.
        found = outcomes["confidence"] * np.exp(scale * outcomes["margin"].clip(upper=0))
    return dict(zip(outcomes["key"], found.astype(float), strict=True))


def _read_scores(
    model: Model, source: Path, work: Path, config: ProbeConfig, on_progress: OnProgress
) -> dict[str, float]:
    if (work / "outcomes.parquet").exists():
        return find_scores(read_outcomes(work), model.logit_scale)
    splits = read_manifest(source, verify=False)["splits"].values()
    n_texts = sum(sum(row["n_texts"].values()) for row in splits)
    if n_texts < 2:
        raise ProbeError(f"{source} has one text; a model chooses among two or more")
    done = run_probe(model, config, work, on_progress=on_progress)
    if done is None:
        raise ProbeError("a dataset is scored by one process; leave out torchrun")
    return find_scores(done.outcomes, model.logit_scale)


def _describe(model: Model, seed: int) -> dict[str, Any]:
    """Return the meaning and the origin of the scores, for `dataset.json`."""
    return {
        "computed": CHOOSES if model.reader is None else READS,
        "model": model.name,
        "tag": model.tag,
        "identity": identify_model(model),
        "weights_sha256": model.weights_sha256,
        "precision": model.precision,
        "prompts": list(choose_templates(load_task(TASK), model)),
        "seed": seed,
        "versions": dict(model.versions),
    }
