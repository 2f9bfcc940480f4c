from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtext.errors import RecipeError
from synthtext.recipe import (
    FACTORS,
    Choice,
    Range,
    default_recipe,
    edit_recipe,
    format_recipe,
    list_recipes,
    option_name,
    parse_draw,
    read_recipe,
)


@pytest.mark.parametrize("name", list_recipes())
def test_a_printed_recipe_is_read_back(name: str, tmp_path: Path) -> None:
    recipe = read_recipe(name)
    path = tmp_path / "mine.toml"
    path.write_text(format_recipe(recipe))
    assert read_recipe(path) == recipe


def test_every_factor_has_a_line_and_a_comment() -> None:
    lines = format_recipe(default_recipe()).splitlines()
    for name, factor in FACTORS.items():
        assert lines[lines.index(f'{name} = "{factor.default}"') - 1] == f"# {factor.help}"


def test_options_are_unlike_each_other() -> None:
    assert len({option_name(name) for name in FACTORS}) == len(FACTORS)


@given(low=st.floats(1, 100), span=st.floats(0, 100), is_log=st.booleans())
def test_a_range_is_kept_to(low: float, span: float, is_log: bool) -> None:
    values = Range(low, low + span, is_log).at(np.linspace(0, 1 - 2**-53, 50))
    assert (values >= low * (1 - 1e-12)).all()
    assert (values <= (low + span) * (1 + 1e-12)).all()


def test_a_range_in_ratios_has_its_middle_at_the_geometric_mean() -> None:
    assert Range(4, 64, is_log=True).at(np.array([0.5]))[0] == pytest.approx(16)


def test_a_choice_by_weight_is_written_as_read() -> None:
    draw = parse_draw("background", "plain=3,noise=1")
    assert draw == Choice(("plain", "noise"), (3.0, 1.0))
    assert str(draw) == "plain=3,noise"


def test_colours_have_names() -> None:
    assert parse_draw("ink", "black,#C02020") == Choice(("#000000", "#c02020"), (1.0, 1.0))


@pytest.mark.parametrize(
    ("image_format", "quality"), [("jpg", "90"), ("png", "100"), ("webp", "100")]
)
def test_lossless_files_are_spared_jpeg(image_format: str, quality: str) -> None:
    recipe = edit_recipe(default_recipe(), {"image_format": image_format})
    assert str(recipe.draws["jpeg_quality"]) == quality


def test_a_jpeg_quality_asked_for_is_kept() -> None:
    recipe = edit_recipe(default_recipe(), {"image_format": "png", "jpeg_quality": "30"})
    assert str(recipe.draws["jpeg_quality"]) == "30"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("size_px", "64:12", "size_px is 64:12; the low end comes first, so 12:64"),
        (
            "size_px",
            "12:64:up",
            "size_px is '12:64:up'; write a range as low:high or low:high:log",
        ),
        ("size_px", "big", "size_px is 'big'; 'big' is no number"),
        ("size_px", "0:5", "size_px is 0:5; it is an em size in px, so 1 to 2048"),
        ("size_px", "nan", "size_px is nan; it is an em size in px, so 1 to 2048"),
        ("blur_px", "0:4:log", "blur_px is 0:4:log; a range even in ratios starts above 0"),
        ("width_px", "1.5", "width_px is 1.5; it must be a whole number"),
        ("background", "plane", "background is 'plane'; did you mean plain"),
        (
            "ink",
            "blurple",
            "ink is 'blurple'; write a colour as '#rrggbb', by its CSS name, or 'any'",
        ),
        ("case", "upper=x", "case is 'upper=x'; 'x' is no weight"),
        ("case", "upper=-1", "case is 'upper=-1'; a weight is 0 or more"),
        ("case", "upper=0", "case is 'upper=0'; at least one weight must be above 0"),
        ("font_family", "", "font_family is ''; it lacks a value"),
        ("image_format", "gif", "image_format is 'gif'; it is one of jpg, png, webp"),
        ("splits", "1,0", "splits is '1,0'; give three shares, such as 0.9,0.05,0.05"),
        (
            "splits",
            "0.9,0.2,0",
            "splits is 0.9,0.2,0; three shares of 0 or more must add up to 1",
        ),
        ("shrink", "perhaps", "shrink is 'perhaps'; it is true or false"),
        ("shard_size", "0", "shard_size is '0'; it is a whole number of 1 or more"),
        ("blurpx", "1", "a recipe has no factor 'blurpx'; did you mean blur_px"),
    ],
)
def test_a_bad_entry_is_named(name: str, text: str, sentence: str) -> None:
    with pytest.raises(RecipeError) as caught:
        edit_recipe(default_recipe(), {name: text})
    assert str(caught.value) == sentence


def test_a_missing_recipe_is_named() -> None:
    with pytest.raises(RecipeError) as caught:
        read_recipe("clip-225")
    assert str(caught.value) == (
        "no recipe 'clip-225'; give a file or one of "
        "default, clip-224, ocr-crops, rendered-sst2"
    )


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("size_px = = 3")
    with pytest.raises(RecipeError, match=r"r\.toml is no recipe \(.*\); `synthtext recipe`"):
        read_recipe(path)
