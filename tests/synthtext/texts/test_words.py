from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from synthtext.errors import RecipeError, WordsError
from synthtext.texts import words
from synthtext.texts.words import LISTS, Texts, list_bundled, read_words, split_of, split_texts

FRACTIONS = (0.9, 0.05, 0.05)

PINNED = {"apple": "val", "Pear": "val", "fig": "train", "été": "test"}


def write(tmp_path: Path, raw: bytes) -> Path:
    path = tmp_path / "w.txt"
    path.write_bytes(raw)
    return path


def test_blank_lines_comments_and_duplicates_are_left_out(tmp_path: Path) -> None:
    texts = read_words(write(tmp_path, b"\xef\xbb\xbf# fruit\r\n\r\n pear \r\nfig\npear\n"))
    assert texts.items == ("pear", "fig")
    assert texts.n_duplicates == 1


def test_words_are_brought_to_one_form(tmp_path: Path) -> None:
    texts = read_words(write(tmp_path, "cafe\u0301\ncaf\u00e9\nnew   york\n".encode()))
    assert texts.items == ("caf\u00e9", "new york")


@given(st.lists(st.text(st.characters(categories=["L", "M"]), min_size=1, max_size=9)))
def test_every_word_of_a_list_is_in_form_c_and_there_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.mktemp("lists") / "w.txt"
    path.write_text("\n".join([*lines, "end"]), encoding="utf-8")
    expected = [unicodedata.normalize("NFC", line) for line in [*lines, "end"]]
    assert read_words(path).items == tuple(dict.fromkeys(expected))


def test_a_comment_may_be_longer_than_a_word(tmp_path: Path) -> None:
    assert read_words(write(tmp_path, b"# " + b"x" * 500 + b"\nfig\n")).items == ("fig",)


def test_equal_words_have_one_checksum(tmp_path: Path) -> None:
    one = read_words(write(tmp_path, b"a\nb\n"))
    other = read_words(write(tmp_path, b"# note\na\r\n\r\nb"))
    assert one.sha256 == other.sha256
    assert one.sha256 != read_words(write(tmp_path, b"b\na\n")).sha256


@pytest.mark.parametrize("name", list_bundled())
def test_bundled_lists_are_read_and_licensed(name: str) -> None:
    texts = read_words(name)
    assert len(texts.items) > 20_000
    assert texts.n_duplicates == 0
    assert (LISTS / f"{name}.LICENCE.txt").stat().st_size > 500


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "{path} has no words; write one per line"),
        (b"# only\n\n", "{path} has no words; write one per line"),
        (b"ok\n\xff\n", "{path} is not UTF-8 at byte 3; convert it, as with iconv -t utf-8"),
        (
            b"ok\n" + b"x" * 10_000,
            "{path} line 2 is 10000 characters long; at most 200 can be drawn, so split the line or delete it",
        ),
        (b"ok\nbell\x07\n", "{path} line 2 contains the control character U+0007; remove it"),
        (
            "a\u202eb\n".encode(),
            "{path} line 1 contains the control character U+202E; remove it",
        ),
    ],
)
def test_a_list_that_cannot_be_drawn_is_named(
    tmp_path: Path, raw: bytes, sentence: str
) -> None:
    path = write(tmp_path, raw)
    with pytest.raises(WordsError) as caught:
        read_words(path)
    assert str(caught.value) == sentence.format(path=path)


def test_a_missing_list_is_named() -> None:
    with pytest.raises(WordsError) as caught:
        read_words("eng")
    assert str(caught.value) == "eng is neither a file nor a bundled list; there is en"


def test_a_text_in_place_of_its_path_is_named() -> None:
    with pytest.raises(WordsError) as caught:
        read_words("x" * 5000)
    assert str(caught.value) == (
        f"{'x' * 40}... (5,000 characters) cannot be a path (file name too long); give a text file"
    )


def test_a_list_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "MAX_FILE_BYTES", 1 << 20)
    path = write(tmp_path, b"word\n" * 300_000)
    with pytest.raises(WordsError) as caught:
        read_words(path)
    assert str(caught.value) == f"{path} is larger than 1 MiB; give a text file"


def test_a_folder_is_not_a_word_list(tmp_path: Path) -> None:
    with pytest.raises(WordsError) as caught:
        read_words(tmp_path)
    assert (
        str(caught.value) == f"{tmp_path} is a folder and not a regular file; give a text file"
    )


@given(st.text(min_size=1))
@example("\N{LATIN SMALL LETTER SHARP S}\N{COMBINING ACUTE ACCENT}")
def test_a_word_and_its_other_cases_share_a_split(text: str) -> None:
    word = unicodedata.normalize("NFC", text)
    forms = {word, unicodedata.normalize("NFD", word), word.casefold()}
    # With this many cuts, two hashes rarely agree by chance.
    cuts = [(cut / 64, 1 - cut / 64, 0.0) for cut in range(64)]
    assert len({tuple(split_of(form, cut) for cut in cuts) for form in forms}) == 1


@given(st.permutations(["apple", "Pear", "fig", "plum", "date", "lime", "kiwi"]))
def test_a_split_does_not_depend_on_other_words(order: list[str]) -> None:
    texts = Texts(tuple(order), (None,) * len(order), "", "")
    places = split_texts(texts, (0.4, 0.3, 0.3))
    found = {order[place]: split for split, listed in places.items() for place in listed}
    assert found == {word: split_of(word, (0.4, 0.3, 0.3)) for word in order}


def test_splits_stay_where_earlier_releases_put_them() -> None:
    assert {word: split_of(word, (0.4, 0.3, 0.3)) for word in PINNED} == PINNED


@pytest.mark.parametrize(
    ("fractions", "shares"),
    [
        ((0.9, 0.2, -0.1), "0.9,0.2,-0.1"),
        ((0.5, 0.2, 0.1), "0.5,0.2,0.1"),
        ((0.5, 0.5, float("nan")), "0.5,0.5,nan"),
    ],
)
def test_shares_that_do_not_add_up_are_named(
    fractions: tuple[float, float, float], shares: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        split_of("apple", fractions)
    assert str(caught.value) == (
        f"splits is {shares}; three fractions of 0 or more must add up to 1"
    )


def test_splits_have_the_shares_asked_for() -> None:
    texts = read_words("en")
    places = split_texts(texts, FRACTIONS)
    for split, fraction in zip(("train", "val", "test"), FRACTIONS, strict=True):
        assert len(places[split]) / len(texts.items) == pytest.approx(fraction, abs=0.005)


@pytest.mark.parametrize(
    ("fractions", "split"),
    [((1.0, 0.0, 0.0), "train"), ((0.0, 1.0, 0.0), "val"), ((0.0, 0.0, 1.0), "test")],
)
def test_a_split_may_have_everything(fractions: tuple[float, float, float], split: str) -> None:
    texts = Texts(tuple("abcdefgh"), (None,) * 8, "", "")
    assert len(split_texts(texts, fractions)[split]) == 8


def explain(path: Path) -> str:
    with pytest.raises(WordsError) as caught:
        read_words(path)
    return str(caught.value)


@pytest.mark.parametrize("name", ["zero", "urandom"])
def test_a_device_is_not_read(name: str) -> None:
    path = Path("/dev") / name
    assert explain(path) == f"{path} is a device and not a regular file; give a text file"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert explain(path) == f"{path} is a pipe and not a regular file; give a text file"


def test_a_line_without_end_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "w.txt"
    with path.open("wb") as file:
        file.write(b"fig\n")
        file.truncate(200 << 20)
    assert explain(path) == (
        f"{path} line 2 is longer than 64 KiB; at most 200 characters can be drawn, "
        "so split the line or delete it"
    )


def test_more_lines_than_memory_holds_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "MAX_LINES", 3)
    assert read_words(write(tmp_path, b"a\nb\nc")).items == ("a", "b", "c")
    path = write(tmp_path, b"a\nb\nc\nd\n")
    assert explain(path) == f"{path} has more than 3 lines; split it into several files"


def test_a_letter_under_hundreds_of_marks_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, ("fig\na" + "\u0301" * 31).encode())
    assert (
        explain(path)
        == f"{path} line 2 has more than 30 combining marks on one letter; delete it"
    )
    assert len(read_words(write(tmp_path, ("a" + "\u0301" * 30).encode())).items) == 1
