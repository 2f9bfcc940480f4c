"""Layers: parts of an image, each drawn separately from the spec of the whole image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layout import find_owners, inked
from synthtext.drawing.painting import cover, outline_text
from synthtext.drawing.photos import Photos
from synthtext.drawing.rendering import fit, open_face_of, open_fallback, render
from synthtext.errors import DrawError
from synthtext.spec import DAMAGES, Spec

Layer = NDArray[np.uint8] | NDArray[np.uint16]


def draw_layer(
    name: str, spec: Spec, fonts: Catalogue | None = None, photos: Photos | None = None
) -> Layer:
    """Return a layer of the image of a spec, aligned with the image to the pixel.

    >>> from synthtext import draw_layer, make_spec
    >>> letters = draw_layer("letters", make_spec("quartz", blur_px=3.0))
    >>> letters.shape, int(letters.max())
    ((224, 224), 6)

    Args:
        name: `background`, the image without its text; `undamaged`, the image before blur,
            noise and other degradations; `ink`, a mask of the ink; or `letters`, a mask of each
            letter.
        spec: spec of the image.
        fonts: a catalogue with the font of the spec; None uses the bundled fonts.
        photos: a collection with the photograph of the spec, if it has one.

    Returns:
        For an image, uint8 (H, W, 3). For the ink, uint8 (H, W), 255 where it covers a pixel
        completely. For letters, uint16 (H, W): 0 where there is none, otherwise a number from 1
        in the order of `Rendering.char_quads`; all letters of a ligature have the number of its
        first one.

    Raises:
        DrawError: there is no such layer, or `render` raises it.
    """
    if name not in LAYERS:
        raise DrawError(f"an image has no layer {name!r}; it is one of {', '.join(LAYERS)}")
    return LAYERS[name](spec, fonts, photos)


def _strip_damage(spec: Spec) -> Spec:
    """Return the spec of the same image as it was before anything happened to it."""
    neutral: dict[str, Any] = {field.name: field.default for field in fields(Spec)}
    return replace(spec, **{name: neutral[name] for name in DAMAGES})


def _strip_text(spec: Spec) -> Spec:
    """Return the spec of the same image without its text, and without what lies over it."""
    return replace(spec, opacity=0.0, occlusion_frac=0.0)


def _draw_background(spec: Spec, fonts: Catalogue | None, photos: Photos | None) -> Layer:
    return render(_strip_text(spec), fonts, photos).pixels


def _draw_undamaged(spec: Spec, fonts: Catalogue | None, photos: Photos | None) -> Layer:
    return render(_strip_damage(spec), fonts, photos).pixels


def _draw_ink(spec: Spec, fonts: Catalogue | None, photos: Photos | None) -> Layer:
    face = open_face_of(spec, fonts)
    spec, placement, ground = fit(spec, face, open_fallback(spec, fonts))
    mask = np.zeros((ground.height_px, ground.width_px), np.uint8)
    coverage, column, row = cover(spec, placement, ground)
    mask[row : row + coverage.shape[0], column : column + coverage.shape[1]] = coverage
    return mask


def _draw_letters(spec: Spec, fonts: Catalogue | None, photos: Photos | None) -> Layer:
    face = open_face_of(spec, fonts)
    spec, placement, ground = fit(spec, face, open_fallback(spec, fonts))
    best = np.zeros((ground.height_px, ground.width_px), np.uint8)
    letters = np.zeros(best.shape, np.uint16)
    owners = find_owners(placement.clusters, inked(spec.drawn_text))
    for cluster in dict.fromkeys(owners):
        members = [k for k, each in enumerate(placement.clusters) if each == cluster]
        part = replace(
            placement,
            glyphs=[placement.glyphs[k] for k in members],
            faces=[placement.faces[k] for k in members],
            pens=placement.pens[members],
            turns_rad=placement.turns_rad and [placement.turns_rad[k] for k in members],
            scales=placement.scales and [placement.scales[k] for k in members],
        )
        coverage, column, row = face.paint_outline(outline_text(spec, part, ground))
        height, width = coverage.shape
        there = np.s_[row : row + height, column : column + width]
        # Where letters overlap, a pixel belongs to the one that covers more of it.
        wins = coverage > best[there]
        best[there][wins] = coverage[wins]
        letters[there][wins] = owners.index(cluster) + 1
    return letters


LAYERS: dict[str, Callable[[Spec, Catalogue | None, Photos | None], Layer]] = {
    "background": _draw_background,
    "undamaged": _draw_undamaged,
    "ink": _draw_ink,
    "letters": _draw_letters,
}
