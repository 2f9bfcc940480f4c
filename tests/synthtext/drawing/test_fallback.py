from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from letter_masks import check_letters_lie_in_quads
from synthtext.dataset.codec import Sample, decode, encode
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.manifest import to_json
from synthtext.dataset.map_style import load
from synthtext.dataset.merge import merge_datasets
from synthtext.dataset.plan import Plan, describe_plan, make_plan, source_of
from synthtext.dataset.sealing import seal
from synthtext.dataset.verify import verify_dataset
from synthtext.drawing.fallback import assign_faces, choose_apart, choose_fallback, list_runs
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layers import draw_layer
from synthtext.drawing.layout import place_glyphs
from synthtext.drawing.rendering import render
from synthtext.errors import DrawError, FontError, ShardError, SpecError
from synthtext.recipe import edit_recipe, read_recipe
from synthtext.sampling import sample_spec, sample_specs
from synthtext.spec import Spec, make_spec
from synthtext.texts.reviews import review_sentences
from synthtext.texts.words import Texts, make_texts

HAND, SANS, ROUND = "PatrickHand_400Regular.ttf", "DejaVuSans.ttf", "Comfortaa_400Regular.ttf"

TEXT = "word Ελλάδα, 2 Ω"


@pytest.fixture
def mixed() -> Spec:
    return make_spec(TEXT, font=HAND, fallback_fonts=SANS, size_px=20)


def test_each_script_is_drawn_by_the_first_font_that_has_it(
    mixed: Spec, fonts: Catalogue
) -> None:
    assert render(mixed, fonts).font_runs == (
        (0, 5, HAND),
        (5, 11, SANS),
        (11, len(TEXT), HAND),
    )


@pytest.mark.parametrize(
    ("text", "fraction", "n"),
    [
        ("a b c d", 0.5, 2),
        ("a b c d", 0.01, 1),
        ("a b c d", 1.0, 3),
        ("a b c d", 0.0, 0),
        ("a", 1.0, 0),
    ],
)
def test_as_many_words_are_set_apart_as_asked_but_never_all(
    text: str, fraction: float, n: int
) -> None:
    found = [choose_apart(text, fraction, seed) for seed in range(30)]
    assert {len(set(numbers)) for numbers in found} == {n}
    if 0 < n < 3:
        # The seed decides which.
        assert {number for numbers in found for number in numbers} == {0, 1, 2, 3}


def test_words_in_a_second_font_are_drawn_by_it_and_labelled(fonts: Catalogue) -> None:
    spec = make_spec(
        "wave over wave", font=HAND, fallback_fonts=SANS, size_px=24, word_font_frac=0.3
    )
    rendering = render(spec, fonts)
    (number,) = choose_apart(spec.text, 0.3, spec.ink_seed)
    start = (0, 5, 10)[number]
    stop = start + 4
    assert (start, stop, SANS) in rendering.font_runs
    assert {file for a, b, file in rendering.font_runs if (a, b) != (start, stop)} == {HAND}
    check_letters_lie_in_quads(spec, fonts)
    # A font that lacks a letter of a word leaves the word to the first.
    assert assign_faces("Ελλάδα", [fonts.open(SANS), fonts.open(HAND)], [0]) == [0] * 6


def test_a_second_font_is_drawn_for_texts_of_several_words(
    words: Texts, fonts: Catalogue
) -> None:
    recipe = edit_recipe(
        read_recipe("default"), {"word_font_frac": "0,0.5", "font_category": "sans,serif"}
    )
    texts = {"word": words, "sentence": review_sentences()}
    plan = make_plan(recipe, texts, fonts, seed=1, count=200)
    specs = [
        sample_spec(recipe, source_of(plan, "train"), fonts, seed=1, index=index)
        for index in range(120)
    ]
    mixed = [spec for spec in specs if spec.word_font_frac and " " in spec.text]
    assert len(mixed) > 20
    assert all(spec.fallback_fonts not in ("", spec.font) for spec in mixed)
    assert {fonts.fonts[spec.fallback_fonts].category for spec in mixed} == {"sans", "serif"}
    assert not any(spec.fallback_fonts for spec in specs if spec not in mixed)
    for spec in mixed[:10]:
        assert len({file for _, _, file in render(spec, fonts).font_runs}) == 2


def test_the_glyphs_are_those_of_each_font_alone(fonts: Catalogue) -> None:
    hand, sans = fonts.open(HAND), fonts.open(SANS)
    mixed = place_glyphs("wave Ελλάδα", hand, fallback=[sans])
    alone = [place_glyphs("wave ", hand), place_glyphs("Ελλάδα", sans)]
    assert mixed.glyphs == [glyph for part in alone for glyph in part.glyphs]
    assert mixed.faces == [hand] * 5 + [sans] * 6
    gap = mixed.pens[5, 0] - alone[1].pens[0, 0]
    assert np.allclose(mixed.char_boxes[4:] - [gap, 0, gap, 0], alone[1].char_boxes)


@pytest.mark.parametrize(
    ("text", "owners"),
    [
        ("ab", [0, 0]),
        ("aб", [0, 1]),
        ("q\u0489", [1, 1]),  # A mark stays on its letter.
        ("Ωδ", [1, 1]),  # A word is not torn for a letter that the first font has.
        ("Ω Δδ", [0, 0, 1, 1]),
    ],
)
def test_letters_of_a_script_stay_together(
    fonts: Catalogue, text: str, owners: list[int]
) -> None:
    faces = [fonts.open(HAND), fonts.open(SANS)]
    assert assign_faces(text, faces) == owners
    assert assign_faces(text, faces[:1]) == []


@pytest.mark.parametrize(
    ("first", "text", "others"),
    [
        ("CrimsonText_700Bold.ttf", "the Ελλάδα", ("DejaVuSerif.ttf",)),
        ("Lato_400Regular.ttf", "the Ελλάδα", (SANS,)),
        ("Lato_700Bold.ttf", "the Ελλάδα", ("OpenSans_400Regular.ttf",)),
        (
            HAND,
            "the Ελλάδα",
            (ROUND,),
        ),  # The first by name of those that are equally unlike it.
        (HAND, "Ελλάδα \u0e81 ש", (SANS,)),  # One font for all, before a font for each.
        (HAND, "plain", ()),
        (HAND, "plain 漢", None),
    ],
)
def test_fonts_are_tried_in_order_of_likeness(
    fonts: Catalogue, first: str, text: str, others: tuple[str, ...] | None
) -> None:
    bold = replace(fonts.fonts["OpenSans_400Regular.ttf"], weight=700)
    catalogue = Catalogue({**fonts.fonts, bold.file: bold})
    assert choose_fallback(catalogue, text, first) == others


def test_runs_are_listed_by_font() -> None:
    assert list_runs(["a", "b"], [0, 0, 1, 0]) == ((0, 2, "a"), (2, 3, "b"), (3, 4, "a"))
    assert list_runs(["a"], []) == ()


@pytest.mark.parametrize("change", [{}, {"jitter_em": 0.02}, {"yaw_deg": 20.0}])
def test_all_ways_of_painting_use_the_font_of_each_letter(
    mixed: Spec, fonts: Catalogue, change: dict[str, Any]
) -> None:
    spec = replace(mixed, **change)
    drawn, letters = render(spec, fonts), draw_layer("letters", spec, fonts)
    for number, quad in enumerate(drawn.char_quads, start=1):
        rows, columns = np.nonzero(letters == number)
        assert quad[:, 0].min() - 1 < columns.min() <= columns.max() < quad[:, 0].max() + 1
        assert quad[:, 1].min() - 1 < rows.min() <= rows.max() < quad[:, 1].max() + 1


def test_a_sentence_is_wrapped_with_the_widths_of_its_fonts(
    mixed: Spec, fonts: Catalogue
) -> None:
    text = "Ελλάδα and Ρωσία " * 5 + "end"
    drawn = render(replace(mixed, kind="sentence", text=text), fonts)
    assert drawn.char_quads[:, :, 0].max() <= 224 - 4 + 1


def test_the_runs_are_kept_in_the_shard(mixed: Spec, fonts: Catalogue) -> None:
    drawn = render(mixed, fonts)
    read = decode(encode(drawn, "png"))
    assert (read.spec, read.font_runs) == (drawn.spec, drawn.font_runs)


@pytest.mark.parametrize(
    "runs",
    [
        [[0, 5, HAND]],
        [[0, 16, ROUND]],
        [[0, 5, HAND], [4, 16, SANS]],
        [[0, 16]],
        [[False, 16, HAND]],
        [[0, 17, HAND]],
        None,
    ],
)
def test_runs_that_do_not_fit_the_text_are_refused(
    mixed: Spec, fonts: Catalogue, runs: object
) -> None:
    sample = encode(render(mixed, fonts), "png")
    raw = orjson.dumps(orjson.loads(sample.files["json"]) | {"font_runs": runs})
    with pytest.raises(ShardError) as caught:
        decode(Sample(sample.key, {**sample.files, "json": raw}))
    assert str(caught.value) == "000000000.json has no valid font_runs; render it again"


def test_what_no_font_has_and_what_is_missing_is_said(mixed: Spec, fonts: Catalogue) -> None:
    with pytest.raises(DrawError) as caught:
        render(replace(mixed, text="漢"), fonts)
    assert str(caught.value) == (
        f"{HAND} or {SANS} has no glyph for '漢' (U+6F22); use another font"
    )
    with pytest.raises(FontError, match=r"^no font 'none.ttf' in the catalogue"):
        render(replace(mixed, fallback_fonts="none.ttf"), fonts)
    with pytest.raises(SpecError, match=r"^fallback_fonts has 33 fonts; give at most 32$"):
        make_spec("a", fallback_fonts=",".join(["a.ttf"] * 33))


def plan_texts(fonts: Catalogue, fallback: str, shard_size: str = "1000") -> Plan:
    edits = {"fallback": fallback, "font_category": "handwriting", "splits": "1,0,0"}
    edits["shard_size"] = shard_size
    recipe = edit_recipe(read_recipe("default"), {**edits, "case": "as-is"})
    items = [f"latin{letter}" for letter in "abcdefgh"] + ["with Ελλάδα", "漢字"]
    texts = {"word": make_texts(items, [None] * len(items), "mine", 0, [])}
    return make_plan(recipe, texts, fonts, seed=3)


def test_only_texts_that_no_font_covers_get_more_fonts(fonts: Catalogue) -> None:
    without, fallen = plan_texts(fonts, "false"), plan_texts(fonts, "true")
    sampled = [
        {
            spec.text: spec
            for spec in sample_specs(
                plan.recipe, plan.sources[0], fonts, seed=3, indices=range(10)
            )
        }
        for plan in (without, fallen)
    ]
    before, after = sampled
    changed = {text for text in before if before[text] != after[text]}
    assert changed == {"with Ελλάδα"}
    spec = after["with Ελλάδα"]
    assert spec.font_category == "handwriting"
    assert render(spec, fonts).font_runs[1][2] == spec.fallback_fonts
    assert not before["with Ελλάδα"].font
    assert not after["漢字"].font
    alone = sample_spec(fallen.recipe, fallen.sources[0], fonts, seed=3, index=spec.index)
    assert alone == spec


def test_the_plan_says_whether_fonts_fall_back(fonts: Catalogue) -> None:
    described = [describe_plan(plan_texts(fonts, way))["recipe"] for way in ("false", "true")]
    assert "fallback" not in described[0]
    assert described[1]["fallback"] is True


def test_a_dataset_is_verified_and_merged_with_all_of_its_fonts(
    fonts: Catalogue, tmp_path: Path
) -> None:
    plan = plan_texts(fonts, "true", shard_size="5")
    for part in ("0/2", "1/2"):
        render_dataset(plan, tmp_path / part[0], part=part)
    merge_datasets([tmp_path / "0", tmp_path / "1"], tmp_path / "all")
    assert list(verify_dataset(tmp_path / "all")) == []
    path = tmp_path / "all" / "dataset.json"
    manifest = orjson.loads(path.read_bytes())
    (file,) = {image.spec.fallback_fonts for image in load(tmp_path / "all")} - {""}
    del manifest["plan"]["fonts"][file]
    path.write_bytes(to_json(seal(manifest)))
    (fault,) = verify_dataset(tmp_path / "all")
    assert fault.endswith(f"has fallback_fonts {file!r}, not all in dataset.json")
