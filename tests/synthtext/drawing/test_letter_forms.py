from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from letter_masks import check_letters_lie_in_quads
from synthtext.drawing.faces import PLAIN
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.letter_forms import (
    capitalize,
    find_last,
    form_letters,
    scale_letters,
    scale_words,
)
from synthtext.drawing.rendering import Rendering, render
from synthtext.spec import Spec, make_spec


def measure_heights(rendering: Rendering) -> list[float]:
    """Return the height of each character of an upright text, in px."""
    return np.ptp(rendering.char_quads[:, :, 1], axis=1).tolist()


def test_neutral_values_leave_the_text_and_its_forms_alone(fonts: Catalogue) -> None:
    spec = make_spec("Quartz 1st")
    assert form_letters(spec, [fonts.open(spec.font)]) == ("Quartz 1st", [])


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.0])
def test_small_capitals_are_capitals_of_their_size(fonts: Catalogue, scale: float) -> None:
    spec = make_spec("Hhx", size_px=60, small_caps_frac=scale)
    capitals = render(replace(spec, case="upper", small_caps_frac=0.0), fonts)
    large, small, _ = measure_heights(render(spec, fonts))
    assert large == pytest.approx(measure_heights(capitals)[0], abs=0.02)
    assert small == pytest.approx(scale * large, abs=0.02)


def test_a_capital_of_full_size_is_drawn_for_each_letter(fonts: Catalogue) -> None:
    spec = make_spec("hamburg", small_caps_frac=1.0, letter_spacing_em=0.1)
    capitals = replace(spec, case="upper", small_caps_frac=0.0)
    off = np.abs(render(spec, fonts).pixels - render(capitals, fonts).pixels.astype(int))
    # Only kerning between parts of one form could differ; here all letters have the same.
    assert off.mean() < 0.05


def test_small_capitals_do_not_change_the_label(fonts: Catalogue) -> None:
    rendering = render(make_spec("Straße affix", small_caps_frac=0.7), fonts)
    assert rendering.spec.drawn_text == "Straße affix"
    assert len(rendering.char_quads) == 11


def test_letters_without_a_capital_of_one_letter_stay(fonts: Catalogue) -> None:
    lato, dejavu = fonts.open("Lato_400Regular.ttf"), fonts.open("DejaVuSans.ttf")
    assert capitalize("ŉ ﬁ ß7!", [dejavu]) == "ŉ ﬁ ẞ7!"
    # Lato lacks the capital ß.
    assert capitalize("aß", [lato]) == "Aß"
    assert capitalize("aß", [lato, dejavu]) == "Aẞ"
    # A mark that Unicode counts as lower case has no capital of its own.
    assert capitalize("α\u0345", [dejavu]) == "Α\u0345"


@pytest.mark.parametrize(
    ("text", "fraction", "last"),
    [
        ("quartz", 0.3, "tz"),
        ("quartz", 0.01, "z"),
        ("quartz", 1.0, "uartz"),
        ("quartz", 0.0, ""),
        ("m2 a  x", 0.5, "2"),
        ("क्षत्रिय", 0.3, "य"),
        ("नमस्ते", 0.3, "स्ते"),
        ("ne\u0301", 0.5, "e\u0301"),
    ],
)
def test_the_last_letters_of_each_word_are_found_with_their_marks(
    text: str, fraction: float, last: str
) -> None:
    assert "".join(text[place] for place in find_last(text, fraction)) == last


def test_raised_letters_are_smaller_and_higher_and_lowered_ones_lower(fonts: Catalogue) -> None:
    plain = make_spec("Hxx", size_px=100, font="DejaVuSans.ttf")
    bottoms = {
        fraction: render(replace(plain, superscript_frac=fraction), fonts).char_quads[:, 2, 1]
        for fraction in (0.3, -0.3)
    }
    for fraction, rise_px in ((0.3, 35), (-0.3, -15)):
        first, second, last = bottoms[fraction]
        assert first == pytest.approx(second, abs=0.02)
        assert first - last == pytest.approx(rise_px, abs=0.02)
        _, full, small = measure_heights(render(replace(plain, superscript_frac=fraction)))
        assert small == pytest.approx(0.6 * full, abs=0.02)


def test_raised_letters_of_vertical_text_stand_to_the_right(fonts: Catalogue) -> None:
    spec = make_spec("xxx", size_px=50, direction="vertical", superscript_frac=0.3)
    first, second, last = render(spec, fonts).char_quads.mean(axis=1)[:, 0]
    assert first == pytest.approx(second, abs=0.02)
    assert last - first == pytest.approx(0.35 * 50, abs=0.02)


def test_a_raised_small_capital_has_both_sizes(fonts: Catalogue) -> None:
    spec = make_spec("ab", small_caps_frac=0.5, superscript_frac=0.5)
    _, forms = form_letters(spec, [fonts.open(spec.font)])
    assert [form.scale for form in forms] == [0.5, 0.3]


def test_spaces_between_words_are_plain(fonts: Catalogue) -> None:
    spec = make_spec("ab cd", superscript_frac=0.5)
    _, forms = form_letters(spec, [fonts.open(spec.font)])
    assert [form == PLAIN for form in forms] == [True, False, True, True, False]


def test_the_largest_word_has_the_font_size_and_each_word_one_size(fonts: Catalogue) -> None:
    spec = make_spec("xx xx xx xx", size_px=40, word_size_frac=0.3, ink_seed=3)
    heights = np.reshape(measure_heights(render(spec, fonts)), (4, 2))
    assert heights[:, 0] == pytest.approx(heights[:, 1], abs=0.02)
    plain = measure_heights(render(replace(spec, word_size_frac=0.0), fonts))[0]
    assert heights.max() == pytest.approx(plain, abs=0.02)
    assert len(set(heights[:, 0].round(1))) == 4
    _, forms = form_letters(replace(spec, superscript_frac=0.5), [fonts.open(spec.font)])
    assert forms[1].rise_em == pytest.approx(0.35 * forms[0].scale)


def test_sizes_of_words_spread_as_asked_and_alone_a_word_has_the_font_size() -> None:
    text = " ".join("x" * 2000)
    logs = np.log(scale_words(text, 0.2, 5))[::2]
    # Clipped at two deviations, a normal variable has a deviation of 0.96.
    assert logs.std() == pytest.approx(0.2 * 0.96, rel=0.05)
    assert logs.max() == 0
    assert scale_words("quartz", 0.5, 7) == [1.0] * 6
    assert len(scale_words(" two  words ", 0.5, 7)) == 12


def test_the_largest_letter_has_the_font_size_and_marks_that_of_their_letter(
    fonts: Catalogue,
) -> None:
    spec = make_spec("xxxxxxxx", size_px=40, letter_size_frac=0.2, ink_seed=3)
    heights = np.array(measure_heights(render(spec, fonts)))
    plain = measure_heights(render(replace(spec, letter_size_frac=0.0), fonts))[0]
    assert heights.max() == pytest.approx(plain, abs=0.02)
    assert len(set(heights.round(1))) > 5
    marked = scale_letters("xe\u0301x", 0.3, 5)
    assert marked[1] == marked[2] != marked[0]
    # Letters and words do not share their sizes.
    words = scale_words(" ".join("x" * 9), 0.2, 5)[::2]
    assert not np.allclose(words, scale_letters("x" * 9, 0.2, 5))


def test_sizes_of_letters_spread_as_asked() -> None:
    logs = np.log(scale_letters("x" * 2000, 0.2, 5))
    assert logs.std() == pytest.approx(0.2 * 0.96, rel=0.05)
    assert logs.max() == 0
    assert scale_letters("x", 0.5, 7) == [1.0]


@pytest.mark.parametrize(
    "bent",
    [
        {},
        {"direction": "vertical"},
        {"direction": "vertical-mixed", "letter_size_frac": 0.2},
        {"arc_deg": 100.0, "jitter_em": 0.08, "letter_rotation_deg": 10.0},
        {"warp_em": 0.1, "yaw_deg": 40.0, "rotation_deg": 50.0, "letter_size_frac": 0.3},
        {"kind": "sentence", "size_px": 60.0, "letter_spacing_em": 0.1},
        {"fallback_fonts": "Lato_400Regular.ttf", "outline_em": 0.1},
    ],
)
@pytest.mark.parametrize("rise", [0.4, -0.4])
def test_letters_lie_in_their_quads(
    spec: Spec, fonts: Catalogue, bent: dict[str, float], rise: float
) -> None:
    styled = {"small_caps_frac": 0.7, "superscript_frac": rise, "word_size_frac": 0.3, **bent}
    spec = replace(spec, text="Jumping fox", shrink=True, **styled)  # type: ignore[arg-type]
    check_letters_lie_in_quads(spec, fonts)


def test_lines_are_as_long_as_their_letters_are_large(fonts: Catalogue) -> None:
    plain = make_spec("nine lazy dogs jump over", kind="sentence", size_px=40)
    n_lines = [
        len({round(float(y)) for y in render(each, fonts).word_quads[:, 2, 1] // 30})
        for each in (plain, replace(plain, small_caps_frac=0.3))
    ]
    assert n_lines[0] > n_lines[1]
