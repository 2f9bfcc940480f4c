"""Batch composition: which pairs a training step sees together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans

from probes.arrays import Vectors
from probes.errors import ProbeError
from synthtext.rng import draw_bits

Order = NDArray[np.int64]
"""Indices of pairs, (N,), in the order in which an epoch sees them."""

MINED = frozenset({"image", "text", "both"})
"""Kinds that need the current vectors of the model."""

MIN_CLUSTERS = 2


def shuffle(n: int, seed: int, epoch: int) -> Order:
    """Return a random permutation of the numbers 0 to n - 1."""
    return np.argsort(draw_bits(seed, f"order {epoch}", 0, n)[:, 0], kind="stable")


def resample(n: int, seed: int, epoch: int) -> Order:
    """Return n numbers sampled from 0 to n - 1 with replacement."""
    return (draw_bits(seed, f"resample {epoch}", 0, n)[:, 0] % np.uint64(n)).astype(np.int64)


def cluster(vectors: Vectors, batch_size: int, seed: int) -> Order:
    """Return an order in which batches contain pairs with similar vectors.

    k-means with as many clusters as there are batches; the clusters are then concatenated, each
    after the nearest one, so that a batch from two clusters takes similar ones.

    Args:
        vectors: float32 (N, D).
        batch_size: pairs per batch.
        seed: for the initial centres.
    """
    n_clusters = max(MIN_CLUSTERS, len(vectors) // batch_size)
    means = MiniBatchKMeans(
        n_clusters, random_state=seed, n_init=1, batch_size=max(1024, 4 * batch_size)
    ).fit(vectors)
    ranks = np.empty(n_clusters, np.int64)
    ranks[_chain(means.cluster_centers_)] = np.arange(n_clusters)
    # Random within a cluster, so that the end of a batch is a random part of it.
    return shuffle_within(ranks[means.labels_], seed)


def shuffle_within(groups: NDArray[np.int64], seed: int) -> Order:
    """Return an order by group, random within each group."""
    chance = draw_bits(seed, "within", 0, len(groups))[:, 0]
    return np.lexsort((chance, groups))


def join_edits(captions: Sequence[str], seed: int) -> Order:
    """Return an order in which captions one edit apart follow each other where possible.

    A walk over the graph of captions that differ by one inserted, deleted or changed letter:
    from a caption to an unseen neighbour, or else to the next one at random. Equal captions are
    far apart: the walk is repeated as often as the most frequent caption occurs.
    """
    turns: dict[str, list[int]] = defaultdict(list)
    for number in shuffle(len(captions), seed, 0).tolist():
        turns[captions[number]].append(number)
    near = _list_neighbours(list(turns))
    order: list[int] = []
    turn = 0
    while len(order) < len(captions):
        here = [text for text, numbers in turns.items() if len(numbers) > turn]
        order += [turns[text][turn] for text in _walk(here, near)]
        turn += 1
    return np.array(order)


def cut_batches(order: Order, batch_size: int, n_processes: int = 1) -> list[Order]:
    """Return the batches of an epoch, as even as possible and at most of the given size.

    Several processes get equal parts of each batch; the remaining pairs, fewer than there are
    processes, are left out of the epoch.

    Raises:
        ProbeError: there are fewer pairs than a batch has.
    """
    if len(order) < batch_size:
        raise ProbeError(
            f"a batch of {batch_size} is larger than the {len(order)} pairs there are;"
            f" pass --batch-size {len(order)} or less"
        )
    shared = order[: len(order) - len(order) % n_processes].reshape(-1, n_processes)
    n_batches = -(-len(order) // batch_size)
    return [batch.reshape(-1) for batch in np.array_split(shared, n_batches)]


def weave(
    batches: Sequence[Order], others: range, n_each: int, seed: int, epoch: int
) -> list[Order]:
    """Return the batches with some other pairs at the end of each.

    Args:
        batches: the batches of one epoch.
        others: the other pairs, used cyclically in a random order for each epoch.
        n_each: number added to each batch.
        seed: for their order.
        epoch: number of the epoch.
    """
    order = others.start + shuffle(len(others), seed, epoch)
    taken = np.resize(order, (len(batches), n_each))
    return [np.concatenate(pair) for pair in zip(batches, taken, strict=True)]


def _chain(centres: Vectors) -> list[int]:
    """Return an order of the centres, each after its nearest unused centre."""
    left = np.ones(len(centres), bool)
    order = [0]
    while len(order) < len(centres):
        left[order[-1]] = False
        distances = ((centres - centres[order[-1]]) ** 2).sum(axis=1)
        order.append(int(np.where(left, distances, np.inf).argmin()))
    return order


def _list_neighbours(texts: Sequence[str]) -> dict[str, list[str]]:
    """Return for each text those that differ by one inserted, deleted or changed letter."""
    known = set(texts)
    near: dict[str, set[str]] = {text: set() for text in texts}
    masked: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        for at in range(len(text)):
            shorter = text[:at] + text[at + 1 :]
            if shorter in known:
                near[text].add(shorter)
                near[shorter].add(text)
            masked[f"{text[:at]}\0{text[at + 1 :]}"].append(text)
    for group in masked.values():
        for text in group:
            near[text].update(group)
    return {text: sorted(others - {text}) for text, others in near.items()}


def _walk(texts: Sequence[str], near: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the texts in depth-first order, so that neighbours are close together."""
    seen: set[str] = set()
    order: list[str] = []
    wanted = set(texts)
    for start in texts:
        stack = [start]
        while stack:
            text = stack.pop()
            if text in seen or text not in wanted:
                continue
            seen.add(text)
            order.append(text)
            stack.extend(near[text])
    return order
