"""Open font files: shape text with HarfBuzz, paint glyphs with FreeType.

Glyphs are unhinted and positioned to a 64th of a pixel, so their shape does not change with
size, position or angle: with hinting, legibility would depend on the pixel grid. Both libraries
are called without their object wrappers, which cost more than the work itself.
"""

from __future__ import annotations

import ctypes
import hashlib
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import freetype
import freetype.raw as ft
import numpy as np
import uharfbuzz as hb
from numpy.typing import NDArray

from synthtext.drawing.outlines import Outline, paint
from synthtext.errors import FontError, shorten

Box = tuple[float, float, float, float]
PAINTING = ft.FT_LOAD_NO_HINTING | ft.FT_LOAD_NO_BITMAP | ft.FT_LOAD_RENDER

MEASURING = ft.FT_LOAD_NO_SCALE | ft.FT_LOAD_IGNORE_TRANSFORM

MAX_CHARACTERS = 300_000
"""Maximum number of characters of a font; Unicode has half as many so far."""

MAX_GLYPHS, MAX_GLYPHS_PER_CHAR = 64, 8
"""Maximum number of glyphs of a text: a constant plus a number per character."""

MAX_POINTS = 20_000
"""Maximum number of points of a glyph's outline."""

MAX_AXES = 64
"""Maximum number of axes of a variable font; five are in common use."""

REGULAR = 400.0
"""The weight in which variable fonts are drawn, or the nearest that they have."""

SHAPERS = ["ot"]
"""The shapers allowed, regardless of how HarfBuzz was built and of its environment."""

NO_LIGATURES = {"liga": False, "clig": False}


class Form(NamedTuple):
    """The size and the place of a character relative to the others.

    Attributes:
        scale: its size as a fraction of the font size.
        rise_em: distance up from the baseline, or right from the middle of a column, in ems.
    """

    scale: float = 1.0
    rise_em: float = 0.0


PLAIN = Form()


class Item(NamedTuple):
    """A part of a line that is shaped separately.

    Attributes:
        start: index of its first character.
        stop: index after its last character.
        level: even if it runs rightwards, odd if leftwards.
        script: script of its characters, ISO 15924, such as `Arab`.
        owner: number of the font that draws it, 0 for the first.
        form: size and rise of its characters.
        is_sideways: whether its characters lie on their side in a vertical line.
    """

    start: int
    stop: int
    level: int
    script: str
    owner: int = 0
    form: Form = PLAIN
    is_sideways: bool = False


@dataclass(frozen=True)
class Run:
    """A shaped line: n glyphs in visual order, with lengths in ems.

    Attributes:
        glyphs: glyph numbers.
        clusters: index of the first character of each glyph in the text.
        advances: advance of each glyph.
        offsets: offset of each glyph, x rightwards and y upwards.
        owners: number of the font of each glyph; empty if it is always the first.
        scales: size of each glyph as a fraction of the font size; empty if all are 1.
        sideways: whether each glyph lies on its side; empty if none does.
    """

    glyphs: list[int]
    clusters: list[int]
    advances: list[float]
    offsets: list[tuple[float, float]]
    owners: Sequence[int] = ()
    scales: Sequence[float] = ()
    sideways: Sequence[bool] = ()


class Face:
    """An open font file.

    Attributes:
        name: file name.
        sha256: SHA-256 of its bytes, in hex.
        x_height_em: height of the letter x in ems, 0 if there is none.
        middle_em: height of the middle between ascent and descent, in ems.
        underline_em: distance from the baseline down to the upper edge of an underline, as the
            table `post` gives it, in ems; 0 if it gives none.
        widths: cache in which layout keeps the widths of words by their letter spacing, and by
            the fonts that draw what this one lacks.

    Raises:
        FontError: these are not the bytes of a scalable font.
    """

    def __init__(self, path: Path, raw: bytes) -> None:
        # With a separate library, faces in different threads share nothing.
        self._library = ft.FT_Library()
        self.name = path.name
        # The bytes are kept in memory: a change to a mapped file could end the process.
        self._raw = raw
        self.sha256 = hashlib.sha256(raw).hexdigest()
        self._handle = ft.FT_Face()
        self._check(ft.FT_Init_FreeType(ctypes.byref(self._library)))
        code = ft.FT_New_Memory_Face(
            self._library, self._raw, len(self._raw), 0, ctypes.byref(self._handle)
        )
        if code:
            raise FontError(
                f"{path.name} is not a font that FreeType can open; remove it from the folder"
            )
        if not self._handle.contents.face_flags & freetype.FT_FACE_FLAG_SCALABLE:
            raise FontError(f"{path.name} has only bitmaps; use a font with outlines")
        self._source = hb.Face(hb.Blob(self._raw))
        self._shaper = hb.Font(self._source)
        self._set_weight()
        # FreeType keeps one slot for each face, so what ctypes makes of it is made only once.
        self._slot = self._handle.contents.glyph.contents
        self._bitmap = self._slot.bitmap
        self._em = float(self._handle.contents.units_per_EM)
        self._shift = ft.FT_Vector()
        self._shift_ref = ctypes.byref(self._shift)
        self._boxes: dict[int, Box | None] = {}
        self._outlines: dict[int, Outline] = {}
        self.widths: dict[tuple[str | float, ...], float] = {}
        self.x_height_em = self._measure_x_height()
        extents = self._shaper.get_font_extents("ltr")
        self.middle_em = (extents.ascender + extents.descender) / 2 / self._em
        # FreeType's position is that of the middle of the line.
        face = self._handle.contents
        self.underline_em = -(face.underline_position + face.underline_thickness / 2) / self._em

    def __del__(self) -> None:
        ft.FT_Done_FreeType(self._library)

    def list_characters(self) -> frozenset[int]:
        """Return the code points with a glyph.

        Raises:
            FontError: there are none, or more than Unicode needs.
        """
        # Code points that map to glyph 0, the box for missing characters, do not count.
        found = self._source.unicodes
        if not 0 < len(found) <= MAX_CHARACTERS:
            number = f"{len(found):,} characters" if found else "no character"
            raise FontError(f"{self.name} maps {number} to a glyph; remove it from the folder")
        return frozenset(found)

    def has(self, text: str) -> bool:
        """Return whether there is a glyph for every character of a text."""
        return all(self._shaper.get_nominal_glyph(ord(char)) for char in text)

    def has_vertical_form(self, text: str) -> bool:
        """Return whether the glyphs of a text in vertical lines differ from those in others."""
        flat, upright = (
            self.shape(text, ligatures=False, is_vertical=is_vertical).glyphs
            for is_vertical in (False, True)
        )
        return flat != upright

    def shape(
        self,
        text: str,
        *,
        ligatures: bool,
        item: Item | None = None,
        is_vertical: bool = False,
    ) -> Run:
        """Return the glyphs of a line of text, or of a part of it, from left to right.

        Args:
            text: the line.
            ligatures: whether optional ligatures are used.
            item: the part to shape; the rest is its context, to which Arabic letters join. None
                shapes the whole line in the direction of its script.
            is_vertical: whether the line runs downwards, and its advances with it.

        Raises:
            FontError: the font makes far more glyphs of the text than it has characters.
        """
        buffer = hb.Buffer()
        if item is None:
            buffer.add_str(text)
            buffer.guess_segment_properties()
        else:
            codes = [ord(char) for char in text]
            buffer.add_codepoints(codes, item.start, item.stop - item.start)
            buffer.direction = "rtl" if item.level % 2 else "ltr"
            buffer.script = item.script
            buffer.language = "c"  # The guess in the C locale; no font has rules for it.
        if is_vertical:
            buffer.direction = "btt" if item is not None and item.level % 2 else "ttb"
        try:
            hb.shape(self._shaper, buffer, None if ligatures else NO_LIGATURES, SHAPERS)
            # HarfBuzz has no positions for an empty text, such as that between two spaces.
            infos, places = buffer.glyph_infos, buffer.glyph_positions or ()
        except MemoryError as error:  # HarfBuzz has a maximum number of glyphs.
            raise self._explain_glyphs(text, "endless") from error
        if len(infos) > MAX_GLYPHS + MAX_GLYPHS_PER_CHAR * len(text):
            raise self._explain_glyphs(text, f"{len(infos):,}")
        return Run(
            glyphs=[info.codepoint for info in infos],
            clusters=[info.cluster for info in infos],
            advances=[place.x_advance / self._em for place in places]
            if not is_vertical
            else [-place.y_advance / self._em for place in places],
            offsets=[(p.x_offset / self._em, p.y_offset / self._em) for p in places],
        )

    def ink_box(self, glyph: int) -> Box | None:
        """Return left, bottom, right, top of a glyph's ink in ems, y upwards; None if blank."""
        if glyph not in self._boxes:
            self._boxes[glyph] = self._measure_box(glyph)
        return self._boxes[glyph]

    def set_size(self, size_px: float) -> None:
        """Set the em size that `paint` uses."""
        self._check(ft.FT_Set_Char_Size(self._handle, 0, round(size_px * 64), 72, 72))

    def paint(
        self, glyph: int, x_px: float, y_px: float, rotation: ft.FT_Matrix | None
    ) -> tuple[NDArray[np.uint8], int, int]:
        """Return a glyph's coverage at the current size, and its position in the image.

        Args:
            glyph: glyph number.
            x_px: distance of its origin from the left edge of the image.
            y_px: distance of its origin from the top edge.
            rotation: rotates the outline about its origin; None leaves it upright.

        Returns:
            uint8 (h, w), 255 is full ink; the column and the row of its top left pixel.
        """
        column, row = math.floor(x_px), math.ceil(y_px)
        self._shift.x, self._shift.y = round((x_px - column) * 64), round((row - y_px) * 64)
        ft.FT_Set_Transform(self._handle, rotation and ctypes.byref(rotation), self._shift_ref)
        self._check(ft.FT_Load_Glyph(self._handle, glyph, PAINTING))
        return self._read_bitmap(column, row)

    def outline(self, glyph: int) -> Outline:
        """Return the curves of a glyph; a blank has none.

        Raises:
            FontError: it has more points than any letter needs.
        """
        if glyph not in self._outlines:
            self._outlines[glyph] = self._read_outline(glyph)
        return self._outlines[glyph]

    def paint_outline(self, outline: Outline) -> tuple[NDArray[np.uint8], int, int]:
        """Return the same as `paint` for curves whose points are in px of the image.

        Raises:
            FontError: a point lies far beyond the image, or there are too many.
        """
        return paint(self._library, outline, self.name)

    def _set_weight(self) -> None:
        """Set a variable font to regular weight; some begin with their thinnest."""
        axes = self._source.axis_infos[:MAX_AXES]
        at = {axis.tag: axis.default_value for axis in axes}
        weights = [axis for axis in axes if axis.tag == "wght"]
        if not weights or at["wght"] == REGULAR:
            return
        at["wght"] = min(max(REGULAR, weights[0].min_value), weights[0].max_value)
        self._shaper.set_variations(at)
        values = (ft.FT_Fixed * len(axes))(*(round(at[axis.tag] * 65536) for axis in axes))
        self._check(ft.FT_Set_Var_Design_Coordinates(self._handle, len(axes), values))

    def _read_bitmap(self, column: int, row: int) -> tuple[NDArray[np.uint8], int, int]:
        """Return what was painted, and the column and row of its top left pixel."""
        slot, bitmap = self._slot, self._bitmap
        shape, pitch = (bitmap.rows, bitmap.width), bitmap.pitch
        raw = ctypes.string_at(bitmap.buffer, shape[0] * pitch)
        coverage = np.ndarray(shape, np.uint8, raw, strides=(pitch, 1))
        return coverage, column + slot.bitmap_left, row - slot.bitmap_top

    def _read_outline(self, glyph: int) -> Outline:
        # Measuring comes first, because it refuses glyphs that are too large.
        if self.ink_box(glyph) is None:
            return Outline(np.zeros((0, 2)), np.zeros(0, np.uint8), np.zeros(0, np.int64))
        self._check(ft.FT_Load_Glyph(self._handle, glyph, MEASURING))
        raw = self._slot.outline
        n = raw.n_points
        points = ctypes.string_at(raw.points, n * ctypes.sizeof(ft.FT_Vector))
        ends = ctypes.string_at(raw.contours, raw.n_contours * ctypes.sizeof(ctypes.c_short))
        return Outline(
            np.frombuffer(points, "l").reshape(n, 2) * (1 / self._em, -1 / self._em),
            np.frombuffer(ctypes.string_at(raw.tags, n), np.uint8),
            np.frombuffer(ends, np.int16).astype(np.int64),
        )

    def _measure_box(self, glyph: int) -> Box | None:
        self._check(ft.FT_Load_Glyph(self._handle, glyph, MEASURING))
        outline = self._slot.outline
        if outline.n_points == 0:
            return None
        if outline.n_points > MAX_POINTS:
            raise FontError(
                f"{self.name} has a glyph of {outline.n_points:,} points; remove the font"
            )
        box = ft.FT_BBox()
        self._check(ft.FT_Outline_Get_BBox(ctypes.byref(outline), ctypes.byref(box)))
        if box.xMin == box.xMax or box.yMin == box.yMax:
            return None
        em = self._em
        return box.xMin / em, box.yMin / em, box.xMax / em, box.yMax / em

    def _measure_x_height(self) -> float:
        glyph = ft.FT_Get_Char_Index(self._handle, ord("x"))
        box = self.ink_box(glyph) if glyph else None
        return box[3] if box else 0.0

    def _explain_glyphs(self, text: str, number: str) -> FontError:
        return FontError(
            f"{self.name} makes {number} glyphs of {shorten(text)!r}; remove the font"
        )

    def _check(self, code: int) -> None:
        if code:
            raise FontError(
                f"{self.name} has an outline that FreeType cannot draw (error {code}); "
                "remove the font"
            )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FontError(f"{path.name} cannot be read ({reason}); give another font") from error


_opened = threading.local()
"""The open faces of each thread: a face has state, so threads cannot share it."""


def open_face(path: Path, sha256: str | None = None) -> Face:
    """Return the open font of a file, kept open for the next call from the same thread.

    Args:
        path: the file.
        sha256: expected SHA-256 of its bytes, in hex; None accepts any.

    Raises:
        FontError: the file is missing, has other content or is not a scalable font.
    """
    face = _list_opened().get(path)
    if face is None or face.sha256 != (sha256 or face.sha256):
        face = keep_open(path, _read_bytes(path))
    if face.sha256 != (sha256 or face.sha256):
        raise FontError(
            f"{path.name} was changed while it was in use; restore the font, or start again"
        )
    return face


def keep_open(path: Path, raw: bytes) -> Face:
    """Return the open font of bytes just read from a file, kept open for that file.

    Raises:
        FontError: it is not a scalable font.
    """
    face = _list_opened()[path] = Face(path, raw)
    return face


def _list_opened() -> dict[Path, Face]:
    return _opened.__dict__.setdefault("faces", {})


def make_rotation(angle_deg: float) -> ft.FT_Matrix | None:
    """Return the matrix for `Face.paint` that rotates counter-clockwise; None for 0 degrees."""
    if not angle_deg:
        return None
    cos, sin = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    return ft.FT_Matrix(
        round(cos * 65536), round(-sin * 65536), round(sin * 65536), round(cos * 65536)
    )
