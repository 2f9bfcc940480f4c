"""Answering: questions about images -> a model's choice among the most frequent answers.

The candidates are the most frequent answers to the training questions. A question whose answer
is not among them cannot be answered, and the number of these is always reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probes.arrays import Vectors, to_unit_length
from probes.data.windows import hold_box
from probes.metrics.intervals import cluster_bootstrap, clustered_accuracy
from probes.metrics.paired import paired_difference
from probes.metrics.vqa_accuracy import normalise_answer, score_answers
from probes.models.base import Model
from probes.vqa.questions import Candidates, Ints, QuestionSet
from synthtext.vqa.textvqa import Asked

N_CANDIDATES = 10_000
"""Number of candidate answers, as in "Can CLIP Read?"."""


N_BEST = 5


N_SHORTLISTED = 20
"""Number of answers put into a prompt with the question: those most similar to the image.
Embedding every question with every answer would take 40 million texts for TextVQA."""


PROMPT = "{answer}. {question}"
"""The answer comes first, so that a short context truncates the question instead."""


BLOCK = 512
"""Number of questions compared with all candidates at a time."""


PICTURE, QUESTION, SUM, PROMPTED = (
    "image alone", "question alone", "image + question", "question in the prompt",
)  # fmt: skip


WINDOW, WINDOW_SUM = "best window", "best window + question"


COMMONEST, RANDOM, POSSIBLE = "most frequent answer", "random answer", "best possible"


Floats = NDArray[np.float64]


def answer_questions(
    model: Model, question_set: QuestionSet, candidates: Candidates
) -> pd.DataFrame:
    """Return an outcome for each question and each method.

    Returns:
        key, picture, question, answer, method, guess, guess_1 to guess_5 and share_1 to
        share_5, exact, soft, is_candidate.
    """
    seen = question_set.images[question_set.rows]
    vectors = {
        PICTURE: seen,
        QUESTION: question_set.queries,
        SUM: to_unit_length(seen + question_set.queries),
    }
    if question_set.windows.shape[1]:
        found = question_set.windows[
            np.arange(len(question_set.images)), find_windows(question_set, candidates)
        ]
        vectors[WINDOW] = found[question_set.rows]
        vectors[WINDOW_SUM] = to_unit_length(found[question_set.rows] + question_set.queries)
    ranked = {name: rank_answers(each, candidates.vectors) for name, each in vectors.items()}
    tables = [
        tabulate_guesses(question_set, candidates, name, *best, scale=model.logit_scale)
        for name, best in ranked.items()
    ]
    shortlist, _ = rank_answers(seen, candidates.vectors, N_SHORTLISTED)
    best = _rank_prompted(model, question_set, candidates, shortlist)
    table = tabulate_guesses(question_set, candidates, PROMPTED, *best, scale=model.logit_scale)
    return pd.concat([*tables[:3], table, *tables[3:]], ignore_index=True)


def rank_answers(
    vectors: Vectors, candidates: Vectors, n_best: int = N_BEST
) -> tuple[Ints, Floats]:
    """Return the nearest candidates of each vector, and their cosines, both (N, n_best)."""
    n_best = min(n_best, len(candidates))
    places, cosines = [], []
    for at in range(0, len(vectors), BLOCK):
        sims = vectors[at : at + BLOCK] @ candidates.T
        part = np.argpartition(-sims, n_best - 1, axis=1)[:, :n_best]
        # Of equally similar answers, the more frequent comes first.
        part.sort(axis=1)
        near = np.take_along_axis(sims, part, axis=1)
        order = np.argsort(-near, axis=1, kind="stable")
        places.append(np.take_along_axis(part, order, axis=1))
        cosines.append(np.take_along_axis(near, order, axis=1))
    return np.concatenate(places), np.concatenate(cosines).astype(np.float64)


def find_windows(question_set: QuestionSet, candidates: Candidates) -> Ints:
    """Return the window of each image that is nearest to any candidate, (M,)."""
    n, n_windows, n_dims = question_set.windows.shape
    nearest = rank_answers(question_set.windows.reshape(-1, n_dims), candidates.vectors, 1)[1]
    found: Ints = nearest.reshape(n, n_windows).argmax(axis=1)
    return found


def tabulate_guesses(
    question_set: QuestionSet,
    candidates: Candidates,
    method: str,
    places: Ints,
    cosines: Floats,
    *,
    scale: float,
) -> pd.DataFrame:
    """Return the outcomes of one method.

    Args:
        question_set: the questions.
        candidates: the candidates.
        method: the name of the method.
        places: the best candidates of each question, (N, n_best).
        cosines: their cosines, (N, n_best).
        scale: scale of the logits; shares are a softmax over the answers listed.
    """
    powers = np.exp(scale * (cosines - cosines.max(axis=1, keepdims=True)))
    shares = powers / powers.sum(axis=1, keepdims=True)
    rows = []
    for asked, best, share in zip(question_set.questions, places.tolist(), shares, strict=True):
        texts = [candidates.texts[place] for place in best]
        truth = normalise_answer(asked.answer)
        rows.append(
            {
                "key": asked.key, "picture": asked.picture, "question": asked.question,
                "answer": asked.answer, "method": method, "guess": texts[0],
                **{f"guess_{k}": text for k, text in enumerate(texts, 1)},
                **{f"share_{k}": float(each) for k, each in enumerate(share, 1)},
                "exact": texts[0] == truth,
                "soft": score_answers(asked.answers).get(texts[0], 0.0),
                "is_candidate": truth in candidates.place_of,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def tabulate_methods(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return exact and soft accuracy of each method, with intervals that resample images.

    Returns:
        method, n, exact, exact_low, exact_high, soft, soft_low, soft_high.
    """
    rows = []
    for method, group in outcomes.groupby("method", sort=False):
        exact = clustered_accuracy(group["exact"], group["picture"])
        soft = cluster_bootstrap(group["soft"], group["picture"])
        rows.append(
            {
                "method": method, "n": len(group),
                "exact": exact.mean, "exact_low": exact.low, "exact_high": exact.high,
                "soft": soft.mean, "soft_low": soft.low, "soft_high": soft.high,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def tabulate_baselines(questions: Sequence[Asked], candidates: Sequence[str]) -> pd.DataFrame:
    """Return the baselines without an image: random, most frequent, and best possible answer.

    The random baseline is its expectation; the best possible answer is limited only by the
    candidates.

    Returns:
        method, n, exact, soft.
    """
    known = set(candidates)
    truths = [normalise_answer(asked.answer) for asked in questions]
    inside = np.array([truth in known for truth in truths])
    scores = [
        {text: score for text, score in score_answers(asked.answers).items() if text in known}
        for asked in questions
    ]
    first = candidates[0]
    table = {
        POSSIBLE: (
            inside.mean(),
            np.mean([max(each.values(), default=0.0) for each in scores]),
        ),
        COMMONEST: (
            np.mean([truth == first for truth in truths]),
            np.mean([each.get(first, 0.0) for each in scores]),
        ),
        RANDOM: (
            inside.mean() / len(candidates),
            np.mean([sum(each.values()) for each in scores]) / len(candidates),
        ),
    }
    return pd.DataFrame(
        [
            {"method": name, "n": len(truths), "exact": float(exact), "soft": float(soft)}
            for name, (exact, soft) in table.items()
        ]
    )


def measure_windows(
    question_set: QuestionSet, candidates: Candidates, outcomes: pd.DataFrame
) -> dict[str, Any]:
    """Return the gain of the best window, and how often it contains the answer, if known.

    Returns:
        gain, gain_low, gain_high in exact accuracy relative to the whole image; and, where
        boxes are known, n_boxes, hit_rate, hit_low, hit_high, hit_chance.
    """
    whole, window = (
        outcomes[outcomes["method"] == name].reset_index(drop=True)
        for name in (PICTURE, WINDOW)
    )
    gain = paired_difference(whole["exact"], window["exact"], whole["picture"])
    found: dict[str, Any] = {"gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high}
    best = find_windows(question_set, candidates)
    boxed = [
        number for number, asked in enumerate(question_set.questions) if asked.box is not None
    ]
    if not boxed:
        return found | {"n_boxes": 0}
    rows = question_set.rows[boxed]
    holding = np.array([_hold_box(question_set, number) for number in boxed])
    hits = holding[np.arange(len(boxed)), best[rows]]
    hit = clustered_accuracy(hits, rows)
    return found | {
        "n_boxes": len(boxed), "hit_rate": hit.mean, "hit_low": hit.low, "hit_high": hit.high,
        "hit_chance": float(holding.mean()),
    }  # fmt: skip


def _rank_prompted(
    model: Model, question_set: QuestionSet, candidates: Candidates, shortlist: Ints
) -> tuple[Ints, Floats]:
    """Return the shortlisted answers, ranked by the image's fit to the full prompt."""
    texts = [
        PROMPT.format(answer=candidates.texts[place], question=asked.question)
        for asked, places in zip(question_set.questions, shortlist.tolist(), strict=True)
        for place in places
    ]
    distinct = list(dict.fromkeys(texts))
    place_of = {text: place for place, text in enumerate(distinct)}
    vectors = model.encoder.embed_texts(distinct)
    asked = np.array([place_of[text] for text in texts]).reshape(shortlist.shape)
    seen = question_set.images[question_set.rows]
    sims = np.stack(
        [(seen * vectors[asked[:, k]]).sum(axis=1) for k in range(shortlist.shape[1])], axis=1
    )
    order = np.argsort(-sims, axis=1, kind="stable")[:, :N_BEST]
    best: Ints = np.take_along_axis(shortlist, order, axis=1)
    return best, np.take_along_axis(sims, order, axis=1).astype(np.float64)


def _hold_box(question_set: QuestionSet, number: int) -> list[bool]:
    """Return which windows of a question's image contain its whole answer."""
    box = question_set.questions[number].box
    width, height = question_set.sizes[question_set.rows[number]].tolist()
    return hold_box(box if box is not None else (0.0, 0.0, 0.0, 0.0), width, height)
