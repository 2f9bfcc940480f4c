"""Estimates -> a recipe: weights for the parts of each factor, and a mixture of groups.

Crops of similar colours and sizes form a group. Each group is a component of the recipe's
mixture, with colours measured in its crops and its own fractions of the parts of some factors,
which are shrunk towards those of all crops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from probes.arrays import Ints
from probes.fitting.crops import Crops
from probes.fitting.population import (
    Population,
    Seen,
    estimate_shares,
    mix,
    smoothing_of,
)
from probes.fitting.proposal import (
    COLOURS,
    LENGTH,
    drop_rare,
    make_recipe,
    prior_of,
    weigh,
)
from synthtext.drawing.colours import format_hex
from synthtext.draws import Choice, Component, Draw
from synthtext.recipe import Recipe

CROPS_PER_GROUP = 50

MAX_GROUPS = 24

N_COLOURS = 12
"""Crops of a group whose colours are used."""

LEANING = 30.0
"""Pseudo-count, in each group, of the fractions over all crops: few crops say little."""


def group_crops(crops: Crops, *, seed: int) -> Ints:
    """Return the group of each crop, int64 (N,), by its colours and height."""
    n_groups = min(MAX_GROUPS, max(1, len(crops) // CROPS_PER_GROUP))
    colours = np.concatenate([_to_lab(crops.paper), _to_lab(crops.ink)], axis=1) / 25
    height = (crops.scalars[:, :1] - crops.scalars[:, :1].mean()) * 0.7
    points = np.concatenate([colours, height], axis=1).astype(np.float32)
    cv2.setRNGSeed(seed % 2**31)
    criteria = (cv2.TERM_CRITERIA_MAX_ITER, 50, 0.0)
    labels = cv2.kmeans(points, n_groups, None, criteria, 3, cv2.KMEANS_PP_CENTERS)[1]
    return labels[:, 0].astype(np.int64)


def make_mixture(
    targets: Mapping[str, Draw],
    populations: Mapping[str, Population],
    seen: Seen,
    crops: Crops,
    *,
    mixed: Sequence[str],
    seed: int,
) -> Recipe:
    """Return the recipe of a folder of crops.

    Args:
        targets: the parts of each factor.
        populations: the estimate of each factor over all crops.
        seen: the predictions of the estimator for each crop.
        crops: the N crops.
        mixed: factors whose fractions are estimated for each group.
        seed: seed of the groups.
    """
    fitted = {name: weigh(draw, populations[name].shares) for name, draw in targets.items()}
    recipe = make_recipe({name: drop_rare(draw) for name, draw in fitted.items()})
    groups = group_crops(crops, seed=seed)
    rng = np.random.default_rng(seed)
    parts = []
    for group in np.unique(groups).tolist():
        rows = np.flatnonzero(groups == group)
        draws: dict[str, Draw] = {}
        for name in mixed:
            shares = estimate_shares(
                seen.posteriors[name][rows], seen.priors[name],
                pseudo=LEANING * populations[name].shares,
                smoothing=smoothing_of(targets[name]),
            )  # fmt: skip
            shares = mix(shares, prior_of(targets[name]), populations[name].trust)
            draws[name] = drop_rare(weigh(targets[name], shares))
        chosen = rng.permutation(rows)[:N_COLOURS]
        draws |= {name: _list_colours(getattr(crops, name)[chosen]) for name in COLOURS}
        parts.append(Component(float(len(rows)), draws))
    parts.sort(key=lambda part: -part.weight)
    return replace(recipe, mixture=tuple(parts))


def widen(recipe: Recipe, targets: Mapping[str, Draw]) -> Recipe:
    """Return the proposal for another round: the colours of a recipe with these draws."""
    draws = {name: draw for name, draw in targets.items() if name != LENGTH}
    mixture = tuple(
        replace(part, draws={n: d for n, d in part.draws.items() if n in COLOURS})
        for part in recipe.mixture
    )
    return replace(recipe, draws={**recipe.draws, **draws}, mixture=mixture)


def _list_colours(colours: NDArray[np.uint8]) -> Choice:
    names = [format_hex((r, g, b)) for r, g, b in colours.tolist()]
    counted = {name: float(names.count(name)) for name in names}
    return Choice(tuple(counted), tuple(counted.values()))


def _to_lab(colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return L, a and b of sRGB colours: float32 (N, 3); L from 0 to 100."""
    return cv2.cvtColor(colours[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
