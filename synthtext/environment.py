"""The environment: what would change the pixels is taken out before a library reads it."""

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
"""Variables by which FreeType, HarfBuzz and OpenCV draw otherwise than by default.

Sources: FreeType's "Driver properties"; HarfBuzz's `hb_options_t` and the names in its library;
OpenCV's "Environment variables reference".
"""


def clear_environment() -> None:
    """Take out what alters pixels, for this process and those that it starts.

    The libraries look there once, when they are loaded or first used, so this comes first.
    """
    for name in ALTERING:
        os.environ.pop(name, None)
