from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from synthtext.dataset.balance import BALANCE, read_balance
from synthtext.dataset.covering import cover_alphabet
from synthtext.dataset.generate import draw_images, render_dataset
from synthtext.dataset.manifest import NotDrawn
from synthtext.dataset.merge import merge_datasets
from synthtext.dataset.plan import Plan, list_shards, make_plan
from synthtext.dataset.shards import read_shard
from synthtext.dataset.statistics import count_dataset
from synthtext.drawing.fonts import Catalogue
from synthtext.errors import DatasetError, SynthtextError, WordsError
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.sampling import sample_spec
from synthtext.texts.alphabets import read_alphabet
from synthtext.texts.words import Texts, make_texts, read_words, split_of

EDITS = {"splits": "0.5,0.25,0.25", "size_px": "16", "width_px": "96", "height_px": "48"}


@pytest.fixture
def base(words: Texts, fonts: Catalogue) -> Plan:
    return make_plan(edit_recipe(default_recipe(), EDITS), {"word": words}, fonts, seed=3)


def count_drawn(plan: Plan) -> dict[str, Counter[str]]:
    """Return how often each character is drawn in each split."""
    counts = {source.split: Counter[str]() for source in plan.sources}
    for shard in list_shards(plan):
        for image in draw_images(plan, shard):
            if not isinstance(image, NotDrawn):
                counts[shard.split].update(image.spec.drawn_text)
    return counts


def test_every_character_comes_up_often_enough_in_every_split(base: Plan) -> None:
    alphabet = read_alphabet("[a-zA-F0-2€]")
    plan = cover_alphabet(base, alphabet, 3)
    counts = count_drawn(plan)
    assert set(counts) == {"train", "val", "test"}
    for split, found in counts.items():
        assert min(found[char] for char in alphabet) >= 3, split
    assert plan.n_images == base.n_images + sum(len(each.chosen) for each in plan.sources)


def test_without_an_alphabet_it_is_that_of_the_texts_in_their_cases(base: Plan) -> None:
    plan = cover_alphabet(base, None, 2)
    assert plan.cover is not None
    assert set(plan.cover.alphabet) == set("abcdefgilmnoprstuwABCDEFGILMNOPRSTUWdD")


def test_words_of_the_split_are_chosen_before_texts_are_made(base: Plan) -> None:
    plan = cover_alphabet(base, ("o", "D", "7"), 4)
    listed = {source.split: set(source.decks[0].items) for source in plan.sources}
    made = set(plan.classnames[len(base.classnames) :])
    for source in plan.sources:
        for chosen in source.chosen:
            assert split_of(chosen.text, plan.recipe.splits) == source.split
            assert chosen.text in listed[source.split] or "7" in chosen.text
            assert plan.classnames[chosen.class_index] == chosen.text
    assert made
    assert all(4 <= len(text) <= 8 and "7" in text for text in made)


def test_texts_are_not_repeated_before_all_were_shown(base: Plan) -> None:
    plan = cover_alphabet(base, ("s",), 2)
    train = plan.sources[0]
    assert len({(each.text, each.case) for each in train.chosen}) == len(train.chosen)


def test_an_image_drawn_alone_is_the_one_of_the_plan(base: Plan) -> None:
    plan = cover_alphabet(base, tuple("word7"), 5)
    for shard in list_shards(plan):
        source = next(each for each in plan.sources if each.split == shard.split)
        images = [each for each in draw_images(plan, shard) if not isinstance(each, NotDrawn)]
        for image in images[:: len(images) // 4]:
            index = image.spec.index
            alone = sample_spec(plan.recipe, source, plan.fonts, seed=3, index=index)
            assert alone.text == image.spec.text
            assert alone.case == image.spec.case


def test_after_the_chosen_texts_each_text_comes_up_once(base: Plan) -> None:
    plan = cover_alphabet(base, tuple("abc"), 5)
    drawn = Counter(
        image.spec.text
        for shard in list_shards(plan)
        for image in draw_images(plan, shard)
        if not isinstance(image, NotDrawn)
    )
    drawn.subtract(each.text for source in plan.sources for each in source.chosen)
    assert {drawn[item] for item in plan.texts["word"].items} == {1}


def test_texts_that_do_not_fit_are_replaced(words: Texts, fonts: Catalogue) -> None:
    # Half of the images are so narrow that only the short words fit.
    edits = {**EDITS, "size_px": "24", "shrink": "false", "width_px": "40,400"}
    listed = make_texts(["wwwwwwwwwwww", "mmmmmmmmmm", "w", "m", "wo", "om"], [None] * 6, "few")
    recipe = edit_recipe(default_recipe(), {**edits, "splits": "1,0,0"})
    plan = cover_alphabet(make_plan(recipe, {"word": listed}, fonts), ("w", "m"), 40)
    found = count_drawn(plan)["train"]
    assert min(found["w"], found["m"]) >= 40
    shard = next(list_shards(plan))
    first = list(draw_images(plan, shard))[: len(plan.sources[0].chosen)]
    # A text that was not tried in an image would be lost in every third.
    assert sum(isinstance(image, NotDrawn) for image in first) < len(first) / 20


@pytest.mark.parametrize(
    ("edits", "alphabet", "n_each", "count", "message"),
    [
        ({}, "a", 0, None, "--cover is 0; it must be 1 to 1,000,000"),
        ({}, "a\ue000", 1, None,
         r"no font has '\ue000' (U+E000) of the alphabet; leave that out, or add a font with"
         " --fonts"),
        ({"case": "lower"}, "aB", 1, None,
         "case is lower, which never shows 'B' (U+0042) of the alphabet; leave that out, or"
         " change --case"),
        ({}, "a\u0301", 1, None,
         "no text of train has '\u0301' (U+0301) of the alphabet, and none can be made; leave"
         " it out, or give texts that have it"),
        ({"size_px": "60", "width_px": "30", "shrink": "false"}, "w", 2, None,
         "too few texts with 'w' (U+0077) can be drawn in train"),
        ({}, "abcdefghij", 50, 20, "--cover 50 takes"),
    ],
)  # fmt: skip
def test_what_cannot_be_promised_is_refused_in_a_sentence(
    words: Texts, fonts: Catalogue, edits: dict[str, str], alphabet: str, n_each: int,
    count: int | None, message: str,
) -> None:  # fmt: skip
    recipe = edit_recipe(default_recipe(), EDITS | edits)
    plan = make_plan(recipe, {"word": words}, fonts, count=count)
    with pytest.raises(SynthtextError) as error:
        cover_alphabet(plan, tuple(alphabet), n_each, count=count)
    assert isinstance(error.value, DatasetError | WordsError)
    assert str(error.value).startswith(message)


def test_a_count_includes_the_chosen_images_and_the_refusal_names_one_that_suffices(
    words: Texts, fonts: Catalogue
) -> None:
    recipe = edit_recipe(default_recipe(), EDITS)

    def cover(count: int) -> Plan:
        plan = make_plan(recipe, {"word": words}, fonts, count=count)
        return cover_alphabet(plan, tuple("abcxyz"), 9, count=count)

    with pytest.raises(DatasetError) as error:
        cover(40)
    enough = int(str(error.value).split("--count ")[1].split(" ")[0])
    assert cover(enough).n_images == enough


def test_the_bytes_and_the_balance_do_not_depend_on_workers_or_parts(
    base: Plan, tmp_path: Path
) -> None:
    plan = cover_alphabet(base, tuple("aw7"), 3)
    manifest = render_dataset(plan, tmp_path / "one")
    render_dataset(plan, tmp_path / "two", n_workers=2)
    parts = [tmp_path / "a", tmp_path / "b"]
    for number, part in enumerate(parts):
        render_dataset(plan, part, part=f"{number}/2")
    merge_datasets(parts, tmp_path / "three")
    for other in ("two", "three"):
        for file in sorted((tmp_path / "one").glob("**/*.*")):
            name = file.relative_to(tmp_path / "one")
            assert (tmp_path / other / name).read_bytes() == file.read_bytes(), name
    assert manifest["plan"]["cover"]["alphabet"] == "aw7"
    assert set(manifest["files"]) >= {BALANCE}
    counts = {split: Counter[str]() for split in manifest["splits"]}
    for path in (tmp_path / "one").glob("*/*.tar"):
        for rendering in read_shard(path):
            counts[path.parent.name].update(rendering.spec.drawn_text)
    balance = read_balance(tmp_path / "one")
    assert balance is not None
    assert not balance.lacking
    for split, each in balance.counts.items():
        assert dict(each) == {char: counts[split][char] for char in "aw7"}
    found = count_dataset(tmp_path / "one")
    assert {split: found.split_characters[split]["7"] for split in counts} == {
        split: counts[split]["7"] for split in counts
    }


def test_another_alphabet_is_another_plan(base: Plan, tmp_path: Path) -> None:
    render_dataset(cover_alphabet(base, tuple("aw"), 3), tmp_path / "out", part="0:1")
    with pytest.raises(DatasetError, match="was started with"):
        render_dataset(cover_alphabet(base, tuple("aw"), 4), tmp_path / "out", part="0:1")


def test_a_dataset_without_a_promise_has_no_balance(base: Plan, tmp_path: Path) -> None:
    manifest = render_dataset(base, tmp_path / "out")
    assert read_balance(tmp_path / "out") is None
    assert BALANCE not in manifest["files"]
    assert "cover" not in manifest["plan"]


@pytest.mark.parametrize("content", ["", "[]", '{"at_least": 1, "counts": {"train": 3}}'])
def test_a_broken_balance_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / BALANCE).write_text(content)
    with pytest.raises(DatasetError, match="is not what synthtext wrote"):
        read_balance(tmp_path)


def test_what_is_too_rare_is_known(tmp_path: Path) -> None:
    fields = {"at_least": 5, "counts": {"train": {"a": 5, "b": 9}, "val": {"a": 4, "b": 6}}}
    (tmp_path / BALANCE).write_text(json.dumps(fields))
    balance = read_balance(tmp_path)
    assert balance is not None
    assert balance.lacking == {"val": {"a": 4}}


def test_patterns_and_marks_of_words_are_covered(tmp_path: Path, fonts: Catalogue) -> None:
    recipe = edit_recipe(default_recipe(), EDITS | {"splits": "1,0,0", "case": "as-is"})
    texts = read_words(r"pattern:\d{3}[kK]", n_drawn=30)
    plan = cover_alphabet(make_plan(recipe, {"word": texts}, fonts), tuple("0k"), 40)
    found = count_drawn(plan)["train"]
    assert min(found["0"], found["k"]) >= 40
    assert not {each.text for each in plan.sources[0].chosen} - set(texts.items)
