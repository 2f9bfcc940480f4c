"""Vectors -> one outcome per image: which candidate a model takes a picture for.

Ties are broken by a draw of each image's own, so a reader that sees nothing scores at chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probes.arrays import Vectors
from probes.errors import ProbeError
from synthtext.rng import draw_below, draw_units

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

Score = Callable[[slice], Vectors]
"""Some of the images -> how well each text fits each of them, (B, V)."""

KS = (2, 10, 100, 1000, 10_000)
"""Numbers of candidates to choose among, unless others are asked for."""

BLOCK_CELLS = 4_000_000
"""Images times words that are held against each other at a time: some 120 MB."""


@dataclass(frozen=True)
class Guesses:
    """What a model answers for each image.

    Attributes:
        guesses: int64 (N,), the candidate it takes the image for among the headline's K.
        margins: float64 (N,), similarity of the truth less that of its best rival among them.
        ranks: K -> int64 (N,), the place of the truth among K candidates; 1 is right.
        k: the headline's K.
    """

    guesses: Ints
    margins: Floats
    ranks: dict[int, Ints]
    k: int


def list_ks(n_candidates: int, asked: Sequence[int] = ()) -> list[int]:
    """Return the numbers of candidates to choose among, rising.

    Args:
        n_candidates: how many there are.
        asked: those wanted; none takes those of `KS` that are within reach.

    Raises:
        ProbeError: one that is asked for is below 2, or above what there is.
    """
    for k in asked:
        if k < 2:
            raise ProbeError(f"K is {k}; a choice is among 2 or more")
        if k > n_candidates:
            raise ProbeError(
                f"K is {k}, but the vocabulary has {n_candidates} words; ask for fewer"
            )
    return sorted(set(asked)) or [k for k in KS if k <= n_candidates]


def guess_nested(
    images: Vectors,
    texts: Vectors,
    truths: Ints,
    *,
    ks: Sequence[int],
    headline: int,
    seed: int,
) -> Guesses:
    """Return the answers where each image is held against its own draw of candidates.

    The candidates of an image are its truth and the words that follow a place of its own in a
    shuffled vocabulary; a larger K takes more of the same, so the sets are nested.

    Args:
        images: (N, D), unit length.
        texts: (V, D), unit length.
        truths: (N,), the place of each truth in `texts`.
        ks: each 2 to V.
        headline: one of `ks`.
        seed: shuffles the vocabulary and breaks ties.
    """

    def arrange(order: Ints) -> Score:
        shuffled = np.ascontiguousarray(texts[order])
        return lambda rows: images[rows] @ shuffled.T

    return guess_scored(arrange, len(texts), truths, ks=ks, headline=headline, seed=seed)


def guess_scored(
    arrange: Callable[[Ints], Score],
    n_texts: int,
    truths: Ints,
    *,
    ks: Sequence[int],
    headline: int,
    seed: int,
) -> Guesses:
    """Return the answers of `guess_nested` for any measure of how well a text fits an image.

    Args:
        arrange: an order of the texts -> how well each of them, so ordered, fits some images.
        n_texts: V.
        truths: as for `guess_nested`.
        ks: likewise.
        headline: likewise.
        seed: likewise.
    """
    n = len(truths)
    order = np.argsort(draw_units(seed, "candidates", 0, n_texts)[:, 0], kind="stable")
    units = draw_units(seed, "ties", 0, n)
    starts = draw_below(units[:, 1], n_texts)
    score = arrange(order)
    place_of = np.empty(n_texts, np.int64)
    place_of[order] = np.arange(n_texts)
    block = max(1, BLOCK_CELLS // n_texts)
    parts = [
        _guess_block(
            score(slice(at, at + block)),
            place_of[truths[at : at + block]],
            starts[at : at + block],
            ks=ks,
            headline=headline,
            units=units[at : at + block, 0],
        )
        for at in range(0, n, block)
    ]
    return Guesses(
        guesses=order[np.concatenate([part.guesses for part in parts])],
        margins=np.concatenate([part.margins for part in parts]),
        ranks={k: np.concatenate([part.ranks[k] for part in parts]) for k in ks},
        k=headline,
    )


def draw_candidates(truths: Ints, n_texts: int, *, k: int, seed: int) -> Ints:
    """Return the places of the K candidates that `guess_nested` holds each image against.

    Args:
        truths: (N,), the place of each truth among the texts.
        n_texts: how many texts there are, K or more.
        k: candidates of each image.
        seed: as for `guess_nested`.

    Returns:
        int64 (N, K), the truth first.
    """
    order = np.argsort(draw_units(seed, "candidates", 0, n_texts)[:, 0], kind="stable")
    starts = draw_below(draw_units(seed, "ties", 0, len(truths))[:, 1], n_texts)
    around = order[(starts[:, None] + np.arange(k)) % n_texts]
    is_truth = around == truths[:, None]
    # The truth moves to the front, and those before it up by one; the last gives way if it
    # was not among them.
    rivals = np.take_along_axis(around, np.argsort(is_truth, axis=1, kind="stable"), axis=1)
    return np.concatenate([truths[:, None], rivals[:, : k - 1]], axis=1)


def guess_among(images: Vectors, candidates: Vectors, seed: int) -> Guesses:
    """Return the answers where each image has candidates of its own, its truth the first.

    Args:
        images: (N, D), unit length.
        candidates: (N, K, D), unit length.
        seed: breaks ties.

    Returns:
        guesses that count the candidates of each image, 0 for its truth.
    """
    return guess_first(np.einsum("nd,nkd->nk", images, candidates).astype(np.float64), seed)


def guess_first(sims: Floats, seed: int) -> Guesses:
    """Return the answers of `guess_among` for any measure of how well a text fits an image.

    Args:
        sims: float64 (N, K), how well each candidate fits, the truth the first.
        seed: breaks ties.
    """
    n, k = sims.shape
    units = draw_units(seed, "ties", 0, n)[:, 0]
    rivals = sims[:, 1:]
    ranks = _rank(rivals > sims[:, :1], rivals == sims[:, :1], units)
    best = rivals.argmax(axis=1)
    return Guesses(
        guesses=np.where(ranks == 1, 0, best + 1),
        margins=sims[:, 0] - rivals.max(axis=1),
        ranks={k: ranks},
        k=k,
    )


def _guess_block(
    sims: Vectors,
    truths: Ints,
    starts: Ints,
    *,
    ks: Sequence[int],
    headline: int,
    units: Floats,
) -> Guesses:
    """Return the answers of a block of images, all places counted in the shuffled order."""
    n, n_texts = sims.shape
    rows = np.arange(n)
    own = sims[rows, truths][:, None].copy()
    above, equal = sims > own, sims == own
    equal[rows, truths] = False
    # The window of K - 1 rivals begins at a place of the image's own and goes round; where it
    # holds the truth, it takes one more.
    offset_of_truth = (truths - starts) % n_texts
    ranks: dict[int, Ints] = {}
    n_above, n_equal = _cumulate(above, starts), _cumulate(equal, starts)
    for k in ks:
        n_rivals = np.minimum(k - 1 + (offset_of_truth < k - 1), n_texts)
        units_left = units * (n_equal[rows, n_rivals] + 1)
        ranks[k] = 1 + n_above[rows, n_rivals] + units_left.astype(np.int64)
    window = (starts[:, None] + np.arange(headline)) % n_texts
    rivals = np.take_along_axis(sims, window, axis=1).astype(np.float64)
    rivals[window == truths[:, None]] = -np.inf
    has_truth = offset_of_truth < headline
    rivals[~has_truth, headline - 1] = -np.inf
    best = rivals.argmax(axis=1)
    return Guesses(
        guesses=np.where(ranks[headline] == 1, truths, window[rows, best]),
        margins=own[:, 0].astype(np.float64) - rivals.max(axis=1),
        ranks=ranks,
        k=headline,
    )


def _cumulate(flags: NDArray[np.bool_], starts: Ints) -> Ints:
    """Return how many flags lie in the first m places from each row's start, m from 0 to V."""
    n, n_texts = flags.shape
    before = np.zeros((n, n_texts + 1), np.int32)
    np.cumsum(flags, axis=1, out=before[:, 1:])
    ends = starts[:, None] + np.arange(n_texts + 1)
    wrapped = np.take_along_axis(before, ends % n_texts, axis=1)
    whole = before[:, -1:] * (ends >= n_texts)
    counts: Ints = (wrapped + whole - before[np.arange(n), starts][:, None]).astype(np.int64)
    return counts


def _rank(above: NDArray[np.bool_], equal: NDArray[np.bool_], units: Floats) -> Ints:
    n_equal = equal.sum(axis=1)
    ranks: Ints = 1 + above.sum(axis=1) + (units * (n_equal + 1)).astype(np.int64)
    return ranks
