"""Classification: labelled images and a model -> a guess for each image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probes.arrays import Vectors
from probes.data.images import shrink_pixels
from probes.data.labelled import BLOCK, LabelledImages
from probes.embeddings.texts import embed_names
from probes.metrics.intervals import wilson
from probes.models.base import Model
from probes.models.prompts import ATTACK
from probes.tasks.matching import Entry, share_out

N_BEST = 5

TEMPLATES = ("a photo of a {}.",)
"""Source: Radford et al. 2021, section 3.1.4."""

N_CONFUSIONS = 20

N_SHOWN = 24


def classify(
    model: Model, labelled: LabelledImages, templates: Sequence[str] = TEMPLATES
) -> pd.DataFrame:
    """Return a row for each image of labelled images.

    Args:
        model: embeds images and names.
        labelled: images with their names.
        templates: prompts for the class names; their vectors are averaged.

    Returns:
        place, truth, rank (of the truth, 1 is right), guess_1 to guess_5 and share_1 to
        share_5, their probabilities.
    """
    vectors = embed_labelled(model, labelled)
    cosines = vectors @ embed_names(model, labelled.names, templates).T
    n, n_best = len(labelled.truths), min(N_BEST, len(labelled.names))
    own = cosines[np.arange(n), labelled.truths][:, None]
    # Of equally similar names, the first in the list is the guess, whether correct or not.
    earlier = np.arange(len(labelled.names))[None] < labelled.truths[:, None]
    ranks = 1 + ((cosines > own) | ((cosines == own) & earlier)).sum(axis=1)
    best = np.argsort(-cosines, axis=1, kind="stable")[:, :n_best]
    shares = np.take_along_axis(share_out(cosines, model.logit_scale), best, axis=1)
    names = np.array(labelled.names, dtype=object)
    rows: dict[str, Any] = {
        "place": np.arange(n),
        "truth": names[labelled.truths],
        "rank": ranks,
    }
    for k in range(n_best):
        rows[f"guess_{k + 1}"] = names[best[:, k]]
        rows[f"share_{k + 1}"] = shares[:, k]
    return pd.DataFrame(rows)


def tabulate_accuracy(guesses: pd.DataFrame, n_names: int) -> pd.DataFrame:
    """Return the accuracy at 1 and 5: k, n, accuracy, low, high, chance."""
    rows = []
    for k in (1, 5):
        right = int((guesses["rank"] <= k).sum())
        low, high = wilson(right, len(guesses))
        rows.append(
            {
                "k": k, "n": len(guesses), "accuracy": right / len(guesses),
                "low": float(low), "high": float(high), "chance": min(1.0, k / n_names),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def tabulate_classes(guesses: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy on each class, the worst first, with its interval."""
    grouped = guesses.assign(
        right=guesses["rank"] == 1, near=guesses["rank"] <= N_BEST
    ).groupby("truth")
    table = grouped.agg(n=("right", "size"), top_1=("right", "mean"), top_5=("near", "mean"))
    table["low"], table["high"] = wilson(table["top_1"] * table["n"], table["n"])
    return table.reset_index().sort_values(["top_1", "truth"], ignore_index=True)


def tabulate_mistakes(guesses: pd.DataFrame) -> pd.DataFrame:
    """Return the most frequent mistakes: truth, guess, n, fraction of that truth."""
    wrong = guesses[guesses["rank"] > 1]
    counts = wrong.groupby(["truth", "guess_1"]).size().reset_index(name="n")
    of_truth = guesses.groupby("truth").size()
    counts["share"] = counts["n"] / counts["truth"].map(of_truth).astype(float)
    table = counts.sort_values(["n", "truth"], ascending=[False, True], ignore_index=True)
    return table.rename(columns={"guess_1": "guess"}).head(N_CONFUSIONS)


def choose_examples(
    guesses: pd.DataFrame, labelled: LabelledImages, seed: int = 0, n: int = N_SHOWN
) -> list[Entry]:
    """Return random images with their best class names and the true one."""
    chosen = guesses.sample(min(n, len(guesses)), random_state=seed)
    n_best = sum(str(name).startswith("guess_") for name in guesses)
    return [_show(row, labelled, n_best) for row in chosen.to_dict("records")]


def _show(row: Mapping[Any, Any], labelled: LabelledImages, n_best: int) -> Entry:
    places = range(1, n_best + 1)
    return Entry(
        pixels=shrink_pixels(labelled.pictures[row["place"]]()),
        title=row["truth"],
        texts=tuple(row[f"guess_{k}"] for k in places),
        shares=tuple(row[f"share_{k}"] for k in places),
        truth=row["truth"],
    )


def embed_labelled(model: Model, labelled: LabelledImages) -> Vectors:
    """Return the vectors of all images, (N, D), unit length."""
    starts = range(0, len(labelled.pictures), BLOCK)
    return np.concatenate(
        [
            model.encoder.embed_images([draw() for draw in labelled.pictures[at : at + BLOCK]])
            for at in starts
        ]
    )


def name_labelled(
    model: Model, labelled: LabelledImages, vectors: Vectors, templates: Sequence[str] = ATTACK
) -> NDArray[np.bool_]:
    """Return whether a model classifies each image correctly, (N,), among all classes."""
    names = embed_names(model, labelled.names, templates)
    return (vectors @ names.T).argmax(axis=1) == labelled.truths
