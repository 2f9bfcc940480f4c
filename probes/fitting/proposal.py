"""The proposal: what each factor is drawn from before anything is known about the crops.

A factor is fitted if it has a row in `PROPOSALS`, which divides its range into parts or lists
its names; so is the font category. A fit estimates the weights of the parts. Other factors keep
their defaults. Styles and damage that most words do not have are proposed as rare, because an
estimate stays near its proposal if crops say little about the factor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from probes.arrays import Floats, Ints
from synthtext.drawing.fonts import Catalogue
from synthtext.draws import Choice, Draw, Range, Ranges
from synthtext.factors import FACTORS
from synthtext.recipe import Recipe, default_recipe, edit_recipe, parse_draw
from synthtext.rng import draw_units

PROPOSALS = {
    "case": "lower=2,upper=3,title=2",
    "size_px": "7:9:log,9:12:log,12:16:log=2,16:21:log=2,21:28:log=2,28:38:log=2,38:52:log=2,"
    "52:72:log,72:100:log,100:140:log",
    "letter_spacing_em": "-0.08:-0.02,-0.02:0.02=4,0.02:0.08=2,0.08:0.2,0.2:0.45=0.5",
    "margin_px": "1:2=2,3:4=2,5:7=2,8:12,13:24=0.5",
    "rotation_deg": "-30:-15=0.5,-15:-7,-7:-2=2,-2:2=4,2:7=2,7:15,15:30=0.5",
    "yaw_deg": "-50:-30=0.5,-30:-10,-10:10=4,10:30,30:50=0.5",
    "pitch_deg": "-50:-30=0.3,-30:-10,-10:10=4,10:30,30:50=0.3",
    "arc_deg": "-60:-20=0.5,0=8,20:60=0.5",
    "wave_em": "0=9,0.1:0.4",
    "jitter_em": "0=12,0.01:0.05",
    "letter_rotation_deg": "0=12,2:7",
    "ink_fill": "plain=8,gradient,texture",
    "embolden_em": "-0.02:-0.005=0.5,0=3,0.01:0.03=2,0.03:0.06",
    "wear_frac": "0=12,0.05:0.3",
    "outline_em": "0=10,0.02:0.08",
    "extrude_em": "0=12,0.03:0.12",
    "shadow_em": "0=8,0.03:0.15",
    "shadow_blur_em": "0:0.02,0.02:0.1",
    "background": "plain=4,gradient=3,noise,texture,clutter,writing=2",
    "occlusion_frac": "0=12,0.03:0.2",
    "light_frac": "0:0.1=4,0.1:0.3=2,0.3:0.6",
    "shade_frac": "0=10,0.2:0.6",
    "downscale": "1=5,1.2:1.8,1.8:3=0.5",
    "motion_px": "0=8,1.5:4",
    "defocus_px": "0=8,0.8:2",
    "prior_jpeg_quality": "25:49,50:80,100=5",
    "contrast": "1.1:1.5:log,1.5:2:log,2:3:log,3:5:log,5:8:log,8:13:log,13:21:log",
    "blur_px": "0=2,0.3:0.7=2,0.7:1.2=2,1.2:1.8,1.8:2.6,2.6:4=0.5",
    "noise_std": "0:1=2,1:4=2,4:8=2,8:16,16:32=0.5",
    "jpeg_quality": "10:24,25:49,50:74,75:89,90:100=2",
}
"""The parts of fitted factors with their weights in the first round: parts of the range of each
number, in order, and names."""

FIXED = {
    "kind": "word",
    "font_family": "any",
    "line_height": "1.2",
    "align": "left",
    "width_px": "0",
    "height_px": "0",
    "x_frac": "0.5",
    "y_frac": "0.5",
    "opacity": "1",
    "ink2": "any",
}
"""Factors that do not show in a crop of one word, or not separately from another one: opacity
shows as contrast, and the font family as its category."""

LENGTH = "n_chars"
"""Number of characters of the text: not a factor of a recipe, but words are chosen by it."""

LENGTHS = Ranges(
    tuple(Range(low, high) for low, high in ((1, 1), (2, 2), (3, 3), (4, 5), (6, 7), (8, 10),
          (11, 20))),
    (1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 1.0),
)  # fmt: skip

FONT_WEIGHTS = {"sans": 6.0, "serif": 3.0, "condensed": 3.0, "slab": 2.0, "blackletter": 0.5}
"""Weights of font categories that are not 1; crops say little about the category."""

COLOURS = ("ink", "paper", "paper2")
"""Colours that are measured in each crop."""


def make_targets(fonts: Catalogue, *, has_photos: bool) -> dict[str, Draw]:
    """Return the parts of each factor that is fitted, with the weights of the first round.

    Args:
        fonts: the fonts to draw with, whose categories are distinguished.
        has_photos: whether photographs may be backgrounds.
    """
    targets: dict[str, Draw] = {}
    for name in FACTORS:
        if name == "background" and has_photos:
            targets[name] = parse_draw(name, f"{PROPOSALS[name]},photo=3")
        elif name in PROPOSALS:
            targets[name] = parse_draw(name, PROPOSALS[name])
        elif name == "font_category":
            names = tuple(sorted({font.category for font in fonts.fonts.values()}))
            targets[name] = Choice(names, tuple(FONT_WEIGHTS.get(each, 1.0) for each in names))
    return {**targets, LENGTH: LENGTHS}


def list_unfitted(targets: Mapping[str, Draw]) -> list[str]:
    """Return the factors that a fit leaves at their default or their value in `FIXED`."""
    return [name for name in FACTORS if name not in targets and name not in COLOURS]


def make_recipe(targets: Mapping[str, Draw]) -> Recipe:
    """Return a recipe for crops that draws each factor from its parts."""
    recipe = edit_recipe(default_recipe(), {**FIXED, "splits": "1,0,0"})
    draws = {name: draw for name, draw in targets.items() if name != LENGTH}
    return replace(recipe, draws={**recipe.draws, **draws})


def weigh(draw: Draw, shares: Floats) -> Draw:
    """Return the same parts with these fractions as weights, in whole thousandths."""
    weights = tuple(float(round(1000 * share)) for share in (shares / shares.sum()).tolist())
    if isinstance(draw, Range):
        return draw
    return replace(draw, weights=weights)


def drop_rare(draw: Draw) -> Draw:
    """Return a draw without its parts of weight 0."""
    if isinstance(draw, Range):
        return draw
    kept = [place for place, weight in enumerate(draw.weights) if weight > 0]
    weights = tuple(draw.weights[place] for place in kept)
    if isinstance(draw, Choice):
        return Choice(tuple(draw.values[place] for place in kept), weights)
    if len(kept) == 1:
        return draw.parts[kept[0]]
    return Ranges(tuple(draw.parts[place] for place in kept), weights)


def prior_of(draw: Draw) -> Floats:
    """Return the probability of each part: float64 (k,), adding up to 1."""
    weights = np.array([1.0] if isinstance(draw, Range) else draw.weights)
    return weights / weights.sum()


def name_parts(draw: Draw) -> list[str]:
    """Return each part as written in a recipe, without its weight."""
    if isinstance(draw, Choice):
        return list(draw.values)
    parts = [draw] if isinstance(draw, Range) else draw.parts
    return [
        f"{part.low:g}" if part.low == part.high else str(part).removesuffix(":log")
        for part in parts
    ]


def find_parts(draw: Draw, values: Sequence[object]) -> Ints:
    """Return the index of the part that each value lies in, or of the nearest: int64 (n,)."""
    if isinstance(draw, Choice):
        return np.array([draw.values.index(str(value)) for value in values], dtype=np.int64)
    numbers = np.asarray(values, dtype=np.float64)[:, None]
    parts = [draw] if isinstance(draw, Range) else draw.parts
    lows, highs = (np.array([getattr(part, end) for part in parts]) for end in ("low", "high"))
    apart = np.maximum(np.maximum(lows - numbers, numbers - highs), 0)
    return apart.argmin(axis=1).astype(np.int64)


def quantiles(draw: Draw, shares: Floats, levels: Sequence[float]) -> Floats:
    """Return quantiles of a number that is drawn from parts with these probabilities."""
    if isinstance(draw, Choice):
        raise TypeError("names have no quantiles")
    parts = (draw,) if isinstance(draw, Range) else draw.parts
    order = np.argsort([part.low + part.high for part in parts], kind="stable")
    weighed = Ranges(
        tuple(parts[place] for place in order), tuple(np.maximum(shares[order], 1e-12).tolist())
    )
    return weighed.at(np.minimum(np.asarray(levels), 1 - 1e-12))


def plant_shares(draw: Draw, seed: int, name: str) -> Floats:
    """Return random fractions for a simulated population: neighbouring parts, or any names.

    Args:
        draw: the parts.
        seed: seed of the population.
        name: name of the factor.
    """
    units = draw_units(seed, f"planted {name}", 0, 16).ravel()
    n = len(prior_of(draw))
    # Exponential variates over their sum are uniform over all fractions that add up to 1.
    shares = -np.log1p(-units[4 : 4 + n])
    if isinstance(draw, Ranges):
        width = 2 + int(units[0] * min(3, n - 1))
        first = int(units[1] * (n - width + 1))
        shares[:first] = shares[first + width :] = 0
    planted: Floats = shares / shares.sum()
    return planted
