"""Rules: lines under a text and through it, which go where its letters go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from synthtext.drawing.faces import Box, Face
from synthtext.drawing.layout import Placement, find_owners, inked, join_boxes, list_corners
from synthtext.drawing.outlines import Outline
from synthtext.spec import Spec

NEAREST_EM, FARTHEST_EM = 0.05, 0.2
"""Bounds of the distance between a baseline and a line under it: some fonts state none."""

NO_X_HEIGHT_EM = 0.5
"""Taken for the x-height of a font without the letter x."""


def add_rules(placement: Placement, spec: Spec, face: Face) -> Placement:
    """Return a straight text with the lines that its spec asks for; itself if there are none.

    A line is as long as the ink of its line of text. Under a text it grows downwards from where
    its font has the upper edge of an underline; through it, from half the x-height both ways.
    """
    if not (spec.underline_em or spec.strike_em):
        return placement
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
