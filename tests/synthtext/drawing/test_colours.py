from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtext.drawing.colours import (
    format_hex,
    ink_for,
    measure_contrast,
    measure_luminance,
    parse_hex,
)

LEVELS = st.integers(0, 255)
COLOURS = st.tuples(LEVELS, LEVELS, LEVELS)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ((0, 0, 0), (255, 255, 255), 21.0),
        ((255, 255, 255), (255, 255, 255), 1.0),
        # 0x77 gray on white is the example that just misses the ratio of 4.5 in WCAG's texts.
        ((0x77, 0x77, 0x77), (255, 255, 255), 4.48),
        # By hand: (0.2126 + 0.05) / 0.05.
        ((255, 0, 0), (0, 0, 0), 5.252),
    ],
)
def test_contrast_is_that_of_wcag(
    one: tuple[int, int, int], other: tuple[int, int, int], ratio: float
) -> None:
    assert measure_contrast(one, other) == pytest.approx(ratio, abs=0.005)


@given(COLOURS)
def test_hex_gives_the_colour_back(colour: tuple[int, int, int]) -> None:
    assert parse_hex(format_hex(colour)) == colour


@given(COLOURS, COLOURS)
def test_a_contrast_of_zero_leaves_the_ink_alone(
    ink: tuple[int, int, int], paper: tuple[int, int, int]
) -> None:
    assert ink_for(ink, paper, 0) == ink


@given(COLOURS, COLOURS, st.floats(1.2, 4.4))
def test_the_ink_stands_out_as_much_as_asked(
    ink: tuple[int, int, int], paper: tuple[int, int, int], contrast: float
) -> None:
    # Any background allows 4.58; rounding to levels costs a few per cent on dark ones.
    found = measure_contrast(ink_for(ink, paper, contrast), paper)
    assert found == pytest.approx(contrast, rel=0.08)


@given(COLOURS, COLOURS)
def test_a_contrast_out_of_reach_gives_black_or_white(
    ink: tuple[int, int, int], paper: tuple[int, int, int]
) -> None:
    found = ink_for(ink, paper, 21)
    reach = max(measure_contrast(edge, paper) for edge in ((0, 0, 0), (255, 255, 255)))
    assert measure_contrast(found, paper) == pytest.approx(reach, rel=0.02)


def test_the_hue_of_the_ink_is_kept() -> None:
    red, green, blue = ink_for((200, 20, 20), (255, 255, 255), 8)
    assert red > 4 * green
    assert green == blue


def test_an_ink_lighter_than_its_paper_stays_lighter() -> None:
    paper = (60, 60, 60)
    assert measure_luminance(ink_for((90, 90, 90), paper, 3)) > measure_luminance(paper)
