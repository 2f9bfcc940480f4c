"""Every kind of reader, by the prefix of its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from probes.errors import ProbeError
from probes.readers.base import Reader, ReaderFacts
from probes.readers.plugin import PREFIX, build_plugin_reader
from probes.readers.rapidocr import build_rapidocr, describe_rapidocr
from probes.readers.tesseract import build_tesseract, describe_tesseract
from probes.readers.vision_language import PREFIX as VLM_PREFIX
from probes.readers.vision_language import build_vision_language


@dataclass(frozen=True)
class ReaderKind:
    """A kind of reader that runs in a separate process.

    Attributes:
        describe: returns the facts of a name before it starts; refuses what is not installed.
        build: returns the reader itself; called in that process.
    """

    describe: Callable[[str], ReaderFacts]
    build: Callable[[str], Reader]


ENGINES: dict[str, ReaderKind] = {
    "ocr:tesseract": ReaderKind(describe_tesseract, build_tesseract),
    "ocr:rapidocr": ReaderKind(describe_rapidocr, build_rapidocr),
}
"""Readers for `--model`, by prefix; each parses what follows another colon."""


def is_engine(name: str) -> bool:
    """Return whether a name has the form of an installed reader, known or not."""
    return name.startswith(("ocr:", VLM_PREFIX))


def find_engine(name: str) -> ReaderKind:
    """Return the kind of a reader.

    Raises:
        ProbeError: there is no reader of this name.
    """
    for prefix, kind in ENGINES.items():
        if name == prefix or name.startswith(f"{prefix}:"):
            return kind
    raise ProbeError(f"there is no reader {name!r}; there are {', '.join(ENGINES)}")


def build_reader(name: str) -> Reader:
    """Return a reader by its name; called in the process where it runs."""
    if name.startswith(PREFIX):
        return build_plugin_reader(name)
    if name.startswith(VLM_PREFIX):
        return build_vision_language(name)
    return find_engine(name).build(name)
