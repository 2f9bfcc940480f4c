from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.occlusion import FIELDS, SOFTNESS, occlude
from synthtext.drawing.rendering import render
from synthtext.spec import Spec

PAGE = np.full((60, 200, 3), 255, np.uint8)

INK = np.zeros((30, 150), np.uint8)
cv2.putText(INK, "quartz jump", (2, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2, cv2.LINE_AA)


def test_nothing_is_hidden_at_the_neutral_value() -> None:
    pixels, visible = occlude(PAGE, INK, (20, 10), 0.0, 3)
    assert pixels is PAGE
    assert visible == 1.0


@given(fraction=st.floats(0.05, 0.9), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=100)
def test_as_much_ink_is_hidden_as_asked_and_what_is_left_is_measured(
    fraction: float, seed: int
) -> None:
    pixels, visible = occlude(PAGE, INK, (20, 10), fraction, seed)
    assert visible == pytest.approx(1 - fraction, abs=0.1)
    assert (pixels != PAGE).any()


def test_everything_that_may_hide_a_text_comes_up() -> None:
    assert SOFTNESS.keys() == FIELDS.keys()
    seen = {occlude(PAGE, INK, (20, 10), 0.4, seed)[0].tobytes() for seed in range(20)}
    assert len(seen) == 20


def test_a_rendering_says_how_much_of_its_ink_is_visible(spec: Spec, fonts: Catalogue) -> None:
    rendering = render(replace(spec, occlusion_frac=0.5, damage_seed=4), fonts)
    assert rendering.ink_visible_frac == pytest.approx(0.5, abs=0.1)
    assert render(spec, fonts).ink_visible_frac == 1.0


def test_more_is_hidden_where_more_is_asked(spec: Spec, fonts: Catalogue) -> None:
    for seed in range(8):
        fractions = [
            render(
                replace(spec, occlusion_frac=level, damage_seed=seed), fonts
            ).ink_visible_frac
            for level in (0.0, 0.1, 0.3, 0.6, 0.9)
        ]
        assert fractions == sorted(fractions, reverse=True)
        assert fractions[-1] < 0.25
