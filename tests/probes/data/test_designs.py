from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest

from probes.data.designs import DEFAULT, choose_fitting, make_trials, name_fonts, parse_design
from probes.errors import ProbeError
from probes.factors import BASELINE, BASELINES, FACTORS
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.rendering import render
from synthtext.factors import FACTORS as DRAWN
from synthtext.spec import Spec, check_spec

WORDS = ["quartz", "sphinx", "jumping"]


SPREADS = {name: row.spread for name, row in FACTORS.items() if row.spread}


@pytest.mark.parametrize("factor", FACTORS)
def test_a_level_differs_from_its_baseline_by_its_factor_alone(factor: str) -> None:
    trials = [t for t in make_trials(WORDS, [factor], seed=0) if t.spec.text == "quartz"]
    for baseline in BASELINES:
        own, *cells = [trial for trial in trials if trial.baseline == baseline]
        assert (own.factor, own.level) == (BASELINE, BASELINE)
        for cell in cells:
            assert replace(cell.spec, **{factor: getattr(own.spec, factor)}) == own.spec
            assert str(getattr(cell.spec, factor)) == cell.level
            assert cell.spec != own.spec


def test_a_picture_of_a_design_comes_once() -> None:
    trials = [t for t in make_trials(WORDS, list(FACTORS), seed=0) if t.baseline == "easy"]
    drawn = [replace(t.spec, text=t.spec.drawn_text, case="as-is") for t in trials]
    assert len(set(drawn)) == len(drawn)
    levels = {factor: {t.level for t in trials if t.factor == factor} for factor in FACTORS}
    assert levels["case"] == {"upper", "title"}  # Lower case is the baseline's.
    assert "28.0" not in levels["size_px"]
    assert "21.0" not in levels["contrast"]


@pytest.mark.parametrize("factor", FACTORS)
def test_every_level_can_be_drawn_unshrunk(fonts: Catalogue, factor: str) -> None:
    for trial in make_trials(WORDS, [factor], seed=0):
        rendering = render(check_spec(trial.spec), fonts)
        assert rendering.spec == trial.spec


def test_a_word_too_short_for_an_arc_is_not_among_those_that_fit(fonts: Catalogue) -> None:
    assert choose_fitting(["it", "jumping"], ["arc_deg"], fonts, 1) == ["jumping"]


@pytest.mark.parametrize(
    "factor", ["jitter_em", "letter_rotation_deg", "outline_em", "warp_em", "barrel_frac"]
)
def test_words_that_fit_can_be_drawn_whatever_their_letters_do(
    fonts: Catalogue, factor: str
) -> None:
    words = choose_fitting(["wideawakemoments", *WORDS], [factor], fonts, 3)
    for seed in range(5):
        for trial in make_trials(words, [factor], seed):
            render(trial.spec, fonts)


def test_every_key_is_its_own() -> None:
    trials = make_trials(WORDS, list(FACTORS), seed=0)
    assert len({trial.key for trial in trials}) == len(trials)


def test_a_latin_hypercube_spreads_every_factor_evenly() -> None:
    trials = make_trials([f"w{i}" for i in range(70)], ["latin"], seed=0)
    for name, (low, high) in SPREADS.items():
        places = [(getattr(t.spec, name) - low) / (high - low) for t in trials]
        counts = [sum(int(place * 7 - 1e-9) == cell for place in places) for cell in range(7)]
        assert max(counts) - min(counts) <= 2


def test_words_that_do_not_fit_are_passed_over(fonts: Catalogue) -> None:
    words = ["w" * 40, "fits", "m" * 30, "too"]
    assert choose_fitting(words, ["size_px"], fonts, 2) == ["fits", "too"]


def test_trials_know_their_fonts(fonts: Catalogue) -> None:
    for trial in name_fonts(make_trials(WORDS, ["font"], seed=0), fonts):
        assert trial.spec.font_family == fonts.fonts[trial.spec.font].family


def test_factors_are_named_without_their_units() -> None:
    assert parse_design("size,rotation,letter-spacing") == (
        "size_px", "rotation_deg", "letter_spacing_em",
    )  # fmt: skip


def test_factors_belong_together() -> None:
    assert set(parse_design(DEFAULT)) <= set(FACTORS)


def test_an_unknown_factor_is_named() -> None:
    with pytest.raises(ProbeError) as caught:
        parse_design("size,colour")
    assert str(caught.value).startswith("there is no factor 'colour'; choose among ")


def test_every_probed_factor_is_a_field_that_a_recipe_can_draw() -> None:
    assert set(FACTORS) - {"font"} <= set(DRAWN)
    fields = {field.name for field in dataclasses.fields(Spec)}
    assert set(FACTORS) <= fields
    assert {row.direction for row in FACTORS.values()} == {"rising", "falling", None}
