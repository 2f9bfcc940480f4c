from __future__ import annotations

import itertools

import numpy as np
import pytest

from probes.fitting.proposal import (
    COLOURS,
    FIXED,
    LENGTH,
    PROPOSALS,
    drop_rare,
    find_parts,
    list_unfitted,
    make_recipe,
    make_targets,
    name_parts,
    plant_shares,
    prior_of,
    quantiles,
    weigh,
)
from synthtext.drawing.fonts import Catalogue
from synthtext.draws import Choice, Range
from synthtext.factors import FACTORS
from synthtext.recipe import parse_draw


def test_every_factor_is_fitted_measured_or_named(fonts: Catalogue) -> None:
    targets = make_targets(fonts, has_photos=False)
    fitted = set(targets) - {LENGTH}
    assert set(FACTORS) == fitted | set(list_unfitted(targets)) | set(COLOURS)
    assert not fitted & set(FIXED)
    assert fitted == {*PROPOSALS, "font_category"}
    assert all(FACTORS[name].is_colour for name in COLOURS)


@pytest.mark.parametrize("name", sorted(set(PROPOSALS) & set(FACTORS)))
def test_parts_of_a_proposal_are_apart(name: str) -> None:
    draw = parse_draw(name, PROPOSALS[name])
    if isinstance(draw, Choice):
        assert set(draw.values) <= set(FACTORS[name].choices)
        return
    parts = draw.parts
    assert len(parts) > 1
    for before, after in itertools.pairwise(parts):
        assert before.high <= after.low


def test_photographs_are_proposed_where_there_are_some(fonts: Catalogue) -> None:
    assert "photo" in name_parts(make_targets(fonts, has_photos=True)["background"])
    assert "photo" not in name_parts(make_targets(fonts, has_photos=False)["background"])


def test_a_value_is_found_in_its_part() -> None:
    draw = parse_draw("blur_px", "0=2,0.3:0.7,0.7:1.2")
    assert find_parts(draw, [0.0, 0.3, 0.69, 0.71, 1.2]).tolist() == [0, 1, 1, 2, 2]
    assert find_parts(parse_draw("case", "lower,upper"), ["upper", "lower"]).tolist() == [1, 0]


def test_quantiles_are_those_of_the_parts() -> None:
    draw = parse_draw("noise_std", "0:10,10:30")
    assert quantiles(draw, np.array([0.5, 0.5]), (0.25, 0.5, 0.75)) == pytest.approx(
        [5, 10, 20]
    )


def test_parts_of_no_weight_are_dropped() -> None:
    draw = weigh(parse_draw("noise_std", "0:10,10:30,30:40"), np.array([0.25, 0.0, 0.75]))
    assert str(drop_rare(draw)) == "0:10=250,30:40=750"
    assert drop_rare(weigh(draw, np.array([0.0, 1.0, 0.0]))) == Range(10, 30)


@pytest.mark.parametrize("seed", range(5))
def test_planted_numbers_are_in_neighbouring_parts(seed: int) -> None:
    draw = parse_draw("size_px", PROPOSALS["size_px"])
    shares = plant_shares(draw, seed, "size_px")
    assert shares.sum() == pytest.approx(1)
    used = np.flatnonzero(shares)
    assert 2 <= len(used) <= 4
    assert (np.diff(used) == 1).all()


def test_a_proposal_draws_crops(fonts: Catalogue) -> None:
    targets = make_targets(fonts, has_photos=False)
    recipe = make_recipe(targets)
    assert str(recipe.draws["width_px"]) == "0"
    assert recipe.draws["size_px"] == targets["size_px"]
    assert prior_of(targets["size_px"]).sum() == pytest.approx(1)
