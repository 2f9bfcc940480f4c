"""Sentiment: is the review positive or negative?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from probes.data.trials import Trial
from probes.embeddings.images import Embedded
from probes.errors import ProbeError
from probes.metrics.binary import score_binary
from probes.metrics.forced_choice import among_all, guess_nested
from probes.models.base import Model
from probes.models.prompts import SENTIMENT
from probes.tables import Table
from probes.tasks.base import Question, Task, embed_candidates, tabulate_guesses
from probes.tasks.words import show_sentences
from synthtext.dataset.plan import SENTIMENTS


def choose_sentiment(
    question: Question, model: Model, trials: Sequence[Trial], embedded: Embedded
) -> pd.DataFrame:
    """Return the more similar of the two labels for each image, and `p_positive`.

    Raises:
        ProbeError: an image has no label.
    """
    labels = [trial.spec.label for trial in trials]
    if None in labels:
        key = trials[labels.index(None)].key
        raise ProbeError(f"{key} has no label; the task sentiment needs labelled sentences")
    truths = np.array(labels, np.int64)
    texts = embed_candidates(question, model, SENTIMENTS)
    guesses = guess_nested(
        embedded.vectors, texts, truths, choice=among_all(SENTIMENTS, question.seed),
        ks=[2], headline=2, scale=model.logit_scale,
    )  # fmt: skip
    answers = [SENTIMENTS[place] for place in guesses.guesses.tolist()]
    table = tabulate_guesses(question, model, trials, embedded, guesses, answers)
    sims = model.logit_scale * (embedded.vectors @ texts.T).astype(np.float64)
    table["p_positive"] = expit(sims[:, 1] - sims[:, 0])
    return table


def measure_sentiment(outcomes: pd.DataFrame) -> dict[str, Any]:
    """Return accuracy, precision, recall, F1, confusion matrix and the rate of each answer."""
    truth = outcomes["label"].to_numpy(int)
    guess = (outcomes["guess"] == SENTIMENTS[1]).to_numpy().astype(int)
    scores = vars(score_binary(truth, guess))
    shares = scores.pop("fractions_guessed")
    return scores | {"share_guessed": dict(zip(SENTIMENTS, shares, strict=True))}


def tabulate_sentiment(found: Mapping[str, Any]) -> Table:
    """Return the results of `measure_sentiment` as a table."""
    (tn, fp), (fn, tp) = found["confusion"]
    shares = found["share_guessed"]
    rows = [(name, f"{found[name]:.4f}") for name in ("accuracy", "precision", "recall", "f1")]
    rows += [("answered negative: true negative / positive", f"{tn} / {fn}")]
    rows += [("answered positive: true negative / positive", f"{fp} / {tp}")]
    rows += [(f"rate of answers: {name}", f"{share:.3f}") for name, share in shares.items()]
    note = (
        "It gives the same answer for every image, so it does not read."
        if found["is_constant"]
        else ""
    )
    return Table("Sentiment", ("metric", "value"), tuple(rows), note)


TASK = Task(
    "sentiment",
    "Is the review positive? Accuracy, precision, recall, F1, rate of each answer",
    show_sentences,
    choose_sentiment,
    templates=SENTIMENT,
    asks_for_text=False,
    needs_text=False,
    has_pool=False,
    measure=measure_sentiment,
    tabulate=tabulate_sentiment,
)
