"""Rendering <-> the files of one sample: image, text, factors, class."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import orjson
from PIL import Image

from synthtext.degradations import jpeg
from synthtext.errors import ShardError, SpecError
from synthtext.rendering import Pixels, Quads, Rendering
from synthtext.spec import MAX_SIDE_PX, spec_from_dict, spec_to_dict

FORMAT = 1
"""Version of the layout of `KEY.json`."""

WEBP_LOSSLESS = 101
"""The quality above 100 by which OpenCV is asked for lossless WebP."""

PNG_SETTINGS = [
    # Flat paper packs best without row filters, and in half the time.
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_NONE,
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
]

MAX_JSON_BYTES = 8 << 20

MEASURED = ("size_asked_px", "x_height_px", "contrast_drawn", "ink_drawn")


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
        rendering: what was drawn.
        image_format: `jpg`, at the spec's quality; or `png` or `webp`, without further loss
            once the image has gone through JPEG at that quality (100 spares it).
    """
    spec = rendering.spec
    fields = {
        "format": FORMAT,
        **spec_to_dict(spec),
        "drawn_text": spec.drawn_text,
        **{name: getattr(rendering, name) for name in MEASURED},
        "word_quads": rendering.word_quads,
        "char_quads": rendering.char_quads,
    }
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
    """Return the image that `encode` wrote, its pixels as far as its format keeps them.

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
        return Rendering(
            spec=spec_from_dict(fields),
            pixels=decode_pixels(sample),
            word_quads=_read_quads(fields["word_quads"]),
            char_quads=_read_quads(fields["char_quads"]),
            size_asked_px=float(fields["size_asked_px"]),
            x_height_px=float(fields["x_height_px"]),
            contrast_drawn=float(fields["contrast_drawn"]),
            ink_drawn=str(fields["ink_drawn"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ShardError(
            f"{sample.key}.json lacks or garbles {error}; draw it again"
        ) from error
    except SpecError as error:
        raise ShardError(f"{sample.key}.json holds no spec: {error}") from error


def decode_fields(sample: Sample) -> dict[str, Any]:
    """Return what `KEY.json` says.

    Raises:
        ShardError: it is missing, broken, too large or of another version.
    """
    raw = sample.files.get("json")
    if raw is None:
        raise ShardError(f"{sample.key} has no .json; the shard was not written by synthtext")
    if len(raw) > MAX_JSON_BYTES:
        raise ShardError(
            f"{sample.key}.json has {len(raw)} bytes; {MAX_JSON_BYTES} are the most"
        )
    try:
        fields = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ShardError(f"{sample.key}.json is broken ({error}); draw it again") from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise ShardError(
            f"{sample.key}.json is not of format {FORMAT}; use the synthtext that wrote it"
        )
    return fields


def decode_pixels(sample: Sample) -> Pixels:
    """Return the image of a sample: uint8 (H, W, 3), RGB.

    Raises:
        ShardError: there is none, or it does not decode, or it is too large.
    """
    for extension in ("jpg", "png", "webp"):
        raw = sample.files.get(extension)
        if raw is not None:
            return decode_image(f"{sample.key}.{extension}", raw)
    raise ShardError(f"{sample.key} has no .jpg, .png or .webp; draw it again")


def decode_image(name: str, raw: bytes) -> Pixels:
    """Return a picture of a shard: uint8 (H, W, 3), RGB.

    Args:
        name: says in the error which it is.
        raw: the file; what it holds tells its format.

    Raises:
        ShardError: it does not decode, or is too large.
    """
    try:
        # Pillow reads the size from the header, so that a bomb is refused before it goes off.
        with Image.open(io.BytesIO(raw)) as header:
            width, height = header.size
        if max(width, height) > MAX_SIDE_PX:
            raise ShardError(f"{name} is {width}x{height} px; {MAX_SIDE_PX} is the most")
        bgr = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, ValueError, Image.DecompressionBombError, cv2.error):
        bgr = None
    if bgr is None:
        raise ShardError(f"{name} does not decode; draw it again")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _read_quads(rows: object) -> Quads:
    quads = np.array(rows, np.float32)
    if quads.shape[1:] != (4, 2) or not np.isfinite(quads).all():
        raise ValueError("quads")
    return quads
