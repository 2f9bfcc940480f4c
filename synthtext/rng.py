"""Random streams: a number for every (seed, factor, index), drawn per shard or singly.

A stream is a counter-based generator. Its key hashes the seed and the factor's name, its
counter is the image's index, so image 31207 gets the same draw in a shard of a thousand, in a
shard of ten, or on its own; and a new factor never shifts the draws of an old one.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (Philox 4x64).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

UInt64s = NDArray[np.uint64]
Floats = NDArray[np.float64]

LANES = 4
"""Independent 64-bit numbers that one index of a stream holds."""

N_ROUNDS = 10

FACTORS = 0xD2E7470EE14C6C93, 0xCA5A826395121157

STEPS = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
"""Philox's constants: what a round multiplies by, and what is added to its key after each."""


def draw_bits(seed: int, name: str, start: int, stop: int) -> UInt64s:
    """Return the raw numbers of a stream for a run of indices.

    Args:
        seed: 0 or more, of any size.
        name: the stream's name, usually that of a factor.
        start: first index, 0 or more.
        stop: one past the last index.

    Returns:
        uint64 (stop - start, 4): a row per index, its four lanes independent.
    """
    bits = _philox_at(_make_key(seed, name), start).random_raw(LANES * (stop - start))
    return bits.reshape(stop - start, LANES)


def draw_bits_at(seed: int, names: tuple[str, ...], indices: Sequence[int]) -> UInt64s:
    """Return the raw numbers of any indices: uint64 (len(names), len(indices), 4).

    They equal those that `draw_bits` gives for each stream and index, in a fraction of the
    time: long integers hold all of them, 128 bits apart, so that each operation of Philox is
    applied to all at once, and a product never reaches its neighbour.
    """
    n = len(names) * len(indices)
    low = _spread(2**64 - 1, n)
    # NumPy's generator counts up before it draws.
    counters = _pack([index + 1 for index in indices])
    a, b, c, d = counters * _spread(1, len(names), apart=len(indices)), 0, 0, 0
    for first, second in _pack_keys(seed, names, len(indices)):
        one, other = FACTORS[0] * a, FACTORS[1] * c
        a, b = (other >> 64) & low ^ b ^ first, other & low
        c, d = (one >> 64) & low ^ d ^ second, one & low
    lanes = [np.frombuffer(each.to_bytes(16 * n, "little"), np.uint64) for each in (a, b, c, d)]
    return np.stack(lanes, axis=1)[::2].reshape(len(names), len(indices), LANES)


@lru_cache(maxsize=16)
def _pack_keys(seed: int, names: tuple[str, ...], n_each: int) -> list[tuple[int, int]]:
    """Return the two halves of the keys of streams, each n times, packed, for each round."""
    keys = np.array([_make_key(seed, name) for name in names]).repeat(n_each, axis=0)
    steps = np.array(STEPS, np.uint64)
    rounds = [(keys + np.uint64(k) * steps).T.tolist() for k in range(N_ROUNDS)]
    return [(_pack(first), _pack(second)) for first, second in rounds]


def _pack(values: Sequence[int]) -> int:
    """Return one integer that holds each value in 128 bits of its own."""
    return int.from_bytes(b"".join(value.to_bytes(16, "little") for value in values), "little")


def _spread(value: int, n: int, apart: int = 1) -> int:
    """Return one integer that holds a value n times, a number of places apart."""
    step = 128 * apart
    return value * ((1 << step * n) // ((1 << step) - 1))


def _make_key(seed: int, name: str) -> UInt64s:
    # The parts are hashed, not passed as entropy, because SeedSequence([1, 2]) equals
    # SeedSequence([1, 2, 0]).
    digest = hashlib.blake2b(f"{seed}\x00{name}".encode(), digest_size=16).digest()
    return np.frombuffer(digest, dtype=np.uint64)


def _philox_at(key: UInt64s, counter: int) -> np.random.Philox:
    """Return the generator of this thread, set to a key and a counter.

    A new generator would take several times as long, since it first asks the system for
    entropy, which a key leaves unused.
    """
    philox = _own.__dict__.get("philox")
    if philox is None:
        philox = _own.__dict__["philox"] = np.random.Philox(key=0)
    state = philox.state
    state["state"] = {"key": key, "counter": np.array([counter, 0, 0, 0], np.uint64)}
    # Nothing is left over of what was drawn before.
    state["buffer_pos"] = LANES
    philox.state = state
    return philox


_own = threading.local()


def to_unit(bits: UInt64s) -> Floats:
    """Return raw bits as numbers in [0, 1): float64, same shape, 53 bits each."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def draw_units(seed: int, name: str, start: int, stop: int) -> Floats:
    """Return a stream's numbers in [0, 1): float64 (stop - start, 4), like `draw_bits`."""
    return to_unit(draw_bits(seed, name, start, stop))


def draw_below(units: Floats, bound: int) -> NDArray[np.int64]:
    """Return integers in 0..bound-1 for numbers in [0, 1), same shape."""
    below: NDArray[np.int64] = np.minimum((units * bound).astype(np.int64), bound - 1)
    return below


def pick(units: Floats, weights: Floats) -> NDArray[np.int64]:
    """Return the indices that numbers in [0, 1) select, in proportion to their weights.

    Args:
        units: float64 (n,) in [0, 1).
        weights: float64 (k,), each 0 or more, their sum above 0.

    Returns:
        int64 (n,), each in 0..k-1 and of weight above 0.
    """
    return find_places(units, np.cumsum(weights))


def find_places(units: Floats, edges: Floats) -> NDArray[np.int64]:
    """Return what `pick` does, given the cumulated weights."""
    places: NDArray[np.int64] = edges.searchsorted(units * edges[-1], side="right")
    return places


def unfold(seed: int, n: int) -> list[float]:
    """Return n numbers in [0, 1) from a seed of 32 bits.

    Source: SplitMix64; Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014.
    """
    units = []
    for step in range(1, n + 1):
        bits = (seed + step * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        units.append(((bits ^ bits >> 31) >> 11) * 2.0**-53)
    return units
