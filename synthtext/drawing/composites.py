"""Composite glyphs: a check of how many outlines each consists of, before any is drawn.

Glyphs made of two glyphs each, nested thirty deep, take a few hundred bytes in a font and a
billion steps to draw.
"""

from __future__ import annotations

import struct

import numpy as np
from fontTools.ttLib import TTFont

MAX_LEVELS = 16
"""Maximum nesting depth of composite glyphs."""

MAX_PARTS = 4096
"""Maximum number of outlines of a glyph."""

MAX_COMPONENTS = 500_000
"""Maximum number of component references in a font."""

WORDS, MORE = 0x01, 0x20
SCALES = {0x08: 2, 0x40: 4, 0x80: 8}
"""Flags of a component; the flags of `SCALES` come with the number of bytes that each adds.

Source: OpenType 1.9, the glyf table.
"""


def check_composites(font: TTFont) -> None:
    """Check that no glyph of a font has too many components.

    Raises:
        ValueError: a glyph has too many components, or they are nested too deep.
    """
    if "glyf" not in font or "loca" not in font:
        return
    glyf = font.reader["glyf"]
    is_long = font["head"].indexToLocFormat
    raw = font.reader["loca"]
    if is_long:
        places = np.frombuffer(raw[: len(raw) // 4 * 4], ">u4").astype(np.int64)
    else:
        places = np.frombuffer(raw[: len(raw) // 2 * 2], ">u2").astype(np.int64) * 2
    levels = np.frombuffer(glyf, np.uint8)
    inside = np.flatnonzero((places[:-1] < places[1:]) & (places[:-1] < len(glyf) - 10))
    # A composite glyph states a negative number of outlines, so the highest bit is set.
    composite = inside[levels[places[inside]] >= 128].tolist()
    _count_parts(_read_components(glyf, {glyph: int(places[glyph]) for glyph in composite}))


def _read_components(glyf: bytes, starts: dict[int, int]) -> dict[int, list[int]]:
    """Return the glyphs that each composite glyph is made of."""
    components: dict[int, list[int]] = {}
    n_left = MAX_COMPONENTS
    for glyph, start in starts.items():
        inner, at, flags = [], start + 10, MORE
        while flags & MORE and at + 4 <= len(glyf) and n_left:
            flags, index = struct.unpack_from(">HH", glyf, at)
            inner.append(index)
            at += 8 if flags & WORDS else 6
            at += sum(size for flag, size in SCALES.items() if flags & flag)
            n_left -= 1
        components[glyph] = inner
    if not n_left:
        raise ValueError(f"its glyphs refer to each other {MAX_COMPONENTS:,} times")
    return components


def _count_parts(components: dict[int, list[int]]) -> None:
    """Raise a ValueError if a glyph has too many outlines, or contains itself."""
    n_parts = dict.fromkeys(components, 1)
    for _ in range(MAX_LEVELS):
        grown = {
            glyph: sum(n_parts.get(each, 1) for each in inner)
            for glyph, inner in components.items()
        }
        if max(grown.values(), default=0) > MAX_PARTS:
            raise ValueError(f"a glyph has more components than {MAX_PARTS:,}")
        if grown == n_parts:
            return
        n_parts = grown
    raise ValueError(f"its glyphs are nested more than {MAX_LEVELS} deep")
