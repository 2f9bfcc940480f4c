from __future__ import annotations

import hashlib
import string
import tomllib
from pathlib import Path
from typing import Any

import pytest
from fontTools.ttLib import TTFont

from synthtext.drawing.faces import open_face
from synthtext.drawing.fonts import bundled_folder, read_catalogue

FOLDER = bundled_folder()

ROWS: list[dict[str, Any]] = tomllib.loads((FOLDER / "fonts.toml").read_text())["font"]

WANTED = string.ascii_letters + string.digits + "'-.,!?\":;()&"


@pytest.fixture(params=ROWS, ids=lambda row: row["file"])
def row(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param
    return found


def list_files() -> list[Path]:
    return [path for path in FOLDER.iterdir() if path.suffix in {".ttf", ".otf"}]


def test_there_are_many_fonts_of_every_category() -> None:
    assert len(ROWS) >= 40
    assert len({row["category"] for row in ROWS}) >= 8


def test_the_folder_stays_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 12 << 20


def test_every_file_has_its_row_and_every_row_its_file() -> None:
    assert sorted(row["file"] for row in ROWS) == sorted(path.name for path in list_files())


def test_a_file_is_the_one_that_was_taken(row: dict[str, Any]) -> None:
    assert hashlib.sha256((FOLDER / row["file"]).read_bytes()).hexdigest() == row["sha256"]


def test_a_font_has_its_licence(row: dict[str, Any]) -> None:
    text = (FOLDER / row["licence_file"]).read_text(encoding="utf-8").lower()
    assert row["licence"] in {"OFL-1.1", "Apache-2.0", "Bitstream-Vera"}
    title = {"OFL-1.1": "open font license", "Apache-2.0": "apache license"}
    assert title.get(row["licence"], "bitstream") in text


def test_a_font_may_be_embedded_and_does_not_vary(row: dict[str, Any]) -> None:
    with TTFont(FOLDER / row["file"], lazy=True) as table:
        assert table["OS/2"].fsType in {0, 4, 8}
        assert "fvar" not in table


def test_a_font_has_every_common_character_in_ink(row: dict[str, Any]) -> None:
    font = read_catalogue().fonts[row["file"]]
    assert set(map(ord, WANTED)) <= font.characters
    face = open_face(font.path)
    for char in WANTED:
        (glyph,) = face.shape(char, ligatures=False).glyphs
        assert glyph
        assert face.ink_box(glyph)


def test_small_letters_are_unlike_capitals(row: dict[str, Any]) -> None:
    face = open_face(FOLDER / row["file"])
    assert face.shape("a", ligatures=False).glyphs != face.shape("A", ligatures=False).glyphs
    small, capital = (
        face.ink_box(face.shape(char, ligatures=False).glyphs[0]) for char in "xX"
    )
    assert small
    assert capital
    assert small[3] < 0.93 * capital[3]
