"""(recipe, seed, index) -> Spec: every choice, a column of a shard at a time.

Each factor draws from its own stream, named after it, so one vectorised call serves a whole
shard, any image can be drawn alone, and a new factor never shifts the draws of an old one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from synthtext.decks import Source
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.photos import Photos
from synthtext.draws import Choice, Draw, Range, Ranges
from synthtext.errors import RecipeError
from synthtext.factors import FACTORS
from synthtext.font_choice import Column, draw_fonts
from synthtext.recipe import ANY, MIXTURE, Recipe, list_numbers, round_numbers
from synthtext.rng import (
    LANES,
    Floats,
    draw_below,
    draw_bits,
    draw_bits_at,
    draw_units,
    pick,
    to_unit,
    unfold,
)
from synthtext.spec import NAMES, Spec

SEEDS = ("paper_seed", "noise_seed", "ink_seed", "damage_seed", "other_seed")
"""Fields of 32 bits each."""

STREAMS = (*FACTORS, "font", *SEEDS)
"""The streams that a spec is drawn from."""

NAMED = ("case", "align", "direction", "other_place")
"""Factors with a few values, which depend on nothing else."""

OTHERS = ("other_words", "other_seed")
"""How many other words an image has, and what chooses them."""


def sample_spec(
    recipe: Recipe,
    source: Source,
    fonts: Catalogue,
    *,
    seed: int,
    index: int,
    photos: Photos | None = None,
) -> Spec:
    """Return the spec of one image, the same that `sample_specs` gives it in a shard."""
    indices = range(index, index + 1)
    return sample_specs(recipe, source, fonts, seed=seed, indices=indices, photos=photos)[0]


def sample_specs(
    recipe: Recipe,
    source: Source,
    fonts: Catalogue,
    *,
    seed: int,
    indices: Sequence[int],
    photos: Photos | None = None,
) -> list[Spec]:
    """Return the specs of images.

    Every text of a deck comes up once in each pass over it. A text that no font covers gets an
    empty font name, and `render` raises for it.

    Args:
        recipe: what each factor is drawn from.
        source: the texts of the split that the indices lie in.
        fonts: the fonts to choose from.
        seed: seed of the dataset.
        indices: none below `source.first`; a run without gaps is best given as a `range`.
        photos: where the background `photo` takes its images from.

    Raises:
        RecipeError: the recipe asks for photographs or kinds of text that are not there.
    """
    if not recipe.mixture:
        return _sample_rows(
            recipe, source, fonts, seed=seed, indices=indices, rows=None, photos=photos
        )
    units = _open_streams((MIXTURE,), seed, indices)(MIXTURE)[:, 0]
    chosen = pick(units, np.array([part.weight for part in recipe.mixture]))
    specs: dict[int, Spec] = {}
    for number in np.unique(chosen).tolist():
        rows = np.flatnonzero(chosen == number)
        sampled = _sample_rows(
            recipe.components[number], source, fonts, seed=seed, indices=indices, rows=rows,
            photos=photos,
        )  # fmt: skip
        specs.update(zip(rows.tolist(), sampled, strict=True))
    return [specs[row] for row in range(len(indices))]


def _sample_rows(  # noqa: PLR0913 - those of `sample_specs`, and the rows.
    recipe: Recipe,
    source: Source,
    fonts: Catalogue,
    *,
    seed: int,
    indices: Sequence[int],
    rows: NDArray[np.int64] | None,
    photos: Photos | None,
) -> list[Spec]:
    """Return the specs of some of the images, or of all, of one recipe without a mixture."""
    own = indices if rows is None else [indices[row] for row in rows.tolist()]
    n = len(own)
    constants = recipe.constants
    names = tuple(name for name in STREAMS if name not in constants)
    draw = _open_streams(names, seed, indices)

    def units(name: str) -> Floats:
        if name in constants:
            return np.zeros((n, LANES))
        return draw(name) if rows is None else draw(name)[rows]

    columns: dict[str, Column] = {
        **{name: [value] * n for name, value in constants.items()},
        "seed": [seed] * n,
        "index": own,
        "split": [source.split] * n,
        "shrink": [recipe.shrink] * n,
    }
    kinds = pick(units("kind")[:, 0], _weigh_kinds(recipe, source)).tolist()
    columns |= _draw_texts(source, seed, own, kinds)
    for name in names:
        if name in recipe.draws:
            columns |= _draw_factor(name, recipe.draws[name], units(name))
    columns["case"] = _set_cases(columns["case"], source, own)
    columns |= draw_fonts(recipe, fonts, columns, units("font")[:, :2])
    columns |= _draw_papers(recipe, photos, units("background")[:, :2])
    columns |= _draw_fills(recipe, photos, units("ink_fill")[:, :2])
    for name in SEEDS:
        columns[name] = draw_below(units(name)[:, 0], 2**32).tolist()
    columns["other_texts"] = _pick_other_words(source, columns)
    return [Spec(*row) for row in zip(*(columns[name] for name in NAMES), strict=True)]


def _open_streams(
    names: tuple[str, ...], seed: int, indices: Sequence[int]
) -> Callable[[str], Floats]:
    """Return what gives the numbers of a stream by its name: float64 (len(indices), 4)."""
    if isinstance(indices, range) and len(indices) > 1:
        return lambda name: draw_units(seed, name, indices.start, indices.stop)
    units = to_unit(draw_bits_at(seed, names, indices))
    return dict(zip(names, units, strict=True)).__getitem__


def _draw_texts(
    source: Source, seed: int, indices: Sequence[int], kinds: Sequence[int]
) -> dict[str, Column]:
    """Return the columns kind, text, label and class_index, given the deck of each image."""
    rows: list[tuple[str, str, int | None, int]] = []
    for kind, index in zip(kinds, indices, strict=True):
        if index < source.start:
            own = source.chosen[index - source.first]
            rows.append((own.kind, own.text, own.label, own.class_index))
            continue
        deck = source.decks[kind]
        turn, offset = divmod(index - source.start, len(deck.items))
        order = _shuffle(seed, f"text {deck.kind} {source.split} {turn}", len(deck.items))
        item = int(order[offset])
        rows.append((deck.kind, deck.items[item], deck.labels[item], deck.class_indices[item]))
    names = ("kind", "text", "label", "class_index")
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def _pick_other_words(source: Source, columns: dict[str, Column]) -> Column:
    """Return the other words of each image, from texts of the same kind and split."""
    if not any(columns["other_words"]):
        return [""] * len(columns["other_words"])
    decks = {deck.kind: deck for deck in source.decks}
    rows = zip(*(columns[name] for name in ("kind", "text", *OTHERS)), strict=True)
    return [
        " ".join(_pick_words(decks[kind].items, text, n, seed)) if n else ""
        for kind, text, n, seed in rows
    ]


def _pick_words(texts: Sequence[str], shown: str, n: int, seed: int) -> list[str]:
    """Return words of random texts: not those of the text shown, if there are others."""
    own = shown.split()
    words = []
    for unit in unfold(seed, n):
        place, within = divmod(unit * len(texts), 1)
        # Two texts, since the first may be the one that is shown.
        near = [texts[(int(place) + step) % len(texts)] for step in (0, 1)]
        others = [word for text in near for word in text.split() if word not in own] or own
        words.append(others[int(within * len(others))])
    return words


def _set_cases(cases: Column, source: Source, indices: Sequence[int]) -> Column:
    """Return the letter case of each image, that of its chosen text if it has one."""
    if not source.chosen:
        return cases
    return [
        source.chosen[index - source.first].case if index < source.start else case
        for index, case in zip(indices, cases, strict=True)
    ]


def _weigh_kinds(recipe: Recipe, source: Source) -> NDArray[np.float64]:
    draw = recipe.draws["kind"]
    if not isinstance(draw, Choice) or ANY in draw.values:
        return np.ones(len(source.decks))
    asked = dict(zip(draw.values, draw.weights, strict=True))
    weights = np.array([asked.get(deck.kind, 0.0) for deck in source.decks])
    if not weights.any():
        have = ", ".join(deck.kind for deck in source.decks)
        raise RecipeError(f"kind is {draw}, but the given texts are of kind {have}")
    return weights


@lru_cache(maxsize=512)
def _shuffle(seed: int, name: str, n: int) -> NDArray[np.integer]:
    """Return the order of n texts in one pass."""
    bits = draw_bits(seed, name, 0, n)[:, 0].copy()
    # Ten times as fast as a stable sort, which only equal numbers of 64 bits would need.
    order = np.argsort(bits)
    ranked = bits[order]
    if (ranked[1:] == ranked[:-1]).any():
        order = np.argsort(bits, kind="stable")
    # Images asked for at random lie in many passes; lists would take twenty times the room.
    return order.astype(np.min_scalar_type(max(0, n - 1)))


def _draw_numbers(name: str, draw: Draw, units: NDArray[np.float64]) -> Column:
    is_whole = FACTORS[name].is_whole
    if isinstance(draw, Choice):
        numbers = list_numbers(name, draw)
        return [numbers[place] for place in draw.pick(units).tolist()]
    if isinstance(draw, Ranges):
        places, within = draw.split(units)
        values = np.empty(len(units))
        for place in set(places.tolist()):
            chosen = places == place
            values[chosen] = _draw_range(draw.parts[place], within[chosen], is_whole)
    else:
        values = _draw_range(draw, units, is_whole)
    return round_numbers(values, is_whole=is_whole)


def _draw_range(
    draw: Range,
    units: NDArray[np.float64],
    is_whole: bool,  # noqa: FBT001
) -> NDArray[np.float64]:
    if is_whole and not draw.is_log:
        return (draw_below(units, int(draw.high - draw.low) + 1) + int(draw.low)).astype(float)
    return draw.at(units)


def _draw_factor(name: str, draw: Draw, units: NDArray[np.float64]) -> dict[str, Column]:
    """Return the column of a number, a colour or one of `NAMED`; none for other factors."""
    factor = FACTORS[name]
    if factor.bounds:
        return {name: _draw_numbers(name, draw, units[:, 0])}
    if factor.is_colour:
        return {name: _draw_colours(draw, units)}
    return {name: _draw_names(draw, factor.choices, units[:, 0])} if name in NAMED else {}


def _draw_names(draw: Draw, names: tuple[str, ...], units: NDArray[np.float64]) -> Column:
    if not isinstance(draw, Choice) or ANY in draw.values:
        draw = Choice(names, (1.0,) * len(names))
    return draw.at(units)


def _draw_colours(draw: Draw, units: NDArray[np.float64]) -> Column:
    """Return colours from four numbers each: one for the choice, three for any colour."""
    if not isinstance(draw, Choice):
        raise RecipeError(f"a colour is {draw}; give colours, not a range")
    # All levels in one string of digits: to format each colour takes three times as long.
    digits = draw_below(units[:, 1:], 256).astype(np.uint8).tobytes().hex()
    return [
        "#" + digits[6 * place : 6 * place + 6] if name == ANY else name
        for place, name in enumerate(draw.at(units[:, 0]))
    ]


def _draw_papers(
    recipe: Recipe, photos: Photos | None, units: NDArray[np.float64]
) -> dict[str, Column]:
    """Return the columns background and photo."""
    draw = recipe.draws["background"]
    if not isinstance(draw, Choice):
        raise RecipeError(f"background is {draw}; give kinds of background, not a range")
    papers = draw.at(units[:, 0])
    return {"background": papers, "photo": _draw_photos("background", papers, photos, units)}


def _draw_fills(
    recipe: Recipe, photos: Photos | None, units: NDArray[np.float64]
) -> dict[str, Column]:
    """Return the columns ink_fill and ink_photo; `any` is any fill without a photograph."""
    without = tuple(name for name in FACTORS["ink_fill"].choices if name != "photo")
    fills = _draw_names(recipe.draws["ink_fill"], without, units[:, 0])
    return {"ink_fill": fills, "ink_photo": _draw_photos("ink_fill", fills, photos, units)}


def _draw_photos(
    name: str, kinds: Column, photos: Photos | None, units: NDArray[np.float64]
) -> Column:
    """Return the photograph of each image whose kind is `photo`; the others have none."""
    if "photo" not in kinds:
        return [""] * len(kinds)
    if photos is None:
        raise RecipeError(f"{name} is photo; give a folder of photographs with --backgrounds")
    places = draw_below(units[:, 1], len(photos.names)).tolist()
    return [
        photos.names[place] if kind == "photo" else ""
        for place, kind in zip(places, kinds, strict=True)
    ]
