"""Rules: lines under and through a text, as outlines that are transformed with its letters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from synthtext.drawing.faces import Box, Face
from synthtext.drawing.layout import Placement, find_owners, inked, join_boxes, list_corners
from synthtext.drawing.outlines import Outline
from synthtext.errors import DrawError
from synthtext.spec import Spec

NEAREST_EM, FARTHEST_EM = 0.05, 0.2
"""Bounds of the distance of an underline from its baseline, as some fonts give none."""

NO_X_HEIGHT_EM = 0.5
"""The x-height assumed for a font without the letter x."""


def add_rules(placement: Placement, spec: Spec, face: Face) -> Placement:
    """Return a straight text with the lines of its spec; the same one if there are none.

    A rule is as long as the ink of its line of text. The upper edge of an underline is where
    the font has it, within bounds; a line through the text is centred at half the x-height.

    Raises:
        DrawError: the text is vertical.
    """
    if not (spec.underline_em or spec.strike_em):
        return placement
    if spec.is_vertical:
        raise DrawError(
            "vertical text has no line under or through it; set underline_em and strike_em to 0"
        )
    under = min(max(face.underline_em, NEAREST_EM), FARTHEST_EM)
    through = -(face.x_height_em or NO_X_HEIGHT_EM) / 2 - spec.strike_em / 2
    spans = [(under, spec.underline_em), (through, spec.strike_em)]
    boxes = [
        (left, baseline + top, right, baseline + top + thickness)
        for baseline, (left, right) in _measure_lines(placement, spec.drawn_text).items()
        for top, thickness in spans
        if thickness
    ]
    box = placement.box
    for each in boxes:
        box = join_boxes(box, each)
    return replace(placement, rules=_outline(boxes), box=box)


def _measure_lines(placement: Placement, text: str) -> dict[float, tuple[float, float]]:
    """Return where the ink of each line begins and ends, by the height of its baseline."""
    baselines = dict(zip(placement.clusters, placement.baselines, strict=True))
    lines: dict[float, tuple[float, float]] = {}
    owners = find_owners(placement.clusters, inked(text))
    for owner, (left, _, right, _) in zip(owners, placement.char_boxes.tolist(), strict=True):
        low, high = lines.get(baselines[owner], (left, right))
        lines[baselines[owner]] = (min(low, left), max(high, right))
    return lines


def _outline(boxes: list[Box]) -> Outline:
    corners = list_corners(np.array(boxes), None).reshape(-1, 2)
    ends = 4 * np.arange(1, len(boxes) + 1) - 1
    return Outline(corners, np.ones(len(corners), np.uint8), ends)
