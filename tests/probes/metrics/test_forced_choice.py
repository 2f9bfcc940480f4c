from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.errors import ProbeError
from probes.metrics.forced_choice import (
    Choice,
    arrange_texts,
    draw_rivals,
    guess_among,
    guess_nested,
    list_ks,
    list_needed,
)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def choice_of(n_texts: int, seed: int = 0, n_rings: int = 1) -> Choice:
    names = [f"text {i}" for i in range(n_texts)]
    rings = [i * n_rings // n_texts for i in range(n_texts)]
    return arrange_texts(names, [0] * n_texts, rings, seed=seed)


@given(st.integers(0, 1000), st.integers(2, 40), st.integers(1, 30), st.integers(1, 3))
@settings(max_examples=60)
def test_ranks_are_those_of_a_plain_count(
    seed: int, n_texts: int, n: int, n_rings: int
) -> None:
    rng = np.random.default_rng(seed)
    # Vectors on a coarse grid make ties.
    texts = unit(rng.integers(1, 3, (n_texts, 3)).astype(float))
    images = unit(rng.integers(1, 3, (n, 3)).astype(float))
    truths = rng.integers(0, n_texts, n)
    ks = sorted({2, min(5, n_texts), n_texts})
    choice = choice_of(n_texts, seed, min(n_rings, n_texts // 2))
    found = guess_nested(images, texts, truths, choice=choice, ks=ks, headline=ks[-1])
    sims = images @ texts.T
    rivals = draw_rivals(choice, truths, n_texts)
    for row in range(n):
        for k in ks:
            some = sims[row, rivals[row, : k - 1]]
            n_equal = int((some == sims[row, truths[row]]).sum())
            rank = 1 + int((some > sims[row, truths[row]]).sum())
            rank += int(choice.ties[truths[row]] * (n_equal + 1))
            assert found.ranks[k][row] == rank
        best = float(sims[row, rivals[row]].max())
        margin = float(sims[row, truths[row]]) - best
        assert found.margins[row] == pytest.approx(margin, abs=1e-6)


@given(st.integers(0, 1000), st.integers(2, 40), st.integers(1, 3))
@settings(max_examples=60)
def test_rivals_are_others_each_once_and_the_same_for_a_larger_k(
    seed: int, n_texts: int, n_rings: int
) -> None:
    choice = choice_of(n_texts, seed, min(n_rings, n_texts // 2))
    truths = np.arange(n_texts)
    all_rivals = draw_rivals(choice, truths, n_texts)
    for truth, row in zip(truths, all_rivals.tolist(), strict=True):
        assert sorted([int(truth), *row]) == truths.tolist()
    for k in range(2, n_texts):
        assert (draw_rivals(choice, truths, k) == all_rivals[:, : k - 1]).all()


def test_rivals_are_of_the_ring_of_their_text_while_it_lasts() -> None:
    choice = choice_of(100, n_rings=4)
    truths = np.arange(100)
    assert (choice.rings[draw_rivals(choice, truths, 25)] == choice.rings[:, None]).all()
    assert list_needed(choice, np.array([30]), 25).sum() == 25
    assert list_needed(choice, np.array([30]), 26).all()


@pytest.mark.parametrize("k", [2, 3, 10, 100, 400])
def test_whatever_a_blind_reader_likes_it_is_at_chance(k: int) -> None:
    # It prefers texts by their order on the circle, for example the longest ones.
    n, n_draws, hits = 400, 50, 0.0
    for seed in range(n_draws):
        choice = choice_of(n, seed)
        like = np.empty(n)
        like[choice.order] = np.arange(n)
        rivals = draw_rivals(choice, np.arange(n), k)
        hits += (like[rivals] < like[:, None]).all(axis=1).mean()
    error = np.sqrt(1 / k * (1 - 1 / k) / (n * n_draws))
    assert abs(hits / n_draws - 1 / k) < 4 * error


def test_a_right_guess_is_the_truth_and_a_wrong_one_is_not() -> None:
    rng = np.random.default_rng(0)
    texts = unit(rng.normal(size=(50, 8)))
    truths = rng.integers(0, 50, 200)
    images = unit(texts[truths] + 0.5 * rng.normal(size=(200, 8)))
    found = guess_nested(images, texts, truths, choice=choice_of(50), ks=[2, 20], headline=20)
    assert ((found.guesses == truths) == (found.ranks[20] == 1)).all()
    assert 0.1 < (found.ranks[20] == 1).mean() < 0.9


def test_a_larger_choice_is_never_easier() -> None:
    rng = np.random.default_rng(0)
    texts, images = unit(rng.normal(size=(300, 4))), unit(rng.normal(size=(200, 4)))
    truths = rng.integers(0, 300, 200)
    ks = [2, 10, 100, 300]
    ranks = guess_nested(
        images, texts, truths, choice=choice_of(300), ks=ks, headline=100
    ).ranks
    assert all((ranks[a] <= ranks[b]).all() for a, b in itertools.pairwise(ks))


def test_an_oracle_is_always_right() -> None:
    texts = unit(np.random.default_rng(0).normal(size=(100, 32)))
    truths = np.arange(100)
    found = guess_nested(texts, texts, truths, choice=choice_of(100), ks=[2, 100], headline=100)
    assert (found.ranks[100] == 1).all()
    assert (found.margins > 0).all()


@pytest.mark.parametrize("k", [2, 10, 100])
def test_a_reader_that_finds_all_texts_alike_scores_at_chance(k: int) -> None:
    texts = np.tile(np.float32([1, 0]), (5000, 1))
    truths = np.arange(5000)
    found = guess_nested(texts, texts, truths, choice=choice_of(5000), ks=[k], headline=k)
    # Four standard deviations of a binomial fraction.
    right = found.ranks[k] == 1
    assert abs(right.mean() - 1 / k) < 4 * np.sqrt(1 / k * (1 - 1 / k) / 5000)


def test_candidates_of_ones_own_are_ranked() -> None:
    images = np.float32([[1, 0], [0, 1]])
    candidates = np.float32([[[1, 0], [0, 1], [0.6, 0.8]], [[0.6, 0.8], [0, 1], [1, 0]]])
    found = guess_among(images, candidates, np.zeros(2))
    assert found.ranks[3].tolist() == [1, 2]
    assert found.guesses.tolist() == [0, 1]
    assert found.margins.tolist() == pytest.approx([0.4, -0.2])


def test_the_confidence_of_a_guess_is_its_softmax_among_the_candidates_asked() -> None:
    rng = np.random.default_rng(0)
    texts, images = unit(rng.normal(size=(30, 4))), unit(rng.normal(size=(20, 4)))
    truths = rng.integers(0, 30, 20)
    choice = choice_of(30)
    found = guess_nested(
        images, texts, truths, choice=choice, ks=[2, 10, 30], headline=10, scale=7.0
    )
    rivals = draw_rivals(choice, truths, 10)
    for image, truth, others, guess, sure in zip(
        images, truths, rivals, found.guesses, found.confidences, strict=True
    ):
        powers = {place: np.exp(7.0 * image @ texts[place]) for place in [truth, *others]}
        assert sure == pytest.approx(powers[guess] / sum(powers.values()), rel=1e-5)
    assert guess_nested(
        images, texts, truths, choice=choice, ks=[2], headline=2
    ).confidences is None  # fmt: skip


def test_the_confidence_among_candidates_of_ones_own_is_a_softmax() -> None:
    images = np.float32([[1, 0], [0, 1]])
    candidates = np.float32([[[1, 0], [0, 1]], [[0.6, 0.8], [0, 1]]])
    found = guess_among(images, candidates, np.zeros(2), scale=2.0)
    expected = [1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2 * (0.8 - 1)))]
    assert found.confidences == pytest.approx(expected, rel=1e-6)


def test_the_usual_choices_go_as_far_as_the_vocabulary() -> None:
    assert list_ks(500) == [2, 10, 100]


@pytest.mark.parametrize(
    ("n_candidates", "asked", "sentence"),
    [
        (50, [2, 100], "K is 100, but the vocabulary has 50 words; ask for fewer"),
        (50, [1, 2], "K is 1; it must be 2 or more"),
    ],
)
def test_a_choice_that_cannot_be_is_named(
    n_candidates: int, asked: list[int], sentence: str
) -> None:
    with pytest.raises(ProbeError) as caught:
        list_ks(n_candidates, asked)
    assert str(caught.value) == sentence
