"""Text -> the font of an image: one that has every character of it, or several that have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from synthtext.drawing.fallback import choose_fallback
from synthtext.drawing.fonts import Catalogue, Font
from synthtext.draws import Choice
from synthtext.errors import RecipeError
from synthtext.recipe import ANY, Recipe
from synthtext.spec import CASES, FONT_SEPARATOR

Column = Sequence[object]


def draw_fonts(
    recipe: Recipe, fonts: Catalogue, columns: Mapping[str, Column], units: NDArray[np.float64]
) -> dict[str, Column]:
    """Return the columns of the font: one that has every character of the text.

    Texts of which some words are in a second font get it as the font after the first.
    """
    weights = _weigh_fonts(recipe, fonts)
    if not any(weights):
        category, family = recipe.draws["font_category"], recipe.draws["font_family"]
        raise RecipeError(
            f"no font is of category {category} and family {family}; "
            "`synthtext fonts` lists them"
        )
    mixes = columns["word_font_frac"]
    rows = zip(columns["text"], columns["case"], mixes, units.tolist(), strict=True)
    chosen: list[Font | None] = []
    others: list[str] = []
    for text, case, mix, (unit, second) in rows:
        drawn_text = CASES[str(case)](str(text))
        font, more = choose_font(fonts, drawn_text, unit, weights), ""
        if font is None and recipe.fallback:
            font, more = _choose_several(fonts, drawn_text, unit, weights)
        elif mix and font and " " in drawn_text:
            more = _choose_second(fonts, drawn_text, second, weights, font)
        chosen.append(font)
        others.append(more)
    return {
        "font": [font.file if font else "" for font in chosen],
        "font_family": [font.family if font else "" for font in chosen],
        "font_category": [font.category if font else "" for font in chosen],
        "font_weight": [font.weight if font else 0 for font in chosen],
        "font_italic": [bool(font and font.italic) for font in chosen],
        "fallback_fonts": others,
    }


def choose_font(
    fonts: Catalogue, drawn_text: str, unit: float, weights: tuple[float, ...] = ()
) -> Font | None:
    """Return a font that has every character of a text, None where there is none.

    Args:
        fonts: to choose from.
        drawn_text: its case applied.
        unit: the number in [0, 1) that decides.
        weights: of each font; none makes all equal.
    """
    weights = weights or (1.0,) * len(fonts.fonts)
    mask, masks = (1 << len(weights)) - 1, fonts.masks
    for char in set(drawn_text):
        mask &= masks.get(ord(char), 0)
    places, edges = _list_covering(mask, weights)
    if not places:
        return None
    place = places[int(np.searchsorted(edges, unit * edges[-1], side="right"))]
    return list(fonts.fonts.values())[place]


def _choose_several(
    fonts: Catalogue, drawn_text: str, unit: float, weights: tuple[float, ...]
) -> tuple[Font | None, str]:
    """Return a font that has as much of a text as any, and the files of those with the rest."""
    codes = {ord(char) for char in drawn_text if char != " "}
    counts = [
        len(codes & font.characters) if weight else -1
        for font, weight in zip(fonts.fonts.values(), weights, strict=True)
    ]
    mask = sum(1 << k for k, count in enumerate(counts) if count == max(counts))
    places, edges = _list_covering(mask, weights)
    place = places[int(np.searchsorted(edges, unit * edges[-1], side="right"))]
    font = list(fonts.fonts.values())[place]
    others = choose_fallback(fonts, drawn_text, font.file)
    return (None, "") if others is None else (font, FONT_SEPARATOR.join(others))


def _choose_second(
    fonts: Catalogue, drawn_text: str, unit: float, weights: tuple[float, ...], first: Font
) -> str:
    """Return the file of another font that has every character of a text, empty if none has."""
    others = tuple(
        weight if font is not first and FONT_SEPARATOR not in font.file else 0.0
        for weight, font in zip(weights, fonts.fonts.values(), strict=True)
    )
    found = choose_font(fonts, drawn_text, unit, others) if any(others) else None
    return found.file if found else ""


def _weigh_fonts(recipe: Recipe, fonts: Catalogue) -> tuple[float, ...]:
    weights = [1.0] * len(fonts.fonts)
    for name in ("font_category", "font_family"):
        draw = recipe.draws[name]
        if isinstance(draw, Choice) and ANY not in draw.values:
            asked = dict(zip(draw.values, draw.weights, strict=True))
            names = (getattr(font, name.removeprefix("font_")) for font in fonts.fonts.values())
            weights = [
                weight * asked.get(each, 0.0)
                for weight, each in zip(weights, names, strict=True)
            ]
    return tuple(weights)


@lru_cache(maxsize=1024)
def _list_covering(
    mask: int, weights: tuple[float, ...]
) -> tuple[list[int], NDArray[np.float64]]:
    """Return the fonts in a mask whose weight is above 0, and their cumulated weights."""
    places = [place for place, weight in enumerate(weights) if mask >> place & 1 and weight > 0]
    return places, np.cumsum([weights[place] for place in places])
