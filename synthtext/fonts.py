"""The catalogue of fonts: those bundled, and a user's own."""

from __future__ import annotations

import difflib
import hashlib
import logging
import os
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont

from synthtext.errors import FontError
from synthtext.faces import Face, open_face

SUFFIXES = frozenset({".ttf", ".otf"})

# What is wrong with a font is said in a sentence, not in fontTools' line for every record.
logging.getLogger("fontTools").setLevel(logging.CRITICAL)

MAX_FONT_BYTES = 64 << 20

USER_CATEGORY = "user"
"""Category of fonts that a user adds without a `fonts.toml` of their own."""


@dataclass(frozen=True)
class Font:
    """A font file and what is known of it.

    Attributes:
        file: file name; the catalogue's key.
        family: family name, such as "Lato".
        category: sans, serif, slab, mono, handwriting, script, display, blackletter,
            condensed, or `USER_CATEGORY`.
        weight: 100 to 900, regular is 400.
        italic: whether the face is slanted.
        scripts: such as ("latin", "greek").
        source: the package it came from.
        licence: SPDX identifier.
        sha256: of the file that is drawn with, in hex.
        path: where it lies.
        characters: code points with a glyph.
    """

    file: str
    family: str
    category: str
    weight: int
    italic: bool
    scripts: tuple[str, ...]
    source: str
    licence: str
    sha256: str
    path: Path
    characters: frozenset[int]


@dataclass(frozen=True)
class Catalogue:
    """Fonts by file name, in order of their names, and those left out, a sentence each."""

    fonts: Mapping[str, Font]
    broken: tuple[str, ...] = ()

    @cached_property
    def masks(self) -> dict[int, int]:
        """The fonts that have each code point: bit k stands for the k-th font."""
        masks: dict[int, int] = defaultdict(int)
        for place, font in enumerate(self.fonts.values()):
            for code in font.characters:
                masks[code] |= 1 << place
        return dict(masks)

    def path_of(self, file: str) -> Path:
        """Return where a font lies.

        Raises:
            FontError: the catalogue has no such font.
        """
        if file not in self.fonts:
            near = difflib.get_close_matches(file, self.fonts, n=3)
            hint = f"did you mean {', '.join(near)}" if near else "`synthtext fonts` lists them"
            raise FontError(f"no font {file!r} in the catalogue; {hint}")
        return self.fonts[file].path

    def open(self, file: str) -> Face:
        """Return a font, open, and the same that this catalogue was read from.

        Raises:
            FontError: the catalogue has no such font, or its file was changed since.
        """
        return open_face(self.path_of(file), self.fonts[file].sha256)


def bundled_folder() -> Path:
    """Return the folder of the bundled fonts: in the wheel, or beside the sources."""
    here = Path(__file__).parent
    packed = here / "_fonts"
    return packed if packed.is_dir() else here.parent / "fonts"


def read_catalogue(extra: Path | None = None) -> Catalogue:
    """Return the bundled fonts and, if a path is given, a user's own.

    >>> from synthtext import read_catalogue
    >>> read_catalogue().fonts["Lato_700Bold.ttf"].category
    'sans'

    Args:
        extra: a folder of font files, or one file. A `fonts.toml` in the folder, laid out as
            the bundled one, says what its fonts are; else each file is asked. Broken fonts are
            left out and named in `Catalogue.broken`.

    Raises:
        FontError: the path is missing or holds no usable font, or a name is taken.
    """
    bundled, broken = _read_folder(bundled_folder())
    if broken:
        raise FontError(f"the bundled fonts are damaged, install again: {broken[0]}")
    if extra is None:
        return Catalogue(bundled)
    added, broken = _read_file(extra) if extra.is_file() else _read_folder(extra)
    if not added:
        reason = broken[0] if broken else f"{extra} holds no .ttf or .otf file"
        raise FontError(f"no usable font in {extra}: {reason}")
    for file in added:
        if file in bundled:
            raise FontError(f"{extra / file} has the name of a bundled font; rename it")
    return Catalogue(dict(sorted({**bundled, **added}.items())), tuple(broken))


def _read_folder(folder: Path) -> tuple[dict[str, Font], list[str]]:
    if not folder.is_dir():
        raise FontError(
            f"{folder} is no folder of fonts; give one that holds .ttf or .otf files"
        )
    rows = _read_rows(folder / "fonts.toml")
    fonts: dict[str, Font] = {}
    broken: list[str] = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            added, reasons = _read_file(path, rows.get(path.name))
            fonts |= added
            broken += reasons
    return fonts, broken


def _read_rows(path: Path) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        return {}
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8"))["font"]
        return {row["file"]: row for row in rows}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise FontError(
            f"{path} cannot be read ({error}); lay it out as the bundled one, or remove it"
        ) from error


def _read_file(
    path: Path, row: Mapping[str, Any] | None = None
) -> tuple[dict[str, Font], list[str]]:
    """Return the font of a file by its name, or why it is left out."""
    try:
        return {path.name: _read_font(path, row)}, []
    except FontError as error:
        return {}, [str(error)]


def _read_font(path: Path, row: Mapping[str, Any] | None) -> Font:
    named = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    if named != path.name:
        raise FontError(f"{named} is not a name in UTF-8; rename the font")
    if path.stat().st_size > MAX_FONT_BYTES:
        raise FontError(
            f"{path.name} is larger than {MAX_FONT_BYTES >> 20} MiB; use a smaller font"
        )
    try:
        with path.open("rb") as file, TTFont(file, lazy=True) as table:
            known = row or _ask_font(table, path)
            # Code points that map to glyph 0 would be drawn as the box of a missing character.
            blank = table.getGlyphOrder()[0]
            cmap = table.getBestCmap() or {}
            characters = frozenset(code for code, name in cmap.items() if name != blank)
            return Font(
                file=path.name,
                family=str(known["family"]),
                category=str(known["category"]),
                weight=int(known["weight"]),
                italic=bool(known["italic"]),
                scripts=tuple(known["scripts"]),
                source=str(known["source"]),
                licence=str(known["licence"]),
                # Of the file itself, whatever a table says: the plan must know what is drawn.
                sha256=_hash_file(path),
                path=path,
                characters=_check_characters(path, characters),
            )
    except FontError:
        raise
    except Exception as error:  # A hostile font may make a parser raise anything.
        raise FontError(
            f"{path.name} is no font that can be read ({type(error).__name__}); "
            "remove it from the folder"
        ) from error


def _check_characters(path: Path, characters: frozenset[int]) -> frozenset[int]:
    if not characters:
        raise FontError(f"{path.name} maps no character to a glyph; remove it from the folder")
    return characters


def _hash_file(path: Path) -> str:
    """Return the checksum of a font as it is now, and keep it open for drawing."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return open_face(path, sha256).sha256


def _ask_font(table: TTFont, path: Path) -> dict[str, Any]:
    """Return what a font file says of itself, as a row of `fonts.toml` would."""
    names, style = table["name"], table["OS/2"]
    return {
        "family": names.getBestFamilyName() or path.stem,
        "category": USER_CATEGORY,
        "weight": min(900, max(100, style.usWeightClass)),
        "italic": bool(style.fsSelection & 1 or table["post"].italicAngle),
        "scripts": (),
        "source": "user",
        "licence": names.getDebugName(13) or "unknown",
    }
