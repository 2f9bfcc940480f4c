from __future__ import annotations

from dataclasses import fields, replace

import pytest

from letter_masks import check_letters_lie_in_quads
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layers import LAYERS, draw_layer
from synthtext.drawing.rendering import render
from synthtext.errors import DrawError
from synthtext.spec import BOUNDS, DAMAGES, TYPES, Spec, check_spec

NEUTRAL = {field.name: field.default for field in fields(Spec)}

HARD = {
    name: TYPES[name](BOUNDS[name].high if NEUTRAL[name] == BOUNDS[name].low else 2)
    for name in DAMAGES
}


@pytest.mark.parametrize(
    "bent",
    [
        {},
        {"yaw_deg": 40.0},
        {"arc_deg": 90.0},
        {"rotation_deg": 30.0, "jitter_em": 0.1},
        {"warp_em": 0.12},
        {"barrel_frac": 0.25},
    ],
)
def test_each_letter_lies_in_its_quad(
    spec: Spec, fonts: Catalogue, bent: dict[str, float]
) -> None:
    spec = replace(spec, text="jumping fox", shrink=True, **bent)  # type: ignore[arg-type]
    check_letters_lie_in_quads(spec, fonts)


def test_the_ink_is_what_the_text_changes(spec: Spec, fonts: Catalogue) -> None:
    rendering = render(spec, fonts)
    ink = draw_layer("ink", spec, fonts)
    background = draw_layer("background", spec, fonts)
    changed = (rendering.pixels != background).any(axis=2)
    assert (changed <= (ink > 0)).all()
    assert changed[ink > 8].all()
    assert ((draw_layer("letters", spec, fonts) > 0) >= (ink > 16)).all()


def test_layers_are_those_of_an_image_before_anything_happened_to_it(
    spec: Spec, fonts: Catalogue
) -> None:
    assert all(HARD[name] != NEUTRAL[name] for name in DAMAGES)
    hard = check_spec(replace(spec, **HARD))
    assert (draw_layer("undamaged", hard, fonts) == render(spec, fonts).pixels).all()
    for name in ("ink", "letters"):
        assert (draw_layer(name, hard, fonts) == draw_layer(name, spec, fonts)).all()


def test_a_background_has_no_text_whatever_its_style(spec: Spec, fonts: Catalogue) -> None:
    styled = replace(
        spec,
        outline_em=0.1,
        shadow_em=0.2,
        extrude_em=0.1,
        underline_em=0.1,
        occlusion_frac=0.5,
    )
    assert (draw_layer("background", styled, fonts) == 255).all()


def test_an_unknown_layer_is_named(spec: Spec, fonts: Catalogue) -> None:
    with pytest.raises(DrawError) as caught:
        draw_layer("mask", spec, fonts)
    listed = ", ".join(LAYERS)
    assert str(caught.value) == f"an image has no layer 'mask'; it is one of {listed}"
