from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from synthtext.drawing.faces import Face
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layers import draw_layer
from synthtext.drawing.layout import place_glyphs
from synthtext.drawing.rendering import render
from synthtext.errors import DrawError
from synthtext.export.items import Item
from synthtext.export.lines import find_lines
from synthtext.factors import VERTICAL
from synthtext.spec import Spec, make_spec

SANS = "DejaVuSans.ttf"


@pytest.fixture
def face(fonts: Catalogue) -> Face:
    return fonts.open(SANS)


@pytest.fixture
def column() -> Spec:
    return make_spec("two words", font=SANS, size_px=16, direction="vertical")


def test_letters_stand_upright_below_one_another(face: Face) -> None:
    flat, column = (
        place_glyphs("jumping", face),
        place_glyphs("jumping", face, is_vertical=True),
    )
    assert column.glyphs == flat.glyphs
    tops, bottoms = column.char_boxes[:, 1], column.char_boxes[:, 3]
    assert (tops[1:] > bottoms[:-1]).all()
    for axis in ([0, 2], [1, 3]):
        sides = np.ptp(flat.char_boxes[:, axis], axis=1)
        assert np.allclose(np.ptp(column.char_boxes[:, axis], axis=1), sides)
    middles = column.char_boxes[:, [0, 2]].mean(axis=1)
    assert np.abs(middles).max() < 0.2


def test_letter_spacing_goes_downwards(face: Face) -> None:
    plain, spaced = (
        place_glyphs("mown", face, is_vertical=True, letter_spacing_em=em) for em in (1e-9, 0.5)
    )
    assert np.allclose(spaced.pens[:, 0], plain.pens[:, 0])
    assert np.allclose(spaced.pens[:, 1] - plain.pens[:, 1], [0, 0.5, 1.0, 1.5])


def test_columns_go_from_right_to_left_and_are_as_long_as_they_may_be(face: Face) -> None:
    text = "one two three four five"
    placement = place_glyphs(text, face, is_vertical=True, wrap_em=11, line_height=1.5)
    middles = placement.word_boxes[:, [0, 2]].mean(axis=1)
    assert np.allclose(middles, [0, 0, -1.5, -3, -3], atol=0.2)
    assert np.ptp(placement.word_boxes[:, [1, 3]], axis=1).max() < 11


@pytest.mark.parametrize(("align", "share"), [("left", 0.0), ("center", 0.5), ("right", 1.0)])
def test_columns_are_aligned(face: Face, align: str, share: float) -> None:
    placement = place_glyphs("mmmm mm", face, is_vertical=True, align=align, wrap_em=5)
    long, short = placement.word_boxes
    room = (long[3] - long[1]) - (short[3] - short[1])
    assert short[1] - long[1] == pytest.approx(share * room, abs=0.01)


@pytest.mark.parametrize("direction", VERTICAL)
@pytest.mark.parametrize(
    "change",
    [
        {}, {"jitter_em": 0.02}, {"yaw_deg": 20.0}, {"rotation_deg": 30.0}, {"warp_em": 0.04},
        {"superscript_frac": 0.4},
    ],
)  # fmt: skip
def test_quads_hold_the_ink_of_their_letters(
    column: Spec, fonts: Catalogue, change: dict[str, Any], direction: str
) -> None:
    spec = replace(column, **change, direction=direction)
    drawn, letters = render(spec, fonts), draw_layer("letters", spec, fonts)
    assert len(drawn.word_quads) == 2
    for number, quad in enumerate(drawn.char_quads, start=1):
        rows, columns = np.nonzero(letters == number)
        low, high = quad.min(axis=0) - 1, quad.max(axis=0) + 1
        assert (low < [columns.min(), rows.min()]).all()
        assert (high > [columns.max(), rows.max()]).all()


def test_a_sentence_is_wrapped_to_the_height(column: Spec, fonts: Catalogue) -> None:
    text = "several words that fill more columns than one"
    spec = replace(column, kind="sentence", text=text, width_px=0, height_px=150)
    drawn = render(spec, fonts)
    assert drawn.pixels.shape[0] == 150
    first, last = drawn.word_quads[0], drawn.word_quads[-1]
    assert last[:, 0].max() < first[:, 0].min()


CURVED = "vertical text follows no curve; set arc_deg and wave_em to 0"

RULED = "vertical text has no line under or through it; set underline_em and strike_em to 0"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"arc_deg": 40.0}, CURVED), ({"wave_em": 0.1}, CURVED),
        ({"underline_em": 0.1}, RULED), ({"strike_em": 0.1}, RULED),
    ],
)  # fmt: skip
def test_vertical_text_has_neither_curve_nor_lines(
    column: Spec, fonts: Catalogue, change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DrawError) as caught:
        render(replace(column, **change), fonts)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("direction", VERTICAL)
def test_columns_are_lines_of_an_export(column: Spec, fonts: Catalogue, direction: str) -> None:
    texts = {
        "vertical": "one two three four five",
        "vertical-mixed": "characters sideways characters sideways reading",
    }
    text = texts[direction]
    spec = replace(column, kind="sentence", text=text, rotation_deg=5.0, direction=direction)
    drawn = render(spec, fonts)
    words = tuple(spec.text.split())
    item = Item(
        name="0.png", image=b"", text=spec.text, words=words, quads=drawn.word_quads,
        polygons=drawn.word_polygons, chars=tuple("".join(words)), char_quads=drawn.char_quads, size_px=(224, 224), label=0,
        fields={"kind": spec.kind, "direction": spec.direction},
    )  # fmt: skip
    lines = find_lines(item)
    assert [line.words for line in lines] == [(0, 1), (2, 3), (4,)]
    assert all((np.diff(line.baseline[:, 1]) > 0).all() for line in lines)
