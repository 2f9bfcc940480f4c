from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from probes.models import fitting
from probes.models.base import Model, seen_scale, visible_box
from probes.models.preprocessing import Preprocessing, measure_visible
from tiny_clip import draw_pictures


def make_model(resize_mode: str, size_px: int = 32) -> Model:
    preprocessing: dict[str, object] = {"size_px": size_px, "resize_mode": resize_mode}
    encoder: Any = None
    return Model(encoder, "m", input_px=size_px, preprocessing=preprocessing)


@pytest.mark.parametrize(
    ("resize_mode", "scale", "box"),
    [
        ("shortest", 0.5, (32, 0, 96, 64)),
        ("longest", 0.25, (0, 0, 128, 64)),
        ("squash", 0.5, (0, 0, 128, 64)),
    ],
)
def test_scale_and_crop_of_a_wide_picture(
    resize_mode: str, scale: float, box: tuple[float, ...]
) -> None:
    model = make_model(resize_mode)
    assert seen_scale(model, 128, 64) == scale
    assert visible_box(model, 128, 64) == box


def test_a_tall_picture_is_cropped_above_and_below() -> None:
    assert visible_box(make_model("shortest"), 64, 128) == (0, 32, 64, 96)


def test_an_unknown_preprocessing_leaves_pictures_alone() -> None:
    encoder: Any = None
    model = Model(encoder, "m")
    assert seen_scale(model, 50, 20) == 1
    assert visible_box(model, 50, 20) == (0, 0, 50, 20)


@given(st.integers(33, 200), st.integers(33, 200))
def test_what_the_crop_hides_changes_no_vector(width_px: int, height_px: int) -> None:
    preprocessing = Preprocessing(size_px=32)
    fit = fitting.build_fit(preprocessing)
    left, top, right, bottom = measure_visible(preprocessing, width_px, height_px)
    (pixels,) = draw_pictures((height_px, width_px))
    # A bicubic filter reaches two px of the input beyond the crop.
    reach = 2 * min(width_px, height_px) / 32 + 1
    hidden = pixels.copy()
    hidden[: max(0, int(top - reach))] = 0
    hidden[int(bottom + reach) + 1 :] = 0
    hidden[:, : max(0, int(left - reach))] = 0
    hidden[:, int(right + reach) + 1 :] = 0
    seen, same = (np.asarray(fit(Image.fromarray(part))) for part in (pixels, hidden))
    np.testing.assert_array_equal(seen, same)
