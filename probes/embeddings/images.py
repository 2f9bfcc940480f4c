"""Embeddings: chunks of images -> float32 (N, D), on disk so that a killed run resumes."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from probes.arrays import Vectors
from probes.data.trials import Chunk, Stimulus
from probes.embeddings.answers import Facts, read_answers
from probes.embeddings.vector_files import DamagedFileError, read_vector_file, write_vector_file
from probes.errors import ProbeError
from probes.models.base import Model, identify_model
from probes.models.ranks import read_rank

logger = logging.getLogger(__name__)

FORMAT = 3
"""Part of every stamp; incremented when the file format changes."""

FOLDER = ".vectors"
"""Folder for the vectors of a run until its outcomes are written; reserved for this."""

N_THREADS = 2
"""Default number of threads that draw or decode ahead."""

N_AHEAD = 3
"""Number of chunks drawn ahead of the encoder, at least one more than there are threads; this
limits memory."""

POLL_S = 0.1
"""Pause between two checks for the chunk of another process."""

PATIENCE_S = 600.0
"""How long the first process waits for one chunk of another before it gives up."""

LENGTH_SLACK = 1e-3
"""Tolerance for the length of a unit vector."""


@dataclass(frozen=True)
class Embedded:
    """Images as vectors, in the order of the chunks.

    Attributes:
        keys: every key exactly once.
        vectors: float32 (N, D), unit length.
        facts: one mapping for each image.
    """

    keys: tuple[str, ...]
    vectors: Vectors
    facts: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Stats:
    """Time and throughput of the encoder.

    Attributes:
        n_images: images embedded in this run.
        n_chunks_reused: chunks that were already on disk.
        seconds: from the first chunk to the last.
        seconds_waiting: the part of these spent waiting for images.
    """

    n_images: int
    n_chunks_reused: int
    seconds: float
    seconds_waiting: float


@dataclass(frozen=True)
class Share:
    """The chunks of this process: those whose number modulo `world_size` is `rank`."""

    rank: int = 0
    world_size: int = 1


def read_share() -> Share:
    """Return the part that torchrun assigns to this process; everything without torchrun."""
    return Share(*read_rank())


def embed_renderings(  # noqa: PLR0913 - each is a separate setting of one run.
    model: Model,
    chunks: Sequence[Chunk],
    folder: Path,
    *,
    stimuli: str,
    expected: Collection[str] | None = None,
    n_threads: int = N_THREADS,
    share: Share | None = None,
) -> tuple[Embedded | None, Stats]:
    """Return all vectors, and the timing of this process for its part.

    Under torchrun each process embeds its part, and the first one, of rank 0, collects the
    files of all through the folder; the others get None.

    Args:
        model: embeds the images.
        chunks: draw the images.
        folder: holds a file for each chunk, `000000.vectors` and so on; created if needed.
        stimuli: identifies the content of the chunks, such as a hash of the design or dataset.
            Files made from other stimuli or by another model are rewritten.
        expected: the keys that must occur, if they are known.
        n_threads: number of threads that draw or decode chunks ahead of the encoder.
        share: the part of this process; None takes it from torchrun.

    Raises:
        ProbeError: a key is repeated, missing or unexpected; the encoder returns no vectors of
            unit length; the chunk of another process does not appear.
    """
    share = share or read_share()
    stats = write_vectors(
        model, chunks, folder, stimuli=stimuli, share=share, n_threads=n_threads
    )
    if share.rank > 0:
        return None, stats
    stamps = stamp_chunks(model, stimuli, len(chunks))
    patience_s = PATIENCE_S if share.world_size > 1 else 0.0
    return read_vectors(folder, stamps, expected=expected, patience_s=patience_s), stats


def stamp_chunks(model: Model, stimuli: str, n_chunks: int) -> list[str]:
    """Return the stamp that identifies the file of each chunk."""
    identity = identify_model(model)
    parts = (json.dumps([FORMAT, identity, stimuli, n_chunks, i]) for i in range(n_chunks))
    return [hashlib.sha256(part.encode()).hexdigest() for part in parts]


def write_vectors(
    model: Model,
    chunks: Sequence[Chunk],
    folder: Path,
    *,
    stimuli: str,
    share: Share = Share(),
    n_threads: int = N_THREADS,
) -> Stats:
    """Embed the chunks that the folder lacks, and return time and throughput.

    While the encoder works, the next chunks are drawn and the last one is written.

    Raises:
        ProbeError: a chunk repeats a key, or the encoder returns no vectors of unit length.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamps = stamp_chunks(model, stimuli, len(chunks))
    mine = range(share.rank, len(chunks), share.world_size)
    todo = _list_missing(folder, stamps, mine)
    n_images, waited_s, began = 0, 0.0, time.perf_counter()
    with ExitStack() as stack:
        writer = stack.enter_context(ThreadPoolExecutor(1))
        drawer = stack.enter_context(ThreadPoolExecutor(n_threads))
        written: Future[None] | None = None
        drawn = _draw_ahead([chunks[i] for i in todo], drawer, max(N_AHEAD, n_threads + 1))
        for i in todo:
            asked = time.perf_counter()
            batch = next(drawn)
            waited_s += time.perf_counter() - asked
            vectors, facts = _embed_chunk(model, batch)
            if written is not None:
                written.result()
            path = _name_chunk(folder, i)
            written = writer.submit(_write_chunk, path, stamps[i], batch, vectors, facts)
            n_images += len(batch)
        if written is not None:
            written.result()
    return Stats(n_images, len(mine) - len(todo), time.perf_counter() - began, waited_s)


def read_vectors(
    folder: Path,
    stamps: Sequence[str],
    *,
    expected: Collection[str] | None = None,
    patience_s: float = 0.0,
) -> Embedded:
    """Return the vectors of all chunks in their order, every key exactly once.

    Args:
        folder: the folder of `write_vectors`.
        stamps: the stamps of the chunks, from `stamp_chunks`.
        expected: the keys that must occur, if they are known.
        patience_s: how long to wait for each chunk of another process, in seconds.

    Raises:
        ProbeError: a chunk does not appear; a key is repeated, missing or unexpected.
    """
    parts = [
        _await_chunk(_name_chunk(folder, i), stamp, patience_s)
        for i, stamp in enumerate(stamps)
    ]
    if not parts:
        raise ProbeError("there are no images to embed; enlarge the design or the dataset")
    keys = tuple(itertools.chain.from_iterable(part.keys for part in parts))
    _check_keys(keys, expected)
    facts = tuple(itertools.chain.from_iterable(part.facts for part in parts))
    return Embedded(keys, np.concatenate([part.vectors for part in parts]), facts)


def check_vectors(vectors: Vectors, n: int, method: str) -> Vectors:
    """Return the vectors as float32, or raise if they cannot be compared by cosine.

    Args:
        vectors: what an encoder returned.
        n: how many there must be.
        method: name of the encoder's method, for the error.

    Raises:
        ProbeError: not (N, D), not finite, or not of unit length.
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != n:
        raise ProbeError(
            f"{method} returned shape {vectors.shape} for {n} inputs; return one row for each"
        )
    lengths = np.linalg.norm(vectors, axis=1)
    # This form also rejects NaN.
    off = np.flatnonzero(~(np.abs(lengths - 1) <= LENGTH_SLACK))
    if len(off):
        raise ProbeError(
            f"{method} returned a vector of length {lengths[off[0]]:.4g} in row {off[0]};"
            " divide each by its length"
        )
    return vectors


def _draw_ahead(
    chunks: Sequence[Chunk], executor: Executor, n_ahead: int
) -> Iterator[list[Stimulus]]:
    """Yield the content of the chunks, in order, while the next few are prepared."""
    rest = iter(chunks)
    drawing = deque(executor.submit(chunk) for chunk in itertools.islice(rest, n_ahead))
    try:
        while drawing:
            batch = list(drawing.popleft().result())
            drawing.extend(executor.submit(chunk) for chunk in itertools.islice(rest, 1))
            yield batch
    finally:
        for future in drawing:
            future.cancel()


def _embed_chunk(model: Model, batch: Sequence[Stimulus]) -> tuple[Vectors, Facts]:
    """Return the vectors of a chunk, and the facts stored with them."""
    if not batch:
        raise ProbeError("a chunk has no images; leave out empty chunks")
    _check_keys([stimulus.key for stimulus in batch], None)
    facts = [dict(stimulus.facts) for stimulus in batch]
    if model.reader is not None:
        return read_answers(model.reader, model.name, batch, facts)
    vectors = model.encoder.embed_images([stimulus.pixels for stimulus in batch])
    return check_vectors(vectors, len(batch), "embed_images"), facts


def _name_chunk(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.vectors"


def _write_chunk(
    path: Path, stamp: str, batch: Sequence[Stimulus], vectors: Vectors, facts: Facts
) -> None:
    """Write a chunk, atomically."""
    keys = [stimulus.key for stimulus in batch]
    notes = orjson.dumps([keys, facts], option=orjson.OPT_SERIALIZE_NUMPY)
    write_vector_file(path, vectors, bytes.fromhex(stamp), notes)


def _read_chunk(path: Path, stamp: str) -> Embedded | None:
    """Return a chunk, or None if its file is missing or has another stamp.

    Raises:
        DamagedFileError: the file is damaged.
    """
    found = read_vector_file(path, bytes.fromhex(stamp))
    if found is None:
        return None
    try:
        keys, facts = orjson.loads(found.notes)
        is_fit = len(keys) == len(facts) == len(found.vectors)
        if not (is_fit and {*map(type, keys)} <= {str} and {*map(type, facts)} <= {dict}):
            raise DamagedFileError("its index does not match its vectors")
        return Embedded(tuple(keys), found.vectors, tuple(facts))
    except (ValueError, TypeError) as error:
        raise DamagedFileError("its index cannot be read") from error


def _list_missing(folder: Path, stamps: Sequence[str], mine: Iterable[int]) -> list[int]:
    """Return the chunks still to be embedded, and log those that are damaged."""
    missing, damaged = [], []
    for number in mine:
        path = _name_chunk(folder, number)
        try:
            if _read_chunk(path, stamps[number]) is None:
                missing.append(number)
        except DamagedFileError as error:
            missing.append(number)
            damaged.append(f"{path.name} ({error})")
    if damaged:
        logger.warning(
            "%d embedding files in %s are not valid, such as %s; their images are embedded"
            " again", len(damaged), folder, damaged[0],
        )  # fmt: skip
    return missing


def _await_chunk(path: Path, stamp: str, patience_s: float) -> Embedded:
    deadline = time.monotonic() + patience_s
    while (part := _find_chunk(path, stamp)) is None:
        if time.monotonic() >= deadline:
            raise ProbeError(
                f"{path} did not appear within {patience_s:g} s; the process that writes it"
                f" has stopped, so run the same command again"
            )
        time.sleep(POLL_S)
    return part


def _find_chunk(path: Path, stamp: str) -> Embedded | None:
    """Return a chunk, or None as long as there is no usable one."""
    with suppress(DamagedFileError):
        return _read_chunk(path, stamp)
    return None


def _check_keys(keys: Sequence[str], expected: Collection[str] | None) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise ProbeError(f"the key {key!r} occurred twice; give every image its own key")
        seen.add(key)
    if expected is None:
        return
    missing, stray = set(expected) - seen, seen - set(expected)
    if missing:
        raise ProbeError(
            f"the key {min(missing)!r} never occurred, nor did {len(missing) - 1} others; the"
            f" images do not match the design or dataset, so make it again"
        )
    if stray:
        raise ProbeError(
            f"the key {min(stray)!r} occurred, but belongs to no requested image; make the"
            f" design or dataset again"
        )
