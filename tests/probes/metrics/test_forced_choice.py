from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.errors import ProbeError
from probes.metrics.forced_choice import draw_candidates, guess_among, guess_nested, list_ks
from synthtext.rng import draw_below, draw_units


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(0, 1000), st.integers(2, 40), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_ranks_are_those_of_a_plain_count(seed: int, n_texts: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    # Vectors on a coarse grid make ties.
    texts = unit(rng.integers(1, 3, (n_texts, 3)).astype(float))
    images = unit(rng.integers(1, 3, (n, 3)).astype(float))
    truths = rng.integers(0, n_texts, n)
    ks = sorted({2, min(5, n_texts), n_texts})
    found = guess_nested(images, texts, truths, ks=ks, headline=ks[-1], seed=seed)
    order = np.argsort(draw_units(seed, "candidates", 0, n_texts)[:, 0], kind="stable")
    units = draw_units(seed, "ties", 0, n)
    starts = draw_below(units[:, 1], n_texts)
    sims = images @ np.ascontiguousarray(texts[order]).T
    for row in range(n):
        truth = int(np.flatnonzero(order == truths[row])[0])
        around = [(starts[row] + step) % n_texts for step in range(n_texts)]
        rivals = [place for place in around if place != truth]
        for k in ks:
            some = sims[row, rivals[: k - 1]]
            n_equal = int((some == sims[row, truth]).sum())
            rank = 1 + int((some > sims[row, truth]).sum()) + int(units[row, 0] * (n_equal + 1))
            assert found.ranks[k][row] == rank
        rival = float(sims[row, rivals[: ks[-1] - 1]].max())
        assert found.margins[row] == pytest.approx(float(sims[row, truth]) - rival, abs=1e-6)


def test_a_right_guess_is_the_truth_and_a_wrong_one_is_not() -> None:
    rng = np.random.default_rng(0)
    texts = unit(rng.normal(size=(50, 8)))
    truths = rng.integers(0, 50, 200)
    images = unit(texts[truths] + 0.5 * rng.normal(size=(200, 8)))
    found = guess_nested(images, texts, truths, ks=[2, 20], headline=20, seed=1)
    assert ((found.guesses == truths) == (found.ranks[20] == 1)).all()
    assert 0.1 < (found.ranks[20] == 1).mean() < 0.9


def test_a_larger_choice_is_never_easier() -> None:
    rng = np.random.default_rng(0)
    texts, images = unit(rng.normal(size=(300, 4))), unit(rng.normal(size=(200, 4)))
    truths = rng.integers(0, 300, 200)
    ks = [2, 10, 100, 300]
    ranks = guess_nested(images, texts, truths, ks=ks, headline=100, seed=1).ranks
    assert all((ranks[a] <= ranks[b]).all() for a, b in itertools.pairwise(ks))


def test_an_oracle_is_always_right() -> None:
    texts = unit(np.random.default_rng(0).normal(size=(100, 32)))
    truths = np.arange(100)
    found = guess_nested(texts, texts, truths, ks=[2, 100], headline=100, seed=0)
    assert (found.ranks[100] == 1).all()
    assert (found.margins > 0).all()


@pytest.mark.parametrize("k", [2, 10, 100])
def test_a_blind_reader_scores_at_chance(k: int) -> None:
    texts = np.tile(np.float32([1, 0]), (500, 1))
    images = np.tile(np.float32([1, 0]), (20_000, 1))
    truths = np.arange(20_000) % 500
    right = guess_nested(images, texts, truths, ks=[k], headline=k, seed=3).ranks[k] == 1
    # Four standard deviations of a binomial share.
    assert abs(right.mean() - 1 / k) < 4 * np.sqrt(1 / k * (1 - 1 / k) / 20_000)


def test_candidates_of_ones_own_are_ranked() -> None:
    images = np.float32([[1, 0], [0, 1]])
    candidates = np.float32([[[1, 0], [0, 1], [0.6, 0.8]], [[0.6, 0.8], [0, 1], [1, 0]]])
    found = guess_among(images, candidates, seed=0)
    assert found.ranks[3].tolist() == [1, 2]
    assert found.guesses.tolist() == [0, 1]
    assert found.margins.tolist() == pytest.approx([0.4, -0.2])


def test_the_usual_choices_go_as_far_as_the_vocabulary() -> None:
    assert list_ks(500) == [2, 10, 100]


@pytest.mark.parametrize(
    ("n_candidates", "asked", "sentence"),
    [
        (50, [2, 100], "K is 100, but the vocabulary has 50 words; ask for fewer"),
        (50, [1, 2], "K is 1; a choice is among 2 or more"),
    ],
)
def test_a_choice_that_cannot_be_is_named(
    n_candidates: int, asked: list[int], sentence: str
) -> None:
    with pytest.raises(ProbeError) as caught:
        list_ks(n_candidates, asked)
    assert str(caught.value) == sentence


@given(st.integers(0, 1000), st.integers(2, 30), st.data())
@settings(max_examples=60, deadline=None)
def test_candidates_are_those_that_the_nested_choice_is_among(
    seed: int, n_texts: int, data: st.DataObject
) -> None:
    k = data.draw(st.integers(2, n_texts))
    rng = np.random.default_rng(seed)
    texts, images = unit(rng.normal(size=(n_texts, 4))), unit(rng.normal(size=(20, 4)))
    truths = rng.integers(0, n_texts, 20)
    places = draw_candidates(truths, n_texts, k=k, seed=seed)
    assert all(len(set(row)) == k for row in places.tolist())
    nested = guess_nested(images, texts, truths, ks=[k], headline=k, seed=seed)
    among = guess_among(images, texts[places], seed)
    assert (nested.ranks[k] == among.ranks[k]).all()
