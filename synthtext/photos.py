"""Photographs to draw on: a folder of them, checked at the start, read when needed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from synthtext.errors import PhotoError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})

MAX_PIXELS = 64_000_000

SHORT_SIDE_PX = 1024
"""Photographs are kept no larger than this: crops of them are as sharp as the images need."""

N_KEPT = 8


@dataclass(frozen=True)
class Photos:
    """A folder of photographs.

    Attributes:
        folder: where they lie.
        names: file names, in order.
        sha256: over names and bytes, in hex.
    """

    folder: Path
    names: tuple[str, ...]
    sha256: str


def read_photos(folder: Path) -> Photos:
    """Return the photographs of a folder, every one of them decoded once as a check.

    Raises:
        PhotoError: the folder is missing or empty, or one of them is broken or too large.
    """
    if not folder.is_dir():
        raise PhotoError(f"{folder} is no folder; give one that holds photographs")
    names = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not names:
        listed = ", ".join(sorted(SUFFIXES))
        raise PhotoError(f"{folder} holds no photograph ({listed}); put some there")
    digest = hashlib.sha256()
    for name in names:
        _decode(folder / name)
        digest.update(
            f"{name}\x00".encode() + hashlib.sha256((folder / name).read_bytes()).digest()
        )
    return Photos(folder, tuple(names), digest.hexdigest())


def read_photo(photos: Photos, name: str) -> NDArray[np.uint8]:
    """Return a photograph, reduced to what drawing needs: uint8 (H, W, 3), RGB.

    Raises:
        PhotoError: there is none of that name, or it is broken.
    """
    if name not in photos.names:
        raise PhotoError(f"{photos.folder} holds no photograph {name!r}; put it back")
    return _keep(photos.folder / name)


@lru_cache(maxsize=N_KEPT)
def _keep(path: Path) -> NDArray[np.uint8]:
    return np.asarray(_decode(path))


def _decode(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PhotoError(
                    f"{path} has {image.width}x{image.height} px; at most {MAX_PIXELS:,} in all"
                )
            upright = _to_rgb(ImageOps.exif_transpose(image))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PhotoError(
            f"{path} does not decode ({error}); remove it from the folder or replace it"
        ) from error
    scale = SHORT_SIDE_PX / min(upright.size)
    if scale < 1:
        size = (round(upright.width * scale), round(upright.height * scale))
        upright = upright.resize(size, Image.Resampling.BOX)
    return upright


def _to_rgb(image: Image.Image) -> Image.Image:
    """Return the first frame in RGB; what is transparent lies on white."""
    if image.mode.startswith("I"):
        # Pillow would clip 16-bit levels to white instead of scaling them.
        deep = np.asarray(image, np.float64)
        return Image.fromarray((deep / 257).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")
