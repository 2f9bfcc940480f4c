"""Hostile fonts, each made from a small harmless one."""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Callable

from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

LETTERS = "abcdefghijklmnopqrstuvwxyzHX"


def build_font(features: str = "", family: str = "Hostile") -> TTFont:
    """Return a font in which every letter is a square."""
    names = [".notdef", "space", *LETTERS]
    builder = FontBuilder(1000)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({32: "space", **{ord(char): char for char in LETTERS}})
    square, blank = TTGlyphPen(None), TTGlyphPen(None)
    square.moveTo((50, 0))
    for corner in ((50, 700), (450, 700), (450, 0)):
        square.lineTo(corner)
    square.closePath()
    glyph = square.glyph()
    builder.setupGlyf({name: blank.glyph() if name == "space" else glyph for name in names})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (500, 50)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupOS2(sTypoAscender=800, usWeightClass=400)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupPost()
    if features:
        addOpenTypeFeaturesFromString(builder.font, features)
    return builder.font


def save(font: TTFont) -> bytes:
    """Return a font as a file."""
    buffer = io.BytesIO()
    font.save(buffer)
    return buffer.getvalue()


def replace_table(raw: bytes, tag: str, content: bytes) -> bytes:
    """Return a font with the raw bytes of one table replaced, without checks."""
    n_tables = struct.unpack(">H", raw[4:6])[0]
    tables = {}
    for k in range(n_tables):
        name, _, offset, length = struct.unpack(">4sLLL", raw[12 + 16 * k : 28 + 16 * k])
        tables[name] = raw[offset : offset + length]
    tables[tag.encode()] = content
    head, body, at = b"", b"", 12 + 16 * len(tables)
    for name, data in sorted(tables.items()):
        head += struct.pack(">4sLLL", name, 0, at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    return raw[:4] + struct.pack(">H", len(tables)) + raw[6:12] + head + body


def many_glyphs(n_levels: int = 5, n_copies: int = 60) -> bytes:
    """Return a font that turns the letter H into n_copies ** n_levels glyphs."""
    rules = "".join(
        f"lookup L{k} {{ sub {LETTERS[k]} by {' '.join([LETTERS[k + 1]] * n_copies)}; }} L{k};\n"
        for k in range(n_levels)
    )
    first = f"lookup F {{ sub H by {' '.join(['a'] * n_copies)}; }} F;\n"
    uses = " ".join(["lookup F;", *(f"lookup L{k};" for k in range(n_levels))])
    return save(build_font(f"{first}{rules}feature ccmp {{ {uses} }} ccmp;"))


def some_glyphs(n_copies: int) -> bytes:
    """Return a font that turns every H into n_copies glyphs."""
    return save(build_font(f"feature ccmp {{ sub H by {' '.join(['a'] * n_copies)}; }} ccmp;"))


def no_glyphs() -> bytes:
    """Return a font that removes every H from the text."""
    return save(
        build_font("feature ccmp { sub H by NULL; sub g by NULL; sub X by NULL; } ccmp;")
    )


def deep_composites(n_levels: int = 27) -> bytes:
    """Return a font whose glyph H is two of a glyph that is two of another, and so on."""
    font = TTFont(io.BytesIO(save(build_font())), recalcBBoxes=False)
    order = ["space", *LETTERS[: n_levels - 1], "H"]
    for inner, outer in itertools.pairwise(order):
        pen = TTGlyphPen(dict.fromkeys(order))
        for _ in range(2):
            pen.addComponent(inner, (1, 0, 0, 1, 0, 0))
        glyph = pen.glyph()
        glyph.xMin = glyph.yMin = glyph.xMax = glyph.yMax = 0
        font["glyf"][outer] = glyph
    font["maxp"].maxComponentDepth = 1000
    return save(font)


def vast_cmap(n_groups: int = 1, kind: int = 12) -> bytes:
    """Return a font whose character map claims billions of characters."""
    group = struct.pack(">LLL", 0, 0xFFFFFFFF, 3)
    body = struct.pack(">HHLLL", kind, 0, 16 + 12 * n_groups, 0, n_groups) + group * n_groups
    table = struct.pack(">HHHHL", 0, 1, 3, 10, 12) + body
    return replace_table(save(build_font()), "cmap", table)


def overlapping_cmap(n_segments: int = 8000) -> bytes:
    """Return a font whose segments each map all 65,536 characters."""
    ends = struct.pack(">H", 0xFFFE) * (n_segments - 1) + b"\xff\xff"
    starts = bytes(2 * (n_segments - 1)) + b"\xff\xff"
    deltas = struct.pack(">H", 1) * n_segments
    tail = ends + bytes(2) + starts + deltas + bytes(2 * n_segments)
    head = struct.pack(">HHHHHHH", 4, min(65535, 14 + len(tail)), 0, 2 * n_segments, 0, 0, 0)
    table = struct.pack(">HHHHL", 0, 1, 3, 1, 12) + head + tail
    return replace_table(save(build_font()), "cmap", table)


def many_points(n_points: int = 30_000) -> bytes:
    """Return a font in which every letter has tens of thousands of points."""
    font = build_font()
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for k in range(n_points):
        pen.lineTo((k % 900, 1 + k * 37 % 700))
    pen.closePath()
    font["glyf"]["H"] = pen.glyph()
    return save(font)


def packed(flavor: str) -> bytes:
    """Return a font whose tables are compressed."""
    font = build_font()
    font.flavor = flavor
    return save(font)


MAKERS: dict[str, Callable[[], bytes]] = {
    "many glyphs": many_glyphs,
    "some glyphs": lambda: some_glyphs(5000),
    "no glyphs": no_glyphs,
    "deep composites": deep_composites,
    "vast cmap": vast_cmap,
    "vast cmap of groups": lambda: vast_cmap(20_000),
    "vast cmap to one glyph": lambda: vast_cmap(20_000, 13),
    "overlapping cmap": overlapping_cmap,
    "many points": many_points,
    "woff": lambda: packed("woff"),
}
