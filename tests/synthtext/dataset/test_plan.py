from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtext.dataset.plan import _apportion, describe_plan, list_shards, make_plan
from synthtext.drawing.fonts import Catalogue
from synthtext.errors import DatasetError, RecipeError, WordsError
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.reviews import review_sentences
from synthtext.texts.words import Texts


def texts_of(*items: str) -> Texts:
    return Texts(items, (None,) * len(items), "items", "", 0)


@given(
    count=st.integers(1, 10**6),
    shares=st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda s: sum(s) > 0.01),
)
def test_shares_of_a_count_add_up_to_it(count: int, shares: list[float]) -> None:
    counts = _apportion(count, dict(zip("abc", shares, strict=True)))
    assert sum(counts.values()) == count
    for name, n in counts.items():
        assert abs(n - count * shares["abc".index(name)] / sum(shares)) <= 1


def test_without_a_count_every_text_is_drawn_once(words: Texts, fonts: Catalogue) -> None:
    plan = make_plan(default_recipe(), {"word": words}, fonts)
    assert [len(source.decks[0].items) for source in plan.sources] == list(plan.counts)
    assert plan.n_images == len(words.items)


def test_no_text_is_in_two_splits(words: Texts, fonts: Catalogue) -> None:
    plan = make_plan(default_recipe(), {"word": words}, fonts)
    dealt = [item for source in plan.sources for deck in source.decks for item in deck.items]
    assert sorted(dealt) == sorted(words.items)


def test_shards_hold_every_index_once(words: Texts, fonts: Catalogue) -> None:
    recipe = edit_recipe(default_recipe(), {"shard_size": "7"})
    plan = make_plan(recipe, {"word": words}, fonts, count=100)
    shards = list(list_shards(plan))
    assert [index for shard in shards for index in shard.indices] == list(range(100))
    assert max(len(shard.indices) for shard in shards) == 7


def test_a_split_without_texts_gets_no_images(fonts: Catalogue) -> None:
    recipe = edit_recipe(default_recipe(), {"splits": "1,0,0"})
    plan = make_plan(recipe, {"word": texts_of("one", "two")}, fonts, count=10)
    assert [source.split for source in plan.sources] == ["train"]


def test_labelled_sentences_are_of_two_classes(fonts: Catalogue) -> None:
    plan = make_plan(default_recipe(), {"sentence": review_sentences()}, fonts)
    assert plan.classnames == ("negative", "positive")
    for source in plan.sources:
        assert source.decks[0].class_indices == source.decks[0].labels


def test_the_class_of_a_word_is_its_line(words: Texts, fonts: Catalogue) -> None:
    plan = make_plan(default_recipe(), {"word": words}, fonts)
    for source in plan.sources:
        for item, line in zip(
            source.decks[0].items, source.decks[0].class_indices, strict=True
        ):
            assert plan.classnames[line] == item


def test_the_versions_that_pixels_depend_on_are_described(
    words: Texts, fonts: Catalogue
) -> None:
    described = describe_plan(make_plan(default_recipe(), {"word": words}, fonts))
    assert set(described["versions"]) == {
        "synthtext", "pillow", "numpy", "opencv-python-headless", "uharfbuzz", "uniseg",
        "freetype",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("count", "seed", "sentence"),
    [
        (0, 0, "count is 0; it must be 1 or more"),
        (5, -1, "seed is -1; it must be 0 or more"),
    ],
)
def test_a_number_out_of_range_is_named(
    words: Texts, fonts: Catalogue, count: int, seed: int, sentence: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        make_plan(default_recipe(), {"word": words}, fonts, count=count, seed=seed)
    assert str(caught.value) == sentence


def test_texts_that_no_font_covers_are_refused_at_once(fonts: Catalogue) -> None:
    with pytest.raises(WordsError) as caught:
        make_plan(default_recipe(), {"word": texts_of("漢字", "仮名")}, fonts)
    assert str(caught.value) == (
        "no font covers any of the texts, such as '漢字'; add a font with --fonts"
    )


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (
            {"font_category": "sans,serrif"},
            "font_category is 'serrif', and there is no such font; did you mean serif",
        ),
        (
            {"font_family": "Lato,x"},
            "font_family is 'x', and there is no such font; `synthtext fonts` lists them",
        ),
    ],
)
def test_fonts_that_are_not_there_are_named(
    words: Texts, fonts: Catalogue, edit: dict[str, str], sentence: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        make_plan(edit_recipe(default_recipe(), edit), {"word": words}, fonts, count=5)
    assert str(caught.value) == sentence
