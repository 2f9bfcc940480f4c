"""Preprocessing: how an image becomes the square input of a model, and what is cropped.

The pixels are processed by the model's own transform; this is its geometry, used to express the
size of a letter in px of the input, and to notice letters outside the crop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from probes.errors import ProbeError
from synthtext.errors import quote

RESIZE_MODES = ("shortest", "longest", "squash")
"""Fit the shortest side and crop, fit the longest side and pad, or stretch both to fit."""

INTERPOLATIONS = ("bicubic", "bilinear", "random")
"""Filters of the resize; `random` belongs to training and means bicubic here."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in px."""


@dataclass(frozen=True)
class Preprocessing:
    """The steps from an image to the input of the tower. The defaults are OpenAI's.

    Attributes:
        size_px: side of the square input of the tower.
        mean: subtracted from each channel, in fractions of 255.
        std: divides each channel after that.
        interpolation: one of `INTERPOLATIONS`.
        resize_mode: one of `RESIZE_MODES`.
        fill_color: level of the padding, 0 to 255.
    """

    size_px: int = 224
    mean: tuple[float, ...] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, ...] = (0.26862954, 0.26130258, 0.27577711)
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"
    fill_color: int = 0


def preprocessing_to_dict(preprocessing: Preprocessing) -> dict[str, object]:
    """Return the fields by name, for JSON."""
    return dataclasses.asdict(preprocessing)


def preprocessing_from_dict(
    fields: Mapping[str, object], size_px: int, origin: str
) -> Preprocessing:
    """Return the preprocessing that a config describes; missing fields keep their defaults.

    Args:
        fields: from a config; `mean` and `std` may be one number or three, and unknown names
            are ignored.
        size_px: side of the square input of the tower.
        origin: where the fields come from, for the error.

    Raises:
        ProbeError: a value is invalid, or the size differs from the tower's.
    """
    for stated in (fields.get("size"), fields.get("size_px")):
        if stated is not None and _read_side(stated) != size_px:
            raise ProbeError(
                f"{origin} preprocesses to {quote(stated)} px, but its tower sees {size_px}"
                f" px; set preprocess_cfg.size to {size_px} or load the config of these weights"
            )
    default = Preprocessing()
    return Preprocessing(
        size_px=size_px,
        mean=_read_channels("mean", fields.get("mean"), default.mean, origin),
        std=_read_channels("std", fields.get("std"), default.std, origin),
        interpolation=_read_choice("interpolation", fields, INTERPOLATIONS, origin),
        resize_mode=_read_choice("resize_mode", fields, RESIZE_MODES, origin),
        fill_color=_read_level(fields.get("fill_color"), origin),
    )


def measure_scale(preprocessing: Preprocessing, width_px: int, height_px: int) -> float:
    """Return the vertical scale, in px of the input per px of the image.

    Legibility is measured in heights; only `squash` scales widths by another factor.
    """
    side = preprocessing.size_px
    if preprocessing.resize_mode == "squash":
        return side / height_px
    if preprocessing.resize_mode == "longest":
        return side / max(width_px, height_px)
    return side / min(width_px, height_px)


def measure_visible(preprocessing: Preprocessing, width_px: int, height_px: int) -> Box:
    """Return the part of the image that reaches the tower, in px of the image.

    Only `shortest` crops, to the centred square.
    """
    if preprocessing.resize_mode != "shortest" or width_px == height_px:
        return (0.0, 0.0, float(width_px), float(height_px))
    side, short = preprocessing.size_px, min(width_px, height_px)
    # The resize rounds the long side down to whole px, and the crop rounds its corner.
    long_px = int(side * max(width_px, height_px) / short)
    start = round((long_px - side) / 2)
    scale = max(width_px, height_px) / long_px
    low, high = start * scale, (start + side) * scale
    if width_px > height_px:
        return (low, 0.0, high, float(height_px))
    return (0.0, low, float(width_px), high)


def _read_side(value: object) -> object:
    if isinstance(value, (list, tuple)) and len(value) in (1, 2) and value[0] == value[-1]:
        return value[0]
    return value


def _read_channels(
    name: str, value: object, default: tuple[float, ...], origin: str
) -> tuple[float, ...]:
    if value is None:
        return default
    listed = list(value) if isinstance(value, (list, tuple)) else [value] * 3
    numbers = tuple(float(part) for part in listed if isinstance(part, (int, float)))
    if len(listed) != 3 or len(numbers) != 3 or (name == "std" and min(numbers) <= 0):
        raise ProbeError(f"{origin} has {name} {quote(value)}; it is one number per channel")
    return numbers


def _read_choice(
    name: str, fields: Mapping[str, object], known: tuple[str, ...], origin: str
) -> str:
    value = fields.get(name) or known[0]
    if value not in known:
        listed = ", ".join(known)
        raise ProbeError(f"{origin} has {name} {quote(value)}; it is one of {listed}")
    return str(value)


def _read_level(value: object, origin: str) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or not 0 <= value <= 255:
        raise ProbeError(f"{origin} has fill_color {quote(value)}; it is a level from 0 to 255")
    return value
