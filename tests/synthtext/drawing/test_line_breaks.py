from __future__ import annotations

import lzma
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from synthtext.dataset.codec import decode, encode
from synthtext.drawing.fonts import Catalogue, read_catalogue
from synthtext.drawing.layout import place_glyphs, split_words
from synthtext.drawing.line_breaks import MAX_CHARS, apply_rules, find_breaks
from synthtext.drawing.rendering import render
from synthtext.errors import DrawError
from synthtext.spec import Spec

CASES = Path(__file__).parent / "data" / "LineBreakTest.txt.xz"

N_CASES, N_OTHERS = 7654, 4

EVERY = 7
"""All cases take ten seconds."""

LAO = "\u0e81\u0e82\u200b\u0e84\u0e87\u200b\u0e88\u0eaa\u200b\u0e8a\u0e8d"
"""Four pairs of letters, parted by zero width spaces."""


def read_case(line: str) -> tuple[str, list[int]]:
    text, breaks = "", []
    for token in line.partition("#")[0].split():
        if token == "÷":
            breaks.append(len(text))
        elif token != "×":
            text += chr(int(token, 16))
    return text, breaks


def test_cases_of_unicode_are_broken_but_for_rules_that_were_changed() -> None:
    with lzma.open(CASES, "rt", encoding="utf-8") as file:
        cases = [read_case(line) for line in file if line[0] not in "#\n"]
    assert len(cases) == N_CASES
    others = [text for text, breaks in cases[::EVERY] if apply_rules(text) != breaks]
    # Version 16 has other rules for hyphens (20a, 21a), quotes (15) and numbers (25): 31 cases.
    assert len(others) == N_OTHERS
    assert all(set(text) & set('-,".«') for text in others)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("well-known words – and others", "well-known |words |– |and |others"),
        ("какой-то текст", "какой-то |текст"),
        ("빠른 갈색 여우", "빠른 |갈색 |여우"),
        ("مرحبا بالعالم", "مرحبا |بالعالم"),
        ("I ☺ it-all", "I |☺ |it-all"),
        ("我说：“你好，世界。”", "我|说：|“你|好，|世|界。”"),
        ("「ラーメン」をちょっと", "「ラー|メ|ン」|を|ちょっ|と"),
        ("用 Python 3.11 写的", "用 |Python |3.11 |写|的"),
        ("ภาษาไทย ภาษา", "ภาษาไทย |ภาษา"),
        ("ภาษา\u200bไทย", "ภาษา\u200b|ไทย"),
    ],
)
def test_lines_begin_where_the_script_lets_them(text: str, parts: str) -> None:
    breaks = find_breaks(text)
    assert "|".join(text[a:b] for a, b in pairwise([0, *breaks])) == parts


def test_a_long_text_is_refused_before_the_rules_are_applied() -> None:
    with pytest.raises(DrawError) as caught:
        find_breaks("中" + "\u0301" * MAX_CHARS)
    assert str(caught.value).endswith("give at most 4,000 characters")


def test_a_word_in_two_lines_has_a_box_in_each(fonts: Catalogue) -> None:
    placement = place_glyphs(LAO, fonts.open("DejaVuSans.ttf"), wrap_em=3.2)
    (place,) = placement.word_breaks
    assert LAO[place - 1] == "\u200b"
    upper, lower = placement.word_boxes
    assert upper[3] < lower[1] + 0.4
    assert len(placement.char_boxes) == 8


@pytest.mark.parametrize("jitter_em", [0.0, 0.02])
def test_the_parts_of_a_word_are_kept_in_its_shard(fonts: Catalogue, jitter_em: float) -> None:
    spec = Spec(0, 1, "test", "sentence", f"{LAO} {LAO[:2]}", "DejaVuSans.ttf")
    drawn = render(replace(spec, width_px=130, jitter_em=jitter_em), fonts)
    assert drawn.word_breaks
    read = decode(encode(drawn, "png"))
    assert read.word_breaks == drawn.word_breaks
    words = split_words(spec.text, read.word_breaks)
    assert len(words) == len(read.word_quads) == 3
    assert "".join(words) == spec.text.replace(" ", "")


@pytest.fixture(scope="module")
def noto() -> Catalogue:
    pytest.importorskip("justmytype_intl_cjk", reason="the extra `scripts` is not installed")
    return read_catalogue("scripts")


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("我能吞下玻璃而不伤身体。他说：“玻璃，对我没有害处！”", "Noto Sans SC"),
        ("私はガラスを食べられます。「それは、私を傷つけません」と言った。", "Noto Sans JP"),
    ],
)
def test_sentences_without_spaces_fill_their_lines(
    noto: Catalogue, text: str, family: str
) -> None:
    file = next(file for file, font in noto.fonts.items() if font.family == family)
    drawn = render(Spec(0, 1, "test", "sentence", text, file, size_px=24.0), noto)
    assert len(drawn.word_quads) == len(drawn.word_breaks) + 1 > 2
    heads = [text[place] for place in drawn.word_breaks]
    assert not set(heads) & set("，。、！”」ーょっ")
    widths = np.ptp(drawn.word_quads[:, :, 0], axis=1)
    assert (widths[:-1] > 216 - 2.5 * 24).all()
    assert (widths < 216).all()
