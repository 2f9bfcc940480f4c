from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from synthtext.drawing.bidi import (
    REMOVED,
    line_levels,
    order_visually,
    resolve_levels,
    runs_rightward,
)

CASES = Path(__file__).parent / "data" / "BidiCharacterTest.txt.xz"

N_CASES = 91_707


def fails(case: str) -> bool:
    codes, direction, base, levels, order = case.split(";")
    text = "".join(chr(int(code, 16)) for code in codes.split())
    directions = resolve_levels(text, None if direction == "2" else int(direction))
    found = line_levels(directions, 0, len(text))
    kept = [p for p, kind in enumerate(directions.classes) if kind not in REMOVED]
    shown = ["x" if p not in set(kept) else str(level) for p, level in enumerate(found)]
    visual = [kept[place] for place in order_visually([found[p] for p in kept])]
    return (
        shown != levels.split()
        or directions.base != int(base)
        or visual != [int(place) for place in order.split()]
        or (runs_rightward(text) and directions.base == 0 and any(found))
    )


def test_every_case_of_unicode_is_resolved() -> None:
    with lzma.open(CASES, "rt", encoding="utf-8") as file:
        cases = [line.rstrip("\n") for line in file if line[0] not in "#\n"]
    assert len(cases) == N_CASES
    assert [case for case in cases if fails(case)] == []


@pytest.mark.parametrize("text", ["plain", "café №5", "Ελλάδα", "中文、日本", "a\u0301 b"])
def test_texts_without_a_character_of_the_right_keep_level_0(text: str) -> None:
    assert runs_rightward(text)
    assert resolve_levels(text).levels == [0] * len(text)


@pytest.mark.parametrize("text", ["שלום", "١٢", "a\u202eb", "ޓ", "𞤀"])
def test_texts_with_one_are_resolved(text: str) -> None:
    assert not runs_rightward(text)
    assert any(resolve_levels(text).levels)


def test_embeddings_are_only_so_deep() -> None:
    levels = resolve_levels("\u202b\u202a" * 200 + "a").levels
    assert max(levels) == 126
