from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtext.errors import WordsError
from synthtext.texts.sentences import detokenise, read_sentences
from synthtext.texts.words import split_texts

SST2 = Path(__file__).parents[4] / "shared/data/sst2"

needs_sst2 = pytest.mark.skipif(not SST2.is_dir(), reason="the SST2 files are not here")

PUBLISHED = {"train": (6920, 3610), "dev": (872, 444), "test": (1821, 909)}

TOKENS = st.sampled_from(
    ["it", "'s", "n't", "do", "``", "''", "`", "'", ",", ".", "...", "--", "-LRB-", "-RRB-", "\\/",
     "$", "20", "%", "!", "?", "can", "not", "gon", "na", "A", "é", ";", ":", "as", "s", "#", "'em", "T", "Ã©", "-", " "]
)  # fmt: skip


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("It 's n't", "It'sn't"),
        ("I do n't .", "I don't."),
        ("`` Good , '' she said .", '"Good," she said.'),
        ("the ` new ' one", "the 'new' one"),
        ("his and\\/or hers", "his and/or hers"),
        ("a film -LRB- of sorts -RRB- , then", "a film (of sorts), then"),
        ("costs $ 20 , or 5 %", "costs $20, or 5%"),
        ("gon na go", "gonna go"),
        ("well ... maybe", "well... maybe"),
        ("big -- and loud", "big -- and loud"),
        ("haul 'em , wait 'til dawn", "haul 'em, wait 'til dawn"),
        ("a shoot - 'em - up of the mid - '90s", "a shoot-'em-up of the mid-'90s"),
        ("He says , ' I know ' .", "He says, 'I know'."),
        ("known as ' a joy , ' it is", "known as 'a joy,' it is"),
        ("the ` kids ' film ' , dubbed", "the 'kids' film', dubbed"),
        ("the girls ' own film", "the girls' own film"),
        ("those old ' 50 's creatures", "those old '50's creatures"),
        ("cops , robbers , etc. .", "cops, robbers, etc."),
        ("and so on . . .", "and so on..."),
        ("a .38 special", "a .38 special"),
        ("( T ) he film and a 401 ( k ) plan", "(T)he film and a 401(k) plan"),
        ("( A ) film that hit ( s )", "(A) film that hit(s)"),
        ("I can not say ; I can not only sing", "I cannot say; I can not only sing"),
        ("C # is # 1", "C # is #1"),
        ("AndrÃ© Turpin", "André Turpin"),
        ("voilÃ\u00a0 , donâ€™t", "voilà, don\u2019t"),
        ("Ã and é stay", "Ã and é stay"),
        ("plain text stays.", "plain text stays."),
    ],
)
def test_tokens_are_joined(tokens: str, text: str) -> None:
    assert detokenise(tokens) == text


@given(
    st.one_of(st.text(), *(st.lists(TOKENS, max_size=12).map(gap.join) for gap in ("", " ")))
)
def test_joining_twice_changes_nothing_more(text: str) -> None:
    once = detokenise(text)
    assert detokenise(once) == once


@needs_sst2
@pytest.mark.parametrize("split", PUBLISHED)
def test_the_published_counts_are_kept(split: str) -> None:
    texts = read_sentences(SST2 / f"{split}.tsv")
    assert (len(texts.items), sum(label or 0 for label in texts.labels)) == PUBLISHED[split]


@needs_sst2
@pytest.mark.parametrize("split", PUBLISHED)
def test_no_token_is_left_in_published_sentences(split: str) -> None:
    for sentence in read_sentences(SST2 / f"{split}.tsv").items:
        assert not re.search(
            r"``|''|-[LR][RSC]B-| [,.;:!?](?!\.)| n't|\\|`|(?<!\S)'(?!\S)|[^.]\.\.$", sentence
        ), sentence
        assert detokenise(sentence) == sentence


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "s.tsv"
    path.write_text(text)
    return path


def test_columns_come_in_any_order_and_labels_by_name(tmp_path: Path) -> None:
    texts = read_sentences(write(tmp_path, "label\tsentence\nnegative\ta bore\n1\ta joy\n"))
    assert (texts.items, texts.labels) == (("a bore", "a joy"), (0, 1))


def test_sentences_that_come_twice_are_kept_and_counted(tmp_path: Path) -> None:
    texts = read_sentences(write(tmp_path, "sentence\tlabel\nsame\t1\nsame\t1\n"))
    assert (len(texts.items), texts.n_duplicates) == (2, 1)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "",
            "{path} begins with ''; its first line must name the columns sentence and label, separated by a tab",
        ),
        (
            "a joy\t1\n",
            "{path} begins with 'a joy 1'; its first line must name the columns sentence and label, separated by a tab",
        ),
        ("sentence\tlabel\n", "{path} has no sentences; write one per line below the header"),
        (
            "label\tsentence\tsource\n1\t \tme\n",
            "{path} line 2 has no sentence; write one or delete the line",
        ),
        ("sentence\tlabel\na joy\n", "{path} line 2 has 1 fields; its header has 2"),
        (
            "sentence\tlabel\na joy\t2\n",
            "{path} line 2 has the label '2'; it is 0, 1, negative or positive",
        ),
    ],
)
def test_a_file_of_another_form_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(WordsError) as caught:
        read_sentences(path)
    assert str(caught.value) == sentence.format(path=path)


def write_splits(folder: Path) -> Path:
    folder.mkdir()
    for name, rows in (
        ("train", "fine , really\t1\ndull\t0\ngood\t1\n"),
        ("dev", "bad\t0\n"),
        ("test", "great\t1\nfine , really\t1\n"),
    ):
        (folder / f"{name}.tsv").write_text(f"sentence\tlabel\n{rows}")
    (folder / "notes.tsv").write_text("no sentences")
    return folder


def test_a_folder_of_published_splits_keeps_them(tmp_path: Path) -> None:
    texts = read_sentences(write_splits(tmp_path / "sst2"))
    assert dict(Counter(texts.splits)) == {"train": 3, "val": 1, "test": 2}
    places = split_texts(texts, (0.9, 0.05, 0.05))
    assert [texts.items[place] for place in places["test"]] == ["great", "fine, really"]
    assert [texts.labels[place] for place in places["train"]] == [1, 0, 1]
    assert texts.n_duplicates == 1


def test_a_column_can_say_the_split(tmp_path: Path) -> None:
    path = tmp_path / "all.tsv"
    path.write_text("sentence\tsplit\tlabel\nfine\ttrain\t1\ndull\tvalid\t0\n")
    assert read_sentences(path).splits == ("train", "val")
    path.write_text("sentence\tsplit\tlabel\nfine\tdevel\t1\n")
    with pytest.raises(WordsError) as caught:
        read_sentences(path)
    assert str(caught.value) == (
        f"{path} line 2 has the split 'devel'; it is train, dev, val, valid, validation, test"
    )


def test_a_folder_without_sentences_is_said(tmp_path: Path) -> None:
    with pytest.raises(WordsError) as caught:
        read_sentences(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} has no sentences; give train.tsv, dev.tsv and test.tsv"
    )


@pytest.mark.skipif(
    not Path("../shared/data/sst2").is_dir(), reason="the published sentences are not here"
)
def test_the_published_splits_and_labels_are_counted_as_published() -> None:
    texts = read_sentences(Path("../shared/data/sst2"))
    counts = Counter(zip(texts.splits, texts.labels, strict=True))
    assert counts == {
        ("train", 1): 3610, ("train", 0): 3310, ("val", 1): 444, ("val", 0): 428,
        ("test", 1): 909, ("test", 0): 912,
    }  # fmt: skip
