from __future__ import annotations

from dataclasses import replace
from importlib.machinery import ModuleSpec

import numpy as np
import pytest

from synthtext.dataset import plan
from synthtext.dataset.plan import describe_plan, list_versions, make_plan
from synthtext.drawing import orientation
from synthtext.drawing.faces import Face
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layers import draw_layer
from synthtext.drawing.layout import Placement, place_glyphs
from synthtext.drawing.orientation import MISSING, find_sideways
from synthtext.drawing.rendering import render
from synthtext.errors import DrawError, RecipeError
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.spec import make_spec
from synthtext.texts.words import Texts

SANS = "DejaVuSans.ttf"


@pytest.fixture
def face(fonts: Catalogue) -> Face:
    return fonts.open(SANS)


def _set(text: str, face: Face) -> Placement:
    return place_glyphs(text, face, is_vertical=True, is_mixed=True)


class Font:
    """A font with vertical forms of some characters."""

    def __init__(self, forms: str) -> None:
        self._forms = forms

    def has_vertical_form(self, text: str) -> bool:
        return text in self._forms


@pytest.mark.parametrize(
    ("text", "forms", "expected"),
    [
        ("aあ1", "", [True, False, True]),
        # Transformed if the font can, else upright; transformed if it can, else on its side.
        ("、ー", "", [False, True]), ("、ー", "、ー", [False, False]),
        # A mark goes with its letter; whatever is enclosed stands upright.
        ("e\u0301か\u3099", "", [True, True, False, False]), ("a\u20dd", "", [False, False]),
        ("☃→", "", [False, True]),
    ],
)  # fmt: skip
def test_each_letter_has_the_orientation_of_unicode(
    text: str, forms: str, expected: list[bool]
) -> None:
    assert find_sideways(text, [Font(forms)], []) == expected  # type: ignore[list-item]


def test_each_letter_asks_the_font_that_draws_it() -> None:
    fonts = [Font(""), Font("ー")]
    assert find_sideways("ーー", fonts, [0, 1]) == [True, False]  # type: ignore[arg-type]


def test_letters_on_their_side_are_set_as_a_horizontal_line_is(face: Face) -> None:
    flat, column = place_glyphs("jumping", face), _set("jumping", face)
    assert column.glyphs == flat.glyphs
    left, top, right, bottom = flat.char_boxes.T
    # What is right lies below, and what is up lies to the right of the middle of the column.
    expected = np.stack([-bottom, left, -top, right], axis=1)
    expected[:, [0, 2]] -= face.middle_em
    assert np.allclose(column.char_boxes, expected)
    assert column.char_corners is not None
    # The first corner is the top left one of the letter, which is the box's top right one.
    assert np.allclose(column.char_corners[:, 0], column.char_boxes[:, [2, 1]])


def test_a_word_on_its_side_looks_like_a_rotated_word(fonts: Catalogue) -> None:
    flat = make_spec("legible", font=SANS, size_px=48, width_px=0, height_px=0)
    column = replace(flat, direction="vertical-mixed")
    ink = draw_layer("ink", flat, fonts), draw_layer("ink", column, fonts)
    turned, drawn = (np.asarray(layer).astype(float) for layer in (np.rot90(ink[0], 3), ink[1]))
    assert abs(turned.sum() - drawn.sum()) < 0.01 * drawn.sum()
    rows, columns = (np.minimum(a, b) for a, b in zip(turned.shape, drawn.shape, strict=True))
    assert np.abs(turned[:rows, :columns] - drawn[:rows, :columns]).mean() < 8


def test_upright_letters_are_drawn_as_without_the_others(face: Face, fonts: Catalogue) -> None:
    spec = make_spec("☃☺", font=SANS, size_px=30, direction="vertical")
    upright, mixed = (
        render(replace(spec, direction=direction), fonts)
        for direction in ("vertical", "vertical-mixed")
    )
    assert np.array_equal(upright.pixels, mixed.pixels)
    assert np.array_equal(upright.char_quads, mixed.char_quads)
    placement = _set("a☃b", face)
    assert placement.turns_rad == pytest.approx([np.pi / 2, 0, np.pi / 2])


def test_letters_that_run_leftwards_run_upwards_and_stay_joined(face: Face) -> None:
    text = "\u0645\u0631\u062d\u0628\u0627"
    flat, column = place_glyphs(text, face), _set(text, face)
    assert column.glyphs == flat.glyphs
    tops = column.char_boxes[:, 1]
    assert (np.diff(tops) < 0).all()


def test_upright_letters_among_those_that_run_upwards_do_too(face: Face) -> None:
    placement = _set("\u05d0☃☺\u05d1", face)
    assert placement.clusters == [3, 2, 1, 0]
    tops, bottoms = placement.char_boxes[:, 1], placement.char_boxes[:, 3]
    assert (bottoms[1:] <= tops[:-1]).all()


def test_a_sentence_is_wrapped_to_the_height(face: Face) -> None:
    text = "several words that fill more columns than one"
    placement = place_glyphs(text, face, is_vertical=True, is_mixed=True, wrap_em=8)
    flat = place_glyphs(text, face, wrap_em=8)
    heights = placement.word_boxes[:, 3] - placement.word_boxes[:, 1]
    assert np.allclose(heights, flat.word_boxes[:, 2] - flat.word_boxes[:, 0])
    # Columns have the words of the lines.
    assert np.allclose(placement.word_boxes[:, 1], flat.word_boxes[:, 0])


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, face: Face) -> None:
    def find(_name: str) -> ModuleSpec | None:
        return None

    orientation._find_value.cache_clear()
    monkeypatch.setattr(orientation, "find_spec", find)
    with pytest.raises(DrawError) as caught:
        _set("column", face)
    assert str(caught.value) == MISSING


@pytest.mark.parametrize("direction", ["vertical-mixed", "horizontal,vertical-mixed", "any"])
def test_a_run_without_the_package_is_refused_at_once(
    words: Texts, fonts: Catalogue, direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = edit_recipe(default_recipe(), {"direction": direction})
    versions = describe_plan(make_plan(recipe, {"word": words}, fonts))["versions"]
    assert "unicodedataplus" in versions
    assert "unicodedataplus" not in list_versions()
    monkeypatch.setattr(plan, "find_spec", lambda _: None)
    with pytest.raises(RecipeError) as caught:
        make_plan(recipe, {"word": words}, fonts)
    assert str(caught.value) == MISSING
