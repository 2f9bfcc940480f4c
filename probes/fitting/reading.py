"""A folder of crops -> what is seen of them; other images are refused or left out."""

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
"""Images after which a folder is refused, if most of them are not crops."""

MAX_PIXELS = 4_000_000
"""Larger images are photographs or pages; a word fills no more."""

PAGE_LINES = 5
"""Lines of text in what is a page rather than a crop of a word."""

MIN_PAGE_PX = 160
"""Least height of a page; lower ones are crops, and so are words set upright."""

FLAT_STD = 1.5
"""A crop whose levels deviate less is of one colour."""

UNFIT = {
    "page": f"pages with {PAGE_LINES} lines or more; cut out their words",
    "large": f"pictures of more than {MAX_PIXELS // 1_000_000} million pixels; cut out their "
    "words, or shrink them",
    "flat": "pictures of one colour; give crops with text on them",
}
"""Kinds of image that are not looked at: what they are, and the way out."""


@dataclass(frozen=True)
class RealCrops:
    """The crops of a folder.

    Attributes:
        crops: what is seen of them.
        files: of each, in order.
        notes: a sentence for each file, or kind of file, that was not looked at as it is.
    """

    crops: Crops
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def read_crops(
    folder: Path, *, n_most: int, seed: int, on_progress: Callable[..., None]
) -> RealCrops:
    """Return the crops of a folder and of its folders.

    Args:
        folder: holds images of one word each; other files are left alone.
        n_most: of more, so many are chosen by a hash of their names.
        seed: chooses others.
        on_progress: is told how many are read.

    Raises:
        ProbeError: there is no such folder, or it does not hold crops that can be fitted to.
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
            f"{folder} holds {len(kept)} crops that can be used among {len(files):,} pictures; "
            f"{LEAST_CROPS} are the least to fit to"
        )
    notes += [f"{kinds[kind]:,} {what}" for kind, what in UNFIT.items() if kinds[kind]]
    if kinds["tall"]:
        notes.append(
            f"{kinds['tall']:,} are taller than {MAX_HEIGHT_PX} px and are looked at shrunk to "
            "that, so sizes above are not told apart"
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
        raise ProbeError(f"{folder} is not a folder; give one that holds crops of words")
    names = list_files(folder, EXTENSIONS, kind=ProbeError)
    if not names:
        raise ProbeError(f"there are no pictures in {folder}; put .jpg or .png crops there")
    if len(names) < LEAST_CROPS:
        raise ProbeError(
            f"{folder} holds too few pictures, {len(names)}; {LEAST_CROPS} crops are the least "
            "to fit to, and 500 tell most"
        )
    notes = []
    if len(names) > n_most:
        notes.append(f"{len(names) - n_most:,} of {len(names):,} beyond --crops {n_most}")
        keys = [hashlib.sha256(f"{seed} {name_file(name)}".encode()).digest() for name in names]
        chosen = sorted(range(len(names)), key=keys.__getitem__)[:n_most]
        names = [names[place] for place in sorted(chosen)]
    return [folder / name for name in names], notes


def _check_kinds(folder: Path, kinds: Counter[str], n_read: int) -> None:
    """Refuse a folder if most of the images read are of one kind that is not looked at."""
    for kind, what in UNFIT.items():
        if kinds[kind] > n_read / 2:
            raise ProbeError(f"{folder} holds {kinds[kind]:,} among {n_read:,} that are {what}")
