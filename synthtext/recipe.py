"""Recipes: what each factor of an image is drawn from, as TOML and as options.

A factor is written the same way everywhere: `12:64` for a uniform range, `12:64:log` for a
log-uniform one, `8,16,32` for a choice, `plain=3,noise=1` for a weighted choice, and
`12:16=3,16:24:log=5,32=1` for a weighted choice among ranges. Correlated factors are given in
tables `[[mixture]]`: each image is drawn from one of them, chosen by its `weight`.
"""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from synthtext.draws import Choice, Component, Draw, Range, Ranges
from synthtext.errors import RecipeError, shorten
from synthtext.factors import FACTORS, SETTINGS
from synthtext.toml_files import Limits, read_toml

ANY = "any"

FORMATS = ("jpg", "png", "webp")


RECIPES = Path(__file__).parent / "recipes"

LIMITS = Limits(max_bytes=256 << 10, max_depth=2)
"""A recipe is flat but for the tables of its mixture; an entry is a value or a list of them."""

MIXTURE = "mixture"

MAX_COMPONENTS = 1000

NOT_MIXED = ("kind",)
"""Factors that components share: how many images a split gets depends on them."""

MAX_ENTRY_CHARS = 100_000

MAX_VALUES = 10_000
"""Values of a choice."""

MAX_WEIGHT = 1e9

MAX_SHARD_SIZE = 1_000_000

N_DECIMALS = 3
"""Numbers are rounded to what a person may type, so that a spec reads well as text."""


@dataclass(frozen=True)
class Recipe:
    """What every factor is drawn from, and how images are stored.

    Attributes:
        draws: a `Range`, `Ranges` or `Choice` for each name of `FACTORS`.
        image_format: `jpg`, `png` or `webp`.
        splits: fractions of train, val and test, by text.
        shrink: whether text that does not fit is drawn smaller instead of being left out.
        shard_size: images per shard.
        fallback: whether other fonts draw what a font lacks of a text that none has all of.
        mixture: factors that go together; each image is drawn from one component.
    """

    draws: Mapping[str, Draw]
    image_format: str = "jpg"
    splits: tuple[float, float, float] = (0.9, 0.05, 0.05)
    shrink: bool = True
    shard_size: int = 1000
    fallback: bool = False
    mixture: tuple[Component, ...] = ()

    @cached_property
    def constants(self) -> Mapping[str, float | str]:
        """The value, as it stands in a spec, of each factor that has only one."""
        found: dict[str, float | str] = {}
        for name, draw in self.draws.items():
            if not isinstance(draw, Choice) or len(draw.values) > 1:
                continue
            if FACTORS[name].bounds:
                found[name] = list_numbers(name, draw)[0]
            elif draw.values[0] not in (ANY, "photo"):  # These draw a colour or a photograph.
                found[name] = draw.values[0]
        return found

    @cached_property
    def components(self) -> tuple[Recipe, ...]:
        """The recipe of each component of the mixture."""
        return tuple(
            replace(self, draws={**self.draws, **part.draws}, mixture=())
            for part in self.mixture
        )


def default_recipe() -> Recipe:
    """Return the recipe in which every factor has its default."""
    return Recipe({name: parse_draw(name, factor.default) for name, factor in FACTORS.items()})


def list_recipes() -> list[str]:
    """Return the names of the bundled recipes."""
    return ["default", *sorted(path.stem for path in RECIPES.glob("*.toml"))]


def read_recipe(source: str | Path) -> Recipe:
    """Return a bundled recipe by name, or one from a TOML file; omitted entries are default.

    >>> from synthtext import read_recipe
    >>> read_recipe("rendered-sst2").image_format
    'png'

    Raises:
        RecipeError: no such recipe, or one of its entries cannot be used.
    """
    if str(source) == "default":
        return default_recipe()
    path = RECIPES / f"{source}.toml" if str(source) in list_recipes() else Path(source)
    if not os.path.lexists(path):
        listed = ", ".join(list_recipes())
        raise RecipeError(f"no recipe {shorten(str(source))!r}; give a file or one of {listed}")
    entries = read_toml(path, LIMITS, kind=RecipeError, remedy="`synthtext recipe` prints one")
    tables = entries.pop(MIXTURE, [])
    edits = {name: _to_text(name, value) for name, value in entries.items()}
    return replace(edit_recipe(default_recipe(), edits), mixture=_read_mixture(tables))


def edit_recipe(recipe: Recipe, edits: Mapping[str, str]) -> Recipe:
    """Return the recipe with some entries changed.

    >>> from synthtext import edit_recipe, read_recipe
    >>> print(edit_recipe(read_recipe("default"), {"size_px": "20:40"}).draws["size_px"])
    20:40

    Args:
        recipe: the recipe to change.
        edits: name to value as written in a recipe, such as `{"size_px": "12:64"}`. A lossless
            `image_format` also lifts `jpeg_quality` to 100, unless that is among the edits.
            What is edited holds for every component of a mixture.

    Raises:
        RecipeError: an unknown name, or a value that cannot be used.
    """
    draws = dict(recipe.draws)
    for name, text in edits.items():
        if len(text) > MAX_ENTRY_CHARS:
            raise RecipeError(
                f"{shorten(name)} is {shorten(text)!r}; "
                f"give at most {MAX_ENTRY_CHARS:,} characters"
            )
        if name == "image_format":
            recipe = replace(recipe, image_format=_parse_format(text))
            if text != "jpg" and "jpeg_quality" not in edits:
                draws["jpeg_quality"] = parse_draw("jpeg_quality", "100")
        elif name == "splits":
            recipe = replace(recipe, splits=_parse_splits(text))
        elif name in ("shrink", "fallback"):
            switched: dict[str, Any] = {name: _parse_switch(name, text)}
            recipe = replace(recipe, **switched)
        elif name == "shard_size":
            recipe = replace(recipe, shard_size=_parse_count(name, text))
        else:
            draws[name] = parse_draw(name, text)
    changed = {name for name in draws if draws[name] is not recipe.draws[name]}
    mixture = tuple(
        replace(part, draws={k: draw for k, draw in part.draws.items() if k not in changed})
        for part in recipe.mixture
    )
    return replace(recipe, draws=draws, mixture=mixture)


def list_draws(recipe: Recipe, name: str) -> list[Draw]:
    """Return what a factor is drawn from: of the recipe, and of each component that differs."""
    own = [part.draws[name] for part in recipe.mixture if part.weight and name in part.draws]
    return [recipe.draws[name], *own]


def list_values(recipe: Recipe, name: str) -> list[str]:
    """Return the values that a factor is chosen from, `any` as it is written."""
    draws = list_draws(recipe, name)
    return [value for draw in draws if isinstance(draw, Choice) for value in draw.values]


def parse_draw(name: str, text: str) -> Draw:
    """Return what a factor is drawn from.

    >>> parse_draw("size_px", "12:64:log")
    Range(low=12.0, high=64.0, is_log=True)
    >>> str(parse_draw("size_px", "12:16=3,16:24:log=5,32"))
    '12:16=3,16:24:log=5,32'

    Raises:
        RecipeError: an unknown factor, or a value that it cannot take.
    """
    if name not in FACTORS:
        known = [*FACTORS, *SETTINGS]
        near = difflib.get_close_matches(name[:80], known, n=3)
        hint = f"did you mean {', '.join(near)}" if near else f"there are {', '.join(known)}"
        raise RecipeError(f"a recipe has no factor {shorten(name)!r}; {hint}")
    if FACTORS[name].bounds and ":" in text:
        return _parse_ranges(name, text) if {",", "="} & set(text) else _parse_range(name, text)
    return _parse_choice(name, text)


@lru_cache(maxsize=1024)
def list_numbers(name: str, choice: Choice) -> tuple[float, ...]:
    """Return the values of a choice among numbers, as they stand in a spec."""
    text = str(choice)
    values = np.array([_parse_number(name, value, text) for value in choice.values])
    return tuple(round_numbers(values, is_whole=FACTORS[name].is_whole))


def round_numbers(values: NDArray[np.float64], *, is_whole: bool) -> list[float]:
    """Return numbers as they stand in a spec."""
    if is_whole:
        return np.rint(values).astype(np.int64).tolist()
    return values.round(N_DECIMALS).tolist()


def _parse_range(name: str, text: str) -> Range:
    parts = text.split(":")
    is_log = len(parts) == 3 and parts[2] == "log"
    if len(parts) != 2 and not is_log:
        raise RecipeError(
            f"{name} is {shorten(text)!r}; write a range as low:high or low:high:log"
        )
    low, high = (_parse_number(name, part, text) for part in parts[:2])
    if low > high:
        raise RecipeError(
            f"{name} is {shorten(text)}; put the lower end first, as in {high:g}:{low:g}"
        )
    if is_log and low <= 0:
        raise RecipeError(f"{name} is {shorten(text)}; a log range must start above 0")
    return Range(low, high, is_log)


def _parse_ranges(name: str, text: str) -> Range | Ranges:
    parts: list[Range] = []
    values, weights = _split_weights(name, text)
    for value in values:
        if ":" in value:
            parts.append(_parse_range(name, value))
        else:
            number = _parse_number(name, value, text)
            parts.append(Range(number, number))
    # One range by itself needs no weight, and is drawn as it would be without.
    return parts[0] if len(parts) == 1 else Ranges(tuple(parts), weights)


def _parse_choice(name: str, text: str) -> Choice:
    values, weights = _split_weights(name, text)
    return Choice(tuple(_check_value(name, value, text) for value in values), weights)


def _split_weights(name: str, text: str) -> tuple[list[str], tuple[float, ...]]:
    """Return what a text lists, and the weight of each, 1 where none is given."""
    values: list[str] = []
    weights: list[float] = []
    parts = text.split(",")
    if len(parts) > MAX_VALUES:
        raise RecipeError(f"{name} has {len(parts):,} values; give at most {MAX_VALUES:,}")
    for part in parts:
        value, _, weight = part.strip().partition("=")
        values.append(value.strip())
        weights.append(_parse_weight(name, weight, text))
    if sum(weights) <= 0:
        raise RecipeError(f"{name} is {shorten(text)!r}; at least one weight must be above 0")
    return values, tuple(weights)


def _check_value(name: str, value: str, text: str) -> str:
    factor = FACTORS[name]
    if factor.bounds:
        return f"{_parse_number(name, value, text):.12g}"
    if value == ANY and name != "background":
        return ANY
    if factor.is_colour:
        return _parse_colour(name, value)
    if factor.choices and value not in factor.choices:
        near = difflib.get_close_matches(value, factor.choices, n=3) or factor.choices
        raise RecipeError(f"{name} is {shorten(value)!r}; did you mean {', '.join(near)}")
    if not value:
        raise RecipeError(f"{name} is {shorten(text)!r}; a value is missing")
    return value


def _parse_number(name: str, part: str, text: str) -> float:
    bounds = FACTORS[name].bounds
    if bounds is None:
        raise RecipeError(f"{name} is {text!r}; it is not a number")
    try:
        value = float(part)
    except ValueError as error:
        raise RecipeError(
            f"{name} is {shorten(text)!r}; {shorten(part)!r} is not a number"
        ) from error
    if not bounds.low <= value <= bounds.high:
        raise RecipeError(
            f"{name} is {shorten(text)}; {bounds.meaning}, so {bounds.low:g} to {bounds.high:g}"
        )
    if FACTORS[name].is_whole and value != int(value):
        raise RecipeError(f"{name} is {shorten(text)}; it must be a whole number")
    return value


def _parse_weight(name: str, weight: str, text: str) -> float:
    if not weight:
        return 1.0
    try:
        value = float(weight)
    except ValueError as error:
        raise RecipeError(
            f"{name} is {shorten(text)!r}; {shorten(weight)!r} is not a weight"
        ) from error
    if not 0 <= value <= MAX_WEIGHT:
        raise RecipeError(f"{name} is {shorten(text)!r}; a weight is from 0 to {MAX_WEIGHT:g}")
    return value


def _parse_colour(name: str, value: str) -> str:
    try:
        red, green, blue, *_ = ImageColor.getrgb(value)
    except ValueError as error:
        raise RecipeError(
            f"{name} is {shorten(value)!r}; write a colour as '#rrggbb', by its CSS name,"
            f" or '{ANY}'"
        ) from error
    return f"#{red:02x}{green:02x}{blue:02x}"


def _parse_format(text: str) -> str:
    if text not in FORMATS:
        raise RecipeError(
            f"image_format is {shorten(text)!r}; it is one of {', '.join(FORMATS)}"
        )
    return text


def _parse_splits(text: str) -> tuple[float, float, float]:
    try:
        train, val, test = (float(part) for part in text.split(","))
    except ValueError as error:
        raise RecipeError(
            f"splits is {shorten(text)!r}; give three fractions, such as 0.9,0.05,0.05"
        ) from error
    if not all(0 <= share <= 1 for share in (train, val, test)) or not math.isclose(
        train + val + test, 1, abs_tol=1e-6
    ):
        raise RecipeError(
            f"splits is {shorten(text)}; three fractions of 0 or more must add up to 1"
        )
    return train, val, test


def _parse_switch(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise RecipeError(f"{name} is {shorten(text)!r}; it is true or false")
    return text.lower() == "true"


def _parse_count(name: str, text: str) -> int:
    # Python refuses to read numbers of thousands of digits.
    count = int(text) if text.isdecimal() and len(text) < 20 else 0
    if not 1 <= count <= MAX_SHARD_SIZE:
        raise RecipeError(
            f"{name} is {shorten(text)!r}; it is a whole number from 1 to {MAX_SHARD_SIZE:,}"
        )
    return count


def _read_mixture(tables: object) -> tuple[Component, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise RecipeError(f"{MIXTURE} is not a list of tables; write [[{MIXTURE}]] above each")
    if len(tables) > MAX_COMPONENTS:
        raise RecipeError(
            f"{MIXTURE} has {len(tables):,} tables; give at most {MAX_COMPONENTS:,}"
        )
    parts = []
    for table in tables:
        text = str(table.pop("weight", 1))
        weight = _parse_weight(f"weight of {MIXTURE}", text, text)
        for name in table:
            if name in SETTINGS or name in NOT_MIXED:
                raise RecipeError(
                    f"{name} is in a {MIXTURE}; it is the same for all images, so write it"
                    " above the tables"
                )
        draws = {name: parse_draw(name, _to_text(name, value)) for name, value in table.items()}
        parts.append(Component(weight, draws))
    if parts and not sum(part.weight for part in parts):
        raise RecipeError(f"the weights of {MIXTURE} are all 0; at least one must be above 0")
    return tuple(parts)


def _to_text(name: str, value: object) -> str:
    if isinstance(value, dict):
        raise RecipeError(
            f"{shorten(name)} is a table; a recipe has no tables but [[{MIXTURE}]], so leave"
            " out the table header"
        )
    if isinstance(value, list):
        return ",".join(_to_text(name, item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
