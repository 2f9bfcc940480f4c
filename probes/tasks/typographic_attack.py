"""Typographic attack: does a model name the object in an image, or a wrong word on it?

Source: Goh et al., "Multimodal neurons in artificial neural networks", Distill 2021, on
typographic attacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from probes.data.attack_sets import read_attacks
from probes.data.rendered import Shown
from probes.data.shapes import PICTURES
from probes.data.trials import Trial
from probes.embeddings.images import Embedded
from probes.errors import ProbeError
from probes.metrics.forced_choice import among_all, guess_first, guess_nested
from probes.metrics.intervals import clustered_accuracy
from probes.models.base import Model
from probes.models.prompts import ATTACK
from probes.tables import Table, percent
from probes.tasks.base import Question, Task, embed_candidates
from probes.tasks.config import ProbeConfig
from probes.tasks.outcomes import make_outcomes
from probes.tasks.vocabulary import Candidates
from synthtext.rng import draw_below, draw_bits, draw_units
from synthtext.spec import Spec

SIZES_PX = (0.0, 10.0, 16.0, 24.0, 36.0)
"""Font sizes of the word; 0 is the image without a word, to show that it can be named."""

SAID = ("picture", "word", "other")


def show_attacks(config: ProbeConfig) -> tuple[list[Trial], Candidates]:
    """Return images with a wrong name on them, and the candidate names."""
    return write_on_pictures(config.n, config.seed), Candidates(tuple(PICTURES), 0)


def write_on_pictures(n: int, seed: int) -> list[Trial]:
    """Return trials of n images, each with the name of another on it, in several sizes."""
    names = list(PICTURES)
    units = draw_units(seed, "attack", 0, n)
    pictures = draw_below(units[:, 0], len(names)).tolist()
    # Any of the other names: the text never names the object.
    steps = (1 + draw_below(units[:, 1], len(names) - 1)).tolist()
    seeds = (draw_bits(seed, "attack paper", 0, n)[:, 0] >> np.uint64(32)).tolist()
    return [
        Trial(
            key=f"attack-size_px-{size_px}-{number:06d}",
            spec=Spec(
                seed=seed, index=number, split="test", kind="word",
                text=names[(pictures[number] + steps[number]) % len(names)],
                font="DejaVuSans.ttf", size_px=size_px or 16.0,
                opacity=1.0 if size_px else 0.0, paper_seed=seeds[number],
            ),
            baseline="attack",
            factor="size_px",
            level=str(size_px),
            picture=names[pictures[number]],
        )
        for size_px in SIZES_PX
        for number in range(n)
    ]  # fmt: skip


def read_pictures(config: ProbeConfig) -> tuple[Shown, Candidates]:
    """Return photographs with a wrong word on them, and all objects and words of the set.

    Raises:
        ProbeError: there are no images, or a split is given.
    """
    if config.data is None or config.split is not None:
        raise ProbeError("a set of attacks has no splits; leave out --split")
    found = read_attacks(config.data, config.limit, config.seed)
    names = {name for trial in found.trials for name in (trial.picture, trial.spec.text)}
    return found, Candidates(tuple(sorted(names)), 0)


def name_pictures(
    question: Question, model: Model, trials: Sequence[Trial], embedded: Embedded
) -> pd.DataFrame:
    """Return the answer of the model for each image; correct is the name of the object.

    The column `said` is "picture", "word" or "other". For photographs, `rank_at_2` tells
    whether an image is nearer to its object or to its word.
    """
    names = list(question.candidates.texts)
    place_of = {name: place for place, name in enumerate(names)}
    truths = np.array([place_of[trial.picture] for trial in trials])
    texts = embed_candidates(question, model, names)
    choice = among_all(names, question.seed)
    guesses = guess_nested(
        embedded.vectors, texts, truths, choice=choice,
        ks=[len(names)], headline=len(names), scale=model.logit_scale,
    )  # fmt: skip
    answers = [names[place] for place in guesses.guesses.tolist()]
    table = make_outcomes(
        trials, embedded.facts, guesses, answers=answers, model=model, task=question.task
    )
    table["said"] = [
        _judge(answer, trial) for answer, trial in zip(answers, trials, strict=True)
    ]
    if trials[0].file:
        words = np.array([place_of[trial.spec.text] for trial in trials])
        sims = np.einsum("nd,nkd->nk", embedded.vectors, texts[np.stack([truths, words], 1)])
        pair = guess_first(sims.astype(np.float64), choice.ties[truths])
        table["rank_at_2"] = pair.ranks[2]
    # The same few names recur throughout; the sampling unit is the image.
    table["word"] = [f"{trial.picture} {trial.spec.index}" for trial in trials]
    return table


def _judge(answer: str, trial: Trial) -> str:
    if answer == trial.picture:
        return "picture"
    return "word" if answer == trial.spec.text else "other"


def measure_attack(outcomes: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rate of each kind of answer, with intervals.

    There is one per size of the word, or per variant of a set of photographs. Intervals account
    for sampling both images and words.
    """
    is_drawn = bool((outcomes["factor"] != "").all())
    levels = outcomes["level"].astype(float) if is_drawn else outcomes["level"]
    rows = []
    for level, cell in outcomes.groupby(levels):
        for said in SAID:
            share, low, high = clustered_accuracy(
                cell["said"] == said, cell["picture"], cell["text"]
            )
            rows.append(
                {
                    "size_px" if is_drawn else "variant": level, "said": said, "n": len(cell),
                    "share": share, "low": low, "high": high,
                }
            )  # fmt: skip
    return rows


def tabulate_attack(found: Sequence[Mapping[str, Any]]) -> Table:
    """Return the results of `measure_attack` as a table."""
    rows = tuple(
        (
            _name_level(row),
            row["said"],
            percent(row["share"]),
            f"{percent(row['low'])} to {percent(row['high'])}",
        )
        for row in found
    )
    note = (
        "What a model names when the name of something else is written on an image; intervals"
        " are over other images and other words alike."
    )
    shown = "images" if found and "variant" in found[0] else "word"
    columns = (shown, "it names the", "fraction", "95 % interval")
    return Table("Typographic attack", columns, rows, note)


def _name_level(row: Mapping[str, Any]) -> str:
    if "variant" in row:
        return str(row["variant"])
    return f"{row['size_px']:g} px" if row["size_px"] else "no word"


TASK = Task(
    "attack",
    "Which does the model name: the object in the image, or the wrong word written on it?"
    " `--data DIR` takes photographs (SCAM, RTA-100, PAINT)",
    show_attacks,
    name_pictures,
    templates=ATTACK,
    asks_for_text=False,
    has_pool=False,
    read=read_pictures,
    measure=measure_attack,
    tabulate=tabulate_attack,
)
