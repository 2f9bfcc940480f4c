"""A reader that signals that it has begun, and then takes a minute."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np


class SlowReader:
    def embed_images(self, images: Sequence[object]) -> np.ndarray:
        Path("begun").touch()
        time.sleep(60)
        return self.embed_texts([str(image) for image in images])

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.tile(np.float32([1, 0]), (len(texts), 1))
