"""Where letters are painted, and where their quads say they are."""

from __future__ import annotations

import cv2
import numpy as np

from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layers import draw_layer
from synthtext.drawing.rendering import render
from synthtext.spec import Spec


def check_letters_lie_in_quads(spec: Spec, fonts: Catalogue) -> None:
    """Assert that every letter is painted and that all of its pixels lie in its quad."""
    rendering = render(spec, fonts)
    letters = draw_layer("letters", spec, fonts)
    assert sorted(np.unique(letters)) == list(range(len(rendering.char_quads) + 1))
    for number, quad in enumerate(rendering.char_quads, start=1):
        rows, columns = np.nonzero(letters == number)
        outside = [
            -cv2.pointPolygonTest(quad.reshape(-1, 1, 2), (x + 0.5, y + 0.5), True)
            for x, y in zip(columns.tolist(), rows.tolist(), strict=True)
        ]
        assert max(outside) < 0.75
