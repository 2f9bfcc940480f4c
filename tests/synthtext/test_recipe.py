from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtext.draws import Choice, Range, Ranges
from synthtext.errors import RecipeError
from synthtext.factors import FACTORS, option_name
from synthtext.recipe import (
    default_recipe,
    edit_recipe,
    list_numbers,
    list_recipes,
    parse_draw,
    read_recipe,
)
from synthtext.recipe_toml import format_recipe


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


@pytest.mark.parametrize(
    "text",
    ["12:16=3,16:24:log=5,32", "12:16,32", "-3:-1=2,0=0.25,1:4=0.123456789", "1:2=0,3:4=1e-09"],
)
def test_ranges_by_weight_are_written_as_read(text: str) -> None:
    draw = parse_draw("rotation_deg", text)
    assert isinstance(draw, Ranges)
    assert str(draw) == text
    assert parse_draw("rotation_deg", str(draw)) == draw


def test_one_range_needs_no_weight() -> None:
    assert parse_draw("size_px", "12:64:log=3") == Range(12, 64, is_log=True)


def test_the_ends_of_a_range_keep_their_digits() -> None:
    assert str(parse_draw("size_px", "12.3456789:64")) == "12.3456789:64"


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
        ("size_px", "64:12", "size_px is 64:12; put the lower end first, as in 12:64"),
        (
            "size_px",
            "12:64:up",
            "size_px is '12:64:up'; write a range as low:high or low:high:log",
        ),
        ("size_px", "big", "size_px is 'big'; 'big' is not a number"),
        ("size_px", "0:5", "size_px is 0:5; it is an em size in px, so 1 to 2048"),
        ("size_px", "nan", "size_px is nan; it is an em size in px, so 1 to 2048"),
        ("blur_px", "0:4:log", "blur_px is 0:4:log; a log range must start above 0"),
        ("width_px", "1.5", "width_px is 1.5; it must be a whole number"),
        ("background", "plane", "background is 'plane'; did you mean plain"),
        (
            "ink",
            "blurple",
            "ink is 'blurple'; write a colour as '#rrggbb', by its CSS name, or 'any'",
        ),
        ("case", "upper=x", "case is 'upper=x'; 'x' is not a weight"),
        ("case", "upper=-1", "case is 'upper=-1'; a weight is from 0 to 1e+09"),
        (
            "size_px",
            "9:12=0,20=0",
            "size_px is '9:12=0,20=0'; at least one weight must be above 0",
        ),
        ("size_px", "9:12=2,24:20", "size_px is 24:20; put the lower end first, as in 20:24"),
        ("size_px", "9:12=x,20", "size_px is '9:12=x,20'; 'x' is not a weight"),
        ("size_px", "9:12,big", "size_px is '9:12,big'; 'big' is not a number"),
        ("case", "upper=0", "case is 'upper=0'; at least one weight must be above 0"),
        ("font_family", "", "font_family is ''; a value is missing"),
        ("image_format", "gif", "image_format is 'gif'; it is one of jpg, png, webp"),
        ("splits", "1,0", "splits is '1,0'; give three fractions, such as 0.9,0.05,0.05"),
        (
            "splits",
            "0.9,0.2,0",
            "splits is 0.9,0.2,0; three fractions of 0 or more must add up to 1",
        ),
        ("shrink", "perhaps", "shrink is 'perhaps'; it is true or false"),
        ("shard_size", "0", "shard_size is '0'; it is a whole number from 1 to 1,000,000"),
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
        "default, clip-224, ocr-crops, rendered-sst2, street"
    )


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("size_px = = 3")
    with pytest.raises(
        RecipeError, match=r"r\.toml cannot be read as TOML \(.*\); `synthtext recipe`"
    ):
        read_recipe(path)


def explain(path: Path) -> str:
    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("case = " + "[" * 900 + "]" * 900, "its arrays or tables are nested more than 2 deep"),
        (
            "case = " + "{a=" * 900 + "1" + "}" * 900,
            "its arrays or tables are nested more than 2 deep",
        ),
        (".".join(["a"] * 5000) + " = 1", "its arrays or tables are nested more than 2 deep"),
        (
            "[" + ".".join(['"a"'] * 5000) + "]",
            "its arrays or tables are nested more than 2 deep",
        ),
        (
            'case = ["""up"""", ' + "[" * 900 + "]" * 901,
            "its arrays or tables are nested more than 2 deep",
        ),
        ("seed = " + "9" * 5000, "99999999999999999999... is 5,000 characters long"),
        ("seed = 0x" + "f" * 5000, "0xffffffffffffffffff... is 5,002 characters long"),
        ("born = 2026-02-30", "Invalid date or datetime (at line 1, column 8)"),
        ("case = '\udcff'", "invalid start byte"),
    ],
)
def test_a_hostile_recipe_is_refused_before_it_is_parsed(
    text: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    said = explain(path)
    assert said.startswith(f"{path} cannot be read as TOML (")
    assert reason in said
    assert said.endswith("); `synthtext recipe` prints one")


def test_strings_and_comments_may_hold_what_nests(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(
        "# " + "[" * 99 + '\nfont_family = "a[[[[.b.c.d"\nsplits = [0.8, 0.1, 0.1]\n'
    )
    recipe = read_recipe(path)
    assert recipe.draws["font_family"] == Choice(("a[[[[.b.c.d",), (1.0,))
    assert recipe.splits == (0.8, 0.1, 0.1)


def test_a_recipe_with_tables_is_told_that_it_is_flat(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("[size_px]\nlow = 3\n")
    assert (
        explain(path)
        == "size_px is a table; a recipe has no tables but [[mixture]], so leave out the table header"
    )


MIXED = """
size_px = "20:40"
[[mixture]]
weight = 3
paper = ["white", "#eeeeee=0.5"]
ink = "black"
[[mixture]]
paper = "black"
size_px = "30"
"""


def test_a_mixture_is_read_and_printed_back(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(MIXED)
    recipe = read_recipe(path)
    assert [part.weight for part in recipe.mixture] == [3, 1]
    assert str(recipe.mixture[0].draws["paper"]) == "#ffffff,#eeeeee=0.5"
    path.write_text(format_recipe(recipe))
    assert read_recipe(path) == recipe


def test_what_is_edited_holds_for_every_component(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(MIXED)
    recipe = edit_recipe(read_recipe(path), {"size_px": "12"})
    assert [sorted(part.draws) for part in recipe.mixture] == [["ink", "paper"], ["paper"]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("mixture = 3", "mixture is not a list of tables; write [[mixture]] above each"),
        ("[mixture]\nsize_px = 3", "mixture is not a list of tables; write [[mixture]] above each"),
        ("[[mixture]]\nkind = 'word'", "kind is in a mixture; it is the same for all images, so write it above the tables"),
        ("[[mixture]]\nshrink = true", "shrink is in a mixture; it is the same for all images, so write it above the tables"),
        ("[[mixture]]\nweight = 0", "the weights of mixture are all 0; at least one must be above 0"),
        ("[[mixture]]\nweight = -1", "weight of mixture is '-1'; a weight is from 0 to 1e+09"),
        ("[[mixture]]\nsize = 3", "a recipe has no factor 'size'; did you mean size_px"),
        ("[[mixture]]\n" * 1001, "mixture has 1,001 tables; give at most 1,000"),
        ("[[mixture]]\n[mixture.a]", "a is a table; a recipe has no tables but [[mixture]], so leave out the table header"),
    ],
)  # fmt: skip
def test_a_bad_mixture_is_named(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    assert explain(path) == sentence


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            "/dev/zero",
            "/dev/zero is a device and not a regular file; `synthtext recipe` prints one",
        ),
        ("fifo", "{path} is a pipe and not a regular file; `synthtext recipe` prints one"),
        ("folder", "{path} is a folder and not a regular file; `synthtext recipe` prints one"),
        ("large", "{path} is larger than 256 KiB; `synthtext recipe` prints one"),
        (
            "loop",
            "{path} cannot be read (too many levels of symbolic links); `synthtext recipe` prints one",
        ),
    ],
)
def test_a_recipe_is_a_small_regular_file(source: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / source
    if source == "fifo":
        os.mkfifo(path)
    elif source == "folder":
        path.mkdir()
    elif source == "large":
        with path.open("wb") as file:
            file.truncate(8 << 30)
    elif source == "loop":
        path.symlink_to(path)
    assert explain(path) == sentence.format(path=path)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("shard_size", "9" * 30, f"shard_size is '{'9' * 30}'; it is a whole number from 1 to 1,000,000"),
        ("shard_size", str(2**64), f"shard_size is '{2**64}'; it is a whole number from 1 to 1,000,000"),
        ("case", ",".join(["upper"] * 10_001), "case has 10,001 values; give at most 10,000"),
        ("case", "x" * 100_001, f"case is '{'x' * 80}... (100,001 characters)'; give at most 100,000 characters"),
        ("size_px", "1" * 5000, f"size_px is {'1' * 80}... (5,000 characters); it is an em size in px, so 1 to 2048"),
        ("size_px", "64\n:12", "size_px is 64 :12; put the lower end first, as in 12:64"),
        ("case", "upper=1e999", "case is 'upper=1e999'; a weight is from 0 to 1e+09"),
        ("x" * 5000, "1", f"a recipe has no factor '{'x' * 80}... (5,000 characters)'; there are"),
    ],
)  # fmt: skip
def test_an_entry_is_bounded(name: str, text: str, sentence: str) -> None:
    with pytest.raises(RecipeError) as caught:
        edit_recipe(default_recipe(), {name: text})
    assert str(caught.value).startswith(sentence)


def test_a_long_choice_of_numbers_is_sampled_at_once() -> None:
    draw = parse_draw("size_px", ",".join(f"{12 + k / 1000:g}" for k in range(10_000)))
    assert isinstance(draw, Choice)
    begin = time.process_time()
    assert len(list_numbers("size_px", draw)) == 10_000
    assert time.process_time() - begin < 2
