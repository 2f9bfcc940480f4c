"""Spec -> Rendering: the pixels of one image, the positions of its text, and measurements."""

from __future__ import annotations

import functools
import io
import math
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthtext.drawing.backgrounds import draw_paper
from synthtext.drawing.bands import find_polygons
from synthtext.drawing.colours import (
    Colour,
    format_hex,
    ink_for,
    mean_colour,
    measure_contrast,
    parse_hex,
)
from synthtext.drawing.curves import bend
from synthtext.drawing.degradations import damage
from synthtext.drawing.faces import Face
from synthtext.drawing.fallback import choose_apart, list_runs
from synthtext.drawing.fonts import Catalogue, read_catalogue
from synthtext.drawing.ground import Ground, grow
from synthtext.drawing.ink_styles import lay_styled, measure_growth
from synthtext.drawing.layout import Placement, list_corners, place_glyphs
from synthtext.drawing.letter_forms import form_letters
from synthtext.drawing.occlusion import occlude
from synthtext.drawing.other_words import NO_QUADS, draw_other_words
from synthtext.drawing.painting import cover
from synthtext.drawing.perspective import look, make_view
from synthtext.drawing.photos import Photos
from synthtext.drawing.rules import add_rules
from synthtext.drawing.warps import warp
from synthtext.errors import DrawError
from synthtext.factors import MAX_SIDE_PX, MIXED
from synthtext.spec import Spec

if TYPE_CHECKING:
    from PIL import Image

Pixels = NDArray[np.uint8]
Quads = NDArray[np.float32]

MIN_SIZE_PX = 4.0
"""Minimum em size to which text is shrunk: its letters are then two pixels high."""


@dataclass(frozen=True)
class Rendering:
    """A rendered image with its labels.

    >>> from synthtext import stream
    >>> rendering = stream(count=100)[0]
    >>> rendering.pixels.shape, rendering.pixels.dtype
    ((224, 224, 3), dtype('uint8'))
    >>> rendering.image.size
    (224, 224)

    A notebook displays its image.

    Attributes:
        spec: the choices behind the image; if the text was shrunk, `size_px` is the final size.
        pixels: uint8 (H, W, 3), RGB.
        word_quads: float32 (k, 4, 2), the ink of each word; corners (x, y) in px, clockwise
            from the top left of the upright text. A word that goes on in another line has one
            for each of its parts.
        char_quads: float32 (m, 4, 2), the same for each character except spaces and marks.
        size_asked_px: em size before the text was shrunk to fit; `spec.size_px` if it was not.
        x_height_px: height of the letter x, before any perspective and warp.
        contrast_drawn: WCAG ratio of text to background, after opacity is applied.
        ink_drawn: text colour before opacity is applied, `#rrggbb`.
        ink_visible_frac: fraction of the ink that is not occluded, 0 to 1.
        word_breaks: indices in `spec.drawn_text` at which a line starts within a word.
        font_runs: parts of a text that several fonts draw: index of the first character, index
            after the last one, file of the font.
        bent_polygons: the polygon of each word, float32 (n, 2), if the text follows a curve or
            is warped; else empty. See `word_polygons`.
        others_drawn: the other words in the image, as they are drawn; those of the spec for
            which there is no room are left out.
        other_quads: float32 (d, 4, 2), their quads.
    """

    spec: Spec
    pixels: Pixels
    word_quads: Quads
    char_quads: Quads
    size_asked_px: float
    x_height_px: float
    contrast_drawn: float
    ink_drawn: str
    ink_visible_frac: float = 1.0
    word_breaks: tuple[int, ...] = ()
    font_runs: tuple[tuple[int, int, str], ...] = ()
    bent_polygons: tuple[Quads, ...] = ()
    others_drawn: tuple[str, ...] = ()
    other_quads: Quads = field(default_factory=lambda: NO_QUADS)

    @property
    def word_polygons(self) -> tuple[Quads, ...]:
        """A polygon around the ink of each word, float32 (n, 2), (x, y) in px, clockwise.

        It follows a word along its curve, or warped, with 4 to 34 points. The first half of
        them lies along its upper edge, from left to right, the other half along its lower edge,
        back to the left. Of straight text it is the quad.
        """
        return self.bent_polygons or tuple(self.word_quads)

    @property
    def image(self) -> Image.Image:
        """The pixels as a Pillow image."""
        # Pillow is imported here because drawing does not need it.
        from PIL import Image

        return Image.fromarray(self.pixels)

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.image.save(file, "png")
        return file.getvalue()

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        text = reprlib.repr(self.spec.drawn_text)
        return (
            f"<Rendering {text}, {self.spec.font} at {self.spec.size_px:g} px,"
            f" {width}x{height} px>"
        )


def render(
    spec: Spec, fonts: Catalogue | None = None, photos: Photos | None = None
) -> Rendering:
    """Return the image of a spec.

    >>> from synthtext import make_spec, render
    >>> rendering = render(make_spec("two words", font="Lato_700Bold.ttf", size_px=20))
    >>> rendering.word_quads.shape, rendering.char_quads.shape
    ((2, 4, 2), (8, 4, 2))

    Args:
        spec: every choice, from `sample_spec` or `make_spec`, or checked by `check_spec`.
        fonts: a catalogue with the font of the spec; None uses the bundled fonts.
        photos: a collection with the photographs of the spec, if it has any.

    Raises:
        DrawError: the text does not fit, or has no visible ink.
        FontError: the catalogue lacks the font, or the font cannot be painted.
        PhotoError: the photograph is missing.
    """
    face = open_face_of(spec, fonts)
    size_asked_px = spec.size_px
    spec, placement, ground = fit(spec, face, open_fallback(spec, fonts))
    pixels = draw_paper(spec, ground.width_px, ground.height_px, photos)
    coverage, column, row = cover(spec, placement, ground)
    others, other_quads = draw_other_words(spec, face, pixels, coverage, (column, row))
    height, width = coverage.shape
    behind = pixels[row : row + height, column : column + width]
    paper = mean_colour(behind, coverage)
    ink = ink_for(parse_hex(spec.ink), paper, spec.contrast)
    lay_styled(spec, behind, coverage, ink, photos)
    word_quads, char_quads = _find_quads(placement, spec, ground)
    grown_px = measure_growth(spec)
    polygons = find_polygons(placement, spec.size_px, ground, grown_px, word_quads)
    pixels, visible_frac = occlude(
        pixels, coverage, (column, row), spec.occlusion_frac, spec.damage_seed
    )
    return Rendering(
        spec=spec,
        pixels=damage(spec, pixels),
        word_quads=word_quads,
        char_quads=char_quads,
        size_asked_px=size_asked_px,
        x_height_px=round(face.x_height_em * spec.size_px, 3),
        contrast_drawn=round(measure_contrast(_seen(ink, paper, spec.opacity), paper), 3),
        ink_drawn=format_hex(ink),
        ink_visible_frac=visible_frac,
        word_breaks=tuple(placement.word_breaks),
        font_runs=list_runs(spec.font_files, placement.owners),
        bent_polygons=polygons,
        others_drawn=others,
        other_quads=other_quads,
    )


@functools.cache
def _read_bundled() -> Catalogue:
    return read_catalogue()


def open_face_of(spec: Spec, fonts: Catalogue | None) -> Face:
    """Return the open font of a spec.

    Raises:
        DrawError: the spec has no font, or an empty text.
        FontError: the catalogue lacks the font, or it cannot be opened.
    """
    if not spec.font:
        raise DrawError(
            f"no font has all characters of {spec.drawn_text!r}; add one with --fonts"
        )
    if not spec.text:
        raise DrawError("the text is empty; give a text to draw")
    return (fonts or _read_bundled()).open(spec.font)


def open_fallback(spec: Spec, fonts: Catalogue | None) -> tuple[Face, ...]:
    """Return the open fonts that draw what the font of a spec lacks.

    Raises:
        FontError: the catalogue lacks one of them, or it cannot be opened.
    """
    return tuple((fonts or _read_bundled()).open(file) for file in spec.font_files[1:])


def fit(
    spec: Spec, face: Face, fallback: Sequence[Face] = ()
) -> tuple[Spec, Placement, Ground]:
    """Return the spec at a size that fits, its text set in lines, and its position."""
    placement = set_text(spec, face, fallback)
    while True:
        ground, share = _find_ground(spec, placement)
        if share >= 1:
            return spec, placement, ground
        size_px = _shrink(spec, share)
        if not spec.shrink or size_px < MIN_SIZE_PX:
            raise DrawError(_explain_misfit(spec))
        spec = replace(spec, size_px=size_px)
        if _is_wrapped(spec):
            placement = set_text(spec, face, fallback)


def _is_wrapped(spec: Spec) -> bool:
    """Return whether lines are broken, by which the layout depends on the size."""
    return spec.kind == "sentence" and _side_along(spec) > 0


def _explain_misfit(spec: Spec) -> str:
    limit = f"even at {MIN_SIZE_PX:g} px" if spec.shrink else f"at {spec.size_px:g} px"
    way_out = "shorten it" if spec.shrink else "let it shrink"
    return (
        f"{spec.drawn_text!r} does not fit {spec.width_px}x{spec.height_px} px {limit}; "
        f"{way_out} or widen the image"
    )


def _shrink(spec: Spec, share: float) -> float:
    """Return a smaller size for text of which only a fraction of its extent fits."""
    # Smaller wrapped text has both shorter and fewer lines, so its extent falls faster than its
    # size; small steps keep the text as large as possible.
    factor = min(0.97, math.sqrt(share)) if _is_wrapped(spec) else share
    return math.floor(spec.size_px * factor * 1000) / 1000


def _side_along(spec: Spec) -> int:
    return spec.height_px if spec.is_vertical else spec.width_px


def set_text(spec: Spec, face: Face, fallback: Sequence[Face] = ()) -> Placement:
    """Return the text of a spec, in lines or along its curve, and warped; lengths in ems.

    Args:
        spec: of the text.
        face: its open font.
        fallback: the open fonts that draw what it lacks.

    Raises:
        DrawError: it is too short for its arc.
    """
    wrap_em = None
    if _is_wrapped(spec):
        wrap_em = max(0, _side_along(spec) - 2 * spec.margin_px) / spec.size_px
    text, forms = form_letters(spec, (face, *fallback))
    placement = place_glyphs(
        text,
        face,
        letter_spacing_em=spec.letter_spacing_em,
        line_height=spec.line_height,
        align=spec.align,
        wrap_em=wrap_em,
        fallback=fallback,
        is_vertical=spec.is_vertical,
        is_mixed=spec.direction == MIXED,
        slant=math.tan(math.radians(spec.slant_deg)),
        forms=forms,
        apart=choose_apart(spec.drawn_text, spec.word_font_frac, spec.ink_seed),
    )
    return warp(bend(add_rules(placement, spec, face), spec), spec)


def _find_ground(spec: Spec, placement: Placement) -> tuple[Ground, float]:
    """Return the position of the text, and the fraction that fits (1 or more if all does)."""
    # Four corners are too few for the overhead of NumPy to pay off.
    left, top, right, bottom = (edge * spec.size_px for edge in placement.box)
    angle_rad = math.radians(spec.rotation_deg)
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    view = make_view(spec.yaw_deg, spec.pitch_deg, (left, top, right, bottom))
    if view is not None:
        corners = look(np.array(corners), view).tolist()
    spans = (
        [x * cos + y * sin for x, y in corners], [y * cos - x * sin for x, y in corners],
    )  # fmt: skip
    grown_px = measure_growth(spec)
    sides, shifts, shares = [], [], []
    for along, asked, frac in zip(
        spans, (spec.width_px, spec.height_px), (spec.x_frac, spec.y_frac), strict=True
    ):
        low, extent = min(along) - grown_px, max(along) - min(along) + 2 * grown_px
        side = asked or min(MAX_SIDE_PX, math.ceil(extent) + 2 * spec.margin_px)
        room = side - 2 * spec.margin_px
        sides.append(side)
        shifts.append(spec.margin_px + max(room - extent, 0) * frac - low)
        shares.append(max(room, 0) / extent)
    if view is not None:
        view = np.array([[cos, sin, shifts[0]], [-sin, cos, shifts[1]], [0, 0, 1]]) @ view
    return Ground(sides[0], sides[1], angle_rad, shifts[0], shifts[1], view), min(shares)


def _seen(ink: Colour, paper: Colour, opacity: float) -> Colour:
    """Return the colour where ink covers its background completely, as in `lay_ink`."""
    share = round(255 * opacity)
    red, green, blue = (
        min(255, round(share * above / 255) + round((255 - share) * below / 255))
        for above, below in zip(ink, paper, strict=True)
    )
    return red, green, blue


def _find_quads(placement: Placement, spec: Spec, ground: Ground) -> tuple[Quads, Quads]:
    """Return the quads of words and of characters, moved in one call to save time."""
    corners = np.concatenate(
        [
            list_corners(placement.word_boxes, placement.word_corners),
            list_corners(placement.char_boxes, placement.char_corners),
        ]
    )
    quads = ground.move(corners.reshape(-1, 2) * spec.size_px).reshape(-1, 4, 2)
    grown_px = measure_growth(spec)
    if grown_px:
        quads = grow(quads, grown_px)
    rounded = quads.round(2).astype(np.float32)
    n_words = len(placement.word_boxes)
    return rounded[:n_words], rounded[n_words:]
