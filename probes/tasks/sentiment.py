"""Is a review positive or negative, and what a model says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from synthtext.dataset.plan import SENTIMENTS


def measure_sentiment(outcomes: pd.DataFrame) -> dict[str, Any]:
    """Return accuracy, precision, recall, F1, the confusion matrix and the share of guesses.

    Always the share of each guessed class: a model that says one of them of every picture
    scores the share of that class, and reads nothing.
    """
    truth = outcomes["label"].to_numpy(int)
    guess = (outcomes["guess"] == SENTIMENTS[1]).to_numpy(int)
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, guess, labels=[1], zero_division=0.0
    )
    counts = confusion_matrix(truth, guess, labels=[0, 1])
    return {
        "accuracy": float((truth == guess).mean()),
        "precision": float(precision[0]),
        "recall": float(recall[0]),
        "f1": float(f1[0]),
        "confusion": counts.tolist(),
        "share_guessed": {
            name: float((guess == i).mean()) for i, name in enumerate(SENTIMENTS)
        },
        "is_constant": bool(len(np.unique(guess)) == 1),
    }
