"""Plans: what a dataset will contain, and which index belongs to which shard."""

from __future__ import annotations

import difflib
import importlib.metadata
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import freetype
import numpy as np

from synthtext.decks import COVER, Cover, Deck, Source, describe_cover
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.orientation import MISSING, PACKAGE
from synthtext.drawing.photos import Photos
from synthtext.draws import Choice
from synthtext.errors import DatasetError, RecipeError, WordsError, shorten
from synthtext.factors import MIXED
from synthtext.recipe import ANY, Recipe, list_values
from synthtext.recipe_toml import describe_recipe
from synthtext.sampling import sample_specs
from synthtext.texts.reviews import review_sentences
from synthtext.texts.sentences import read_sentences
from synthtext.texts.words import Texts, read_words, split_texts

REVIEWS = "reviews"
"""The name of the bundled sentences."""

SENTIMENTS = ("negative", "positive")
"""The classes of labelled sentences, by label."""

MAX_NUMBER = 2**53
"""Maximum count and seed: every JSON reader represents whole numbers up to here exactly."""

MAX_SHARDS = 1_000_000
"""Maximum number of shards of a dataset; `dataset.json` has a row for each."""


@dataclass(frozen=True)
class Shard:
    """A shard to draw.

    Attributes:
        split: `train`, `val` or `test`.
        number: index in its split, from 0.
        indices: the images in it.
    """

    split: str
    number: int
    indices: range

    @property
    def file(self) -> str:
        """Its name in the dataset folder."""
        return name_shard(self.split, self.number)


@dataclass(frozen=True)
class Plan:
    """Everything that determines the bytes of a dataset.

    Attributes:
        recipe: what the factors are drawn from.
        seed: 0 or more.
        texts: what is drawn, by kind.
        sources: the splits that get images, in order of their indices.
        counts: number of images in each of `sources`.
        classnames: the lines of `classnames.txt`.
        fonts: the fonts to choose from.
        photos: the photographs to choose from, if any.
        cover: what the chosen texts of the sources are for, if there are any.
    """

    recipe: Recipe
    seed: int
    texts: Mapping[str, Texts]
    sources: tuple[Source, ...]
    counts: tuple[int, ...]
    classnames: tuple[str, ...]
    fonts: Catalogue
    photos: Photos | None
    cover: Cover | None = None

    @property
    def n_images(self) -> int:
        """The number of requested images."""
        return sum(self.counts)


def name_shard(split: str, number: int) -> str:
    """Return the name of a shard in its dataset folder."""
    return f"{split}/{number:06d}.tar"


def choose_part(part: str, n_shards: int) -> range:
    """Return the shards that a part of a run draws.

    Args:
        part: `A:B` for shards from A up to, not including, B, or `K/N` for part K of N equal
        parts, from 0.
        n_shards: number of shards of the whole run.

    Raises:
        DatasetError: it is not of that form, or contains no shard.
    """
    found = re.fullmatch(r"(\d+)(:|/)(\d+)", part)
    if not found:
        raise DatasetError(f"shards is {part!r}; write A:B, or K/N for part K of N")
    first, last = int(found[1]), int(found[3])
    if found[2] == ":":
        chosen = range(n_shards)[first:last]
    elif first >= last:
        raise DatasetError(f"shards is {part!r}; parts are counted from 0/{last}")
    else:
        chosen = range(first * n_shards // last, (first + 1) * n_shards // last)
    if not chosen and found[2] == ":":
        raise DatasetError(f"shards is {part!r}; there are {n_shards}, counted from 0")
    return chosen


def read_texts(
    words: str | None,
    sentences: str | None,
    recipe: Recipe,
    *,
    count: int | None = None,
    seed: int = 0,
) -> dict[str, Texts]:
    """Return what to draw, by kind.

    Args:
        words: a file of words, the name of a bundled list, a language or a pattern; see
            `read_words`.
        sentences: a TSV of sentences, or `reviews` for those that are bundled.
        recipe: its kind determines which bundled texts to use if none are given.
        count: total number of images, which is also the number of texts drawn from a pattern;
            None leaves it open.
        seed: for the texts drawn from a pattern.

    Raises:
        WordsError: a file cannot be used.
    """
    if words is None and sentences is None:
        only_sentences = str(recipe.draws["kind"]) == "sentence"
        words, sentences = (None, REVIEWS) if only_sentences else ("en", None)
    texts = {}
    if words is not None:
        texts["word"] = read_words(words, n_drawn=count, seed=seed)
    if sentences is not None:
        is_bundled = sentences == REVIEWS and not Path(sentences).exists()
        texts["sentence"] = (
            review_sentences() if is_bundled else read_sentences(Path(sentences))
        )
    return texts


def make_plan(
    recipe: Recipe,
    texts: Mapping[str, Texts],
    fonts: Catalogue,
    *,
    seed: int = 0,
    count: int | None = None,
    photos: Photos | None = None,
) -> Plan:
    """Return the plan of a dataset.

    The images are divided among the splits in proportion to their texts, so that all texts are
    drawn equally often, up to a difference of one.

    Args:
        recipe: what the factors are drawn from.
        texts: by kind, `word` or `sentence`; at least one.
        fonts: the fonts to choose from.
        seed: 0 or more.
        count: total number of images; None draws each text once.
        photos: the photographs to choose from, if any.

    Raises:
        DatasetError: a number is out of range.
        RecipeError: the recipe needs fonts, photographs or texts that are missing.
        WordsError: there is no text, or none that a font covers.
    """
    if not texts:
        raise WordsError("no texts to draw; give --words, --sentences or both")
    count = sum(len(listed.items) for listed in texts.values()) if count is None else count
    _check_numbers(count, seed)
    _check_fonts(recipe, fonts)
    if _turns_letters(recipe) and find_spec(PACKAGE) is None:
        raise RecipeError(MISSING)
    weights = _weigh_kinds(recipe, texts)
    texts = {kind: texts[kind] for kind in texts if weights[kind]}
    classnames, class_indices = _list_classes(texts)
    places = {kind: split_texts(texts[kind], recipe.splits) for kind in texts}
    shares = {
        split: sum(
            weights[kind] * len(places[kind][split]) / len(texts[kind].items) for kind in texts
        )
        for split in ("train", "val", "test")
    }
    counts = _apportion(count, shares)
    sources: list[Source] = []
    first = 0
    for split in counts:
        decks = tuple(
            _deal(kind, texts[kind], places[kind][split], class_indices[kind])
            for kind in texts
            if len(places[kind][split])
        )
        sources.append(Source(split, first, decks))
        first += counts[split]
    plan = Plan(
        recipe=recipe,
        seed=seed,
        texts=texts,
        sources=tuple(sources),
        counts=tuple(counts.values()),
        classnames=classnames,
        fonts=fonts,
        photos=photos,
    )
    _check_drawable(plan)
    return plan


def _check_numbers(count: int, seed: int) -> None:
    for name, value, least in (("count", count, 1), ("seed", seed, 0)):
        if value < least:
            raise DatasetError(f"{name} is {value}; it must be {least} or more")
        if value > MAX_NUMBER:
            raise DatasetError(f"{name} is {value}; it must be {MAX_NUMBER} or less")


def list_shards(plan: Plan) -> Iterator[Shard]:
    """Return the shards of a plan, in order of their indices."""
    for source, count in zip(plan.sources, plan.counts, strict=True):
        stop = source.first + count
        size = plan.recipe.shard_size
        for number, start in enumerate(range(source.first, stop, size)):
            yield Shard(source.split, number, range(start, min(stop, start + size)))


def check_size(plan: Plan) -> None:
    """Check that a plan does not have too many shards to be written.

    Raises:
        DatasetError: it has too many.
    """
    n_shards = sum(-(-count // plan.recipe.shard_size) for count in plan.counts)
    if n_shards > MAX_SHARDS:
        raise DatasetError(
            f"{plan.n_images:,} images make {n_shards:,} shards, and the limit is"
            f" {MAX_SHARDS:,}; ask for fewer images, or for larger shards with --shard-size"
        )


def source_of(plan: Plan, split: str) -> Source:
    """Return the source from which the images of a split are drawn."""
    return next(source for source in plan.sources if source.split == split)


def describe_plan(plan: Plan) -> dict[str, Any]:
    """Return what determines the bytes of a dataset, for JSON: equal plans give equal bytes."""
    return {
        "seed": plan.seed,
        "count": plan.n_images,
        "recipe": describe_recipe(plan.recipe),
        "texts": {
            kind: {"name": texts.name, "n_texts": len(texts.items), "sha256": texts.sha256}
            for kind, texts in plan.texts.items()
        },
        "photos": plan.photos and plan.photos.sha256,
        **({COVER: describe_cover(plan.cover, plan.sources)} if plan.cover else {}),
        "fonts": {font.file: font.sha256 for font in plan.fonts.fonts.values()},
        "versions": list_versions(*([PACKAGE] if _turns_letters(plan.recipe) else [])),
    }


def list_versions(*more: str) -> dict[str, str]:
    """Return the versions that the pixels depend on, and those of more packages."""
    packages = ("synthtext", "pillow", "numpy", "opencv-python-headless", "uharfbuzz", "uniseg")
    versions = {name: importlib.metadata.version(name) for name in (*packages, *more)}
    return versions | {"freetype": ".".join(map(str, freetype.version()))}


def _turns_letters(recipe: Recipe) -> bool:
    """Return whether letters of vertical lines may lie on their side."""
    return not {MIXED, ANY}.isdisjoint(list_values(recipe, "direction"))


def _check_fonts(recipe: Recipe, fonts: Catalogue) -> None:
    """Refuse a font category or family without fonts."""
    for name, known in (
        ("font_category", {font.category for font in fonts.fonts.values()}),
        ("font_family", {font.family for font in fonts.fonts.values()}),
    ):
        for value in list_values(recipe, name):
            if value not in known | {ANY}:
                near = difflib.get_close_matches(value, known, n=3)
                hint = (
                    f"did you mean {', '.join(near)}"
                    if near
                    else "`synthtext fonts` lists them"
                )
                raise RecipeError(
                    f"{name} is {shorten(value)!r}, and there is no such font; {hint}"
                )


def _weigh_kinds(recipe: Recipe, texts: Mapping[str, Texts]) -> dict[str, float]:
    """Return the fraction of each kind of text among the images; they add up to 1."""
    draw = recipe.draws["kind"]
    asked = dict.fromkeys(texts, 1.0)
    if isinstance(draw, Choice) and ANY not in draw.values:
        given = dict(zip(draw.values, draw.weights, strict=True))
        asked = {kind: given.get(kind, 0.0) for kind in texts}
    total = sum(asked.values())
    if not total:
        have = ", ".join(texts)
        raise RecipeError(f"kind is {draw}, but the given texts are of kind {have}")
    return {kind: weight / total for kind, weight in asked.items()}


def _list_classes(
    texts: Mapping[str, Texts],
) -> tuple[tuple[str, ...], dict[str, list[int]]]:
    """Return the class names, and the class of each text by kind.

    If there are only labelled sentences, there are two classes; otherwise every text is a
    class.
    """
    labels = texts["sentence"].labels if "sentence" in texts else ()
    if set(texts) == {"sentence"} and None not in labels:
        return SENTIMENTS, {"sentence": [int(label or 0) for label in labels]}
    names = list(dict.fromkeys(item for listed in texts.values() for item in listed.items))
    places = {name: place for place, name in enumerate(names)}
    return tuple(names), {kind: [places[item] for item in texts[kind].items] for kind in texts}


def _deal(kind: str, texts: Texts, places: Sequence[int], class_indices: list[int]) -> Deck:
    return Deck(
        kind=kind,
        items=tuple(texts.items[place] for place in places),
        labels=tuple(texts.labels[place] for place in places),
        class_indices=tuple(class_indices[place] for place in places),
    )


def _apportion(count: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Return the number of images of each split, by largest remainders; omits empty ones."""
    total = sum(shares.values())
    quotas = {split: count * share / total for split, share in shares.items()}
    counts = {split: int(quota + 1e-9) for split, quota in quotas.items()}
    left = count - sum(counts.values())
    for split in sorted(quotas, key=lambda name: counts[name] - quotas[name])[:left]:
        counts[split] += 1
    return {split: n for split, n in counts.items() if n}


def _check_drawable(plan: Plan) -> None:
    """Raise at once if nothing can be drawn."""
    shard = next(list_shards(plan))
    indices = shard.indices[:1]
    sample_specs(
        plan.recipe, source_of(plan, shard.split), plan.fonts,
        seed=plan.seed, indices=indices, photos=plan.photos,
    )  # fmt: skip
    have = np.array(list(plan.fonts.masks))
    for texts in plan.texts.values():
        for item in texts.items:
            if np.isin([ord(char) for char in item if char != " "], have).all():
                return
    sample = next(iter(plan.texts.values())).items[0]
    raise WordsError(
        f"no font covers any of the texts, such as {sample!r}; add a font with --fonts"
    )
