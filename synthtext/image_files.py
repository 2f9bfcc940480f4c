"""Image files -> RGB: one set of rules for photographs and for images for a model.

The content determines the format, which is one of a few that need no other programs to decode.
Transparent images are put on white, 16 bits become 8, the camera's rotation is applied, and the
first of several frames is used.
"""

from __future__ import annotations

import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from synthtext.errors import SynthtextError
from synthtext.files import format_bytes, open_file

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""Accepted formats. Pillow would pass others, such as EPS, to programs that execute them."""

MAX_FILE_BYTES = 256 << 20

MAX_PIXELS = 64_000_000

MAX_SCANNED_PIXELS = 64 * MAX_PIXELS
"""Pixels times scans of a JPEG: a scan of a few bytes can touch all pixels."""

MAX_SEGMENTS = 10_000
"""Maximum number of segments of a JPEG, or of chunks before the pixels of a PNG."""

MAX_BYTES_OF = {b"GI": 32 << 20, b"P1": 16 << 20, b"P2": 16 << 20, b"P3": 16 << 20}
"""Maximum file size by first bytes: GIF comments and levels written in digits are slow."""

LARGE_PIXELS = 16_000_000
"""Larger images are decoded one at a time: the largest takes up to 1.7 GB."""

REMEDY = "replace or remove it"

PNG_START = b"\x89P"

JPEG_START = b"\xff\xd8"

JPEG_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""The beginning of a segment of a JPEG; other codes belong to its compressed pixels.

Source: ITU-T T.81, table B.1.
"""

JPEG_END, JPEG_SCAN, JPEG_BARE = 0xD9, 0xDA, frozenset({0x01, 0xD8})

JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


_one_large = threading.Lock()


class _UnfitError(Exception):
    """An image has a format or a size that is not accepted."""


def read_rgb(path: Path, *, kind: type[SynthtextError]) -> Image.Image:
    """Return an image file in RGB.

    Args:
        path: a regular file in one of `FORMATS`, whatever its extension.
        kind: the error to raise.

    Raises:
        SynthtextError: of that kind: the file cannot be read, does not decode, or is too large.
    """
    with open_file(path, MAX_FILE_BYTES, kind=kind, remedy=REMEDY) as file:
        try:
            _check_file(file)
            with Image.open(file, formats=FORMATS) as image:
                n_pixels = _check_header(image)
                with _one_large if n_pixels > LARGE_PIXELS else nullcontext():
                    ImageOps.exif_transpose(image, in_place=True)
                    return _to_rgb(image)
        except UnidentifiedImageError as error:
            listed = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
            raise kind(f"{path} is not a {listed} file; {REMEDY}") from error
        except _UnfitError as error:
            raise kind(f"{path} {error}; {REMEDY}") from error
        except Image.DecompressionBombError as error:
            raise kind(f"{path} has more than {MAX_PIXELS:,} px; {REMEDY}") from error
        except Exception as error:  # A hostile image may raise anything.
            reason = " ".join(str(error).split()) or type(error).__name__
            raise kind(f"{path} cannot be decoded ({reason}); {REMEDY}") from error


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Keep Pillow's warnings off the terminal; errors report what matters.

    Warning filters are global to the process: code that starts decoding threads sets this.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _check_file(file: BinaryIO) -> None:
    """Refuse images that would keep a decoder busy for minutes."""
    head = file.read(2)
    limit = MAX_BYTES_OF.get(head, MAX_FILE_BYTES)
    if head == JPEG_START:
        _check_scans(head + file.read())
    elif head == PNG_START:
        _check_chunks(file)
    elif file.seek(0, os.SEEK_END) > limit:
        raise _UnfitError(f"is larger than {format_bytes(limit)}, too much for its format")
    file.seek(0)


def _check_chunks(file: BinaryIO) -> None:
    at = 8
    for _ in range(MAX_SEGMENTS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IDAT":
            return
        # Its length, type, content and checksum.
        at += 12 + int.from_bytes(head[:4])
    raise _UnfitError(f"has more than {MAX_SEGMENTS:,} parts")


def _check_scans(raw: bytes) -> None:
    at = len(JPEG_START)
    n_pixels = n_scans = 0
    for _ in range(MAX_SEGMENTS):
        found = JPEG_MARKER.search(raw, at)
        if found is None or found[1][0] == JPEG_END:
            return
        code, at = found[1][0], found.end()
        if code in JPEG_BARE:
            continue
        if code in JPEG_FRAMES:
            height, width = raw[at + 3 : at + 5], raw[at + 5 : at + 7]
            n_pixels = int.from_bytes(height) * int.from_bytes(width)
        n_scans += code == JPEG_SCAN
        if n_scans * n_pixels > MAX_SCANNED_PIXELS:
            raise _UnfitError(f"goes over {n_pixels:,} px more than {n_scans - 1} times")
        at += int.from_bytes(raw[at : at + 2])
    raise _UnfitError(f"has more than {MAX_SEGMENTS:,} parts")


def _check_header(image: Image.Image) -> int:
    """Return the pixels of an image, or refuse it before they are decoded."""
    n_pixels = image.width * image.height
    if n_pixels > MAX_PIXELS:
        raise _UnfitError(f"has {image.width}x{image.height} px, more than {MAX_PIXELS:,}")
    if image.mode == "F":
        raise _UnfitError("has floating-point levels, not 8 or 16 bits")
    return n_pixels


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow would clip 16-bit levels to white instead of scaling them.
        deep = np.asarray(image) // 257
        return Image.fromarray(deep.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")
