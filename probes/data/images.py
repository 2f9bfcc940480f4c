"""Images: the user's own files -> pixels, read as untrusted input."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from probes.arrays import Pixels
from probes.errors import ProbeError
from synthtext.image_files import quiet_pillow, read_rgb

EXTENSIONS = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)

THUMB_PX = 160
"""Longer side of a thumbnail."""

N_THREADS = 4
"""Number of images decoded at a time, which limits memory."""


def list_images(paths: Sequence[Path]) -> list[Path]:
    """Return the files given and those in the folders given, sorted by name.

    Raises:
        ProbeError: a path is missing, or there is no image at all.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += [
                each for each in sorted(path.iterdir()) if each.suffix.lower() in EXTENSIONS
            ]
        elif os.path.lexists(path):
            found.append(path)
        else:
            raise ProbeError(f"there is no file {path}; give images, or folders of them")
    if not found:
        listed = ", ".join(map(str, paths))
        raise ProbeError(f"there are no images in {listed}; give .jpg, .png or .webp files")
    return found


def read_image(path: Path) -> Pixels:
    """Return an image as uint8 (H, W, 3), rotated by its EXIF orientation, on white.

    Raises:
        ProbeError: it does not decode, or is too large.
    """
    with quiet_pillow():
        return np.asarray(read_rgb(path, kind=ProbeError))


def keep_readable(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Return the files that can be read, and a sentence for each of the rest.

    Raises:
        ProbeError: none can be read.
    """
    broken = find_broken(paths)
    readable = [path for path in paths if path not in broken]
    if not readable:
        raise ProbeError(f"there is no image that can be read: {next(iter(broken.values()))}")
    return readable, list(broken.values())


def find_broken(paths: Sequence[Path]) -> dict[Path, str]:
    """Return a sentence for each file that cannot be read; each is read in full."""
    with quiet_pillow(), ThreadPoolExecutor(N_THREADS) as threads:
        said = threads.map(_explain, paths)
        return {path: reason for path, reason in zip(paths, said, strict=True) if reason}


def _explain(path: Path) -> str:
    """Return why a file cannot be read, an empty string if it can."""
    try:
        read_rgb(path, kind=ProbeError)
    except ProbeError as error:
        return str(error)
    return ""


def shrink_pixels(pixels: Pixels, side_px: int = THUMB_PX) -> Pixels:
    """Return a thumbnail whose longer side is at most `side_px`."""
    height, width = pixels.shape[:2]
    scale = side_px / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def name_file(file: str | Path) -> str:
    """Return a path as text that JSON can hold; bytes that are not UTF-8 become escapes."""
    return os.fsencode(file).decode("utf-8", "backslashreplace")
