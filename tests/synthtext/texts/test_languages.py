from __future__ import annotations

import pytest

from synthtext.errors import WordsError
from synthtext.texts import languages
from synthtext.texts.words import read_words


def test_words_of_a_language_are_its_most_frequent() -> None:
    texts = read_words("lang:de:200")
    assert len(texts.items) == 200
    assert texts.name == "lang:de:200"
    assert {"und", "für"} <= set(texts.items)
    assert not any(char.isdigit() for word in texts.items for char in word)


def test_there_are_ten_thousand_unless_another_number_is_asked_for() -> None:
    assert len(read_words("lang:ru").items) == 10_000


@pytest.mark.parametrize("number", ["0", "-1", "x", "1000001", "٣"])
def test_what_is_not_a_number_is_refused(number: str) -> None:
    with pytest.raises(WordsError) as caught:
        read_words(f"lang:de:{number}")
    assert str(caught.value) == (
        f"lang:de:{number} asks for {number!r} words; write a number up to 1,000,000, "
        "as in lang:de:20000"
    )


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(
        WordsError, match=r"^wordfreq has no words of the language 'xx'; give one of ar, "
    ):
        read_words("lang:xx")


def test_where_wordfreq_is_missing_the_way_to_get_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(languages, "find_spec", lambda _: None)
    with pytest.raises(WordsError) as caught:
        read_words("lang:de")
    assert str(caught.value) == (
        "words of a language need the package wordfreq; run: pip install 'synthtext[words]'"
    )


@pytest.mark.parametrize("pattern", ["a? ?b?", "a  b", "e\u0301"])
def test_texts_that_no_list_could_hold_are_refused(pattern: str) -> None:
    with pytest.raises(
        WordsError, match=r"leave out empty texts, spaces at an end or in a row"
    ):
        read_words(f"pattern:{pattern}")


def test_control_characters_of_a_pattern_are_refused() -> None:
    with pytest.raises(
        WordsError, match=r"^a text of pattern:\\u202e contains the control character"
    ):
        read_words("pattern:\\u202e")


def test_as_many_texts_are_drawn_as_there_are_images() -> None:
    assert len(read_words("pattern:[a-z]{5}", n_drawn=7).items) == 7
    assert len(read_words("pattern:[a-z]{5}").items) == 20_000
    assert read_words("pattern:[a-z]{5}", n_drawn=7, seed=1) != read_words(
        "pattern:[a-z]{5}", n_drawn=7
    )
