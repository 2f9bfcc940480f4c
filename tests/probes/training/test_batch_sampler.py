from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.errors import ProbeError
from probes.training.batch_sampler import (
    cluster,
    cut_batches,
    join_edits,
    resample,
    shuffle,
    weave,
)


def test_an_epoch_sees_every_pair_once() -> None:
    assert sorted(shuffle(1000, seed=3, epoch=0)) == list(range(1000))


def test_epochs_and_seeds_differ() -> None:
    orders = {tuple(shuffle(50, seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4


def test_resampling_repeats_some_and_leaves_some_out() -> None:
    order = resample(1000, seed=0, epoch=0)
    assert len(order) == 1000
    # A fraction of 1/e is left out.
    assert 0.33 < 1 - len(set(order.tolist())) / 1000 < 0.41


@given(n=st.integers(2, 300), size=st.integers(2, 300), processes=st.integers(1, 4))
def test_batches_hold_every_pair_and_none_too_many(n: int, size: int, processes: int) -> None:
    if n < size:
        return
    batches = cut_batches(np.arange(n), size, processes)
    assert np.concatenate(batches).tolist() == list(range(n - n % processes))
    assert max(len(batch) for batch in batches) <= size + processes - 1
    assert all(len(batch) % processes == 0 for batch in batches)


def test_a_batch_above_the_data_is_refused() -> None:
    with pytest.raises(ProbeError) as caught:
        cut_batches(np.arange(10), 32)
    assert str(caught.value) == (
        "a batch of 32 is larger than the 10 pairs there are; pass --batch-size 10 or less"
    )


def test_clusters_share_their_batches() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(8, dtype=np.float32)
    kinds = rng.permutation(np.repeat(np.arange(8), 32))
    vectors = centres[kinds] + 0.01 * rng.normal(size=(256, 8)).astype(np.float32)
    order = cluster(vectors, 32, seed=0)
    assert sorted(order) == list(range(256))
    assert all(len(set(kinds[batch])) <= 2 for batch in cut_batches(order, 32))


def test_captions_one_edit_apart_follow_each_other() -> None:
    words = ["cat", "dog", "cot", "fig", "dig", "at", "coat", "zebra"]
    order = [words[number] for number in join_edits(words, seed=0)]
    places = {word: place for place, word in enumerate(order)}
    family = [places[word] for word in ("cat", "cot", "at", "coat")]
    assert sorted(order) == sorted(words)
    assert max(family) - min(family) == 3
    assert abs(places["dig"] - places["dog"]) <= 2


def test_equal_captions_lie_apart() -> None:
    order = join_edits(["ox", "ox", "ax", "ax", "ex", "ex"], seed=0).tolist()
    assert sorted(order) == list(range(6))
    assert {number // 2 for number in order[:3]} == {0, 1, 2}


def test_other_pairs_join_every_batch() -> None:
    batches = [np.array([0, 1]), np.array([2, 3]), np.array([4])]
    woven = weave(batches, range(10, 14), 2, seed=0, epoch=0)
    assert [batch[:-2].tolist() for batch in woven] == [[0, 1], [2, 3], [4]]
    others = np.concatenate([batch[-2:] for batch in woven])
    assert set(others[:4].tolist()) == {10, 11, 12, 13}
