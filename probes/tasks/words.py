"""Words and sentences: which of K texts is it?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from probes.data.designs import choose_fitting, make_trials, parse_design
from probes.data.trials import Trial
from probes.embeddings.images import Embedded
from probes.metrics.forced_choice import KS, guess_nested, list_ks
from probes.metrics.spelling import guess_by_spelling
from probes.models.base import Model
from probes.tasks.base import (
    Question,
    Task,
    embed_candidates,
    find_truth,
    read_texts,
    tabulate_guesses,
)
from probes.tasks.config import ProbeConfig
from probes.tasks.vocabulary import choose_words, make_vocabulary, sort_by_frequency
from synthtext.drawing.fonts import read_catalogue
from synthtext.spec import Spec
from synthtext.texts.reviews import review_sentences
from synthtext.texts.words import read_words

WORD_CHARS = range(3, 9)
"""Lengths of the words that a design shows: longer ones would not fit at every level."""

N_SPARE = 8
"""Words looked at for each that is shown, since some do not fit."""

SENTENCE_SIZES_PX = (12.0, 16.0, 20.0)


def show_words(config: ProbeConfig) -> tuple[list[Trial], list[str]]:
    """Return images of words at every level of a design, and the words to choose among."""
    factors = parse_design(config.design)
    common = list_common(config)
    return make_trials(choose_shown(config, common, factors), factors, config.seed), common


def list_common(config: ProbeConfig) -> list[str]:
    """Return the commonest words of the vocabulary.

    As many as the largest choice and the images need, and some over for those that the model
    cannot tell apart.
    """
    n_words = max(round(1.05 * max(config.ks or KS)), N_SPARE * config.n)
    return sort_by_frequency(read_words(config.vocabulary).items)[:n_words]


def choose_shown(
    config: ProbeConfig, common: Sequence[str], factors: Sequence[str]
) -> list[str]:
    """Return the words that a design shows: n that fit at every level."""
    short = [word for word in common if len(word) in WORD_CHARS]
    drawn = choose_words(short, min(N_SPARE * config.n, len(short)), config.seed)
    return choose_fitting(drawn, factors, read_catalogue(), config.n)


def show_sentences(config: ProbeConfig) -> tuple[list[Trial], list[str]]:
    """Return images of bundled reviews in three sizes, and the reviews to choose among."""
    texts = review_sentences()
    labels = dict(zip(texts.items, texts.labels, strict=True))
    shown = choose_words(texts.items, config.n, config.seed)
    trials = []
    for size_px in SENTENCE_SIZES_PX:
        for number, text in enumerate(shown):
            spec = Spec(seed=config.seed, index=number, split="test", kind="sentence",
                        text=text, font="DejaVuSans.ttf", label=labels[text],
                        size_px=size_px, shrink=True)  # fmt: skip
            key = f"easy-size_px-{size_px}-{number:06d}"
            trials.append(Trial(key, spec, "easy", "size_px", str(size_px)))
    return trials, shown


def choose_among_words(
    question: Question, model: Model, trials: Sequence[Trial], embedded: Embedded
) -> pd.DataFrame:
    """Return which of K nested sets of texts each image is nearest to."""
    vocabulary = make_vocabulary(question.vocabulary, model)
    truths = np.array([find_truth(trial, vocabulary) for trial in trials])
    ks = list_ks(len(vocabulary.words), question.ks)
    headline = max((k for k in ks if k <= question.headline), default=ks[0])
    if model.reader is not None:
        said = [reading.text for reading in read_texts(embedded)]
        guesses = guess_by_spelling(
            said, vocabulary.words, truths, ks=ks, headline=headline, seed=question.seed
        )
    else:
        texts = embed_candidates(question, model, vocabulary.words)
        guesses = guess_nested(
            embedded.vectors, texts, truths, ks=ks, headline=headline, seed=question.seed
        )
    answers = [vocabulary.words[place] for place in guesses.guesses.tolist()]
    return tabulate_guesses(question, model, trials, embedded, guesses, answers)


WORDS = Task(
    "words", "which of K words is it", show_words, choose_among_words, has_curves=True,
    takes_readers=True,
)  # fmt: skip

SENTENCES = Task(
    "sentences", "which of K sentences", show_sentences, choose_among_words, takes_readers=True
)
