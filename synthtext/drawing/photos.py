"""A folder of photographs for backgrounds and ink, checked at the start, read when needed."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from synthtext.errors import PhotoError
from synthtext.files import hash_file, list_files
from synthtext.image_files import quiet_pillow, read_rgb
from synthtext.rng import unfold

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})

SHORT_SIDE_PX = 1024
"""Photographs are shrunk to this, which keeps crops of them sharp enough."""

N_KEPT = 8


@dataclass(frozen=True)
class Photos:
    """A folder of photographs.

    Attributes:
        folder: the folder.
        names: sorted paths relative to the folder, with `/` as separator.
        sha256: SHA-256 over all names and bytes, in hex.
        hashes: SHA-256 of the bytes of each, in hex, in the order of the names.
        broken: a sentence for each that cannot be used.
    """

    folder: Path
    names: tuple[str, ...]
    sha256: str
    hashes: tuple[str, ...]
    broken: tuple[str, ...] = ()


def read_photos(folder: Path) -> Photos:
    """Return the photographs of a folder and its subfolders, each decoded once as a check.

    Broken ones are left out and listed in `Photos.broken`.

    Raises:
        PhotoError: the folder is missing, or has no usable photograph.
    """
    if not folder.is_dir():
        raise PhotoError(f"{folder} is not a folder; give one that contains photographs")
    found = list_files(folder, SUFFIXES, kind=PhotoError)
    if not found:
        listed = ", ".join(sorted(SUFFIXES))
        raise PhotoError(f"{folder} has no photograph ({listed}); add some")
    digest, hashes = hashlib.sha256(), list[str]()
    names: list[str] = []
    broken: list[str] = []
    for name in found:
        try:
            _check_name(name)
            _decode(folder / name)
        except PhotoError as error:
            broken.append(str(error))
            continue
        names.append(name)
        hashes.append(_hash_photo(folder / name))
        digest.update(f"{name}\x00".encode() + bytes.fromhex(hashes[-1]))
    if not names:
        raise PhotoError(f"{folder} has no usable photograph: {broken[0]}")
    return Photos(folder, tuple(names), digest.hexdigest(), tuple(hashes), tuple(broken))


def read_photo(photos: Photos, name: str, n_halvings: int = 0) -> NDArray[np.uint8]:
    """Return a photograph at a reduced size: uint8 (H, W, 3), RGB, read-only.

    Args:
        photos: the folder.
        name: name of the photograph, one of `Photos.names`.
        n_halvings: how often its sides are halved, down to one pixel; 0 changes nothing.

    Raises:
        PhotoError: there is no photograph of that name, or it is broken or has changed.
    """
    if name not in photos.names:
        raise PhotoError(f"{photos.folder} has no photograph {name!r}; restore it")
    levels = _keep(photos.folder / name, photos.hashes[photos.names.index(name)])
    return levels[min(n_halvings, len(levels) - 1)]


def crop_photo(
    photos: Photos | None, name: str, seed: int, width_px: int, height_px: int
) -> NDArray[np.uint8]:
    """Return a part of a photograph, at least half as large as fits: uint8 (H, W, 3), RGB.

    Args:
        photos: the folder.
        name: name of the photograph, one of `Photos.names`.
        seed: 32 bits; chooses the part.
        width_px: width of what is returned, 1 or more.
        height_px: its height, 1 or more.

    Raises:
        PhotoError: there is no folder, or `read_photo` raises it.
    """
    if photos is None:
        raise PhotoError(f"{name!r} is a photograph; give its folder with --backgrounds")
    zoom, x, y = unfold(seed, 3)
    share = 0.5 + 0.5 * zoom
    scale = share * _largest_scale(read_photo(photos, name), width_px, height_px)
    # The photograph is halved until a pixel of the canvas covers less than two of its pixels:
    # linear interpolation then skips none, at a twentieth of the cost of averaging.
    photo = read_photo(photos, name, max(0, math.frexp(scale)[1] - 1))
    scale = share * _largest_scale(photo, width_px, height_px)
    height, width = photo.shape[:2]
    crop_width = max(1, min(width, round(width_px * scale)))
    crop_height = max(1, min(height, round(height_px * scale)))
    left, top = int(x * (width - crop_width + 1)), int(y * (height - crop_height + 1))
    crop = photo[top : top + crop_height, left : left + crop_width]
    return cv2.resize(crop, (width_px, height_px), interpolation=cv2.INTER_LINEAR)


def _largest_scale(photo: NDArray[np.uint8], width_px: int, height_px: int) -> float:
    """Return the maximum number of px of the photograph, along a side, per px of the canvas."""
    height, width = photo.shape[:2]
    return min(width / width_px, height / height_px)


def _check_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        # Specs are stored as JSON, which cannot contain such a name.
        raise PhotoError(
            f"{name!r} is not a valid UTF-8 name; rename the photograph"
        ) from error


@lru_cache(maxsize=N_KEPT)
def _keep(path: Path, sha256: str) -> tuple[NDArray[np.uint8], ...]:
    """Return the photograph and successively halved copies, down to a side of one pixel."""
    if _hash_photo(path) != sha256:
        raise PhotoError(
            f"{path} was changed while it was in use; restore the photograph, or start again"
        )
    levels = [np.asarray(_decode(path))]
    while min(levels[-1].shape[:2]) > 1:
        height, width = levels[-1].shape[:2]
        half = cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        half.flags.writeable = False
        levels.append(half)
    return tuple(levels)


def _hash_photo(path: Path) -> str:
    try:
        return hash_file(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PhotoError(f"{path} cannot be read ({reason}); restore it") from error


def _decode(path: Path) -> Image.Image:
    with quiet_pillow():
        image = read_rgb(path, kind=PhotoError)
    scale = SHORT_SIDE_PX / min(image.size)
    if scale < 1:
        size = (round(image.width * scale), round(image.height * scale))
        image = image.resize(size, Image.Resampling.BOX)
    return image
