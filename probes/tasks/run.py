"""A probe from end to end: pictures -> vectors -> outcomes, in a folder of results."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from probes.arrays import Pixels, Vectors
from probes.data.designs import DEFAULT, choose_fitting, make_trials, name_fonts, parse_design
from probes.data.rendered import read_trials
from probes.data.shapes import PICTURES
from probes.data.stimuli import draw_stimuli, draw_windows, name_drawn, name_stimuli
from probes.data.trials import Trial
from probes.embeddings.images import Embedded, Share, Stats, embed_renderings
from probes.embeddings.texts import find_cache_folder
from probes.errors import ProbeError
from probes.metrics.forced_choice import KS
from probes.models.base import Encoder, Model
from probes.tasks.base import Question
from probes.tasks.localization import N_VIEWS, show_somewhere
from probes.tasks.outcomes import write_outcomes
from probes.tasks.pseudowords import PSEUDOWORDS
from probes.tasks.registry import TASKS, answer, choose_templates
from probes.tasks.typographic_attack import write_on_pictures
from probes.tasks.vocabulary import choose_words, sort_by_frequency
from synthtext.dataset.generate import OnProgress
from synthtext.drawing.fonts import read_catalogue
from synthtext.spec import Spec
from synthtext.texts.reviews import review_sentences
from synthtext.texts.words import read_words

HEADLINE_K = 100

WORD_CHARS = range(3, 9)
"""Lengths of the words that a design shows: longer ones would not fit at every level."""

SPARE = 8
"""Words looked at for each that is shown, since some do not fit."""


@dataclass(frozen=True)
class Setting:
    """What a probe asks, and with which pictures.

    Attributes:
        task: one of `TASKS`.
        design: factors to vary, or `latin`; see `parse_design`. Of no account with `data`.
        data: a dataset that `synthtext render` wrote, instead of a design.
        n: words at each level of a design, or pictures of a Latin hypercube.
        ks: numbers of candidates to choose among; none takes those of `KS` within reach.
        templates: prompts; none takes those the model was trained with, or those of the task.
        vocabulary: a word list; a design takes its commonest words to show and to choose
            among, as many as the largest of `ks` and `n` need.
        seed: of everything drawn.
        verify: whether the shards of `data` must be those that were written.
    """

    task: str = "words"
    design: str = DEFAULT
    data: Path | None = None
    n: int = 200
    ks: tuple[int, ...] = ()
    templates: tuple[str, ...] = ()
    vocabulary: str = "en"
    seed: int = 0
    verify: bool = True


@dataclass(frozen=True)
class Probe:
    """What a probe showed and what came of it.

    Attributes:
        model: what was probed.
        question: what was asked.
        trials: the pictures.
        outcomes: a row per picture.
        stats: what the encoder took.
        by_template: share read right with each of several prompts alone.
        broken: files that cannot be read, left out.
    """

    model: Model
    question: Question
    trials: tuple[Trial, ...]
    outcomes: pd.DataFrame
    stats: Stats
    by_template: dict[str, float]
    broken: tuple[str, ...] = ()


class _Watched:
    """An encoder that says how many pictures and texts are done."""

    def __init__(
        self, encoder: Encoder, n_pictures: int | None, on_progress: OnProgress
    ) -> None:
        self._encoder = encoder
        self._n_pictures = n_pictures
        self._on_progress = on_progress
        self._n_done = {"pictures": 0, "texts": 0}

    def embed_images(self, images: Sequence[Pixels]) -> Vectors:
        vectors = self._encoder.embed_images(images)
        self._count("pictures", len(images), self._n_pictures)
        return vectors

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        vectors = self._encoder.embed_texts(texts)
        self._count("texts", len(texts), None)
        return vectors

    def _count(self, unit: str, n: int, n_all: int | None) -> None:
        self._n_done[unit] += n
        self._on_progress(unit, self._n_done[unit], n_all)


def watch(model: Model, n_pictures: int | None, on_progress: OnProgress) -> Model:
    """Return the model, saying how many of its pictures and texts are done."""
    return replace(model, encoder=_Watched(model.encoder, n_pictures, on_progress))


def run_probe(
    model: Model,
    setting: Setting,
    out: Path,
    *,
    on_progress: OnProgress = lambda *_: None,
    share: Share | None = None,
) -> Probe | None:
    """Probe a model, write `outcomes.parquet` into a folder, and return what came of it.

    Vectors are kept in the folder until the outcomes are written, so a run that was killed is
    taken up where it stopped.

    Args:
        model: from `load_model`, or any `Model` around an encoder.
        setting: what to ask.
        out: folder of results; made if need be.
        on_progress: called as pictures and texts are embedded.
        share: of this process; None takes what torchrun gives it.

    Returns:
        None under torchrun for every process but the first.

    Raises:
        ProbeError: the probe cannot be run as asked.
    """
    if setting.task not in TASKS:
        raise ProbeError(f"no task {setting.task!r}; there are {', '.join(TASKS)}")
    if setting.n < 2:
        raise ProbeError(f"n is {setting.n}; a level needs 2 words or more")
    broken: tuple[str, ...] = ()
    if setting.data is not None:
        shown = read_trials(setting.data, verify=setting.verify)
        trials, chunks, broken = shown.trials, shown.chunks, shown.broken
        if trials[0].file and setting.task != "sentiment":
            raise ProbeError(
                f"{setting.data} does not say what is written in its pictures;"
                " ask for --task sentiment"
            )
        words, named = _list_shown(trials), name_stimuli(trials, shown.files)
    else:
        fonts = read_catalogue()
        trials, words = design_trials(setting)
        trials = name_fonts(trials, fonts)
        named = name_drawn(trials, fonts)
        chunks = draw_windows(trials) if setting.task == "where" else draw_stimuli(trials)
    question = Question(
        task=setting.task,
        vocabulary=tuple(words),
        templates=setting.templates or choose_templates(setting.task, model),
        ks=setting.ks,
        headline=HEADLINE_K,
        seed=setting.seed,
        cache_folder=find_cache_folder(),
    )
    n_views = N_VIEWS if setting.task == "where" else 1
    model = watch(model, n_views * len(trials), on_progress)
    embedded, stats = embed_renderings(
        model,
        chunks,
        out / "vectors",
        stimuli=f"{setting.task == 'where'} {named}",
        expected=None if setting.task == "where" else [trial.key for trial in trials],
        share=share,
    )
    if embedded is None:
        return None
    outcomes = answer(question, model, trials, embedded)
    write_outcomes(out / "outcomes.parquet", outcomes)
    several = len(question.templates) > 1
    by_template = _measure_templates(question, model, trials, embedded) if several else {}
    shutil.rmtree(out / "vectors")
    return Probe(model, question, tuple(trials), outcomes, stats, by_template, broken)


def _measure_templates(
    question: Question, model: Model, trials: Sequence[Trial], embedded: Embedded
) -> dict[str, float]:
    """Return the share read right with each prompt instead of the mean over all of them."""
    return {
        template: float(
            answer(replace(question, templates=(template,)), model, trials, embedded)[
                "correct"
            ].mean()
        )
        for template in question.templates
    }


def design_trials(setting: Setting) -> tuple[list[Trial], list[str]]:
    """Return the pictures of a design, and what there is to choose among."""
    n, seed = setting.n, setting.seed
    if setting.task in ("sentences", "sentiment"):
        return _show_sentences(n, seed)
    if setting.task == "attack":
        return write_on_pictures(n, seed), list(PICTURES)
    factors = ("size_px",) if setting.task == "where" else parse_design(setting.design)
    # The commonest words, as many as the largest choice and the pictures need, and some over
    # for those that the model cannot tell apart.
    n_words = max(round(1.05 * max(setting.ks or KS)), SPARE * n)
    common = sort_by_frequency(read_words(setting.vocabulary).items)[:n_words]
    short = [word for word in common if len(word) in WORD_CHARS]
    if setting.task == "pseudowords":
        return _show_pseudowords(short, factors, n=n, seed=seed)
    drawn = choose_words(short, min(SPARE * n, len(short)), seed)
    shown = choose_fitting(drawn, factors, read_catalogue(), n)
    if setting.task == "where":
        return show_somewhere(shown, seed), common
    return make_trials(shown, factors, seed), common


def _show_pseudowords(
    words: Sequence[str], factors: Sequence[str], *, n: int, seed: int
) -> tuple[list[Trial], list[str]]:
    """Return pictures of pseudowords, half of each kind; they choose among themselves."""
    each = max(n, HEADLINE_K)
    made = {kind: make(words, each, seed) for kind, make in PSEUDOWORDS.items()}
    mixed = [text for pair in zip(*made.values(), strict=True) for text in pair]
    shown = choose_fitting(mixed, factors, read_catalogue(), n)
    return make_trials(shown, factors, seed), list(dict.fromkeys(mixed))


def _show_sentences(n: int, seed: int) -> tuple[list[Trial], list[str]]:
    """Return pictures of bundled reviews in three sizes; they choose among themselves."""
    texts = review_sentences()
    labels = dict(zip(texts.items, texts.labels, strict=True))
    shown = choose_words(texts.items, n, seed)
    trials = []
    for size_px in (12.0, 16.0, 20.0):
        for number, text in enumerate(shown):
            spec = Spec(seed=seed, index=number, split="test", kind="sentence", text=text,
                        font="DejaVuSans.ttf", label=labels[text], size_px=size_px,
                        shrink=True)  # fmt: skip
            key = f"easy-size_px-{size_px}-{number:06d}"
            trials.append(Trial(key, spec, "easy", "size_px", str(size_px)))
    return trials, shown


def _list_shown(trials: Sequence[Trial]) -> list[str]:
    """Return the texts of a dataset, each once."""
    return list(dict.fromkeys(trial.spec.text for trial in trials))
