"""The settings of a probe. Names are checked here, before anything slow is imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from probes.data.designs import DEFAULT, parse_design
from probes.data.trials import ALL
from probes.errors import ProbeError
from probes.tasks.registry import TASKS
from synthtext.factors import SPLITS

MATCHED, ANY = RIVALS = ("matched", "any")
"""The sources of distractors: texts of similar length and frequency, or all texts."""


@dataclass(frozen=True)
class ProbeConfig:
    """The question of a probe, and its images.

    Attributes:
        task: one of `TASKS`.
        design: factors to vary, or `latin`; see `parse_design`. Not used with `data`.
        data: a dataset written by `synthtext render`, instead of a design.
        split: a split of the dataset, or `all`; None means all of it, or the test split of
            Rendered SST2.
        n: number of words at each level of a design, or of images of a Latin hypercube.
        ks: numbers of candidates to choose among; empty means those of `KS` that are possible.
        templates: prompts; empty means those the model was trained with, or those of the task.
        vocabulary: a word list; a design uses its most frequent words, as words to show and as
            candidates; None is the bundled list. With `data`, its words are further candidates
            if the texts shown are fewer than K.
        rivals: `matched` to the text in length and frequency, or `any`.
        seed: for all random choices.
        verify: whether to compare the checksums of the shards of `data`.
        width: levels are added until the interval of a threshold is at most this wide, in
            octaves or the factor's unit; None shows only the levels of the coarse scan.
        budget: maximum number of images, including the coarse scan; None sets no limit.
        limit: number of images of `data` to show, sampled with `seed`; None shows all.
        n_workers: threads that draw or read images ahead of the model; results do not depend
            on it.
    """

    task: str = "words"
    design: str = DEFAULT
    data: Path | None = None
    split: str | None = None
    n: int = 200
    ks: tuple[int, ...] = ()
    templates: tuple[str, ...] = ()
    vocabulary: str | None = None
    rivals: str = MATCHED
    seed: int = 0
    verify: bool = True
    width: float | None = None
    budget: int | None = None
    limit: int | None = None
    n_workers: int = 2


def check_names(config: ProbeConfig) -> None:
    """Refuse settings that are invalid for every task and dataset.

    Raises:
        ProbeError: no such task, design, kind of distractors or split, fewer than 2 words per
            level, a width that is not above 0, or a split or a limit without data.
    """
    if config.task not in TASKS:
        raise ProbeError(f"no task {config.task!r}; there are {', '.join(TASKS)}")
    if config.n < 2:
        raise ProbeError(f"n is {config.n}; a level needs at least 2 words")
    if config.rivals not in RIVALS:
        raise ProbeError(f"rivals is {config.rivals!r}; it must be {' or '.join(RIVALS)}")
    if config.width is not None and not 0 < config.width < float("inf"):
        raise ProbeError(f"width is {config.width:g}; it must be above 0")
    _check_data(config)
    if config.data is None:
        parse_design(config.design)


def _check_data(config: ProbeConfig) -> None:
    if config.split not in (None, ALL, *SPLITS):
        raise ProbeError(
            f"split is {config.split!r}; it must be one of {', '.join((*SPLITS, ALL))}"
        )
    for name, value, instead in (
        ("split", config.split, "add --data DIR"),
        ("limit", config.limit, "leave it out, and use --n for a design"),
    ):
        if value is not None and config.data is None:
            raise ProbeError(f"{name} applies to --data; {instead}")
