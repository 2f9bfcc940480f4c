from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthtext.dataset.plan import Plan, make_plan, source_of
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.photos import read_photos
from synthtext.draws import Choice, Component, Range, Ranges
from synthtext.errors import RecipeError
from synthtext.factors import FACTORS
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.sampling import sample_spec, sample_specs
from synthtext.spec import BOUNDS, Spec, check_spec
from synthtext.texts.reviews import review_sentences
from synthtext.texts.words import Texts


@pytest.fixture
def plan(words: Texts, fonts: Catalogue) -> Plan:
    return make_plan(default_recipe(), {"word": words}, fonts, seed=1, count=600)


def sample(plan: Plan, *, start: int = 0, stop: int = 500) -> list[Spec]:
    source = source_of(plan, "train")
    indices = range(start, stop)
    return sample_specs(
        plan.recipe, source, plan.fonts, seed=plan.seed, indices=indices, photos=plan.photos
    )


@pytest.mark.parametrize("index", [0, 1, 250, 499])
def test_an_image_drawn_alone_is_the_one_of_the_shard(plan: Plan, index: int) -> None:
    source = source_of(plan, "train")
    alone = sample_spec(plan.recipe, source, plan.fonts, seed=1, index=index)
    assert alone == sample(plan)[index]


def test_the_cut_into_shards_does_not_matter(plan: Plan) -> None:
    assert sample(plan, stop=170) + sample(plan, start=170) == sample(plan)


def test_every_spec_can_be_drawn(plan: Plan) -> None:
    for spec in sample(plan):
        check_spec(spec)


@pytest.mark.parametrize("name", sorted(set(FACTORS) & set(BOUNDS)))
def test_numbers_stay_in_their_range(plan: Plan, name: str) -> None:
    draw = plan.recipe.draws[name]
    values = np.array([getattr(spec, name) for spec in sample(plan)])
    ends = np.array(
        [float(end) for end in str(draw).split("=")[0].split(":")[:2] if "," not in end]
    )
    if ":" in str(draw):
        assert values.min() >= ends[0]
        assert values.max() <= ends[1]
    else:
        listed = {float(value.partition("=")[0]) for value in str(draw).split(",")}
        assert set(values.tolist()) == listed


def test_every_text_comes_up_once_in_each_pass(plan: Plan) -> None:
    n = len(source_of(plan, "train").decks[0].items)
    texts = [spec.text for spec in sample(plan)]
    for turn in range(3):
        assert set(Counter(texts[turn * n : (turn + 1) * n]).values()) == {1}


def test_passes_are_shuffled_anew(plan: Plan) -> None:
    n = len(source_of(plan, "train").decks[0].items)
    texts = [spec.text for spec in sample(plan)]
    assert texts[:n] != texts[n : 2 * n]


def test_another_draw_of_one_factor_leaves_the_others(plan: Plan) -> None:
    other = replace(plan, recipe=edit_recipe(plan.recipe, {"blur_px": "3"}))
    assert [replace(spec, blur_px=3.0) for spec in sample(plan)] == sample(other)


def test_ranges_come_as_often_as_their_weights_say(plan: Plan) -> None:
    edits = {"size_px": "12:16=3,16:24:log=1,40", "jpeg_quality": "40:41,90:92=3"}
    specs = sample(replace(plan, recipe=edit_recipe(plan.recipe, edits)))
    sizes = np.array([spec.size_px for spec in specs])
    shares = [((sizes >= 12) & (sizes < 16)).mean(), (sizes == 40).mean()]
    assert shares == pytest.approx([0.6, 0.2], abs=0.06)
    assert np.isin(sizes, sizes[(sizes <= 24) | (sizes == 40)]).all()
    counts = Counter(spec.jpeg_quality for spec in specs)
    # Both ends of an integer range are included.
    assert {40, 41, 90, 91, 92} == set(counts)
    assert counts[40] / 500 == pytest.approx(1 / 8, abs=0.05)
    assert counts[91] / 500 == pytest.approx(1 / 4, abs=0.06)


def test_factors_of_a_mixture_go_together(plan: Plan) -> None:
    dark = Component(3, {"paper": Choice(("#000000",), (1,)), "size_px": Range(30, 40)})
    light = Component(1, {"paper": Choice(("#ffffff",), (1,)), "size_px": Range(10, 20)})
    mixed = replace(plan, recipe=replace(plan.recipe, mixture=(dark, light)))
    specs = sample(mixed)
    assert {(spec.paper, spec.size_px > 25) for spec in specs} == {
        ("#000000", True), ("#ffffff", False)
    }  # fmt: skip
    assert np.mean([spec.paper == "#000000" for spec in specs]) == pytest.approx(0.75, abs=0.06)
    # Other factors are drawn as without a mixture, and any image can be drawn alone.
    plain = sample(plan)
    changed = [
        replace(a, paper=b.paper, size_px=b.size_px) for a, b in zip(specs, plain, strict=True)
    ]
    assert changed == plain
    source = source_of(mixed, "train")
    assert sample_spec(mixed.recipe, source, plan.fonts, seed=1, index=77) == specs[77]


def test_a_colour_is_not_drawn_from_ranges(plan: Plan) -> None:
    recipe = replace(
        plan.recipe, draws={**plan.recipe.draws, "ink": Ranges((Range(0, 1),), (1.0,))}
    )
    with pytest.raises(RecipeError, match="a colour is 0:1; give colours, not a range"):
        sample(replace(plan, recipe=recipe))


def test_another_seed_draws_other_images(plan: Plan) -> None:
    assert sample(replace(plan, seed=2)) != sample(plan)


def test_a_font_has_every_character_of_its_text(fonts: Catalogue) -> None:
    items = ("Ωμέγα", "жизнь", "naïve", "plain", "漢字")
    texts = Texts(items, (None,) * len(items), "mixed", "", 0)
    recipe = edit_recipe(default_recipe(), {"splits": "1,0,0"})
    plan = make_plan(recipe, {"word": texts}, fonts, count=200)
    for spec in sample(plan, stop=200):
        if spec.text == "漢字":
            assert spec.font == ""
        else:
            assert set(map(ord, spec.drawn_text)) <= fonts.fonts[spec.font].characters


def test_fonts_are_drawn_by_category_and_weight(plan: Plan) -> None:
    recipe = edit_recipe(plan.recipe, {"font_category": "mono=3,serif"})
    found = Counter(spec.font_category for spec in sample(replace(plan, recipe=recipe)))
    assert set(found) == {"mono", "serif"}


def test_kinds_are_mixed_by_weight(words: Texts, fonts: Catalogue) -> None:
    recipe = edit_recipe(default_recipe(), {"kind": "word=3,sentence=1"})
    texts = {"word": words, "sentence": review_sentences()}
    plan = make_plan(recipe, texts, fonts, count=3000)
    found = Counter(spec.kind for spec in sample(plan, stop=2000))
    assert found["word"] / 2000 == pytest.approx(0.75, abs=0.04)


def test_a_kind_that_is_not_there_is_refused(words: Texts, fonts: Catalogue) -> None:
    recipe = edit_recipe(default_recipe(), {"kind": "sentence"})
    with pytest.raises(RecipeError) as caught:
        make_plan(recipe, {"word": words}, fonts)
    assert str(caught.value) == "kind is sentence, but the given texts are of kind word"


def test_a_fill_draws_its_photograph_and_any_draws_none(plan: Plan, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    photos = read_photos(tmp_path)
    recipe = edit_recipe(plan.recipe, {"ink_fill": "plain,photo", "background": "photo"})
    specs = sample(replace(plan, recipe=recipe, photos=photos))
    assert {(spec.ink_fill, spec.ink_photo) for spec in specs} == {
        ("plain", ""), ("photo", "a.png"), ("photo", "b.png"),
    }  # fmt: skip
    # Each is drawn by itself.
    pairs = {(spec.ink_photo, spec.photo) for spec in specs if spec.ink_photo}
    assert pairs == {
        ("a.png", "a.png"),
        ("a.png", "b.png"),
        ("b.png", "a.png"),
        ("b.png", "b.png"),
    }
    specs = sample(replace(plan, recipe=edit_recipe(plan.recipe, {"ink_fill": "any"})))
    assert {spec.ink_fill for spec in specs} == {"plain", "gradient", "texture"}


@pytest.mark.parametrize("name", ["background", "ink_fill"])
def test_photographs_must_be_given(words: Texts, fonts: Catalogue, name: str) -> None:
    recipe = edit_recipe(default_recipe(), {name: "photo"})
    with pytest.raises(RecipeError) as caught:
        make_plan(recipe, {"word": words}, fonts)
    assert str(caught.value) == (
        f"{name} is photo; give a folder of photographs with --backgrounds"
    )


def test_a_family_that_is_not_there_is_refused(words: Texts, fonts: Catalogue) -> None:
    recipe = edit_recipe(default_recipe(), {"font_family": "Comic Sans"})
    with pytest.raises(RecipeError) as caught:
        make_plan(recipe, {"word": words}, fonts)
    assert str(caught.value) == (
        "font_family is 'Comic Sans', and there is no such font; did you mean Josefin Sans"
    )


def test_other_words_are_of_the_split_and_not_of_the_text(plan: Plan) -> None:
    recipe = edit_recipe(plan.recipe, {"other_words": "0,4", "other_place": "any"})
    crowded = replace(plan, recipe=recipe)
    specs = sample(crowded)
    own = set(source_of(plan, "train").decks[0].items)
    assert {len(spec.other_texts.split()) for spec in specs} == {0, 4}
    for spec in specs:
        others = spec.other_texts.split()
        assert len(others) == spec.other_words
        assert set(others) <= own - {spec.text}
    assert {spec.other_place for spec in specs} == {"beside", "behind"}
    chosen = Counter(word for spec in specs for word in spec.other_texts.split())
    assert len(chosen) > 0.7 * min(len(own), chosen.total())
    alone = sample_spec(recipe, source_of(plan, "train"), plan.fonts, seed=1, index=77)
    assert alone == specs[77]
    # Nothing else of the images changes.
    neutral = {"other_words": 0, "other_place": "beside", "other_texts": ""}
    assert [replace(spec, **neutral) for spec in specs] == sample(plan)


def test_other_words_come_from_sentences_too(fonts: Catalogue) -> None:
    recipe = edit_recipe(default_recipe(), {"kind": "sentence", "other_words": "6"})
    plan = make_plan(recipe, {"sentence": review_sentences()}, fonts, seed=2, count=30)
    for spec in sample(plan, stop=20):
        others = spec.other_texts.split()
        assert len(others) == 6
        assert not set(others) & set(spec.text.split())


def test_a_text_that_is_the_only_one_has_itself_around_it(fonts: Catalogue) -> None:
    recipe = edit_recipe(default_recipe(), {"other_words": "3", "splits": "1,0,0"})
    plan = make_plan(
        recipe, {"word": Texts(("lone",), (None,), "one", "0" * 64)}, fonts, seed=2, count=2
    )
    assert sample(plan, stop=2)[0].other_texts == "lone lone lone"
