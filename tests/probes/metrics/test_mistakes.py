from __future__ import annotations

import pandas as pd
import pytest

from probes.metrics.mistakes import (
    MAX_CLASSES,
    NONE,
    tabulate_classes,
    tabulate_letters,
    tabulate_words,
)


def table(*answers: tuple[str, str], **columns: object) -> pd.DataFrame:
    words, guesses = zip(*answers, strict=True)
    right = [word == guess for word, guess in answers]
    rows = pd.DataFrame({"word": words, "guess": guesses, "correct": right, "factor": ""})
    return rows.assign(**columns)


def test_letters_are_counted_where_words_are_aligned() -> None:
    rows = table(
        ("cat", "cot"), ("cat", "cot"), ("cat", "cat"), ("house", "hose"), ("on", "one")
    )
    counts = tabulate_letters(rows)
    assert counts is not None
    assert counts.loc["a", "o"] == 2
    assert counts.loc["u", NONE] == 1
    assert counts.loc[NONE, "e"] == 1
    assert counts.to_numpy().sum() == 4
    assert tabulate_letters(table(("cat", "cat"))) is None


def test_a_reader_s_own_answer_counts_and_not_its_nearest_candidate() -> None:
    counts = tabulate_letters(table(("cat", "dog"), answer=["Cab"]))
    assert counts is not None
    assert counts.loc["t", "b"] == 1
    assert counts.to_numpy().sum() == 1


def test_few_texts_have_a_matrix_of_their_own() -> None:
    counts = tabulate_classes(table(("cat", "Dog"), ("cat", "cat"), ("dog", "bird")))
    assert counts is not None
    assert list(counts.index) == list(counts.columns) == ["bird", "cat", "dog"]
    assert counts.to_numpy().tolist() == [[0, 0, 0], [0, 1, 1], [1, 0, 0]]
    many = [(f"w{k}", "cat") for k in range(MAX_CLASSES + 1)]
    assert tabulate_classes(table(*many)) is None


def test_words_say_how_often_and_at_which_size_they_were_read() -> None:
    rows = table(
        ("cat", "cat"), ("cat", "dog"), ("cat", "cat"), ("dog", "cat"), ("dog", "cat"),
        x_height_seen_px=[5.0, 7.0, 4.0, 3.0, 9.0],
    )  # fmt: skip
    words = tabulate_words(rows)
    assert words is not None
    assert words["word"].tolist() == ["dog", "cat"]
    assert words["accuracy"].tolist() == pytest.approx([0, 2 / 3])
    assert words["smallest_read"].isna().tolist() == [True, False]
    assert words["smallest_read"].tolist()[1] == 4.0
    assert words["largest_missed"].tolist() == [9.0, 7.0]
    assert tabulate_words(table(("cat", "cat"), ("dog", "cat"))) is None


def test_sizes_of_words_are_those_of_the_size_alone() -> None:
    rows = table(
        ("cat", "cat"), ("cat", "dog"), ("cat", "cat"), ("cat", "dog"),
        x_height_seen_px=[2.0, 6.0, 14.0, 30.0], size_px=[4.0, 12.0, 28.0, 60.0],
        baseline="easy", level=["4.0", "12.0", "baseline", "6.0"],
    ).assign(factor=["size_px", "size_px", "baseline", "blur_px"])  # fmt: skip
    words = tabulate_words(rows)
    assert words is not None
    assert words["n_seen"].tolist() == [4]
    # The image missed at 30 px was blurred.
    assert (words["smallest_read"].tolist(), words["largest_missed"].tolist()) == ([2.0], [6.0])
