"""Albums: pictures of named things, to see what a model keeps of what it knew."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from probes.errors import ProbeError
from probes.pictures import PICTURES, lay_picture
from probes.prompts import ATTACK, SLOT
from probes.readers import Model, Pixels, Vectors
from probes.texts import ensemble_prompts
from synthtext.streams import draw_bits

EXTENSIONS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".webp"})

MAX_PIXELS = 64_000_000
"""Largest picture that is read: a bound for files that come from elsewhere."""

N_DRAWN = 25
"""Drawn pictures of each thing."""

DRAWN_PX = 224

BLOCK = 256
"""Pictures that are in memory at a time."""


@dataclass(frozen=True)
class Album:
    """Pictures and what they show.

    Attributes:
        title: where they come from.
        pictures: N of them, read or drawn when called.
        names: what there is to choose among.
        truths: int64 (N,), the place of each picture's name.
        broken: files that cannot be read, left out.
    """

    title: str
    pictures: tuple[Callable[[], Pixels], ...]
    names: tuple[str, ...]
    truths: NDArray[np.int64]
    broken: tuple[str, ...] = ()


def draw_album() -> Album:
    """Return the bundled pictures: shapes of several colours and sizes, on white."""
    pictures, truths = [], []
    for place, name in enumerate(PICTURES):
        for bits in draw_bits(0, f"album {name}", 0, N_DRAWN)[:, 0].tolist():
            pictures.append(functools.partial(_draw, name, bits >> 32))
            truths.append(place)
    return Album("bundled pictures", tuple(pictures), tuple(PICTURES), np.array(truths))


def read_album(folder: Path) -> Album:
    """Return the pictures in class folders: `FOLDER/name of the class/*.jpg`.

    Raises:
        ProbeError: no class, or none of the pictures can be read.
    """
    names = sorted(path.name for path in folder.glob("*") if path.is_dir())
    pictures, truths, broken = [], [], []
    for place, name in enumerate(names):
        for path in sorted((folder / name).iterdir()):
            if path.suffix.lower() not in EXTENSIONS:
                continue
            if not _is_readable(path):
                broken.append(str(path.relative_to(folder)))
                continue
            pictures.append(functools.partial(_read, path))
            truths.append(place)
    if not pictures:
        raise ProbeError(
            f"{folder} holds no pictures in folders of classes; give FOLDER/CLASS/*.jpg"
        )
    texts = tuple(name.replace("_", " ") for name in names)
    return Album(str(folder), tuple(pictures), texts, np.array(truths), tuple(broken))


def embed_album(model: Model, album: Album) -> Vectors:
    """Return the vectors of all pictures, (N, D), unit length."""
    starts = range(0, len(album.pictures), BLOCK)
    return np.concatenate(
        [
            model.encoder.embed_images([draw() for draw in album.pictures[at : at + BLOCK]])
            for at in starts
        ]
    )


def name_album(
    model: Model, album: Album, vectors: Vectors, templates: Sequence[str] = ATTACK
) -> NDArray[np.bool_]:
    """Return which pictures a model names right, (N,), among all names of the album."""
    by_template = [
        model.encoder.embed_texts([template.replace(SLOT, name) for name in album.names])
        for template in templates
    ]
    return (vectors @ ensemble_prompts(by_template).T).argmax(axis=1) == album.truths


def _draw(name: str, seed: int) -> Pixels:
    return lay_picture(np.full((DRAWN_PX, DRAWN_PX, 3), 255, np.uint8), name, seed)


def _is_readable(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                return False
            image.verify()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
    return True


def _read(path: Path) -> Pixels:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise ProbeError(
            f"{path} does not decode ({error}); mend it or take it away"
        ) from error
