"""Images: files of a user's own -> pixels, read with care."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from probes.errors import ProbeError
from probes.readers import Pixels

EXTENSIONS = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)

MAX_PIXELS = 64_000_000
"""Largest picture that is read: a bound for files that come from elsewhere."""

THUMB_PX = 160
"""Longer side of a thumbnail."""

FAULTS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What Pillow raises for a file that is no picture."""


def list_images(paths: Sequence[Path]) -> list[Path]:
    """Return the files among paths, and those in folders among them, in order of their names.

    Raises:
        ProbeError: a path is missing, or there is no picture at all.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += [
                each for each in sorted(path.iterdir()) if each.suffix.lower() in EXTENSIONS
            ]
        elif path.is_file():
            found.append(path)
        else:
            raise ProbeError(f"there is no file {path}; give pictures, or folders of them")
    if not found:
        listed = ", ".join(map(str, paths))
        raise ProbeError(f"there are no pictures in {listed}; give .jpg, .png or .webp files")
    return found


def read_image(path: Path) -> Pixels:
    """Return a picture as uint8 (H, W, 3), turned as its camera says, on white.

    Raises:
        ProbeError: it does not decode, or is too large.
    """
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ProbeError(
                    f"{path} is {image.width}x{image.height} px; {MAX_PIXELS:,} px are the most"
                )
            return np.asarray(_flatten(ImageOps.exif_transpose(image)))
    except FAULTS as error:
        raise ProbeError(
            f"{path} does not decode ({error}); mend it or take it away"
        ) from error


def find_broken(paths: Sequence[Path]) -> set[Path]:
    """Return those files that do not decode, or are too large: each is read once, whole."""
    with ThreadPoolExecutor() as threads:
        readable = threads.map(_is_readable, paths)
        return {path for path, is_fine in zip(paths, readable, strict=True) if not is_fine}


def _is_readable(path: Path) -> bool:
    try:
        read_image(path)
    except ProbeError:
        return False
    return True


def shrink_pixels(pixels: Pixels, side_px: int = THUMB_PX) -> Pixels:
    """Return a thumbnail, its longer side no longer than asked for."""
    height, width = pixels.shape[:2]
    scale = side_px / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _flatten(image: Image.Image) -> Image.Image:
    """Return an image as RGB; what can be seen through shows white."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(paper, layer).convert("RGB")
    return image.convert("RGB")
