"""Array types, by content and shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""One image, (H, W, 3) RGB."""


Vectors = NDArray[np.float32]
"""Embeddings, (N, D), each of unit length."""


Floats = NDArray[np.float64]


Ints = NDArray[np.int64]
