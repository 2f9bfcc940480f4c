from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from synthtext import decode, encode
from synthtext.drawing.colours import measure_contrast
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layers import draw_layer
from synthtext.drawing.other_words import MIN_SIZE_PX
from synthtext.drawing.rendering import Rendering, render
from synthtext.errors import ShardError, SpecError
from synthtext.spec import Spec, make_spec

WORDS = "moon ladder fig shore violin tea dusk copper"


@pytest.fixture
def scene() -> Spec:
    return make_spec(
        "quartz", size_px=30, other_words=5, other_texts=WORDS, other_seed=3,
        ink="#b03020", ink2="#20407a", contrast=6.0,
    )  # fmt: skip


def _fill(rendering: Rendering, quads: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401
    mask = np.zeros(rendering.pixels.shape[:2], np.uint8)
    for quad in quads:
        cv2.fillConvexPoly(mask, np.rint(quad).astype(np.int32), 1)
    return mask


@pytest.mark.parametrize("change", [{}, {"rotation_deg": 30.0}, {"arc_deg": 90.0}])
def test_other_words_stand_beside_the_text_and_each_other(
    scene: Spec, fonts: Catalogue, change: dict[str, Any]
) -> None:
    drawn = render(replace(scene, **change), fonts)
    assert drawn.others_drawn == ("moon", "ladder", "fig", "shore", "violin")
    masks = [_fill(drawn, [quad]) for quad in (*drawn.word_quads, *drawn.other_quads)]
    ink = [mask.astype(bool) for mask in masks]
    assert all(len(quad) == 4 for quad in drawn.other_quads)
    for number, one in enumerate(ink[1:], start=1):
        assert not any((one & other).any() for other in ink[number + 1 :])
    text = np.asarray(draw_layer("ink", replace(scene, **change), fonts)) > 0
    assert not any((text & one).any() for one in ink[1:])


def test_their_quads_hold_all_that_they_add(scene: Spec, fonts: Catalogue) -> None:
    drawn, alone = render(scene, fonts), render(replace(scene, other_words=0), fonts)
    added = (drawn.pixels != alone.pixels).any(axis=2)
    around = cv2.dilate(_fill(drawn, drawn.other_quads), np.ones((3, 3), np.uint8))
    assert added.any()
    assert not (added & (around == 0)).any()
    for quad in drawn.other_quads:
        assert (added & (_fill(drawn, [quad]) > 0)).any()


@pytest.mark.parametrize("place", ["beside", "behind"])
def test_their_quads_lie_in_the_image(scene: Spec, fonts: Catalogue, place: str) -> None:
    for seed in range(40):
        spec = replace(
            scene, rotation_deg=4.5 * seed, x_frac=1.0, y_frac=1.0, other_seed=seed,
            other_place=place,
        )  # fmt: skip
        quads = render(spec, fonts).other_quads
        assert len(quads)
        assert quads.min() >= 0
        assert quads.max() <= 224


def test_the_first_words_stay_where_they_are(scene: Spec, fonts: Catalogue) -> None:
    few, many = render(replace(scene, other_words=2), fonts), render(scene, fonts)
    assert np.array_equal(many.other_quads[:2], few.other_quads)
    assert np.array_equal(many.word_quads, few.word_quads)


def test_words_behind_the_text_overlap_it(scene: Spec, fonts: Catalogue) -> None:
    drawn = render(replace(scene, other_place="behind"), fonts)
    text = _fill(drawn, drawn.word_quads) > 0
    assert len(drawn.others_drawn) == 5
    assert all((text & (_fill(drawn, [quad]) > 0)).any() for quad in drawn.other_quads)
    # The text lies over them: where its ink is full, nothing of them shows.
    full = np.asarray(draw_layer("ink", scene, fonts)) == 255
    assert len(np.unique(drawn.pixels[full], axis=0)) == 1


def test_they_have_the_contrast_of_the_text(scene: Spec, fonts: Catalogue) -> None:
    drawn = render(scene, fonts)
    quad = drawn.other_quads[1].round().astype(int)
    (left, top), (right, bottom) = quad.min(axis=0), quad.max(axis=0)
    darkest = min(drawn.pixels[top:bottom, left:right].reshape(-1, 3).tolist(), key=sum)
    paper = tuple(drawn.pixels[0, 0].tolist())
    assert measure_contrast(tuple(darkest), paper) == pytest.approx(6.0, abs=0.3)


def test_they_are_smaller_than_the_text_and_of_its_case(scene: Spec, fonts: Catalogue) -> None:
    spec = replace(scene, text="xxxx", other_texts="xxxx " * 8, case="upper", other_words=8)
    drawn = render(spec, fonts)
    assert drawn.others_drawn == ("XXXX",) * 8
    widths = np.ptp(drawn.other_quads[:, :, 0], axis=1) / np.ptp(drawn.word_quads[0][:, 0])
    assert widths.max() < 0.85
    assert widths.min() > MIN_SIZE_PX / 30 - 0.05


def test_what_finds_no_room_or_has_no_letters_is_left_out_and_known(
    scene: Spec, fonts: Catalogue
) -> None:
    tight = render(replace(scene, width_px=0, height_px=0), fonts)
    assert tight.others_drawn == ()
    assert tight.other_quads.shape == (0, 4, 2)
    partly = render(replace(scene, other_texts="fig 月 tea \u0301 m" + "o" * 500), fonts)
    assert partly.others_drawn == ("fig", "tea")
    endless = render(replace(scene, other_words=1, other_texts="m" * 10**7), fonts)
    assert endless.others_drawn == ()


def test_the_background_keeps_them(scene: Spec, fonts: Catalogue) -> None:
    behind = draw_layer("background", scene, fonts)
    drawn = render(scene, fonts)
    same = (behind == drawn.pixels).all(axis=2)
    assert same[_fill(drawn, drawn.other_quads) > 0].all()
    assert not same.all()


def test_a_sample_keeps_them(scene: Spec, fonts: Catalogue) -> None:
    drawn = render(scene, fonts)
    sample = encode(drawn, "png")
    again = decode(sample)
    assert again.others_drawn == drawn.others_drawn
    assert np.array_equal(again.other_quads, drawn.other_quads)
    alone = encode(render(replace(scene, other_words=0), fonts), "png")
    assert b"other_quads" not in alone.files["json"]


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (b'"others_drawn":["moon"', b'"others_drawn":["noon"', "others_drawn"),
        (b'"others_drawn":["moon"', b'"others_drawn":[7', "others_drawn"),
        (b'"others_drawn":["moon",', b'"others_drawn":[', "other_quads"),
    ],
)
def test_others_than_those_of_the_spec_are_refused(
    scene: Spec, fonts: Catalogue, old: bytes, new: bytes, name: str
) -> None:
    sample = encode(render(scene, fonts), "png")
    raw = sample.files["json"]
    assert old in raw
    broken = replace(sample, files={**sample.files, "json": raw.replace(old, new)})
    with pytest.raises(ShardError, match=name):
        decode(broken)


def test_more_than_there_are_words_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        make_spec("quartz", other_words=3, other_texts="moon tea")
    assert str(caught.value) == (
        "other_words is 3, but other_texts has 2 words; give as many, separated by spaces"
    )
