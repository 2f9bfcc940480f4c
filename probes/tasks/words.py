"""Words and sentences: which of K texts is it?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from probes.data.designs import COMMON, LATIN, choose_fitting, make_trials, parse_design
from probes.data.trials import Trial
from probes.embeddings.images import Embedded
from probes.errors import ProbeError
from probes.metrics.forced_choice import guess_nested, list_ks
from probes.metrics.spelling import guess_by_spelling
from probes.models.base import Model
from probes.tasks.base import (
    Question,
    Task,
    embed_needed,
    find_truth,
    read_texts,
    tabulate_guesses,
)
from probes.tasks.config import ProbeConfig
from probes.tasks.vocabulary import (
    DEFAULT_VOCABULARY,
    Candidates,
    draw_pool,
    make_vocabulary,
    shuffle_texts,
)
from synthtext.drawing.fonts import read_catalogue
from synthtext.spec import Spec
from synthtext.texts.reviews import review_sentences
from synthtext.texts.words import read_words

SENTENCE_SIZES_PX = (12.0, 16.0, 20.0)


def show_words(config: ProbeConfig) -> tuple[list[Trial], Candidates]:
    """Return images of words at every level of a design, and the candidates."""
    factors, pool = parse_design(config.design), read_pool(config)
    return make_trials(choose_shown(config, pool, factors), factors, config.seed), pool


def read_pool(config: ProbeConfig) -> Candidates:
    """Return the words that a design shows, and the candidates."""
    words = read_words(config.vocabulary or DEFAULT_VOCABULARY).items
    return draw_pool(words, config.rivals, config.seed)


def choose_shown(config: ProbeConfig, pool: Candidates, factors: Sequence[str]) -> list[str]:
    """Return the first n words of a pool that fit at every level.

    For designs of one factor at a time, that means every level of `COMMON` as well, so that
    such designs show the same words, except those that are too short for an arc or reach too
    far.
    """
    levels = (
        factors if tuple(factors) == (LATIN,) else tuple(dict.fromkeys((*COMMON, *factors)))
    )
    showable = pool.texts[: pool.n_showable]
    return choose_fitting(showable, levels, read_catalogue(), config.n)


def show_sentences(config: ProbeConfig) -> tuple[list[Trial], Candidates]:
    """Return images of bundled reviews in three sizes, and the candidates."""
    texts = review_sentences()
    labels = dict(zip(texts.items, texts.labels, strict=True))
    drawn = shuffle_texts(texts.items, config.seed)
    if len(drawn) < config.n:
        raise ProbeError(
            f"there are {len(drawn)} reviews, fewer than {config.n}; ask for fewer"
        )
    trials = []
    for size_px in SENTENCE_SIZES_PX:
        for number, text in enumerate(drawn[: config.n]):
            spec = Spec(seed=config.seed, index=number, split="test", kind="sentence",
                        text=text, font="DejaVuSans.ttf", label=labels[text],
                        size_px=size_px, shrink=True)  # fmt: skip
            key = f"easy-size_px-{size_px}-{number:06d}"
            trials.append(Trial(key, spec, "easy", "size_px", str(size_px)))
    return trials, Candidates(tuple(drawn), len(drawn), rivals=config.rivals)


def choose_among_words(
    question: Question, model: Model, trials: Sequence[Trial], embedded: Embedded
) -> pd.DataFrame:
    """Return the guess for each image among nested sets of K texts."""
    vocabulary = make_vocabulary(question.candidates, model, question.seed)
    truths = np.array([find_truth(trial, vocabulary) for trial in trials])
    ks = list_ks(len(vocabulary.words), question.ks)
    headline = max((k for k in ks if k <= question.headline), default=ks[0])
    if model.reader is not None:
        said = [reading.text for reading in read_texts(embedded)]
        guesses = guess_by_spelling(
            said, vocabulary.words, truths, choice=vocabulary.choice, ks=ks, headline=headline
        )
    else:
        texts = embed_needed(question, model, vocabulary, truths, max(ks))
        guesses = guess_nested(
            embedded.vectors, texts, truths, choice=vocabulary.choice, ks=ks,
            headline=headline, scale=model.logit_scale,
        )  # fmt: skip
    answers = [vocabulary.words[place] for place in guesses.guesses.tolist()]
    return tabulate_guesses(question, model, trials, embedded, guesses, answers)


WORDS = Task(
    "words", "Which of K words is it?", show_words, choose_among_words, has_curves=True,
    takes_readers=True,
)  # fmt: skip

SENTENCES = Task(
    "sentences",
    "Which of K sentences is it?",
    show_sentences,
    choose_among_words,
    takes_readers=True,
)
