"""Fitting: an image of any size -> the square that a model sees, as open_clip does it."""

from __future__ import annotations

from collections.abc import Callable

import open_clip
from open_clip.transform import MaybeToTensor, Normalize
from PIL import Image

from probes.models.preprocessing import Preprocessing


def build_fit(preprocessing: Preprocessing) -> Callable[[Image.Image], Image.Image]:
    """Return the part of open_clip's own transform that moves pixels."""
    transform = open_clip.image_transform(
        preprocessing.size_px,
        is_train=False,
        interpolation=preprocessing.interpolation,
        resize_mode=preprocessing.resize_mode,
        fill_color=preprocessing.fill_color,
    )
    steps = [
        step for step in transform.transforms if not isinstance(step, MaybeToTensor | Normalize)
    ]

    def fit(image: Image.Image) -> Image.Image:
        for step in steps:
            image = step(image)
        return image

    return fit
