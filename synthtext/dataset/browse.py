"""A page to browse a dataset by its factors: one HTML file that needs no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import orjson
from numpy.typing import NDArray

from synthtext.dataset.codec import MEASURED, encode_pixels
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layers import draw_layer
from synthtext.drawing.rendering import Quads, Rendering
from synthtext.errors import DatasetError
from synthtext.escapes import show_text
from synthtext.spec import spec_to_dict
from synthtext.storage import replace_file

THUMBNAIL_PX = 256
"""Maximum side length of an image on the page; larger ones are reduced."""

JPEG_QUALITY = 85

MASK_BGR = (0x5E, 0x00, 0xD5)
"""The colour of the ink of a mask."""

Mask = NDArray[np.uint8]
"""(H, W), 255 where ink covers a pixel."""

LEFT_OUT = frozenset(
    {"seed", "index", "text", "label", "class_index", "ink", "paper", "paper2"}
    | {"ink2", "paper_seed", "noise_seed", "ink_seed", "damage_seed"}
    | {"other_texts", "other_seed"}
)
"""Fields that are not useful for choosing images."""


def write_page(
    path: Path,
    renderings: Sequence[Rendering],
    *,
    title: str,
    n_all: int,
    accuracy: Mapping[str, float] | None = None,
    masks: Mapping[str, Mask] | None = None,
) -> None:
    """Write a page of images with a slider or a choice for every factor that varies.

    Args:
        path: the HTML file, written atomically.
        renderings: the images of the page, all of which are in the file.
        title: the name of the dataset.
        n_all: number of images in the dataset.
        accuracy: by key, the accuracy of a reader's answers; None shows none.
        masks: by key, the ink as `draw_layer` gives it; None shows none.

    Raises:
        DatasetError: there is nothing to show, or no image has an answer.
    """
    if not renderings:
        raise DatasetError("there are no images to show; render some first")
    if accuracy is not None:
        renderings = [image for image in renderings if image.spec.key in accuracy]
        if not renderings:
            raise DatasetError(
                "the outcomes contain none of the images shown; give outcomes of this dataset"
            )
    images = [_describe(image, accuracy) for image in renderings]
    for image in images:
        if masks and image["key"] in masks:
            image["mask"] = _encode_mask(masks[image["key"]])
    data = orjson.dumps({"title": show_text(title), "total": n_all, "images": images}).decode()
    files = resources.files("synthtext.dataset")
    script = files.joinpath("browse.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # A text could otherwise end the script element that contains it.
    content = {"@HASH@": digest, "@SCRIPT@": script, "@DATA@": data.replace("<", "\\u003c")}
    page = files.joinpath("browse.html").read_text(encoding="utf-8")
    for mark, value in content.items():
        before, after = page.split(mark)
        page = before + value + after
    replace_file(path, page.encode())


def draw_masks(
    renderings: Sequence[Rendering], fonts: Catalogue, known: Mapping[str, str]
) -> dict[str, Mask]:
    """Return the ink of images, by key, drawn again from their specs.

    Images without their fonts are left out, since another font has other letters.

    Args:
        renderings: the images.
        fonts: that they may have been drawn with.
        known: checksums of the fonts that they were drawn with, by file.
    """
    masks = {}
    for image in renderings:
        found = {file: fonts.fonts.get(file) for file in image.spec.font_files}
        if all(font and font.sha256 == known.get(file) for file, font in found.items()):
            mask = draw_layer("ink", image.spec, fonts)
            if mask.shape == image.pixels.shape[:2]:
                masks[image.spec.key] = mask.astype(np.uint8)
    return masks


def _encode_mask(mask: Mask) -> str:
    """Return a mask as the data URI of a PNG, transparent where there is no ink."""
    scale = min(1.0, THUMBNAIL_PX / max(mask.shape))
    if scale < 1:
        size = max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale))
        mask = cv2.resize(mask, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    colour = np.broadcast_to(np.array(MASK_BGR, np.uint8), (*mask.shape, 3))
    raw = cv2.imencode(".png", np.dstack([colour, mask]))[1].tobytes()
    return f"data:image/png;base64,{base64.b64encode(raw).decode()}"


def _list_points(polygons: Iterable[Quads]) -> list[list[float]]:
    return [each.astype(np.float64).round(2).ravel().tolist() for each in polygons]


def _describe(image: Rendering, accuracy: Mapping[str, float] | None) -> dict[str, Any]:
    height, width = image.pixels.shape[:2]
    scale = min(1.0, THUMBNAIL_PX / max(height, width))
    pixels = image.pixels
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    file = base64.b64encode(encode_pixels(pixels, "jpg", JPEG_QUALITY)).decode()
    fields = {k: v for k, v in spec_to_dict(image.spec).items() if k not in LEFT_OUT}
    fields |= {name: getattr(image, name) for name in MEASURED}
    if accuracy is not None:
        fields["accuracy"] = accuracy[image.spec.key]
    return {
        "key": image.spec.key,
        "text": show_text(image.spec.drawn_text),
        "src": f"data:image/jpeg;base64,{file}",
        "width": width,
        "height": height,
        "word_polygons": _list_points(image.word_polygons),
        "char_quads": _list_points(image.char_quads),
        "fields": {k: show_text(v) if isinstance(v, str) else v for k, v in fields.items()},
    }
