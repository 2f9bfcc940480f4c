"""Array types, by content and shape, and vectors of unit length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""One image, (H, W, 3) RGB."""


Vectors = NDArray[np.float32]
"""Embeddings, (N, D), each of unit length."""


Floats = NDArray[np.float64]


Ints = NDArray[np.int64]


def to_unit_length(vectors: Vectors) -> Vectors:
    """Return vectors, (N, D), scaled to unit length; those of length 0 remain 0."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = vectors / np.maximum(lengths, 1e-12)
    return scaled
