from __future__ import annotations

import re

import pytest

from synthtext.texts.reviews import ADJECTIVES, FRAMES, VERBS, VERDICTS, review_sentences


def test_there_are_ten_thousand_distinct_sentences() -> None:
    assert len(set(review_sentences().items)) == len(review_sentences().items) >= 10_000


def test_half_of_them_are_positive() -> None:
    labels = review_sentences().labels
    assert labels.count(1) == labels.count(0) == len(labels) / 2


def test_every_sentence_begins_and_ends_as_one() -> None:
    for sentence in review_sentences().items:
        assert re.fullmatch(r"[A-Z][^.!?]+\.", sentence), sentence
        assert "  " not in sentence


def test_lengths_vary() -> None:
    n_words = [len(sentence.split()) for sentence in review_sentences().items]
    assert 6 <= min(n_words) <= 7
    assert 30 <= max(n_words) <= 40


@pytest.mark.parametrize("words", [ADJECTIVES, VERBS, VERDICTS])
def test_no_judgement_is_in_both_classes(words: dict[int, tuple[str, ...]]) -> None:
    assert not set(words[0]) & set(words[1])


@pytest.mark.parametrize("label", [0, 1])
def test_every_sentence_judges_as_its_label_says(label: int) -> None:
    texts = review_sentences()
    judging = [*ADJECTIVES[label], *VERBS[label], *VERDICTS[label]]
    for sentence, found in zip(texts.items, texts.labels, strict=True):
        assert (found != label) or any(each in sentence for each in judging)


def test_both_classes_say_the_same_of_the_same_subjects() -> None:
    def strip(sentence: str, label: int) -> str:
        for each in sorted([*ADJECTIVES[label], *VERBS[label], *VERDICTS[label]], key=len)[
            ::-1
        ]:
            sentence = sentence.replace(each, "_")
        return sentence

    for frame in FRAMES:
        shapes = [{strip(sentence, label) for sentence in frame(label)} for label in (0, 1)]
        assert shapes[0] == shapes[1]
