from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.rendering import render
from synthtext.factors import FACTORS
from synthtext.spec import BOUNDS, TYPES, Spec, check_spec

STYLED: dict[str, Any] = {
    "kind": "sentence", "text": "two plain sentences that need some lines", "shrink": True,
    "background": "gradient", "paper2": "#80a0c0", "ink2": "#c02020", "ink_fill": "gradient",
    "outline_em": 0.05, "extrude_em": 0.1, "shadow_em": 0.2, "motion_px": 6.0,
    "other_words": 2, "other_texts": "moon tea fig shore ladder",
    "fallback_fonts": "SpecialElite_400Regular.ttf",
}  # fmt: skip
"""Lets factors show that only change what another one does, such as the angle of the shadow."""

VALUES: dict[str, Any] = {
    "kind": "word", "case": "upper", "align": "right", "direction": "vertical",
    "background": "texture", "ink_fill": "texture", "size_px": 20.0, "line_height": 2.0,
    "width_px": 300, "height_px": 300, "margin_px": 70, "contrast": 3.0, "arc_deg": 20.0,
    "other_words": 5, "other_place": "behind",
}  # fmt: skip
"""Values for factors without bounds, and where a quarter of the way to a bound is too far."""

UNSEEN = {
    "font_category": "it chooses the font", "font_family": "it chooses the font",
    "jpeg_quality": "it is of the file, not of the pixels",
}  # fmt: skip


def change(name: str) -> object:
    """Return a value of a factor, a quarter of the way from neutral to the farther bound."""
    if name in VALUES:
        return VALUES[name]
    if FACTORS[name].is_colour:
        return "#20a040"
    neutral = next(field.default for field in fields(Spec) if field.name == name)
    low, high = BOUNDS[name].low, BOUNDS[name].high
    farther = high if high - neutral >= neutral - low else low
    return TYPES[name](neutral + (farther - neutral) / 4)


@pytest.mark.parametrize("name", sorted(FACTORS.keys() - UNSEEN.keys()))
def test_every_factor_changes_the_image(spec: Spec, fonts: Catalogue, name: str) -> None:
    styled = replace(spec, **STYLED)
    changed = check_spec(replace(styled, **{name: change(name)}))
    before, after = render(styled, fonts).pixels, render(changed, fonts).pixels
    assert before.shape != after.shape or (before != after).any()
