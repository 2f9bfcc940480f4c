from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtext.drawing.faces import Face, Run, open_face
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layout import inked, place_glyphs
from synthtext.errors import DrawError

SANS = "DejaVuSans.ttf"


@pytest.fixture(scope="module")
def face(fonts: Catalogue) -> Face:
    return open_face(fonts.path_of(SANS))


def test_every_character_but_spaces_has_a_box(face: Face) -> None:
    placement = place_glyphs("two words", face)
    assert placement.char_boxes.shape == (8, 4)
    assert placement.word_boxes.shape == (2, 4)


def test_a_word_box_holds_the_boxes_of_its_characters(face: Face) -> None:
    placement = place_glyphs("jumping fox", face)
    word, chars = placement.word_boxes[0], placement.char_boxes[:7]
    assert word.tolist() == [*chars[:, :2].min(axis=0), *chars[:, 2:].max(axis=0)]


def test_the_letters_of_a_ligature_part_its_box(face: Face) -> None:
    placement = place_glyphs("affix", face)
    assert len(placement.glyphs) == 3
    ffi = placement.char_boxes[1:4]
    assert np.allclose(np.diff(ffi[:, 0]), ffi[0, 2] - ffi[0, 0])


def test_letter_spacing_turns_ligatures_off(face: Face) -> None:
    assert len(place_glyphs("affix", face, letter_spacing_em=0.1).glyphs) == 5


def test_letter_spacing_widens_by_its_share_of_the_em(face: Face) -> None:
    plain, spaced = (
        place_glyphs("mown", face),
        place_glyphs("mown", face, letter_spacing_em=0.5),
    )
    assert np.allclose(spaced.pens[:, 0] - plain.pens[:, 0], [0, 0.5, 1.0, 1.5])


def test_hebrew_runs_from_right_to_left(face: Face) -> None:
    boxes = place_glyphs("שלום עולם", face).char_boxes
    assert (np.diff(boxes[:, 0]) < 0).all()


def test_a_mark_shares_the_box_of_its_letter(face: Face) -> None:
    marked, bare = place_glyphs("e\u0301", face), place_glyphs("e", face)
    assert marked.char_boxes.shape == (1, 4)
    assert marked.char_boxes[0, 1] < bare.char_boxes[0, 1]


@given(
    words=st.lists(st.text("abcdefgh", min_size=1, max_size=12), min_size=1, max_size=30),
    wrap_em=st.floats(1, 40),
)
def test_lines_are_as_long_as_they_may_be(face: Face, words: list[str], wrap_em: float) -> None:
    text = " ".join(words)
    placement = place_glyphs(text, face, wrap_em=wrap_em)
    line_of = np.rint(placement.pens[:, 1] / 1.2).astype(int)
    for line in range(line_of.max() + 1):
        pens = placement.pens[line_of == line, 0]
        has_several_words = (np.array(placement.glyphs)[line_of == line] == 3).any()
        assert not has_several_words or pens.max() < wrap_em


def test_wrapping_loses_no_character(face: Face) -> None:
    text = "all of these words are kept when they are wrapped"
    one, many = place_glyphs(text, face), place_glyphs(text, face, wrap_em=6)
    assert len(one.char_boxes) == len(many.char_boxes)
    assert np.allclose(
        np.ptp(one.char_boxes[:, [0, 2]], axis=1), np.ptp(many.char_boxes[:, [0, 2]], axis=1)
    )


@pytest.mark.parametrize(("align", "share"), [("left", 0.0), ("center", 0.5), ("right", 1.0)])
def test_lines_are_aligned(face: Face, align: str, share: float) -> None:
    placement = place_glyphs("mmmmmmmm mm", face, align=align, wrap_em=8)
    long, short = placement.word_boxes
    room = (long[2] - long[0]) - (short[2] - short[0])
    assert short[0] - long[0] == pytest.approx(share * room, abs=0.01)


def test_a_blank_glyph_is_refused(face: Face) -> None:
    with pytest.raises(DrawError) as caught:
        place_glyphs("a\u2800b", face)
    assert str(caught.value) == "the font draws '\u2800' as blank; use another font"


def test_a_character_without_glyph_is_refused(face: Face) -> None:
    with pytest.raises(DrawError) as caught:
        place_glyphs("a漢", face)
    assert (
        str(caught.value) == "DejaVuSans.ttf has no glyph for '漢' (U+6F22); use another font"
    )


def test_text_of_spaces_alone_is_refused(face: Face) -> None:
    with pytest.raises(DrawError) as caught:
        place_glyphs("  ", face)
    assert str(caught.value) == "'  ' has no visible ink; remove it from the list"


def test_spaces_and_marks_leave_no_ink_of_their_own() -> None:
    assert inked("a\u0301 b") == [0, 3]


def test_a_word_that_comes_again_is_measured_once(
    fonts: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = Face(fonts.path_of(SANS), fonts.path_of(SANS).read_bytes())
    shaped: list[str] = []
    shape = Face.shape

    def count(self: Face, text: str, *, ligatures: bool, is_vertical: bool) -> Run:
        shaped.append(text)
        return shape(self, text, ligatures=ligatures, is_vertical=is_vertical)

    monkeypatch.setattr(Face, "shape", count)
    first = place_glyphs(" ".join(["go"] * 900), face, wrap_em=9)
    assert shaped.count("go") == 1
    again = place_glyphs(" ".join(["go"] * 900), face, wrap_em=9)
    assert shaped.count("go") == 1
    assert again.box == first.box
