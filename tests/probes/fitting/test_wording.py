from __future__ import annotations

import numpy as np
import pytest

from probes.fitting.proposal import LENGTHS, weigh
from probes.fitting.wording import MARK_FRAC, NUMBER_FRAC, add_signs, choose_words
from synthtext.texts.words import read_words

SHARES = np.array([0.1, 0.2, 0.1, 0.3, 0.1, 0.1, 0.1])


def has_digits(text: str) -> bool:
    return any(map(str.isdigit, text))


def test_words_are_of_the_lengths_asked_for() -> None:
    words = read_words("en").items
    chosen = choose_words(words, weigh(LENGTHS, SHARES), seed=0)
    lengths = np.array([len(word) for word in chosen])
    assert (lengths == 1).mean() == pytest.approx(0.1, abs=0.01)
    assert (lengths == 2).mean() == pytest.approx(0.2, abs=0.01)
    unique = choose_words(words, weigh(LENGTHS, SHARES), seed=0, repeats=False)
    assert len(set(unique)) == len(unique)


def test_signs_hold_numbers_and_marks_among_words() -> None:
    words = read_words("en").items
    signs = add_signs(words, seed=0)
    assert signs == add_signs(words, seed=0)
    marked = [text for text in signs if not text.isalnum() and not has_digits(text)]
    assert len(marked) / len(words) == pytest.approx(MARK_FRAC, abs=0.01)
    chosen = choose_words(signs, weigh(LENGTHS, SHARES), seed=0, repeats=False)
    n_numbers = sum(map(has_digits, chosen))
    # Of one and two characters there are too few words, and more numbers.
    assert NUMBER_FRAC - 0.02 < n_numbers / len(chosen) < NUMBER_FRAC + 0.1


def test_a_list_of_numbers_alone_is_drawn_from() -> None:
    plates = tuple(f"{number:05d}" for number in range(300))
    shares = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    chosen = choose_words(plates, weigh(LENGTHS, shares), seed=0, repeats=False)
    assert set(chosen) == set(plates)
