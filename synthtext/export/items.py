"""A dataset -> its images, or crops of their words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from synthtext.dataset.codec import FORMATS, Sample, decode_fields, decode_with, encode_pixels
from synthtext.dataset.shards import read_samples
from synthtext.dataset.verify import check_split, open_shards
from synthtext.drawing.layout import inked, split_chars, split_words
from synthtext.drawing.rendering import Pixels, Quads
from synthtext.errors import ShardError
from synthtext.spec import Spec

CROP_MARGIN = 0.08
"""Margin around a word in its crop, as a fraction of its height."""


CROP_QUALITY = 95


@dataclass(frozen=True)
class Item:
    """An image to export.

    Attributes:
        name: file name with its extension.
        image: the content of the file.
        text: the text in the image.
        words: the visible words.
        quads: float32 (k, 4, 2); the corners of each word, in px.
        polygons: the polygon of each word, float32 (n, 2), in px: its upper edge from left to
            right, then as many points along its lower edge; if it is straight, its quad.
        chars: the visible characters, each with its combining marks.
        char_quads: float32 (m, 4, 2); the corners of each character, in px.
        size_px: width and height.
        label: line number of the text, or of its class, in `classnames.txt`.
        fields: the content of `KEY.json`.
    """

    name: str
    image: bytes
    text: str
    words: tuple[str, ...]
    quads: Quads
    polygons: tuple[Quads, ...]
    chars: tuple[str, ...]
    char_quads: Quads
    size_px: tuple[int, int]
    label: int
    fields: dict[str, Any]


Items = Iterator[Item]


def read_items(folder: Path, split: str, *, crops: bool = False, verify: bool = True) -> Items:
    """Return the images of a split, or crops of their words, in order.

    Raises:
        ShardError: a shard is broken, or contains an image for a second time.
        DatasetError: a shard is not the one that was written, or belongs to another split.
    """
    last = -1
    for file in open_shards(folder, split, verify=verify):
        before = last
        for item in read_shard_items(file, crops=crops):
            index = item.fields["index"]
            # Shards hold consecutive ranges, so no list of all keys is needed.
            if index <= before:
                raise ShardError(
                    f"{file} contains {item.name}, which belongs in a shard before it; render"
                    f" it"
                    f" again"
                )
            last = max(last, index)
            if verify:
                check_split(file, item.name, item.fields["split"])
            yield item


def read_shard_items(file: Path, *, crops: bool = False) -> Items:
    """Return the same for one shard.

    Raises:
        ShardError: it is broken, or words lie outside their image.
    """
    for sample in read_samples(file):
        fields = decode_fields(sample)
        drawn = decode_with(fields, sample)
        _check_files(sample, drawn.spec)
        words = tuple(split_words(drawn.spec.drawn_text, drawn.word_breaks))
        height, width = drawn.pixels.shape[:2]
        inside = (drawn.word_quads >= 0) & (drawn.word_quads <= (width, height))
        if not inside.all():
            raise ShardError(
                f"{sample.key}.json has quads that do not match its text; render it again"
            )
        extension = next(name for name in FORMATS if name in sample.files)
        item = Item(
            name=f"{sample.key}.{extension}",
            image=sample.files[extension],
            text=drawn.spec.drawn_text,
            words=words,
            quads=drawn.word_quads,
            polygons=drawn.word_polygons,
            chars=tuple(split_chars(drawn.spec.drawn_text)),
            char_quads=drawn.char_quads,
            size_px=(width, height),
            label=drawn.spec.class_index,
            fields=fields,
        )
        if crops:
            yield from _cut_words(item, drawn.pixels)
        else:
            yield item


def _check_files(sample: Sample, spec: Spec) -> None:
    """Check that the other files of a sample agree with its `.json`."""
    if sample.key != spec.key:
        raise ShardError(f"{sample.key}.json belongs to {spec.key}; render it again")
    said = {"txt": spec.drawn_text.encode(), "cls": str(spec.class_index).encode()}
    for extension, content in said.items():
        if sample.files.get(extension, content) != content:
            raise ShardError(
                f"{sample.key}.{extension} does not match {sample.key}.json; render it again"
            )


def crop_quad(pixels: Pixels, quad: Quads, margin: float = CROP_MARGIN) -> Pixels:
    """Return the content of a quad, rectified.

    Args:
        pixels: uint8 (H, W, 3).
        quad: float32 (4, 2), clockwise from the top left of the upright text.
        margin: margin around it, as a fraction of its height; outside the image, the edge
            pixels are repeated.
    """
    upright, size = _plan_crop(quad, margin)
    # Quads are measured from the edge of a pixel; OpenCV measures from its centre.
    matrix = cv2.getPerspectiveTransform(quad - np.float32(0.5), upright - np.float32(0.5))
    return cv2.warpPerspective(pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE)


def _plan_crop(quad: Quads, margin: float) -> tuple[Quads, tuple[int, int]]:
    """Return where the corners of a quad (4, 2) lie in its crop, and the crop's size in px."""
    top, right, bottom, left = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    # In perspective the far end of a word is smaller, so opposite sides are averaged.
    width, height = float(top + bottom) / 2, float(left + right) / 2
    room = margin * height
    upright = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) + room
    size = (max(1, round(width + 2 * room)), max(1, round(height + 2 * room)))
    return upright, size


def _cut_words(item: Item, pixels: Pixels) -> Items:
    stem = item.name.partition(".")[0]
    first = 0
    for number, (word, quad) in enumerate(zip(item.words, item.quads, strict=True)):
        crop = crop_quad(pixels, quad)
        height, width = crop.shape[:2]
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        last = first + len(inked(word))
        upright, _ = _plan_crop(quad, CROP_MARGIN)
        matrix = cv2.getPerspectiveTransform(quad, upright)
        char_quads = cv2.perspectiveTransform(item.char_quads[first:last], matrix)
        polygon = item.polygons[number]
        polygon = (
            corners
            if np.array_equal(polygon, quad)
            else cv2.perspectiveTransform(polygon[None], matrix)[0]
        )
        yield Item(
            name=f"{stem}-{number:02d}.jpg",
            image=encode_pixels(crop, "jpg", CROP_QUALITY),
            text=word,
            words=(word,),
            quads=corners[None],
            polygons=(polygon,),
            chars=item.chars[first:last],
            char_quads=np.clip(char_quads, 0, (width, height)).astype(np.float32),
            size_px=(width, height),
            label=item.label,
            fields=item.fields,
        )
        first = last
