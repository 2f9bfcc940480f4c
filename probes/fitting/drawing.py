"""A recipe -> crops whose factors are known, drawn in chunks that are kept on disk."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.arrays import Ints, Pixels
from probes.fitting.crops import Crops, join, look_at
from probes.fitting.proposal import LENGTH, find_parts
from probes.fitting.stages import Stages, hash_all
from probes.fitting.wording import choose_words
from synthtext.dataset.plan import Plan, make_plan
from synthtext.drawing.degradations import jpeg
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.photos import Photos
from synthtext.drawing.rendering import render
from synthtext.draws import Draw
from synthtext.engine import run_tasks
from synthtext.errors import DrawError
from synthtext.recipe import Recipe
from synthtext.sampling import sample_specs
from synthtext.spec import Spec
from synthtext.texts.words import make_texts

CHUNK = 500
"""Crops per chunk."""


@dataclass(frozen=True)
class Materials:
    """What crops are drawn with, whatever the recipe.

    Attributes:
        words: words to draw.
        fonts: fonts to choose from.
        photos: photographs to use as backgrounds, if there are any.
        n_workers: number of processes that draw.
    """

    words: tuple[str, ...]
    fonts: Catalogue
    photos: Photos | None = None
    n_workers: int = 1


@dataclass(frozen=True)
class Drawn:
    """Crops that were drawn.

    Attributes:
        crops: N crops.
        codes: index of the part that each factor was drawn from, int64 (N,) each.
        key: hash of all that determines the crops.
    """

    crops: Crops
    codes: Mapping[str, Ints]
    key: str


def draw_crops(
    recipe: Recipe,
    targets: Mapping[str, Draw],
    materials: Materials,
    *,
    count: int,
    seed: int,
    stages: Stages,
) -> Drawn:
    """Return crops of a recipe with the parts that their factors were drawn from.

    Args:
        recipe: the recipe; its images must be cropped to the text.
        targets: the parts of each factor. If the length of the text is among them, words are
            chosen by its weights; otherwise all words are drawn from.
        materials: what to draw with.
        count: number of crops; those in which no ink is visible are left out.
        seed: seed of the drawing.
        stages: where the chunks are kept.
    """
    words = materials.words
    if LENGTH in targets:
        words = choose_words(words, targets[LENGTH], seed=seed)
    texts = {"word": make_texts(words, [None] * len(words), "fit")}
    plan = make_plan(
        recipe, texts, materials.fonts, seed=seed, count=count, photos=materials.photos
    )
    chunks = [range(at, min(at + CHUNK, count)) for at in range(0, count, CHUNK)]
    files = {chunk: f"drawn-{stages.name_of(plan, chunk)}" for chunk in chunks}
    work = functools.partial(_draw_chunk, plan, dict(targets))
    missing = [chunk for chunk in chunks if stages.read(files[chunk]) is None]
    n_done = count - sum(map(len, missing))
    stages.advance("crops drawn", n_done, count)
    for chunk, arrays in run_tasks(work, missing, materials.n_workers):
        stages.write(files[chunk], arrays)
        n_done += len(chunk)
        stages.advance("crops drawn", n_done, count)
    parts = [stages.require(files[chunk]) for chunk in chunks]
    crops = join(
        [Crops(*(part[name] for name in Crops.__dataclass_fields__)) for part in parts]
    )
    codes = {name: np.concatenate([part[f"code {name}"] for part in parts]) for name in targets}
    return Drawn(crops, codes, hash_all(*files.values()))


def draw_images(
    recipe: Recipe, words: Sequence[str], materials: Materials, *, count: int, seed: int
) -> list[Pixels]:
    """Return crops of a recipe as images, uint8 (H, W, 3) each, after JPEG compression."""
    texts = {"word": make_texts(words, [None] * len(words), "fit")}
    plan = make_plan(
        recipe, texts, materials.fonts, seed=seed, count=count, photos=materials.photos
    )
    return [pixels for _, pixels in _draw_some(plan, range(count))]


def _draw_chunk(
    plan: Plan, targets: Mapping[str, Draw], chunk: range
) -> tuple[range, dict[str, NDArray[Any]]]:
    specs, images = zip(*_draw_some(plan, chunk), strict=True)
    crops = look_at(images)
    values = {
        name: [len(spec.text) if name == LENGTH else getattr(spec, name) for spec in specs]
        for name in targets
    }
    codes = {f"code {name}": find_parts(targets[name], values[name]) for name in targets}
    return chunk, {
        **{name: getattr(crops, name) for name in Crops.__dataclass_fields__},
        **codes,
    }


def _draw_some(plan: Plan, indices: range) -> list[tuple[Spec, Pixels]]:
    source = plan.sources[0]
    specs = sample_specs(
        plan.recipe, source, plan.fonts, seed=plan.seed, indices=indices, photos=plan.photos
    )
    drawn = []
    for spec in specs:
        try:
            rendering = render(spec, plan.fonts, plan.photos)
        except DrawError:  # A thin letter may leave no ink at a small size.
            continue
        drawn.append((spec, jpeg(rendering.pixels, spec.jpeg_quality)))
    return drawn
