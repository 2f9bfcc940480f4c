"""Vectors -> one outcome per image: which candidate a model takes an image for.

Ties are broken by a draw of each text's own, so a reader that sees nothing scores at chance.
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
"""Numbers of some images, (B,) -> how well each text fits each of them, (B, V)."""

KS = (2, 10, 100, 1000, 10_000)
"""Numbers of candidates to choose among, unless others are asked for."""

BLOCK_CELLS = 4_000_000
"""Images times words that are compared at a time: some 120 MB."""


@dataclass(frozen=True)
class Guesses:
    """What a model answers for each image.

    Attributes:
        guesses: int64 (N,), the candidate it takes the image for among the headline's K.
        margins: float64 (N,), similarity of the truth minus that of its best distractor there.
        ranks: K -> int64 (N,), the place of the truth among K candidates; 1 is right.
        k: the headline's K.
        confidences: float64 (N,), the probability of each guess by a softmax over the
            headline's K; None where how well a text fits is not a logit.
    """

    guesses: Ints
    margins: Floats
    ranks: dict[int, Ints]
    k: int
    confidences: Floats | None = None


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
    neighbours. So
    every set of K neighbours is asked about each of its members as often, and a reader that
    sees nothing is right once in K times whatever texts it likes best.

    The circle is divided into rings, which are samples of it. Distractors come from the ring of
    their text as long as it has enough, so that a small K needs the vectors of only one ring.

    Attributes:
        order: int64 (V,), the places of the texts along the circle.
        rings: int64 (V,), the ring of each text; below 0 for those that are distractors alone.
        offsets: float64 (V,) in [0, 1), where each text stands among its distractors.
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
        likeness: the texts are laid out by these numbers; equal ones at random.
        rings: the ring of each text, below 0 for those that are distractors alone.
        seed: of all that is random. A draw hashes the text, so other texts do not shift it.
    """
    return Choice(
        order=np.lexsort((hash_units(seed, "place", texts), np.asarray(likeness))),
        rings=np.asarray(rings, np.int64),
        offsets=hash_units(seed, "offset", texts),
        ties=hash_units(seed, "tie", texts),
    )


def among_all(texts: Sequence[str], seed: int) -> Choice:
    """Return the choice among texts of one ring, in any order."""
    zeros = [0] * len(texts)
    return arrange_texts(texts, zeros, zeros, seed=seed)


def hash_units(seed: int, name: str, texts: Sequence[str]) -> Floats:
    """Return a number in [0, 1) for each text, which depends on nothing but it and the name."""
    raw = b"".join(
        hashlib.blake2b(f"{seed}\0{name}\0{text}".encode(), digest_size=8).digest()
        for text in texts
    )
    return to_unit(np.frombuffer(raw, np.uint64))


def draw_rivals(choice: Choice, truths: Ints, k: int) -> Ints:
    """Return the distractors of texts among K: int64 (N, K - 1).

    The first of them are those of a smaller K.

    Args:
        choice: of V texts, K or more.
        truths: (N,), the places of the texts.
        k: candidates of each, itself included.
    """
    rivals = np.empty((len(truths), k - 1), np.int64)
    rings = choice.rings[truths]
    for ring in np.unique(rings):
        members = np.flatnonzero(rings == ring)
        rivals[members] = _draw_in_ring(choice, truths[members], ring, k)
    return rivals


def list_needed(choice: Choice, truths: Ints, k: int) -> NDArray[np.bool_]:
    """Return which texts may stand against some truths among K: (V,)."""
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
    """Return the answers if each image is compared with its text and the text's distractors.

    Args:
        images: (N, D), unit length.
        texts: (V, D), unit length; those that `list_needed` leaves out may be anything.
        truths: (N,), the place of each truth in `texts`.
        choice: the distractors of each text.
        ks: each 2 to V.
        headline: one of `ks`.
        scale: of the model's logits; None leaves out how sure it is.
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
        score: numbers of some images -> how well each text fits them, (n, V).
        truths: as for `guess_nested`.
        choice: likewise.
        ks: likewise.
        headline: likewise.
        scale: likewise.
    """
    n = len(truths)
    # Images of one text go together, since its distractors are found once.
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
        scale: that they are multiplied by, as the model does.
    """
    logits = scale * sims.astype(np.float64)
    found: Floats = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
    return found


def guess_among(
    images: Vectors, candidates: Vectors, ties: Floats, scale: float | None = None
) -> Guesses:
    """Return the answers where each image has candidates of its own, its truth the first.

    Args:
        images: (N, D), unit length.
        candidates: (N, K, D), unit length.
        ties: (N,) in [0, 1); break ties.
        scale: of the model's logits; None leaves out how sure it is.

    Returns:
        guesses that count the candidates of each image, 0 for its truth.
    """
    sims = np.einsum("nd,nkd->nk", images, candidates).astype(np.float64)
    return guess_first(sims, ties, scale)


def guess_first(sims: Floats, ties: Floats, scale: float | None = None) -> Guesses:
    """Return the answers of `guess_among` for any measure of how well a text fits an image.

    Args:
        sims: float64 (N, K), how well each candidate fits, the truth the first.
        ties: (N,) in [0, 1); break ties.
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
    """Return the distractors (N, K - 1) of texts of one ring: those of it, then others."""
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
    # Of the others none is the text itself, so the step to the right begins at 0.
    steps = _walk(offsets, n_far)
    steps[steps > 0] -= 1
    far = others[((at - n_before[at])[:, None] + steps) % len(others)]
    return np.concatenate([near, far], axis=1)


def _walk(offsets: Floats, n: int) -> Ints:
    """Return n steps from a text to its neighbours, left or right: int64 (N, n), none is 0.

    After j of them the text stands at place floor(offset * (j + 1)) among those j + 1.
    """
    lefts = (offsets[:, None] * np.arange(1, n + 2)).astype(np.int64)
    is_left = lefts[:, 1:] > lefts[:, :-1]
    steps: Ints = np.where(is_left, -lefts[:, 1:], np.arange(1, n + 1) - lefts[:, 1:])
    return steps


def _rank(rivals: Vectors | Floats, own: Vectors | Floats, ties: Floats) -> Ints:
    """Return the place of the truth (N,) among its distractors (N, K - 1), ties broken."""
    n_equal = (rivals == own).sum(axis=1)
    ranks: Ints = 1 + (rivals > own).sum(axis=1) + (ties * (n_equal + 1)).astype(np.int64)
    return ranks
