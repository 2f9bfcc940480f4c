"""A folder of crops -> the input of the estimator; other images are refused or left out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from probes.arrays import Pixels
from probes.data.images import EXTENSIONS, name_file, read_image
from probes.errors import ProbeError
from probes.fitting.crops import MAX_HEIGHT_PX, Crops, join, look_at
from synthtext.files import list_files

LEAST_CROPS = 20

N_TRIED = 40
"""Number of images after which a folder is refused if most of them are not crops."""

MAX_PIXELS = 4_000_000
"""Larger images are photographs or pages; a crop of a word is smaller."""

PAGE_LINES = 5
"""An image with this many lines of text is a page rather than a crop of a word."""

MIN_PAGE_PX = 160
"""Minimum height of a page; lower images are crops, and so are words set vertically."""

FLAT_STD = 1.5
"""A crop with a smaller standard deviation of its pixels has a single colour."""

UNFIT = {
    "page": f"pages with {PAGE_LINES} lines or more; cut out their words",
    "large": f"images of more than {MAX_PIXELS // 1_000_000} million pixels; cut out their "
    "words, or shrink them",
    "flat": "images of a single colour; give crops with text on them",
}
"""Kinds of image that are not used: what they are, and the way out."""


@dataclass(frozen=True)
class RealCrops:
    """The crops of a folder.

    Attributes:
        crops: the input of the estimator.
        files: the file of each crop, in order.
        notes: a sentence for each file, or kind of file, that was left out or changed.
    """

    crops: Crops
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def read_crops(
    folder: Path, *, n_most: int, seed: int, on_progress: Callable[..., None]
) -> RealCrops:
    """Return the crops of a folder and its subfolders.

    Args:
        folder: folder of images of one word each; files that are not images are ignored.
        n_most: maximum number of crops; if there are more, a hash of their names chooses.
        seed: part of that hash, so other seeds choose other crops.
        on_progress: called with the number of crops read.

    Raises:
        ProbeError: there is no such folder, or a recipe cannot be fitted to what it contains.
    """
    files, notes = _choose_files(folder, n_most, seed)
    parts: list[Crops] = []
    kept: list[Path] = []
    kinds: Counter[str] = Counter()
    for done, path in enumerate(files, 1):
        on_progress("crops read", done, len(files))
        try:
            pixels = read_image(path)
        except ProbeError as error:
            notes.append(str(error))
            continue
        kind = name_kind(pixels)
        kinds[kind] += 1
        if kind in ("crop", "tall"):
            parts.append(look_at([pixels]))
            kept.append(path)
        if done in (N_TRIED, len(files)):
            _check_kinds(folder, kinds, done)
    if len(kept) < LEAST_CROPS:
        raise ProbeError(
            f"{folder} holds {len(kept)} usable crops among {len(files):,} images; "
            f"a fit needs {LEAST_CROPS} or more"
        )
    notes += [f"{kinds[kind]:,} {what}" for kind, what in UNFIT.items() if kinds[kind]]
    if kinds["tall"]:
        notes.append(
            f"{kinds['tall']:,} are taller than {MAX_HEIGHT_PX} px and were shrunk to that "
            "height, so larger sizes are not told apart"
        )
    return RealCrops(join(parts), tuple(kept), tuple(notes))


def name_kind(pixels: Pixels) -> str:
    """Return what an image is: `crop`, `tall` for a tall one, or one of `UNFIT`."""
    if pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
        return "large"
    if pixels.std(axis=(0, 1)).max() < FLAT_STD:
        return "flat"
    if is_page(pixels):
        return "page"
    return "tall" if pixels.shape[0] > MAX_HEIGHT_PX else "crop"


def is_page(pixels: Pixels) -> bool:
    """Return whether an image shows several lines of text, one above the other."""
    if pixels.shape[0] < MIN_PAGE_PX or pixels.shape[1] < pixels.shape[0] / 2:
        return False
    height = MAX_HEIGHT_PX * 2
    size = (max(1, round(pixels.shape[1] * height / pixels.shape[0])), height)
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    busy = np.abs(np.diff(gray, axis=1)).mean(axis=1)
    low, high = np.quantile(busy, [0.05, 0.95])
    is_busy = busy > (low + high) / 2
    begins = np.flatnonzero(np.diff(np.r_[False, is_busy].astype(int)) == 1)
    ends = np.flatnonzero(np.diff(np.r_[is_busy, False].astype(int)) == -1)
    return bool(low < high / 3 and (ends - begins >= 3).sum() >= PAGE_LINES)


def _choose_files(folder: Path, n_most: int, seed: int) -> tuple[list[Path], list[str]]:
    if not folder.is_dir():
        raise ProbeError(f"{folder} is not a folder; give one that contains crops of words")
    names = list_files(folder, EXTENSIONS, kind=ProbeError)
    if not names:
        raise ProbeError(f"there are no images in {folder}; put .jpg or .png crops there")
    if len(names) < LEAST_CROPS:
        raise ProbeError(
            f"{folder} holds too few images, {len(names)}; a fit needs {LEAST_CROPS} crops or "
            "more, ideally 500"
        )
    notes = []
    if len(names) > n_most:
        notes.append(f"{len(names) - n_most:,} of {len(names):,} beyond --crops {n_most}")
        keys = [hashlib.sha256(f"{seed} {name_file(name)}".encode()).digest() for name in names]
        chosen = sorted(range(len(names)), key=keys.__getitem__)[:n_most]
        names = [names[place] for place in sorted(chosen)]
    return [folder / name for name in names], notes


def _check_kinds(folder: Path, kinds: Counter[str], n_read: int) -> None:
    """Refuse a folder if most of the images read so far are of one kind that is not used."""
    for kind, what in UNFIT.items():
        if kinds[kind] > n_read / 2:
            raise ProbeError(f"{kinds[kind]:,} of {n_read:,} images in {folder} are {what}")
