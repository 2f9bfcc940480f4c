from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from synthtext.drawing.contact_sheets import (
    CAPTION_PX,
    GAP_PX,
    draw_levels,
    draw_sheet,
    draw_specimen,
)
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.rendering import render
from synthtext.errors import DatasetError
from synthtext.spec import Spec

NO_QUADS = np.empty((0, 4, 2), np.float32)


def test_a_sheet_has_a_tile_for_each_image(spec: Spec, fonts: Catalogue) -> None:
    sheet = draw_sheet([render(spec, fonts)] * 5, n_columns=3, tile_px=100)
    assert sheet.width == 3 * (100 + GAP_PX) + GAP_PX
    assert sheet.height == 2 * (100 + 2 * (CAPTION_PX + 4) + GAP_PX) + GAP_PX


def test_boxes_are_drawn_where_the_quads_are(spec: Spec, fonts: Catalogue) -> None:
    rendering = render(replace(spec, rotation_deg=20.0), fonts)
    plain, boxed = (
        np.asarray(draw_sheet([rendering], has_boxes=has_boxes)).astype(int)
        for has_boxes in (False, True)
    )
    rows, columns = np.nonzero((plain != boxed).any(axis=2))
    low, high = rendering.word_quads[0].min(axis=0), rendering.word_quads[0].max(axis=0)
    found = (
        np.array([[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]]) - GAP_PX
    )
    assert np.abs(found - [low, high]).max() <= 1.5


def test_a_word_along_an_arc_is_outlined_along_it(spec: Spec, fonts: Catalogue) -> None:
    rendering = render(replace(spec, text="typography", arc_deg=120.0, size_px=24.0), fonts)
    plain, boxed = (
        np.asarray(draw_sheet([replace(rendering, char_quads=NO_QUADS)], has_boxes=has_boxes))
        for has_boxes in (False, True)
    )
    changed = (plain != boxed).any(axis=2)[GAP_PX:, GAP_PX:]
    for x, y in (rendering.bent_polygons[0] - 0.5).round().astype(int).tolist():
        assert changed[y, x]
    # The corners of the quad lie farther out.
    x, y = rendering.word_quads[0][0].round().astype(int).tolist()
    assert not changed[y - 2 : y + 3, x - 2 : x + 3].any()


def test_nothing_to_show_is_an_error() -> None:
    with pytest.raises(DatasetError) as caught:
        draw_sheet([])
    assert str(caught.value) == "there are no images to show; render some first"


def test_levels_stand_in_a_row_for_each_factor(spec: Spec, fonts: Catalogue) -> None:
    rows = {
        "blur_px": {str(level): replace(spec, blur_px=level) for level in (0.0, 2.0, 8.0)},
        "jpeg_quality": {str(level): replace(spec, jpeg_quality=level) for level in (100, 2)},
    }
    sheet = draw_levels(rows, fonts, tile_px=100)
    assert sheet.width == 3 * (100 + GAP_PX) + GAP_PX
    tiles = np.asarray(sheet.convert("L")).astype(int)
    top, below = 100 + 2 * (CAPTION_PX + 4) + GAP_PX, 100 + GAP_PX
    first, *others = [
        tiles[y : y + 100, x : x + 100]
        for x, y in ((GAP_PX, GAP_PX), (below + GAP_PX, GAP_PX), (below + GAP_PX, top + GAP_PX))
    ]
    assert all((first != other).any() for other in others)


def test_no_level_to_show_is_an_error(fonts: Catalogue) -> None:
    with pytest.raises(DatasetError, match="there is no level to show; name a factor"):
        draw_levels({}, fonts)


def test_a_specimen_shows_every_font(fonts: Catalogue) -> None:
    one = draw_specimen(Catalogue(dict(list(fonts.fonts.items())[:3])))
    two = draw_specimen(Catalogue(dict(list(fonts.fonts.items())[:6])))
    assert two.height > one.height
