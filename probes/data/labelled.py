"""Labelled images: images with class names, to measure what a model retains in training."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from probes.arrays import Pixels
from probes.data.cifar import is_cifar, read_cifar
from probes.data.images import EXTENSIONS, find_broken, name_file, read_image
from probes.data.shapes import PICTURES, lay_picture
from probes.errors import ProbeError
from synthtext.dataset.codec import decode_class, decode_image
from synthtext.dataset.shards import Place, list_places, read_span
from synthtext.dataset.verify import open_shards
from synthtext.errors import ShardError
from synthtext.rng import draw_bits
from synthtext.texts.words import read_lines

N_DRAWN = 25
"""Number of drawn images per class."""

DRAWN_PX = 224

MAX_NAME_CHARS = 500
"""Maximum length of a class name."""

MAX_CLASS_BYTES = 100
"""Maximum size of a `.cls` in bytes."""

BLOCK = 256
"""Number of images in memory at a time."""


@dataclass(frozen=True)
class LabelledImages:
    """Images and their classes.

    Attributes:
        title: where they come from.
        pictures: N functions that read or draw an image.
        names: the class names, which are the candidates.
        truths: int64 (N,), the index of each image's class name.
        broken: files that cannot be read and were left out, and classes without any.
    """

    title: str
    pictures: tuple[Callable[[], Pixels], ...]
    names: tuple[str, ...]
    truths: NDArray[np.int64]
    broken: tuple[str, ...] = ()


def draw_shapes() -> LabelledImages:
    """Return the bundled images: shapes of several colours and sizes, on white."""
    pictures, truths = [], []
    for place, name in enumerate(PICTURES):
        for bits in draw_bits(0, f"album {name}", 0, N_DRAWN)[:, 0].tolist():
            pictures.append(functools.partial(_draw, name, bits >> 32))
            truths.append(place)
    return LabelledImages(
        "bundled pictures", tuple(pictures), tuple(PICTURES), np.array(truths)
    )


def read_labelled(folder: Path, split: str = "test", *, verify: bool = True) -> LabelledImages:
    """Return the images of a folder in any of three formats.

    - class folders, `FOLDER/name of the class/*.jpg`, or the same below `FOLDER/SPLIT`;
    - CIFAR-100, its binary version or its pickles as torchvision keeps them;
    - WebDataset shards with a `.cls`, and `classnames.txt` next to them or in the folder above.

    Args:
        folder: where they are.
        split: the split to read, where there are several.
        verify: whether shards that `synthtext render` wrote must match their checksums.

    Raises:
        ProbeError: there is no class, or no image can be read.
    """
    if is_cifar(folder):
        images, truths, names = read_cifar(folder, split)
        pictures = tuple(
            functools.partial(images.__getitem__, row) for row in range(len(images))
        )
        return LabelledImages(f"CIFAR-100, {split}", pictures, names, truths)
    inner = folder / split if (folder / split).is_dir() else folder
    if list(inner.glob("*.tar")):
        if inner != folder and (folder / "dataset.json").exists():
            return _read_shards(folder, inner, list(open_shards(folder, split, verify=verify)))
        return _read_shards(folder, inner, sorted(inner.glob("*.tar")))
    return _read_folders(inner)


def _read_folders(folder: Path) -> LabelledImages:
    names = sorted(path.name for path in folder.glob("*") if path.is_dir())
    found = [
        (place, path)
        for place, name in enumerate(names)
        for path in sorted((folder / name).iterdir())
        if path.suffix.lower() in EXTENSIONS
    ]
    lost = find_broken([path for _, path in found])
    broken = [name_file(path.relative_to(folder)) for _, path in found if path in lost]
    pictures = [functools.partial(read_image, path) for _, path in found if path not in lost]
    truths = [place for place, path in found if path not in lost]
    if not pictures:
        raise ProbeError(f"{folder} has no images in class folders; give FOLDER/CLASS/*.jpg")
    # A class without images remains a candidate.
    names = list(map(name_file, names))
    broken += [f"{names[k]}/, which is empty" for k in sorted({*range(len(names))} - {*truths})]
    texts = tuple(name.replace("_", " ") for name in names)
    return LabelledImages(str(folder), tuple(pictures), texts, np.array(truths), tuple(broken))


def _read_shards(folder: Path, inner: Path, files: Sequence[Path]) -> LabelledImages:
    """Return the images of shards whose samples have a class."""
    path = next(
        (
            each / "classnames.txt"
            for each in (inner, folder)
            if (each / "classnames.txt").is_file()
        ),
        None,
    )
    if path is None:
        raise ProbeError(f"{folder} has shards but no classnames.txt; add one")
    lines = list(read_lines(path, MAX_NAME_CHARS))
    names = tuple(text for _, text in lines)
    if lines and lines[-1][0] != len(lines):
        # Otherwise the classes below the blank line would get the wrong names.
        raise ProbeError(f"{path} has a blank line; write one class name per line")
    pictures, truths, broken = [], [], []
    for file in files:
        for place in list_places(file):
            kind, label = place.image, _read_label(file, place, len(names))
            if kind is None or label is None:
                broken.append(f"{file.name}: {place.key}")
                continue
            name = f"{file}: {place.key}.{kind}"
            pictures.append(functools.partial(_read_sample, file, name, place.spans[kind]))
            truths.append(label)
    if not pictures:
        raise ProbeError(f"{folder} has no sample with an image and a class; write KEY.cls")
    return LabelledImages(str(folder), tuple(pictures), names, np.array(truths), tuple(broken))


def _read_label(file: Path, place: Place, n_classes: int) -> int | None:
    """Return the class of a sample, None if it has none or it is out of range."""
    offset, size = place.spans.get("cls", (0, 0))
    raw = read_span(file, (offset, min(size, MAX_CLASS_BYTES)))
    try:
        return decode_class(f"{place.key}.cls", raw, n_classes)
    except ShardError:
        return None


def _draw(name: str, seed: int) -> Pixels:
    return lay_picture(np.full((DRAWN_PX, DRAWN_PX, 3), 255, np.uint8), name, seed)


def _read_sample(file: Path, name: str, span: tuple[int, int]) -> Pixels:
    return decode_image(name, read_span(file, span))
