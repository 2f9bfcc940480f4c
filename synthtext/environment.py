"""The environment: variables that change pixels are removed before a library reads them."""

from __future__ import annotations

import os

ALTERING = (
    "FREETYPE_PROPERTIES",
    "HB_FACE_LOADER",
    "HB_FONT_FUNCS",
    "HB_OPTIONS",
    "HB_SHAPER_LIST",
    "OPENCV_CPU_DISABLE",
    "OPENCV_IPP",
)
"""Variables that change how FreeType, HarfBuzz and OpenCV draw.

Sources: FreeType's "Driver properties"; HarfBuzz's `hb_options_t` and the names in its library;
OpenCV's "Environment variables reference".
"""


def clear_environment() -> None:
    """Remove variables that change pixels, for this process and those that it starts.

    The libraries read them once, when they are loaded or first used, so this must come first.
    """
    for name in ALTERING:
        os.environ.pop(name, None)
