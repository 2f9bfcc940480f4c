"""PP-OCRv4 by RapidOCR: detection and recognition, with the weights in its wheel."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from probes.arrays import Pixels
from probes.errors import ProbeError
from probes.readers.base import Reader, ReaderFacts, Reading

PACKAGE = "rapidocr_onnxruntime"

NAME = "ocr:rapidocr"

SETTINGS: dict[str, Any] = {
    "text_score": 0.0,  # Uncertain answers count too; their confidence is low.
    "intra_op_num_threads": 1,
    "inter_op_num_threads": 1,
}
"""Settings that differ from RapidOCR's defaults; one thread makes answers reproducible."""


class RapidOcr:
    """A reader that uses PP-OCRv4."""

    def __init__(self, engine: Any) -> None:  # noqa: ANN401 - RapidOCR comes untyped.
        self._engine = engine

    def read_images(self, images: Sequence[Pixels]) -> list[Reading]:
        """Return the lines found in each image, from top to bottom, joined by spaces.

        The confidence is that of the least certain line.
        """
        readings = []
        for pixels in images:
            lines, _ = self._engine(np.ascontiguousarray(pixels[:, :, ::-1]))
            texts = [str(line[1]) for line in lines or []]
            sure = [float(line[2]) for line in lines or []]
            readings.append(Reading(" ".join(texts), min(sure, default=0.0)))
        return readings


def describe_rapidocr(name: str) -> ReaderFacts:
    """Return the facts of `ocr:rapidocr`.

    Raises:
        ProbeError: RapidOCR is not installed, or the name has options, which it does not take.
    """
    if name != NAME:
        raise ProbeError(f"{name} is not a reader; write {NAME}")
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise ProbeError(
            f"{name} needs RapidOCR, which is not installed; run: pip install 'synthtext[ocr]'"
            " && pip install --no-deps rapidocr-onnxruntime==1.4.4"
        )
    digest = hashlib.sha256(repr(SETTINGS).encode())
    for path in sorted(Path(found.origin).parent.rglob("*.onnx")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    versions = {
        name: version(name) for name in ("rapidocr-onnxruntime", "onnxruntime", "pyclipper")
    }
    return ReaderFacts(digest.hexdigest(), dict(SETTINGS), versions)


def build_rapidocr(name: str) -> Reader:
    """Return the reader of a name that `describe_rapidocr` accepts."""
    del name
    from rapidocr_onnxruntime import RapidOCR

    return RapidOcr(RapidOCR(**SETTINGS))
