"""The catalogue of fonts: the bundled ones, and the user's own."""

from __future__ import annotations

import difflib
import importlib.util
import io
import logging
import os
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont

from synthtext.drawing.composites import check_composites
from synthtext.drawing.faces import REGULAR, Face, keep_open, open_face
from synthtext.errors import FontError, shorten
from synthtext.files import list_files, read_file
from synthtext.toml_files import Limits, read_toml

SUFFIXES = frozenset({".ttf", ".otf"})

# Errors in a font are reported in one sentence, not in a line of fontTools for every record.
logging.getLogger("fontTools").setLevel(logging.CRITICAL)

MAX_FONT_BYTES = 64 << 20

MAX_FONTS = 2000

MAX_CHARACTERS = 10_000_000
"""Maximum number of characters of all fonts, each counted in every font that has it."""

MAX_CHARS = 100
"""Maximum length of a family name, and of the other texts in a font's name table."""

LIMITS = Limits(max_bytes=4 << 20, max_depth=2)
"""Limits for `fonts.toml`: a list of tables, some of which contain a list."""

PACKS = (
    "justmytype_intl_cjk", "justmytype_intl_rtl", "justmytype_intl_sea",
    "justmytype_intl_south_asia",
)  # fmt: skip
"""Packages with the fonts of Noto for scripts beyond Latin, Greek and Cyrillic."""

SCRIPTS = "scripts"
"""The name that can be given instead of a folder to use these packages."""

USER_CATEGORY = "user"
"""Category of fonts that a user adds without a `fonts.toml`."""


@dataclass(frozen=True)
class Font:
    """A font file and its properties.

    Attributes:
        file: path relative to the folder, with `/` as separator; the key in the catalogue.
        family: family name, such as "Lato".
        category: sans, serif, slab, mono, handwriting, script, display, blackletter,
            condensed, or `USER_CATEGORY`.
        weight: 100 to 900, regular is 400.
        italic: whether the face is slanted.
        scripts: such as ("latin", "greek").
        source: the package it came from.
        licence: SPDX identifier.
        sha256: SHA-256 of the file, in hex.
        path: path of the file.
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
    """Fonts by file name, sorted, and a sentence for each font that was left out."""

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
        """Return the path of a font.

        Raises:
            FontError: the catalogue has no such font.
        """
        if file not in self.fonts:
            near = difflib.get_close_matches(file, self.fonts, n=3)
            hint = f"did you mean {', '.join(near)}" if near else "`synthtext fonts` lists them"
            raise FontError(f"no font {file!r} in the catalogue; {hint}")
        return self.fonts[file].path

    def open(self, file: str) -> Face:
        """Return a font, opened, after checking that its file has not changed.

        Raises:
            FontError: the catalogue has no such font, or its file was changed since.
        """
        return open_face(self.path_of(file), self.fonts[file].sha256)


def bundled_folder() -> Path:
    """Return the folder of the bundled fonts: in the wheel, or beside the sources."""
    here = Path(__file__).parents[1]
    packed = here / "_fonts"
    return packed if packed.is_dir() else here.parent / "fonts"


def read_catalogue(extra: str | Path | None = None) -> Catalogue:
    """Return the bundled fonts and, if a path is given, a user's own.

    >>> from synthtext import read_catalogue
    >>> read_catalogue().fonts["Lato_700Bold.ttf"].category
    'sans'

    Args:
        extra: a folder with font files, also in subfolders, or one font file; or `scripts` for
            the fonts of `PACKS`, if no file has that name. A `fonts.toml` in the folder,
            written like the bundled one, describes its fonts; otherwise the font files do.
            Broken fonts are left out and listed in `Catalogue.broken`. A font with the file
            name of a bundled one is called `user/FILE`.

    Raises:
        FontError: the path is missing or has no usable font.
    """
    bundled, broken = _read_folder(bundled_folder())
    if broken:
        raise FontError(f"the bundled fonts are damaged; reinstall synthtext: {broken[0]}")
    if extra is None:
        return Catalogue(bundled)
    extra = Path(extra)
    if str(extra) == SCRIPTS and not os.path.lexists(extra):
        added, broken = _read_packs()
    elif extra.is_file():
        added, broken = _read_file(extra, extra.name)
    else:
        added, broken = _read_folder(extra)
    if not added:
        reason = broken[0] if broken else f"{extra} has no .ttf or .otf file"
        raise FontError(f"no usable font in {extra}: {reason}")
    # Specs name fonts by their files, so the name of a bundled font must stay unique.
    added = {
        name: replace(font, file=name)
        for file, font in added.items()
        for name in (f"{USER_CATEGORY}/{file}" if file in bundled else file,)
    }
    return Catalogue(dict(sorted({**bundled, **added}.items())), tuple(broken))


def _read_packs() -> tuple[dict[str, Font], list[str]]:
    """Return the fonts of the packages that are installed."""
    found = [spec for spec in map(importlib.util.find_spec, PACKS) if spec and spec.origin]
    if not found:
        raise FontError(
            "the fonts of other scripts are missing; run: pip install 'synthtext[scripts]'"
        )
    fonts: dict[str, Font] = {}
    broken: list[str] = []
    for spec in found:
        added, reasons = _read_folder(Path(str(spec.origin)).parent / "fonts")
        fonts |= added
        broken += reasons
    return fonts, broken


def _read_folder(folder: Path) -> tuple[dict[str, Font], list[str]]:
    if not folder.is_dir():
        raise FontError(
            f"{folder} is not a folder of fonts; give one that contains .ttf or .otf files"
        )
    names = list_files(folder, SUFFIXES, kind=FontError)
    if len(names) > MAX_FONTS:
        raise FontError(f"{folder} has {len(names):,} fonts; give at most {MAX_FONTS:,}")
    rows = _read_rows(folder / "fonts.toml")
    fonts: dict[str, Font] = {}
    broken: list[str] = []
    n_characters = 0
    for name in names:
        added, reasons = _read_file(folder / name, name, rows.get(name))
        fonts |= added
        broken += reasons
        n_characters += sum(len(font.characters) for font in added.values())
        if n_characters > MAX_CHARACTERS:
            raise FontError(
                f"the fonts in {folder} have more than {MAX_CHARACTERS:,} characters in"
                f" total; give fewer fonts"
            )
    return fonts, broken


def _read_rows(path: Path) -> dict[str, dict[str, Any]]:
    if not os.path.lexists(path):
        return {}
    remedy = "write it like the bundled one, or remove it"
    content = read_toml(path, LIMITS, kind=FontError, remedy=remedy)
    try:
        return {row["file"]: row for row in content["font"]}
    except (KeyError, TypeError) as error:
        raise FontError(f"{path} cannot be read ({error}); {remedy}") from error


def _read_file(
    path: Path, name: str, row: Mapping[str, Any] | None = None
) -> tuple[dict[str, Font], list[str]]:
    """Return the font of a file by its name, or the reason why it is left out."""
    try:
        return {name: _read_font(path, name, row)}, []
    except FontError as error:
        return {}, [str(error)]


def _read_font(path: Path, name: str, row: Mapping[str, Any] | None) -> Font:
    named = os.fsencode(name).decode("utf-8", "backslashreplace")
    if named != name:
        raise FontError(f"{named} is not a valid UTF-8 name; rename the font")
    remedy = "remove it from the folder"
    raw = read_file(path, MAX_FONT_BYTES, kind=FontError, remedy=remedy)
    try:
        with TTFont(io.BytesIO(raw), lazy=True) as table:
            # Compressed fonts may unpack to any size.
            if table.flavor:
                raise FontError(f"{name} is a web font; unpack it to .ttf, or {remedy}")  # noqa: TRY301
            known = row or _ask_font(table, path)
            check_composites(table)
            face = keep_open(path, raw)
            return Font(
                file=name,
                family=_clean(known["family"]),
                category=_clean(known["category"]),
                weight=_check_weight(known["weight"]),
                italic=bool(known["italic"]),
                scripts=tuple(map(_clean, list(known["scripts"]))),
                source=_clean(known["source"]),
                licence=_clean(known["licence"]),
                # The hash is taken from the file itself: the plan must record what is drawn.
                sha256=face.sha256,
                path=path,
                characters=face.list_characters(),
            )
    except FontError:
        raise
    except Exception as error:  # A hostile font may make a parser raise anything.
        reason = str(error) if type(error) is ValueError else type(error).__name__
        raise FontError(
            f"{name} cannot be read as a font ({shorten(reason)}); {remedy}"
        ) from error


def _clean(value: object) -> str:
    """Return what a font states about itself: one line, without control characters."""
    line = " ".join(str(value)[: 10 * MAX_CHARS].split())
    kept = "".join(char for char in line if unicodedata.category(char)[0] != "C")
    return kept[:MAX_CHARS]


def _check_weight(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1000:
        raise ValueError(f"weight is {value}; it is a whole number from 1 to 1000")
    return value


def _ask_font(table: TTFont, path: Path) -> dict[str, Any]:
    """Return what a font file states about itself, as a row of `fonts.toml` would."""
    names, style = table["name"], table["OS/2"]
    return {
        "family": names.getBestFamilyName() or path.stem,
        "category": USER_CATEGORY,
        "weight": _ask_weight(table),
        "italic": bool(style.fsSelection & 1 or table["post"].italicAngle),
        "scripts": (),
        "source": "user",
        "licence": names.getDebugName(13) or "unknown",
    }


def _ask_weight(table: TTFont) -> int:
    """Return the weight in which a font is drawn: the nearest to regular of a variable one."""
    axes = (
        [axis for axis in table["fvar"].axes if axis.axisTag == "wght"]
        if "fvar" in table
        else []
    )
    if not axes:
        return min(900, max(100, table["OS/2"].usWeightClass))
    return round(min(max(REGULAR, axes[0].minValue), axes[0].maxValue))
