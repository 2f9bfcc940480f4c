"""Crops -> what an estimator sees of them: small views, numbers and colours."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from probes.arrays import Pixels
from probes.data.images import EXTENSIONS, name_file, read_image
from probes.errors import ProbeError
from synthtext.files import list_files

VIEW_PX = (32, 96)
"""Height and width of the view of a whole crop."""

PATCH_PX = (32, 64)
"""Height and width of the piece at its own resolution: blur, noise and JPEG show there only."""

MAX_HEIGHT_PX = 256
"""Taller crops are looked at shrunk to this height."""

LEAST_CROPS = 20

PAGE_LINES = 5
"""Lines of text in what is a page rather than a crop of a word."""

MIN_PAGE_PX = 160
"""Least height of a page; lower ones are crops, and so are words set upright."""

FLAT_STD = 1.5
"""A crop whose levels deviate less is of one colour."""


@dataclass(frozen=True)
class Crops:
    """What is seen of N crops.

    Attributes:
        views: uint8 (N, 32, 96, 3); each crop shrunk into the frame, its edge going on.
        patches: uint8 (N, 32, 64, 3); the liveliest piece at its own resolution.
        scalars: float32 (N, k); size and statistics of the pixels.
        paper: uint8 (N, 3); colour of the background.
        paper2: uint8 (N, 3); its second colour.
        ink: uint8 (N, 3); colour of the text.
    """

    views: NDArray[np.uint8]
    patches: NDArray[np.uint8]
    scalars: NDArray[np.float32]
    paper: NDArray[np.uint8]
    paper2: NDArray[np.uint8]
    ink: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.views)

    def take(self, rows: NDArray[np.int64] | slice) -> Crops:
        """Return some of the crops."""
        return Crops(*(getattr(self, field.name)[rows] for field in fields(self)))


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


def join(parts: Sequence[Crops]) -> Crops:
    """Return the crops of several as one."""
    return Crops(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Crops)
        )
    )


def look_at(images: Sequence[Pixels]) -> Crops:
    """Return what is seen of images, uint8 (H, W, 3) each, of any size."""
    rows = [_look_at_one(pixels) for pixels in images]
    views, patches, scalars, colours = zip(*rows, strict=True)
    paper, paper2, ink = np.stack(colours).transpose(1, 0, 2)
    return Crops(
        np.stack(views), np.stack(patches), np.stack(scalars).astype(np.float32), paper, paper2,
        ink,
    )  # fmt: skip


def read_crops(
    folder: Path, *, n_most: int, seed: int, on_progress: Callable[..., None] = print
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
    n_pages = n_tall = n_flat = 0
    for done, path in enumerate(files, 1):
        on_progress("crops read", done, len(files))
        try:
            pixels = read_image(path)
        except ProbeError as error:
            notes.append(str(error))
            continue
        n_tall += pixels.shape[0] > MAX_HEIGHT_PX
        if pixels.std(axis=(0, 1)).max() < FLAT_STD:
            n_flat += 1
        elif is_page(pixels):
            n_pages += 1
        else:
            parts.append(look_at([pixels]))
            kept.append(path)
    _check_kinds(folder, len(files), len(kept), n_pages, n_flat)
    if n_pages:
        notes.append(f"{n_pages:,} pages of several lines; cut out their words to use them")
    if n_flat:
        notes.append(f"{n_flat:,} of one colour")
    if n_tall:
        notes.append(
            f"{n_tall:,} are taller than {MAX_HEIGHT_PX} px and are looked at shrunk to that, "
            "so sizes above are not told apart"
        )
    return RealCrops(join(parts), tuple(kept), tuple(notes))


def _choose_files(folder: Path, n_most: int, seed: int) -> tuple[list[Path], list[str]]:
    if not folder.is_dir():
        raise ProbeError(f"{folder} is not a folder; give one that holds crops of words")
    names = list_files(folder, EXTENSIONS, kind=ProbeError)
    if not names:
        raise ProbeError(f"there are no pictures in {folder}; put .jpg or .png crops there")
    if len(names) < LEAST_CROPS:
        raise ProbeError(
            f"{folder} holds {len(names)} pictures; {LEAST_CROPS} crops are the least to fit"
            " to, and 500 tell most"
        )
    notes = []
    if len(names) > n_most:
        notes.append(f"{len(names) - n_most:,} of {len(names):,} beyond --crops {n_most}")
        keys = [hashlib.sha256(f"{seed} {name_file(name)}".encode()).digest() for name in names]
        chosen = sorted(range(len(names)), key=keys.__getitem__)[:n_most]
        names = [names[place] for place in sorted(chosen)]
    return [folder / name for name in names], notes


def _check_kinds(folder: Path, n_files: int, n_kept: int, n_pages: int, n_flat: int) -> None:
    if n_pages > n_files / 2:
        raise ProbeError(
            f"{folder} holds pages, {n_pages:,} of {n_files:,} pictures with {PAGE_LINES} "
            "lines or more; cut out their words and give a folder of those"
        )
    if n_flat > n_files / 2:
        raise ProbeError(
            f"{folder} holds {n_flat:,} pictures of one colour among {n_files:,}; "
            "give crops with text on them"
        )
    if n_kept < LEAST_CROPS:
        raise ProbeError(
            f"{folder} holds {n_kept} crops that can be used among {n_files:,} pictures; "
            f"{LEAST_CROPS} are the least to fit to"
        )


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


def _look_at_one(
    pixels: Pixels,
) -> tuple[Pixels, Pixels, NDArray[np.float64], NDArray[np.uint8]]:
    height, width = pixels.shape[:2]
    if height > MAX_HEIGHT_PX:
        size = (max(1, round(width * MAX_HEIGHT_PX / height)), MAX_HEIGHT_PX)
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    view = _fit(pixels, *VIEW_PX)
    patch, noise = _cut_patch(pixels)
    colours = find_colours(view)
    shares = colours.ravel() / 255
    size = (np.log2(pixels.shape[0]), np.log2(pixels.shape[1]))
    ratio = size[1] - size[0]
    return view, patch, np.array([*size, ratio, *noise, *shares]), colours


def _fit(pixels: Pixels, height: int, width: int) -> Pixels:
    """Return an image shrunk or enlarged into a frame, the rest of which its edge fills."""
    scale = min(height / pixels.shape[0], width / pixels.shape[1])
    size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fitted = cv2.resize(pixels, size, interpolation=method)
    below, beside = height - fitted.shape[0], width - fitted.shape[1]
    return cv2.copyMakeBorder(fitted, 0, below, 0, beside, cv2.BORDER_REPLICATE)


def _cut_patch(pixels: Pixels) -> tuple[Pixels, tuple[float, ...]]:
    """Return the piece with the strongest edges, and how lively all of the image is."""
    height, width = PATCH_PX
    below, beside = max(0, height - pixels.shape[0]), max(0, width - pixels.shape[1])
    padded = cv2.copyMakeBorder(pixels, 0, below, 0, beside, cv2.BORDER_REFLECT)
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    bend = np.abs(cv2.Laplacian(gray, cv2.CV_32F, borderType=cv2.BORDER_REFLECT))
    edges = cv2.boxFilter(
        cv2.copyMakeBorder(bend, 0, below, 0, beside, cv2.BORDER_CONSTANT), -1, (width, height),
        anchor=(0, 0), borderType=cv2.BORDER_CONSTANT,
    )  # fmt: skip
    inside = edges[: padded.shape[0] - height + 1, : padded.shape[1] - width + 1]
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    levels = np.quantile(bend, [0.1, 0.3, 0.5, 0.9, 0.99]) + 1
    spread = float(gray.std()) + 1
    patch = padded[top : top + height, left : left + width]
    return np.ascontiguousarray(patch), (*np.log2(levels).tolist(), float(np.log2(spread)))


def find_colours(view: Pixels) -> NDArray[np.uint8]:
    """Return the colours of background, its second colour, and text: uint8 (3, 3).

    The background is what most of the border shows; the text is what lies farthest from it.
    """
    levels = view.astype(np.float32)
    thick = max(1, len(view) // 10)
    border = np.concatenate(
        [levels[:thick].reshape(-1, 3), levels[-thick:].reshape(-1, 3), levels[:, 0],
         levels[:, -1]]
    )  # fmt: skip
    centred = border - border.mean(axis=0)
    axis = np.linalg.svd(centred.T @ centred)[0][:, 0]
    is_high = centred @ axis > 0
    if not 0 < is_high.sum() < len(border):
        is_high = np.arange(len(border)) % 2 == 0
    sides = [np.median(border[is_high == side], axis=0) for side in (True, False)]
    paper, paper2 = sides if is_high.mean() >= 0.5 else sides[::-1]
    apart = np.linalg.norm(levels - paper, axis=2)
    far = apart >= np.quantile(apart, 0.93)
    ink = np.median(levels[far], axis=0)
    return np.stack([paper, paper2, ink]).round().astype(np.uint8)
