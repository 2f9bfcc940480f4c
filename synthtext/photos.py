"""Photographs to draw on: a folder of them, checked at the start, read when needed."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
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
        hashes: SHA-256 of the bytes of each, in hex, in order of their names.
    """

    folder: Path
    names: tuple[str, ...]
    sha256: str
    hashes: tuple[str, ...]


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
    digest, hashes = hashlib.sha256(), []
    for name in names:
        _check_name(name)
        _decode(folder / name)
        found = hashlib.sha256((folder / name).read_bytes())
        digest.update(f"{name}\x00".encode() + found.digest())
        hashes.append(found.hexdigest())
    return Photos(folder, tuple(names), digest.hexdigest(), tuple(hashes))


def read_photo(photos: Photos, name: str, n_halvings: int = 0) -> NDArray[np.uint8]:
    """Return a photograph, reduced to what drawing needs: uint8 (H, W, 3), RGB, read-only.

    Args:
        photos: the folder.
        name: file name of the photograph.
        n_halvings: how often its sides are halved, if it has the pixels; 0 leaves it as it is.

    Raises:
        PhotoError: there is none of that name, or it is broken or no longer the same.
    """
    if name not in photos.names:
        raise PhotoError(f"{photos.folder} holds no photograph {name!r}; put it back")
    levels = _keep(photos.folder / name, photos.hashes[photos.names.index(name)])
    return levels[min(n_halvings, len(levels) - 1)]


def _check_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        # Specs are kept as JSON, which could not hold it.
        raise PhotoError(f"{name!r} is no name in UTF-8; rename the photograph") from error


@lru_cache(maxsize=N_KEPT)
def _keep(path: Path, sha256: str) -> tuple[NDArray[np.uint8], ...]:
    """Return the photograph, then each time half of the last, down to a side of one pixel."""
    if _hash_file(path) != sha256:
        raise PhotoError(
            f"{path} was changed while it was in use; put the photograph back, or begin anew"
        )
    levels = [np.asarray(_decode(path))]
    while min(levels[-1].shape[:2]) > 1:
        height, width = levels[-1].shape[:2]
        half = cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        half.flags.writeable = False
        levels.append(half)
    return tuple(levels)


def _hash_file(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PhotoError(f"{path} cannot be read ({reason}); put it back") from error


def _decode(path: Path) -> Image.Image:
    try:
        with _open_quietly(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PhotoError(
                    f"{path} has {image.width}x{image.height} px; at most {MAX_PIXELS:,} in all"
                )
            if image.mode == "F":
                raise PhotoError(f"{path} holds floating-point levels; save it with 8 bits")
            upright = _to_rgb(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as error:
        raise PhotoError(
            f"{path} has far more than {MAX_PIXELS:,} px; shrink it or remove it"
        ) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise PhotoError(
            f"{path} does not decode ({error}); remove it from the folder or replace it"
        ) from error
    scale = SHORT_SIDE_PX / min(upright.size)
    if scale < 1:
        size = (round(upright.width * scale), round(upright.height * scale))
        upright = upright.resize(size, Image.Resampling.BOX)
    return upright


def _open_quietly(path: Path) -> Image.Image:
    """Return the picture, only its header read."""
    with warnings.catch_warnings():
        # Pillow warns of large pictures; those above our own bound are refused with a sentence.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path)


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
