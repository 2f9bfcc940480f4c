"""Random streams: a number for every (seed, factor, index), drawn per shard or singly.

A stream is a counter-based generator. Its key hashes the seed and the factor's name, its
counter is the image's index, so image 31207 gets the same draw in a shard of a thousand, in a
shard of ten, or on its own; and a new factor never shifts the draws of an old one.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (Philox 4x64).
"""

from __future__ import annotations

import hashlib
import threading

import numpy as np
from numpy.typing import NDArray

UInt64s = NDArray[np.uint64]
Floats = NDArray[np.float64]

LANES = 4
"""Independent 64-bit numbers that one index of a stream holds."""


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
    # The parts are hashed, not passed as entropy, because SeedSequence([1, 2]) equals
    # SeedSequence([1, 2, 0]).
    digest = hashlib.blake2b(f"{seed}\x00{name}".encode(), digest_size=16).digest()
    key = np.frombuffer(digest, dtype=np.uint64)
    bits = _philox_at(key, start).random_raw(LANES * (stop - start))
    return bits.reshape(stop - start, LANES)


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
    edges = np.cumsum(weights)
    places: NDArray[np.int64] = np.searchsorted(edges, units * edges[-1], side="right")
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
