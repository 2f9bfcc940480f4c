"""Faulty readers, for `python:text_readers:NAME`; a pixel of each image says what to do."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

import numpy as np

from probes.arrays import Pixels

FINE, CRASH, HANG, RAISE, NOTHING = range(5)


def mark(what: int, number: int = 0) -> Pixels:
    """Return an image that makes a `Faulty` reader do something."""
    return np.full((2, 3, 3), [what, number, 0], np.uint8)


class Faulty:
    """Reads the number of an image, unless the image asks for a fault."""

    def read_images(self, images: Sequence[Pixels]) -> list[tuple[str, float]]:
        print("what an engine prints gets in nobody's way")  # noqa: T201
        return [self._read(*map(int, pixels[0, 0, :2])) for pixels in images]

    def _read(self, what: int, number: int) -> tuple[str, float]:
        if what == CRASH:
            os.kill(os.getpid(), signal.SIGSEGV)
        if what == HANG:
            time.sleep(60)
        if what == RAISE:
            raise ValueError("no such page")
        return ("" if what == NOTHING else f"word{number}", 0.5)


class Batched(Faulty):
    """Accepts eight images at a time."""

    batch_size = 8


class Broken:
    """Cannot be started."""

    def __init__(self) -> None:
        raise OSError("no weights here")

    def read_images(self, images: Sequence[Pixels]) -> list[str]:
        return [""] * len(images)


class Short:
    """Returns one answer, however many images there are."""

    batch_size = 8

    def read_images(self, images: Sequence[Pixels]) -> list[str]:
        return ["once"]


def make_faulty() -> Faulty:
    """Return a reader, from a function."""
    return Faulty()
