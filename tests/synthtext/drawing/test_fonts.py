from __future__ import annotations

import hashlib
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib.tables.TupleVariation import TupleVariation

from hostile_fonts import MAKERS, build_font, deep_composites, replace_table, save
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import describe_plan, make_plan
from synthtext.drawing import faces
from synthtext.drawing import fonts as fonts_file
from synthtext.drawing.fonts import USER_CATEGORY, bundled_folder, read_catalogue
from synthtext.drawing.rendering import render
from synthtext.errors import DatasetError, DrawError, FontError
from synthtext.recipe import default_recipe
from synthtext.spec import Spec
from synthtext.texts.words import read_words

LATO = bundled_folder() / "Lato_700Bold.ttf"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(LATO, tmp_path / "mine.ttf")
    return tmp_path


def explain(path: Path) -> str:
    with pytest.raises(FontError) as caught:
        read_catalogue(path)
    return str(caught.value)


def test_a_users_fonts_join_those_bundled(folder: Path) -> None:
    fonts = read_catalogue(folder).fonts
    assert len(fonts) == len(read_catalogue().fonts) + 1
    mine = fonts["mine.ttf"]
    assert (mine.family, mine.category, mine.weight) == ("Lato", USER_CATEGORY, 700)


def test_a_single_file_will_do(folder: Path) -> None:
    assert "mine.ttf" in read_catalogue(folder / "mine.ttf").fonts


def test_a_users_rows_say_what_the_fonts_are(folder: Path) -> None:
    (folder / "fonts.toml").write_text(
        '[[font]]\nfile = "mine.ttf"\nfamily = "Mine"\ncategory = "sans"\nweight = 650\n'
        'italic = true\nscripts = ["latin"]\nsource = "me"\nlicence = "OFL-1.1"\nsha256 = "0"\n'
    )
    mine = read_catalogue(folder).fonts["mine.ttf"]
    assert (mine.family, mine.category, mine.weight, mine.italic) == ("Mine", "sans", 650, True)


def test_broken_fonts_are_left_out_and_named(folder: Path) -> None:
    (folder / "text.ttf").write_text("not a font")
    catalogue = read_catalogue(folder)
    assert "mine.ttf" in catalogue.fonts
    assert catalogue.broken == (
        "text.ttf cannot be read as a font (TTLibError); remove it from the folder",
    )


@pytest.mark.parametrize("n_bytes", [0, 3, 100, 5000, 40_000])
def test_a_font_cut_short_is_left_out_or_drawn_whole(folder: Path, n_bytes: int) -> None:
    (folder / "cut.ttf").write_bytes(LATO.read_bytes()[:n_bytes])
    catalogue = read_catalogue(folder)
    assert ("cut.ttf" in catalogue.fonts) != any("cut.ttf" in each for each in catalogue.broken)


def test_a_folder_without_usable_fonts_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.ttf").write_text("not a font")
    assert explain(tmp_path) == (
        f"no usable font in {tmp_path}: text.ttf cannot be read as a font (TTLibError); "
        "remove it from the folder"
    )


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert (
        explain(path)
        == f"{path} is not a folder of fonts; give one that contains .ttf or .otf files"
    )


def test_a_font_with_the_name_of_a_bundled_one_is_a_font_of_the_user(tmp_path: Path) -> None:
    shutil.copy(LATO, tmp_path / LATO.name)
    fonts = read_catalogue(str(tmp_path)).fonts
    own, bundled = fonts[f"user/{LATO.name}"], fonts[LATO.name]
    assert own.file == f"user/{LATO.name}"
    assert (own.path, own.category) == (tmp_path / LATO.name, "user")
    assert (bundled.path, bundled.category) == (LATO, "sans")


def test_a_broken_table_of_fonts_is_named(folder: Path) -> None:
    (folder / "fonts.toml").write_text("[[font]]\nfamily = 1\n")
    assert explain(folder) == (
        f"{folder / 'fonts.toml'} cannot be read ('file'); write it like the bundled one, or remove it"
    )


def test_the_checksum_of_a_font_is_that_of_its_file(folder: Path) -> None:
    (folder / "fonts.toml").write_text(
        '[[font]]\nfile = "mine.ttf"\nfamily = "Mine"\ncategory = "sans"\nweight = 650\n'
        'italic = true\nscripts = ["latin"]\nsource = "me"\nlicence = "OFL-1.1"\nsha256 = "0"\n'
    )
    before = read_catalogue(folder).fonts["mine.ttf"].sha256
    assert before == hashlib.sha256(LATO.read_bytes()).hexdigest()
    shutil.copy(bundled_folder() / "DejaVuSans.ttf", folder / "mine.ttf")
    after = read_catalogue(folder).fonts["mine.ttf"].sha256
    assert after == hashlib.sha256((folder / "mine.ttf").read_bytes()).hexdigest() != before


def test_a_bundled_font_with_other_outlines_is_another_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(bundled_folder(), tmp_path / "fonts")
    shutil.copy(bundled_folder() / "DejaVuSans.ttf", tmp_path / "fonts" / LATO.name)
    monkeypatch.setattr("synthtext.drawing.fonts.bundled_folder", lambda: tmp_path / "fonts")
    changed = read_catalogue()
    monkeypatch.undo()
    plans = [
        describe_plan(make_plan(default_recipe(), {"word": read_words("en")}, fonts, count=9))
        for fonts in (read_catalogue(), changed)
    ]
    assert plans[0]["fonts"][LATO.name] != plans[1]["fonts"][LATO.name]


def test_a_font_that_was_changed_since_is_not_drawn_with(folder: Path, spec: Spec) -> None:
    fonts = read_catalogue(folder)
    shutil.copy(bundled_folder() / "DejaVuSans.ttf", folder / "mine.ttf")
    read_catalogue(folder)  # The old font is no longer in memory.
    with pytest.raises(FontError) as caught:
        render(replace(spec, font="mine.ttf"), fonts)
    assert str(caught.value) == (
        "mine.ttf was changed while it was in use; restore the font, or start again"
    )


def test_a_font_that_was_changed_between_two_runs_is_refused(folder: Path) -> None:
    texts = {"word": read_words("en")}
    out = folder / "out"
    plan = make_plan(default_recipe(), texts, read_catalogue(folder / "mine.ttf"), count=9)
    render_dataset(plan, out, part="0:1")
    shutil.copy(bundled_folder() / "DejaVuSans.ttf", folder / "mine.ttf")
    plan = make_plan(default_recipe(), texts, read_catalogue(folder / "mine.ttf"), count=9)
    with pytest.raises(DatasetError, match=r"was started with fonts mine\.ttf"):
        render_dataset(plan, out)


@pytest.mark.parametrize("name", MAKERS)
def test_a_hostile_font_is_refused_with_a_sentence_or_drawn(name: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.ttf"
    path.write_bytes(MAKERS[name]())
    begin = time.perf_counter()
    said = ""
    try:
        fonts = read_catalogue(path)
        for text, kind in (("Hxg", "word"), ("X", "word"), ("HH Hg XX", "sentence")):
            try:
                render(Spec(0, 0, "train", kind, text, path.name, shrink=True), fonts)
            except DrawError as error:
                said = str(error)
    except FontError as error:
        said = str(error)
    assert said.startswith(SENTENCES[name].format(path=path))
    assert "\n" not in said
    assert time.perf_counter() - begin < 5


SENTENCES = {
    "many glyphs": "hostile.ttf makes endless glyphs of 'Hxg'; remove the font",
    "some glyphs": "hostile.ttf makes 5,002 glyphs of 'Hxg'; remove the font",
    "no glyphs": "the font draws 'H' as blank; use another font",
    "deep composites": "no usable font in {path}: hostile.ttf cannot be read as a font (a glyph has more components than 4,096)",
    "vast cmap": "hostile.ttf has an outline that FreeType cannot draw (error 6)",
    "vast cmap of groups": "hostile.ttf has an outline that FreeType cannot draw (error 6)",
    "vast cmap to one glyph": "",
    "overlapping cmap": "hostile.ttf has an outline that FreeType cannot draw (error 6)",
    "many points": "hostile.ttf has a glyph of 30,001 points; remove the font",
    "woff": "no usable font in {path}: hostile.ttf is a web font; unpack it to .ttf, or remove it from the folder",
}  # fmt: skip


def test_a_wide_composite_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.ttf"
    path.write_bytes(deep_composites(14))
    assert "(a glyph has more components than 4,096)" in explain(path)
    path.write_bytes(replace_table(deep_composites(4), "head", b""))
    assert "wide.ttf cannot be read as a font" in explain(path)
    path.write_bytes(deep_composites(4))
    assert path.name in read_catalogue(path).fonts


def test_what_a_font_says_of_itself_is_one_short_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.ttf"
    path.write_bytes(save(build_font(family="Two\nlines \x1b[2J\u202e[/b]" + "x" * 500)))
    family = read_catalogue(path).fonts["mine.ttf"].family
    assert family == ("Two lines [2J[/b]" + "x" * 500)[:100]


def test_fonts_in_folders_are_found_by_their_path(folder: Path) -> None:
    (folder / "sub/deep").mkdir(parents=True)
    shutil.copy(LATO, folder / "sub/deep/mine.ttf")
    (folder / "fonts.toml").write_text(
        '[[font]]\nfile = "sub/deep/mine.ttf"\nfamily = "Inner"\ncategory = "sans"\nweight = 650\n'
        'italic = true\nscripts = ["latin"]\nsource = "me"\nlicence = "OFL-1.1"\nsha256 = "0"\n'
    )
    fonts = read_catalogue(folder)
    assert fonts.fonts["mine.ttf"].family == "Lato"
    assert fonts.fonts["sub/deep/mine.ttf"].family == "Inner"
    spec = Spec(0, 0, "train", "word", "ox", "sub/deep/mine.ttf")
    assert (
        render(spec, fonts).pixels == render(replace(spec, font="mine.ttf"), fonts).pixels
    ).all()


def test_a_pipe_among_fonts_is_named(folder: Path) -> None:
    os.mkfifo(folder / "pipe.ttf")
    assert read_catalogue(folder).broken == (
        f"{folder / 'pipe.ttf'} is a pipe and not a regular file; remove it from the folder",
    )


def test_a_name_that_json_cannot_hold_is_left_out(folder: Path) -> None:
    shutil.copy(LATO, folder / os.fsdecode(b"\xff.ttf"))
    assert read_catalogue(folder).broken == (
        "\\xff.ttf is not a valid UTF-8 name; rename the font",
    )


def test_thousands_of_fonts_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(LATO, folder / "more.ttf")
    monkeypatch.setattr(fonts_file, "MAX_FONTS", 1)
    with pytest.raises(FontError, match="has 2 fonts; give at most 1"):
        fonts_file._read_folder(folder)
    monkeypatch.setattr(fonts_file, "MAX_FONTS", 2)
    monkeypatch.setattr(fonts_file, "MAX_CHARACTERS", 300)
    with pytest.raises(FontError, match="have more than 300 characters in total; give fewer"):
        fonts_file._read_folder(folder)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("font = " + "[" * 900 + "]" * 900, "its arrays or tables are nested more than 2 deep"),
        (".".join(["a"] * 5000) + " = 1", "its arrays or tables are nested more than 2 deep"),
        (
            "[[font]]\nweight = " + "9" * 5000,
            "99999999999999999999... is 5,000 characters long",
        ),
        ("font = 3", "'int' object is not iterable"),
        ("[font]\nfile = 3", "string indices must be integers"),
    ],
)
def test_a_hostile_table_of_fonts_is_refused(text: str, reason: str, folder: Path) -> None:
    (folder / "fonts.toml").write_text(text)
    said = explain(folder)
    assert said.startswith(f"{folder / 'fonts.toml'} cannot be read")
    assert reason in said
    assert said.endswith("; write it like the bundled one, or remove it")


@pytest.mark.parametrize("weight", ["1" * 40, "-3", "1.5", "inf", '"bold"', "true", "[1]"])
def test_a_weight_is_a_small_whole_number(weight: str, folder: Path) -> None:
    shutil.copy(LATO, folder / "other.ttf")
    (folder / "fonts.toml").write_text(
        f'[[font]]\nfile = "mine.ttf"\nfamily = "Mine"\ncategory = "sans"\nweight = {weight}\n'
        'italic = true\nscripts = ["latin"]\nsource = "me"\nlicence = "OFL-1.1"\nsha256 = "0"\n'
    )
    (reason,) = read_catalogue(folder).broken
    assert reason.startswith("mine.ttf cannot be read as a font (weight is ")


def test_a_font_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "_read_bytes", lambda path: pytest.fail(f"{path} is read again"))
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} is read again"))
    fonts = read_catalogue(folder)
    assert fonts.open("mine.ttf").sha256 == fonts.fonts["mine.ttf"].sha256


def make_variable(path: Path, default: float) -> None:
    """Write a font whose letter x is as wide as its weight says."""
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "x"])
    builder.setupCharacterMap({ord("x"): "x"})
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for point in ((0, 500), (100, 500), (100, 0)):
        pen.lineTo(point)
    pen.closePath()
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "x": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (600, 0), "x": (600, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Wide", "styleName": "Thin"})
    builder.setupOS2(usWeightClass=int(default))
    builder.setupPost()
    builder.setupFvar([("wght", 100, default, 900, "Weight")], [])
    wider = [(0, 0), (0, 0), (800, 0), (800, 0), (0, 0), (0, 0), (0, 0), (0, 0)]
    builder.setupGvar({".notdef": [], "x": [TupleVariation({"wght": (0, 1, 1)}, wider)]})
    builder.save(path)


def test_a_variable_font_is_drawn_in_regular_weight(tmp_path: Path) -> None:
    make_variable(tmp_path / "thin.ttf", 100)
    fonts = read_catalogue(tmp_path)
    assert fonts.fonts["thin.ttf"].weight == 400
    face = fonts.open("thin.ttf")
    left, _, right, _ = face.ink_box(face.shape("x", ligatures=True).glyphs[0]) or (0, 0, 0, 0)
    # From 100 to 900 it grows by 800 units of the em, so 300 of them at 400.
    assert right - left == pytest.approx(0.4, abs=0.002)


def test_the_fonts_of_other_scripts_are_had_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("justmytype_intl_rtl", reason="the extra `scripts` is not installed")
    monkeypatch.chdir(tmp_path)
    added = set(read_catalogue(Path("scripts")).fonts) - set(read_catalogue().fonts)
    assert any("NotoSansArabic" in file for file in added)


def test_where_they_are_missing_the_way_to_get_them_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fonts_file, "PACKS", ("no_such_pack",))
    assert explain(Path("scripts")) == (
        "the fonts of other scripts are missing; run: pip install 'synthtext[scripts]'"
    )


def test_a_folder_of_that_name_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scripts").mkdir()
    shutil.copy(LATO, tmp_path / "scripts" / "own.ttf")
    assert "own.ttf" in read_catalogue(Path("scripts")).fonts
