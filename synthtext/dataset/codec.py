"""Rendering <-> the files of one sample: image, text, factors, class."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import orjson
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from synthtext.drawing.bands import MAX_POINTS
from synthtext.drawing.degradations import jpeg
from synthtext.drawing.layout import inked, split_words
from synthtext.drawing.rendering import Pixels, Quads, Rendering
from synthtext.errors import ShardError, SpecError, quote
from synthtext.factors import MAX_SIDE_PX
from synthtext.spec import CASES, HEX_COLOUR, Spec, spec_from_dict, spec_to_dict

FORMAT = 1
"""Version of the layout of `KEY.json`."""

WEBP_LOSSLESS = 101
"""The quality above 100 by which OpenCV is asked for lossless WebP."""

PNG_SETTINGS = [
    # Flat backgrounds compress best without row filters, and in half the time.
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_NONE,
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
]

MAX_JSON_BYTES = 8 << 20

MAX_QUAD_PX = 1e6
"""Maximum coordinate of a quad: a bound before it becomes a float32."""

MAX_CLASS_DIGITS = 16
"""Maximum number of digits of a class."""

FORMATS = {
    "jpg": (b"\xff\xd8\xff", JpegImageFile),
    "png": (b"\x89PNG\r\n\x1a\n", PngImageFile),
    "webp": (b"RIFF", WebPImageFile),
}
"""The formats of images that are opened: how each begins, and what reads its header.

Pillow would open dozens of others by their content, and start Ghostscript for some.
"""

MEASURED = ("size_asked_px", "x_height_px", "contrast_drawn", "ink_drawn", "ink_visible_frac")

LATER_MEASURED: dict[str, Any] = {
    "ink_visible_frac": 1.0, "word_breaks": [], "font_runs": [], "word_polygons": [],
    "others_drawn": [], "other_quads": [],
}  # fmt: skip
"""What the first shards lack, of these and beside them, with its value where it is missing."""


@dataclass(frozen=True)
class Sample:
    """The files of one image in a shard.

    Attributes:
        key: common stem of their names.
        files: extension to bytes, in the order of the shard: image, txt, json, cls.
    """

    key: str
    files: Mapping[str, bytes]


def encode(rendering: Rendering, image_format: str) -> Sample:
    """Return the files of an image.

    >>> from synthtext import Spec, encode, read_catalogue, render
    >>> spec = Spec(0, 7, "train", "word", "quartz", "Lato_700Bold.ttf")
    >>> list(encode(render(spec, read_catalogue()), "png").files)
    ['png', 'txt', 'json', 'cls']

    Args:
        rendering: the image and its labels.
        image_format: `jpg`, at the quality of the spec; or `png` or `webp`, lossless, after the
            image was compressed as JPEG at that quality (not at 100).
    """
    spec = rendering.spec
    fields = {
        "format": FORMAT,
        **spec_to_dict(spec),
        "drawn_text": spec.drawn_text,
        **{name: getattr(rendering, name) for name in MEASURED},
        "word_quads": rendering.word_quads,
        "char_quads": rendering.char_quads,
        "word_breaks": rendering.word_breaks,
        "font_runs": rendering.font_runs,
    }
    # The polygons of straight text are its quads.
    if rendering.bent_polygons:
        fields["word_polygons"] = rendering.bent_polygons
    if rendering.others_drawn:
        fields["others_drawn"] = rendering.others_drawn
        fields["other_quads"] = rendering.other_quads
    return Sample(
        spec.key,
        {
            image_format: encode_pixels(rendering.pixels, image_format, spec.jpeg_quality),
            "txt": spec.drawn_text.encode(),
            "json": orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY),
            "cls": str(spec.class_index).encode(),
        },
    )


def encode_pixels(pixels: Pixels, image_format: str, jpeg_quality: int) -> bytes:
    """Return the file of an image, uint8 (H, W, 3) RGB, as `encode` writes it."""
    if image_format != "jpg":
        pixels = jpeg(pixels, jpeg_quality)
    settings = {
        "jpg": [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality],
        "png": PNG_SETTINGS,
        "webp": [cv2.IMWRITE_WEBP_QUALITY, WEBP_LOSSLESS],
    }
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return cv2.imencode(f".{image_format}", bgr, settings[image_format])[1].tobytes()


def decode(sample: Sample) -> Rendering:
    """Return the rendering that `encode` wrote; pixels are as exact as the format.

    >>> from synthtext import Spec, decode, encode, read_catalogue, render
    >>> spec = Spec(0, 7, "train", "word", "quartz", "Lato_700Bold.ttf")
    >>> decode(encode(render(spec, read_catalogue()), "png")).spec == spec
    True

    Raises:
        ShardError: a file is missing, broken, too large or not of this format.
    """
    return decode_with(decode_fields(sample), sample)


def decode_with(fields: dict[str, Any], sample: Sample) -> Rendering:
    """Return the same, given what `decode_fields` has read of the sample.

    Raises:
        ShardError: as `decode`.
    """
    try:
        spec = spec_from_dict(fields)
    except SpecError as error:
        raise ShardError(f"{sample.key}.json has no valid spec: {error}") from error
    pixels = decode_pixels(sample)
    text = spec.drawn_text
    try:
        if fields.get("drawn_text", text) != text:
            raise ValueError("drawn_text")  # noqa: TRY301 - one sentence for all that is garbled.
        _check_size(spec, pixels)
        word_breaks = _read_word_breaks(fields, text)
        others = _read_others(fields, spec)
        return Rendering(
            spec=spec,
            pixels=pixels,
            word_quads=_read_quads(fields, "word_quads", len(split_words(text, word_breaks))),
            char_quads=_read_quads(fields, "char_quads", len(inked(text))),
            size_asked_px=_read_number(fields, "size_asked_px"),
            x_height_px=_read_number(fields, "x_height_px"),
            contrast_drawn=_read_number(fields, "contrast_drawn"),
            ink_drawn=_read_colour(fields, "ink_drawn"),
            ink_visible_frac=_read_number(fields, "ink_visible_frac"),
            word_breaks=word_breaks,
            font_runs=_read_font_runs(fields, spec),
            bent_polygons=_read_polygons(fields, len(split_words(text, word_breaks))),
            others_drawn=others,
            other_quads=_read_quads(fields, "other_quads", len(others)),
        )
    except ValueError as error:
        raise ShardError(f"{sample.key}.json has no valid {error}; render it again") from error


def decode_fields(sample: Sample) -> dict[str, Any]:
    """Return what `KEY.json` says.

    Raises:
        ShardError: it is missing, broken, too large or of another version.
    """
    raw = sample.files.get("json")
    if raw is None:
        raise ShardError(f"{sample.key} has no .json; the shard was not written by synthtext")
    fields = decode_json(f"{sample.key}.json", raw)
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise ShardError(
            f"{sample.key}.json is not of format {FORMAT}; use the synthtext that wrote it"
        )
    return fields


def decode_json(name: str, raw: bytes) -> object:
    """Return what a JSON file of a shard says; orjson itself refuses depths above 1,024.

    Raises:
        ShardError: it is broken or too large.
    """
    if len(raw) > MAX_JSON_BYTES:
        raise ShardError(f"{name} has {len(raw)} bytes; the limit is {MAX_JSON_BYTES}")
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ShardError(f"{name} is broken ({error}); render it again") from error


def decode_class(name: str, raw: bytes, n_classes: int) -> int:
    """Return the number that a `.cls` holds.

    >>> from synthtext.dataset.codec import decode_class
    >>> decode_class("7.cls", b"3", n_classes=10)
    3

    Raises:
        ShardError: it is not the number of a class.
    """
    digits = raw.strip()
    # Before int() sees it, which refuses thousands of digits in an error of its own.
    if digits.isdigit() and len(digits) <= MAX_CLASS_DIGITS and int(digits) < n_classes:
        return int(digits)
    shown = quote(raw.decode("utf-8", errors="backslashreplace"))
    raise ShardError(
        f"{name} is {shown}, which is not a class; classnames.txt has {n_classes} lines"
    )


def decode_pixels(sample: Sample) -> Pixels:
    """Return the image of a sample: uint8 (H, W, 3), RGB.

    Raises:
        ShardError: there is none, or it does not decode, or it is too large.
    """
    for extension in FORMATS:
        raw = sample.files.get(extension)
        if raw is not None:
            return decode_image(f"{sample.key}.{extension}", raw, extension)
    raise ShardError(f"{sample.key} has no .jpg, .png or .webp; render it again")


def decode_image(name: str, raw: bytes, *formats: str) -> Pixels:
    """Return an image of a shard: uint8 (H, W, 3), RGB.

    Args:
        name: says in the error which it is.
        raw: the file; what it holds tells its format.
        formats: those of `FORMATS` that it may have; none given, any of them.

    Raises:
        ShardError: it does not decode, has another format, or is too large.
    """
    bgr = None
    try:
        # The size is read from the header, so that a bomb is refused before it goes off.
        width, height = _read_size(raw, formats or tuple(FORMATS))
        if max(width, height) > MAX_SIDE_PX:
            raise ShardError(f"{name} is {width}x{height} px; the limit is {MAX_SIDE_PX}")
        bgr = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, SyntaxError, ValueError, cv2.error):
        bgr = None
    # OpenCV turns an image as its camera says.
    if bgr is None or sorted(bgr.shape[:2]) != sorted((height, width)):
        raise ShardError(f"{name} cannot be decoded; render it again")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _read_size(raw: bytes, formats: tuple[str, ...]) -> tuple[int, int]:
    """Return width and height in px, by the header of an image."""
    for name in formats:
        start, read = FORMATS[name]
        if raw.startswith(start):
            with read(io.BytesIO(raw)) as header:
                return header.size
    raise ValueError("format")


def _check_size(spec: Spec, pixels: Pixels) -> None:
    """Check that an image is as large as its spec asks; 0 there fits it to its text."""
    height, width = pixels.shape[:2]
    if spec.width_px not in (0, width) or spec.height_px not in (0, height):
        asked = f"{spec.width_px}x{spec.height_px}"
        raise ValueError(f"size: {asked} for an image of {width}x{height} px")


def _read_quads(fields: Mapping[str, Any], name: str, n: int) -> Quads:
    rows = fields.get(name, LATER_MEASURED.get(name))
    # Their number is known from the text, so that no array grows by what a file says.
    if not isinstance(rows, list) or len(rows) != n:
        raise ValueError(f"{name}: the text needs {n}")
    try:
        quads = np.array(rows) if rows else np.empty((0, 4, 2))
    except ValueError as error:  # Rows of several lengths.
        raise ValueError(name) from error
    is_fine = quads.dtype.kind in "fi" and quads.shape[1:] == (4, 2)
    if not is_fine or (np.abs(quads) > MAX_QUAD_PX).any():
        raise ValueError(name)
    return quads.astype(np.float32)


def _read_polygons(fields: Mapping[str, Any], n: int) -> tuple[Quads, ...]:
    rows = fields.get("word_polygons", LATER_MEASURED["word_polygons"])
    if not isinstance(rows, list) or len(rows) not in (0, n):
        raise ValueError(f"word_polygons: the text needs {n}")
    return tuple(_read_polygon(row) for row in rows)


def _read_polygon(row: object) -> Quads:
    if not isinstance(row, list) or not 4 <= len(row) <= MAX_POINTS or len(row) % 2:
        raise ValueError("word_polygons")
    try:
        points = np.array(row)
    except ValueError as error:  # Points of several lengths.
        raise ValueError("word_polygons") from error
    if points.dtype.kind not in "fi" or points.shape[1:] != (2,):
        raise ValueError("word_polygons")
    if (np.abs(points) > MAX_QUAD_PX).any():
        raise ValueError("word_polygons")
    return points.astype(np.float32)


def _read_word_breaks(fields: Mapping[str, Any], text: str) -> tuple[int, ...]:
    places = fields.get("word_breaks", LATER_MEASURED["word_breaks"])
    is_fine = isinstance(places, list) and all(type(place) is int for place in places)
    if not is_fine or places != sorted({*places} & {*range(1, len(text))}):
        raise ValueError("word_breaks")
    return tuple(places)


def _read_font_runs(fields: Mapping[str, Any], spec: Spec) -> tuple[tuple[int, int, str], ...]:
    rows = fields.get("font_runs", LATER_MEASURED["font_runs"])
    n = len(spec.drawn_text)
    if not isinstance(rows, list) or len(rows) > n:
        raise ValueError("font_runs")
    stop = 0
    for row in rows:
        if not isinstance(row, list) or [type(value) for value in row] != [int, int, str]:
            raise ValueError("font_runs")
        if not stop == row[0] < row[1] <= n or row[2] not in spec.font_files:
            raise ValueError("font_runs")
        stop = row[1]
    if rows and stop != n:
        raise ValueError("font_runs")
    return tuple((start, stop, file) for start, stop, file in rows)


def _read_others(fields: Mapping[str, Any], spec: Spec) -> tuple[str, ...]:
    words = fields.get("others_drawn", LATER_MEASURED["others_drawn"])
    known = {CASES[spec.case](word) for word in spec.other_texts.split()}
    if not isinstance(words, list) or len(words) > spec.other_words:
        raise ValueError("others_drawn")
    if not all(isinstance(word, str) and word in known for word in words):
        raise ValueError("others_drawn")
    return tuple(words)


def _read_number(fields: Mapping[str, Any], name: str) -> float:
    value = fields.get(name, LATER_MEASURED.get(name))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(name)  # noqa: TRY004 - the caller names the file and raises its own.
    return float(value)


def _read_colour(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not HEX_COLOUR.fullmatch(value):
        raise ValueError(name)
    return value
