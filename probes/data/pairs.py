"""Pairs: shards -> images and their captions, accessible by index.

Batches of hard negatives take their images from all over a dataset, so the shards are read
at random places instead of from front to back.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.arrays import Pixels
from probes.errors import ProbeError
from synthtext.dataset.codec import decode_class, decode_image, decode_json
from synthtext.dataset.shards import list_places, read_span
from synthtext.draws import Choice, Draw, Range, Ranges
from synthtext.errors import ShardError
from synthtext.recipe import ANY, parse_draw

MAX_CAPTION = 1 << 16
"""Maximum size of a caption in bytes: a bound for shards from elsewhere."""

Exclusion = Mapping[str, Draw]
"""Levels, by the name of the factor."""


@dataclass(frozen=True)
class Pairs:
    """Images and captions.

    Attributes:
        files: the shards.
        captions: N captions.
        spans: int64 (N, 3): number of the shard, offset and size in bytes of the image there.
        extensions: format of each image.
        is_marked: bool (N,): whether a sample has one of the requested levels.
    """

    files: tuple[Path, ...]
    captions: tuple[str, ...]
    spans: NDArray[np.int64]
    extensions: tuple[str, ...]
    is_marked: NDArray[np.bool_]


def parse_exclusion(texts: Sequence[str]) -> Exclusion:
    """Return the levels that `FACTOR=LEVELS` names, written as in a recipe.

    >>> parse_exclusion(["size_px=8:12"])
    {'size_px': Range(low=8.0, high=12.0, is_log=False)}

    Raises:
        ProbeError: not of this form.
        RecipeError: no such factor or level.
    """
    exclusion: dict[str, Draw] = {}
    for text in texts:
        name, equals, levels = text.partition("=")
        if not equals:
            raise ProbeError(f"{text!r} excludes nothing; write FACTOR=LEVELS, size_px=8:12")
        draw = parse_draw(name.strip(), levels.strip())
        if isinstance(draw, Choice) and ANY in draw.values:
            raise ProbeError(f"{text!r} excludes everything; name the levels to leave out")
        exclusion[name.strip()] = draw
    return exclusion


def has_level(fields: Mapping[str, Any], exclusion: Exclusion) -> bool:
    """Return whether a sample has one of the levels, given the fields of its `KEY.json`."""
    return any(_is_level(fields.get(name), draw) for name, draw in exclusion.items())


def read_pairs(
    files: Sequence[Path],
    marks: Exclusion | None = None,
    names: Sequence[str] = (),
) -> Pairs:
    """Return the pairs in shards, in order.

    Args:
        files: shards with an image and a `.txt` in each sample, from synthtext or other tools.
        marks: levels of factors; samples whose `.json` has one of them are marked.
        names: class names; if given, the caption is the name of the sample's `.cls`.

    Raises:
        ProbeError: there are no shards, or no sample has a caption.
        ShardError: a shard, or a `.cls` or `.json` that is needed, is missing or broken.
    """
    found = [
        row
        for number, file in enumerate(files)
        for row in _read_shard(number, file, marks or {}, names)
    ]
    if not found:
        where = f"{files[0]} and {len(files) - 1} more" if files else "the folder"
        raise ProbeError(
            f"{where}: no sample has an image and a caption; a sample needs KEY.jpg and KEY.txt"
        )
    captions, spans, extensions, is_marked = zip(*found, strict=True)
    return Pairs(tuple(files), captions, np.array(spans), extensions, np.array(is_marked))


def pair_files(files: Sequence[Path], captions: Sequence[str]) -> Pairs:
    """Return the pairs of image files and their captions, in order."""
    rows = [(number, 0, file.stat().st_size) for number, file in enumerate(files)]
    extensions = tuple(file.suffix.removeprefix(".").lower() for file in files)
    unmarked = np.zeros(len(files), bool)
    return Pairs(tuple(files), tuple(captions), np.array(rows), extensions, unmarked)


def keep_pairs(pairs: Pairs, numbers: NDArray[np.int64]) -> Pairs:
    """Return some of the pairs.

    Raises:
        ProbeError: no pair is left.
    """
    if not len(numbers):
        raise ProbeError("every image has an excluded level; exclude fewer levels")
    kept = numbers.tolist()
    return Pairs(
        pairs.files,
        tuple(pairs.captions[number] for number in kept),
        pairs.spans[numbers],
        tuple(pairs.extensions[number] for number in kept),
        pairs.is_marked[numbers],
    )


def join_pairs(one: Pairs, other: Pairs) -> Pairs:
    """Return the pairs of both, `one` before `other`."""
    spans = other.spans.copy()
    spans[:, 0] += len(one.files)
    return Pairs(
        one.files + other.files,
        one.captions + other.captions,
        np.concatenate([one.spans, spans]),
        one.extensions + other.extensions,
        np.concatenate([one.is_marked, other.is_marked]),
    )


def read_batches(
    pairs: Pairs,
    batches: Sequence[NDArray[np.int64]],
    fit: Callable[[Pixels], Pixels],
    *,
    n_threads: int = 2,
    n_ahead: int = 3,
) -> Iterator[NDArray[np.uint8]]:
    """Return the images of each batch, uint8 (B, S, S, 3), read ahead by threads.

    Args:
        pairs: where the images are.
        batches: indices of pairs.
        fit: converts an image to the square input of the model.
        n_threads: number of threads that read and decode.
        n_ahead: number of batches prepared in advance.

    Raises:
        ShardError: an image does not decode.
    """

    def read(number: int) -> Pixels:
        file, offset, size = pairs.spans[number].tolist()
        name = f"{pairs.files[file]}: sample {number}.{pairs.extensions[number]}"
        return fit(decode_image(name, read_span(pairs.files[file], (offset, size))))

    def read_all(batch: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.stack([read(number) for number in batch.tolist()])

    with ThreadPoolExecutor(n_threads) as threads:
        waiting: deque[Future[NDArray[np.uint8]]] = deque()
        for batch in batches:
            waiting.append(threads.submit(read_all, batch))
            if len(waiting) > n_ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _read_shard(
    number: int, file: Path, marks: Exclusion, names: Sequence[str]
) -> Iterator[tuple[str, tuple[int, int, int], str, bool]]:
    """Return caption, span, format and mark of each sample that has an image and a caption."""
    if not file.is_file():
        raise ShardError(f"{file} is missing; `synthtext render` writes it")
    with file.open("rb") as handle:

        def read(span: tuple[int, int]) -> bytes:
            offset, size = span
            return os.pread(handle.fileno(), size, offset)

        for place in list_places(file):
            spans = place.spans
            extension = place.image
            source = "cls" if names else "txt"
            if extension is None or spans.get(source, (0, 0))[1] not in range(1, MAX_CAPTION):
                continue
            raw = read(spans[source])
            if names:
                caption = names[decode_class(f"{file}: {place.key}.cls", raw, len(names))]
            else:
                caption = raw.decode("utf-8", errors="replace").strip()
            is_marked = bool(marks and "json" in spans) and has_level(
                _read_fields(f"{file}: {place.key}.json", read(spans["json"])), marks
            )
            if caption:
                yield (caption, (number, *spans[extension]), extension, is_marked)


def _read_fields(name: str, raw: bytes) -> Mapping[str, Any]:
    fields = decode_json(name, raw)
    if not isinstance(fields, dict):
        raise ShardError(f"{name} is not a JSON object; render it again")
    return fields


def _is_level(value: object, draw: Draw) -> bool:
    if isinstance(draw, Ranges):
        return any(_is_level(value, part) for part in draw.parts)
    if isinstance(draw, Range):
        return isinstance(value, int | float) and draw.low <= value <= draw.high
    # The numbers of a choice are stored as text, formatted as in `parse_draw`.
    written = f"{value:.12g}" if isinstance(value, int | float) else value
    return written in draw.values
