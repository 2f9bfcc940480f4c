"""A question: what is asked of pictures, among which candidates, with which prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from probes.arrays import Vectors
from probes.data.trials import Trial
from probes.embeddings.texts import embed_prompts, ensemble_prompts
from probes.errors import ProbeError
from probes.models.base import Model
from probes.tasks.vocabulary import Vocabulary


@dataclass(frozen=True)
class Question:
    """What is asked of the pictures.

    Attributes:
        task: name of the task.
        vocabulary: words or sentences to choose among, truths included.
        templates: prompts; their vectors are averaged.
        ks: numbers of candidates, nested; none takes those of `KS` within reach.
        headline: the number that outcomes are about, or the largest below it.
        seed: draws candidates and breaks ties.
        cache_folder: keeps the vectors of texts.
    """

    task: str
    vocabulary: tuple[str, ...]
    templates: tuple[str, ...]
    ks: tuple[int, ...]
    headline: int
    seed: int
    cache_folder: Path


def embed_candidates(question: Question, model: Model, texts: Sequence[str]) -> Vectors:
    """Return the vectors of texts, (N, D), averaged over the prompts of a question."""
    return ensemble_prompts(
        embed_prompts(model, list(texts), question.templates, question.cache_folder)
    )


def find_truth(trial: Trial, vocabulary: Vocabulary) -> int:
    """Return the place of a trial's text in the vocabulary.

    Raises:
        ProbeError: it is not there.
    """
    for text in (trial.spec.text, trial.spec.drawn_text, trial.spec.text.casefold()):
        if text in vocabulary.place_of:
            return vocabulary.place_of[text]
    raise ProbeError(
        f"the vocabulary lacks {trial.spec.text!r}, which is shown; give one that holds "
        "every word of the pictures"
    )
