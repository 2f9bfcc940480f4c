"""Vectors -> one outcome per image: which candidate a model chooses for an image.

Ties are broken by a random draw per text, so a reader that sees nothing scores at chance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from probes.arrays import Vectors
from probes.errors import ProbeError
from synthtext.rng import to_unit

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

Score = Callable[[NDArray[np.int64]], Vectors]
"""Indices of some images, (B,) -> how well each text fits each of them, (B, V)."""

KS = (2, 10, 100, 1000, 10_000)
"""Default numbers of candidates to choose among."""

BLOCK_CELLS = 4_000_000
"""Image-word pairs compared at a time: about 120 MB."""


@dataclass(frozen=True)
class Guesses:
    """What a model answers for each image.

    Attributes:
        guesses: int64 (N,), the candidate chosen for each image among the headline's K.
        margins: float64 (N,), similarity of the truth minus that of its best distractor there.
        ranks: K -> int64 (N,), the rank of the truth among K candidates; 1 is right.
        k: the headline's K.
        confidences: float64 (N,), the probability of each guess by a softmax over the
            headline's K; None where the scores are not logits.
    """

    guesses: Ints
    margins: Floats
    ranks: dict[int, Ints]
    k: int
    confidences: Floats | None = None


def list_ks(n_candidates: int, asked: Sequence[int] = ()) -> list[int]:
    """Return the numbers of candidates to choose among, in rising order.

    Args:
        n_candidates: how many there are.
        asked: the numbers wanted; if empty, those of `KS` that `n_candidates` allows.

    Raises:
        ProbeError: a requested number is below 2, or above `n_candidates`.
    """
    for k in asked:
        if k < 2:
            raise ProbeError(f"K is {k}; it must be 2 or more")
        if k > n_candidates:
            raise ProbeError(
                f"K is {k}, but the vocabulary has {n_candidates} words; ask for fewer"
            )
    return sorted(set(asked)) or [k for k in KS if k <= n_candidates]


@dataclass(frozen=True)
class Choice:
    """The distractors of each text, for every K: a property of the texts and the seed.

    The texts lie on a circle, similar ones adjacent. The distractors of a text are its
    neighbours, with the text at a uniformly random position among them; a larger K takes more
    neighbours. So every set of K neighbours is used equally often with each of its members as
    the truth, and a reader that sees nothing is right once in K times whatever texts it
    prefers.

    The texts are divided into rings, each a sample of the circle. Distractors come from the
    ring of their text as long as it has enough, so that a small K needs the vectors of only one
    ring.

    Attributes:
        order: int64 (V,), the positions of the texts along the circle.
        rings: int64 (V,), the ring of each text; below 0 for texts that are only distractors.
        offsets: float64 (V,) in [0, 1), the position of each text among its distractors.
        ties: float64 (V,) in [0, 1), breaks the ties of each text.
    """

    order: Ints
    rings: Ints
    offsets: Floats
    ties: Floats


def arrange_texts(
    texts: Sequence[str], likeness: ArrayLike, rings: ArrayLike, *, seed: int
) -> Choice:
    """Return the distractors of each text.

    Args:
        texts: V, all different.
        likeness: (V,); texts are arranged in this order, equal ones at random.
        rings: the ring of each text, below 0 for texts that are only distractors.
        seed: for all random choices. A draw hashes the text, so other texts do not shift it.
    """
    return Choice(
        order=np.lexsort((hash_units(seed, "place", texts), np.asarray(likeness))),
        rings=np.asarray(rings, np.int64),
        offsets=hash_units(seed, "offset", texts),
        ties=hash_units(seed, "tie", texts),
    )


def among_all(texts: Sequence[str], seed: int) -> Choice:
    """Return the choice among texts that form one ring in random order."""
    zeros = [0] * len(texts)
    return arrange_texts(texts, zeros, zeros, seed=seed)


def hash_units(seed: int, name: str, texts: Sequence[str]) -> Floats:
    """Return a number in [0, 1) for each text, a hash of the seed, the name and the text."""
    raw = b"".join(
        hashlib.blake2b(f"{seed}\0{name}\0{text}".encode(), digest_size=8).digest()
        for text in texts
    )
    return to_unit(np.frombuffer(raw, np.uint64))


def draw_rivals(choice: Choice, truths: Ints, k: int) -> Ints:
    """Return the K - 1 distractors of each text: int64 (N, K - 1).

    The first ones are those of a smaller K.

    Args:
        choice: the choice among V texts, K or more.
        truths: (N,), the indices of the texts.
        k: candidates per text, the text itself included.
    """
    rivals = np.empty((len(truths), k - 1), np.int64)
    rings = choice.rings[truths]
    for ring in np.unique(rings):
        members = np.flatnonzero(rings == ring)
        rivals[members] = _draw_in_ring(choice, truths[members], ring, k)
    return rivals


def list_needed(choice: Choice, truths: Ints, k: int) -> NDArray[np.bool_]:
    """Return which texts may be candidates for these truths among K: bool (V,)."""
    used = np.unique(choice.rings[truths])
    if any((choice.rings == ring).sum() < k for ring in used):
        return np.ones(len(choice.rings), np.bool_)
    return np.isin(choice.rings, used)


def guess_nested(  # noqa: PLR0913 - each names another thing about one question.
    images: Vectors,
    texts: Vectors,
    truths: Ints,
    *,
    choice: Choice,
    ks: Sequence[int],
    headline: int,
    scale: float | None = None,
) -> Guesses:
    """Return the answers when each image is compared with its text and the text's distractors.

    Args:
        images: (N, D), unit length.
        texts: (V, D), unit length; those that `list_needed` leaves out may be anything.
        truths: (N,), the index of each truth in `texts`.
        choice: the distractors of each text.
        ks: each 2 to V.
        headline: one of `ks`.
        scale: scale of the model's logits; None leaves out confidences.
    """
    return guess_scored(
        lambda rows: images[rows] @ texts.T, truths,
        choice=choice, ks=ks, headline=headline, scale=scale,
    )  # fmt: skip


def guess_scored(
    score: Score,
    truths: Ints,
    *,
    choice: Choice,
    ks: Sequence[int],
    headline: int,
    scale: float | None = None,
) -> Guesses:
    """Return the answers of `guess_nested` for any measure of how well a text fits an image.

    Args:
        score: indices of some images -> how well each text fits them, (n, V).
        truths: as for `guess_nested`.
        choice: likewise.
        ks: likewise.
        headline: likewise.
        scale: likewise.
    """
    n = len(truths)
    # Images of one text are handled together, so that its distractors are found once.
    rows = np.argsort(truths, kind="stable")
    guesses, margins, sure = np.empty(n, np.int64), np.empty(n), np.empty(n)
    ranks = {k: np.empty(n, np.int64) for k in ks}
    block = max(1, BLOCK_CELLS // len(choice.order))
    for at in range(0, n, block):
        some = rows[at : at + block]
        shown, which = np.unique(truths[some], return_inverse=True)
        rivals = draw_rivals(choice, shown, max(ks))[which]
        sims = score(some)
        own = np.take_along_axis(sims, truths[some][:, None], axis=1)
        against = np.take_along_axis(sims, rivals, axis=1)
        ties = choice.ties[truths[some]]
        for k in ks:
            ranks[k][some] = _rank(against[:, : k - 1], own, ties)
        best = against[:, : headline - 1].argmax(axis=1)
        is_right = ranks[headline][some] == 1
        each = np.arange(len(some))
        guesses[some] = np.where(is_right, truths[some], rivals[each, best])
        margins[some] = own[:, 0].astype(np.float64) - against[each, best]
        if scale is not None:
            asked = np.hstack([own, against[:, : headline - 1]])
            sure[some] = weigh_best(asked, scale)
    confidences = None if scale is None else sure
    return Guesses(guesses, margins, ranks, headline, confidences)


def weigh_best(sims: Vectors | Floats, scale: float) -> Floats:
    """Return the probability of the best of K texts, (N,), by a softmax over all of them.

    Args:
        sims: (N, K), how well each text fits each image.
        scale: factor that the model multiplies them by.
    """
    logits = scale * sims.astype(np.float64)
    found: Floats = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
    return found


def guess_among(
    images: Vectors, candidates: Vectors, ties: Floats, scale: float | None = None
) -> Guesses:
    """Return the answers where each image has separate candidates, the truth first.

    Args:
        images: (N, D), unit length.
        candidates: (N, K, D), unit length.
        ties: (N,) in [0, 1); used to break ties.
        scale: scale of the model's logits; None leaves out confidences.

    Returns:
        The answers; guesses are indices into each image's candidates, 0 for its truth.
    """
    sims = np.einsum("nd,nkd->nk", images, candidates).astype(np.float64)
    return guess_first(sims, ties, scale)


def guess_first(sims: Floats, ties: Floats, scale: float | None = None) -> Guesses:
    """Return the answers of `guess_among` for any measure of how well a text fits an image.

    Args:
        sims: float64 (N, K), how well each candidate fits, the truth first.
        ties: (N,) in [0, 1); used to break ties.
        scale: as for `guess_among`.
    """
    rivals = sims[:, 1:]
    ranks = _rank(rivals, sims[:, :1], ties)
    best = rivals.argmax(axis=1)
    return Guesses(
        guesses=np.where(ranks == 1, 0, best + 1),
        margins=sims[:, 0] - rivals.max(axis=1),
        ranks={sims.shape[1]: ranks},
        k=sims.shape[1],
        confidences=None if scale is None else weigh_best(sims, scale),
    )


def _draw_in_ring(choice: Choice, truths: Ints, ring: int, k: int) -> Ints:
    """Return the distractors (N, K - 1) of texts of one ring: the ring first, then others."""
    is_own = choice.rings[choice.order] == ring
    place_on_circle = np.empty(len(choice.order), np.int64)
    place_on_circle[choice.order] = np.arange(len(choice.order))
    at = place_on_circle[truths]
    own, others = choice.order[is_own], choice.order[~is_own]
    n_before = np.cumsum(is_own) - is_own
    offsets = choice.offsets[truths]
    n_own = min(k, len(own)) - 1
    steps = _walk(offsets, n_own)
    near = own[(n_before[at][:, None] + steps) % len(own)]
    n_far = k - 1 - n_own
    if not n_far:
        return near
    # The text itself is not among the others, so steps to the right begin at 0.
    steps = _walk(offsets, n_far)
    steps[steps > 0] -= 1
    far = others[((at - n_before[at])[:, None] + steps) % len(others)]
    return np.concatenate([near, far], axis=1)


def _walk(offsets: Floats, n: int) -> Ints:
    """Return n steps from a text to its neighbours, left or right: int64 (N, n), never 0.

    After j steps the text has index floor(offset * (j + 1)) among those j + 1.
    """
    lefts = (offsets[:, None] * np.arange(1, n + 2)).astype(np.int64)
    is_left = lefts[:, 1:] > lefts[:, :-1]
    steps: Ints = np.where(is_left, -lefts[:, 1:], np.arange(1, n + 1) - lefts[:, 1:])
    return steps


def _rank(rivals: Vectors | Floats, own: Vectors | Floats, ties: Floats) -> Ints:
    """Return the rank of the truth (N,) among its distractors (N, K - 1), ties broken."""
    n_equal = (rivals == own).sum(axis=1)
    ranks: Ints = 1 + (rivals > own).sum(axis=1) + (ties * (n_equal + 1)).astype(np.int64)
    return ranks
