from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from synthtext.drawing.bidi import resolve_levels
from synthtext.drawing.faces import Face
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layout import inked, place_glyphs
from synthtext.drawing.rendering import render
from synthtext.drawing.runs import cut_line, find_scripts, itemize, resolve, shape_line
from synthtext.spec import Spec


@pytest.fixture(scope="module")
def face(fonts: Catalogue) -> Face:
    return fonts.open("DejaVuSans.ttf")


def read_from_left(text: str, face: Face) -> str:
    boxes = place_glyphs(text, face).char_boxes
    return "".join(text[inked(text)[k]] for k in np.argsort(boxes[:, 0], kind="stable"))


@pytest.mark.parametrize(
    ("text", "from_left"),
    [
        ("העדד 2024 הנא", "אנה2024דדעה"),
        ("العدد 2024 هنا", "انه2024ددعلا"),
        ("iPhone مرحبا 15", "iPhone15ابحرم"),
        ("abc שלום def", "abcםולשdef"),
        ("שלום abc", "abcםולש"),
        ("שלום 3.5%", "3.5%" + "שלום"[::-1]),
    ],
)
def test_lines_of_mixed_direction_are_in_visual_order(
    face: Face, text: str, from_left: str
) -> None:
    assert read_from_left(text, face) == from_left


def test_arabic_letters_join_among_latin_ones(face: Face) -> None:
    alone = place_glyphs("مرحبا", face).glyphs
    among = place_glyphs("iPhone مرحبا 15", face).glyphs
    assert alone == among[-len(alone) :]


def test_brackets_are_mirrored_where_text_runs_leftwards(face: Face) -> None:
    opening = face.shape("(", ligatures=True).glyphs
    # Between Hebrew letters, what opens stands to the right and is drawn as `)`.
    drawn = place_glyphs("א(ב)ג", face).glyphs
    assert drawn.index(opening[0]) < len(drawn) // 2


def test_words_have_boxes_in_logical_order(face: Face) -> None:
    first, number, last = place_glyphs("العدد 2024 هنا", face).word_boxes
    assert last[2] < number[0] < number[2] < first[0]


def test_each_line_is_put_in_order_by_itself(face: Face) -> None:
    text = "abc שלום עולם def"
    placement = place_glyphs(text, face, wrap_em=5)
    boxes = placement.word_boxes
    assert boxes[0][3] < boxes[2][1]
    assert boxes[1][0] > boxes[0][2]


def test_the_letters_of_a_leftward_ligature_part_its_box_leftwards(face: Face) -> None:
    lam, alef = place_glyphs("لا", face).char_boxes
    assert len(face.shape("لا", ligatures=True).glyphs) == 1
    assert lam[0] == pytest.approx(alef[2])


def test_marks_stay_on_their_letters_among_latin_ones(face: Face) -> None:
    placement = place_glyphs("abc שָלוֹם", face)
    assert len(placement.char_boxes) == 7


def test_scripts_are_shaped_apart(face: Face) -> None:
    line = cut_line("abc Привет", None, 0, 10)
    assert [(item.start, item.stop, item.script) for item in itemize(line)] == [
        (0, 4, "Latn"),
        (4, 10, "Cyrl"),
    ]
    assert len(shape_line(face, line, ligatures=True).glyphs) == 10


@pytest.mark.parametrize("text", ["plain (1)", "naïve – “quoted” €", "Ελλάδα 5", "e\u0301"])
def test_text_of_one_script_is_one_run(text: str) -> None:
    assert itemize(cut_line(text, resolve(text), 0, len(text))) == []


def test_shared_characters_take_the_script_before_them() -> None:
    assert find_scripts("«α» b!") == ["Grek"] * 4 + ["Latn"] * 2
    assert find_scripts("1 2") == ["Zyyy"] * 3


def test_letter_spacing_comes_once_a_character_in_every_run(face: Face) -> None:
    text = "ab שלום cd"
    plain, spaced = (
        place_glyphs(text, face, letter_spacing_em=spacing).box for spacing in (1e-9, 0.1)
    )
    width, wider = plain[2] - plain[0], spaced[2] - spaced[0]
    assert wider - width == pytest.approx(0.1 * (len(text) - 1), abs=1e-6)


@pytest.mark.parametrize("text", ["العدد 2024 هنا", "iPhone مرحبا 15", "abc שלום def"])
def test_quads_hold_the_ink_of_mixed_direction(spec: Spec, fonts: Catalogue, text: str) -> None:
    drawn = render(
        dataclasses.replace(spec, text=text, font="DejaVuSans.ttf", case="as-is", width_px=0),
        fonts,
    )
    assert drawn.pixels.min() < 100
    rows, columns = np.nonzero(drawn.pixels.min(axis=2) < 100)
    low, high = drawn.word_quads.min(axis=(0, 1)), drawn.word_quads.max(axis=(0, 1))
    assert low[0] - 1 <= columns.min()
    assert columns.max() <= high[0] + 1
    assert low[1] - 1 <= rows.min()
    assert rows.max() <= high[1] + 1


def test_a_paragraph_goes_the_way_of_its_first_letter() -> None:
    assert resolve_levels("(1) שלום abc").base == 1
    assert resolve_levels("(1) abc שלום").base == 0
