"""Questions about images: annotations and a model -> the model's answers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from probes.embeddings.images import FOLDER
from probes.models.base import Model
from probes.tasks.run import watch
from probes.training.loop import OnProgress
from probes.vqa.heads import train_heads
from probes.vqa.methods import (
    N_CANDIDATES,
    answer_questions,
    measure_windows,
)
from probes.vqa.questions import Candidates, QuestionSet, list_candidates, make_question_set
from synthtext.vqa.textvqa import Asked, Questions, read_questions


@dataclass(frozen=True)
class VqaConfig:
    """The settings.

    Attributes:
        annotations: training questions in TextVQA's format; their answers are the candidates,
            and heads are trained on them.
        val: questions to answer, in the same format.
        images: folder of the images of both.
        n_candidates: number of candidate answers, the most frequent of training.
        windows: whether to cut images into windows and look for the best.
        heads: whether to train heads on the frozen vectors.
        seed: for the order in which heads see the questions.
    """

    annotations: Path
    val: Path
    images: Path
    n_candidates: int = N_CANDIDATES
    windows: bool = True
    heads: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Answered:
    """The results.

    Attributes:
        config: the settings.
        model: the model.
        train: training questions.
        val: all questions, including those without an image.
        question_set: the questions that have an image.
        candidates: the candidate answers.
        outcomes: a row for each question and method, from `answer_questions`.
        windows: from `measure_windows`; empty without windows.
        notes: what was left out, and why.
    """

    config: VqaConfig
    model: Model
    train: Questions
    val: Questions
    question_set: QuestionSet
    candidates: Candidates
    outcomes: pd.DataFrame
    windows: dict[str, Any]
    notes: tuple[str, ...]


def run_vqa(
    model: Model, config: VqaConfig, out: Path, *, on_progress: OnProgress = lambda *_: None
) -> Answered:
    """Ask a model questions about images and return its answers.

    Vectors are kept in the folder until all is answered, so that a killed run can resume.

    Args:
        model: from `load_model`, or any `Model` around an encoder.
        config: the settings.
        out: folder of results; created if needed.
        on_progress: called as images and texts are embedded.

    Raises:
        ProbeError: the questions cannot be asked.
        WordsError: an annotation file cannot be used.
    """
    train, val = read_questions(config.annotations), read_questions(config.val)
    texts = list_candidates(train.items, config.n_candidates)
    model = watch(model, None, on_progress)
    cache = out / FOLDER
    question_set = make_question_set(
        model, val.items, config.images, cache / "val", windows=config.windows
    )
    candidates = Candidates(texts, model.encoder.embed_texts(texts))
    outcomes = answer_questions(model, question_set, candidates)
    notes = [*val.broken, *question_set.broken]
    if config.heads:
        n_common = _count_common(train.items, val.items)
        if n_common:
            notes.append(
                f"no heads were trained: {n_common:,} of the evaluation questions are also"
                f" training questions"
            )
        else:
            taught = make_question_set(
                model, train.items, config.images, cache / "train", windows=False
            )
            heads = train_heads(model, taught, question_set, candidates, config.seed)
            outcomes = pd.concat([outcomes, heads], ignore_index=True)
            notes += [*train.broken, *taught.broken]
    windows = measure_windows(question_set, candidates, outcomes) if config.windows else {}
    shutil.rmtree(cache)
    return Answered(
        config, model, train, val, question_set, candidates, outcomes, windows, tuple(notes)
    )


def _count_common(train: Sequence[Asked], val: Sequence[Asked]) -> int:
    """Return how many questions of `val` are also in `train`, about the same image."""
    known = {(asked.picture, asked.question) for asked in train}
    return sum((asked.picture, asked.question) in known for asked in val)
