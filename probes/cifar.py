"""CIFAR-100 as it is published: the binary version, and Python's pickles without their danger.

Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009, and the
layout on its page: in the binary version a coarse and a fine label, a byte each, then 3,072
bytes of red, green and blue, row by row.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.errors import ProbeError

SIDE_PX = 32

RECORD_BYTES = 2 + 3 * SIDE_PX * SIDE_PX

MAX_BYTES = 400 << 20
"""Largest file that is read; the published ones have 155 MB."""

BINARY = ("test.bin", "fine_label_names.txt")

PICKLED = ("test", "meta")

ARRAY_PARTS = {
    "_reconstruct": frozenset({"numpy.core.multiarray", "numpy._core.multiarray"}),
    "ndarray": frozenset({"numpy"}),
    "dtype": frozenset({"numpy"}),
}
"""What a pickled array is put together by, and the modules it is asked of."""


BROKEN = (
    AttributeError, EOFError, ImportError, IndexError, KeyError, MemoryError, OverflowError,
    RecursionError, TypeError, ValueError, pickle.UnpicklingError,
)  # fmt: skip
"""What a broken pickle ends in."""


def is_cifar(folder: Path) -> bool:
    """Return whether a folder holds CIFAR-100 in one of its published versions."""
    return any(all((folder / name).is_file() for name in names) for names in (BINARY, PICKLED))


def read_cifar(
    folder: Path, split: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """Return pictures (N, 32, 32, 3), fine labels (N,) and the names of the labels.

    Args:
        folder: the binary version, or the pickles as torchvision keeps them.
        split: `train` or `test`.

    Raises:
        ProbeError: a file is missing, broken, or holds other objects than arrays, strings,
            numbers, lists and dictionaries.
    """
    if (folder / BINARY[0]).is_file():
        raw = _read_bytes(folder / f"{split}.bin")
        if not raw or len(raw) % RECORD_BYTES:
            raise ProbeError(
                f"{folder / split}.bin has {len(raw)} bytes, no whole number of pictures of"
                f" {RECORD_BYTES}; fetch it again"
            )
        records = np.frombuffer(raw, np.uint8).reshape(-1, RECORD_BYTES)
        names = _read_bytes(folder / BINARY[1]).decode("utf-8", errors="replace").split()
        return _check(folder, records[:, 2:], records[:, 1], names)
    content, meta = _unpickle(folder / split), _unpickle(folder / "meta")
    try:
        return _check(folder, content["data"], content["fine_labels"], meta["fine_label_names"])
    except (KeyError, TypeError) as error:
        raise ProbeError(f"{folder / split} is not CIFAR-100: it lacks {error}") from error


def _check(
    folder: Path,
    rows: Any,  # noqa: ANN401 - from a stranger's file.
    labels: Any,  # noqa: ANN401
    names: Any,  # noqa: ANN401
) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    rows, labels = np.asarray(rows), np.asarray(labels)
    fits = (
        rows.dtype == np.uint8
        and rows.shape == (len(labels), RECORD_BYTES - 2)
        and np.issubdtype(labels.dtype, np.integer)
        and len(labels) > 0
        and 0 <= labels.min() <= labels.max() < len(names)
    )
    if not fits:
        raise ProbeError(
            f"{folder} is not CIFAR-100: {rows.dtype} {rows.shape}, {len(labels)} labels and"
            f" {len(names)} names do not belong together"
        )
    planes = rows.reshape(-1, 3, SIDE_PX, SIDE_PX)
    texts = tuple(str(name).replace("_", " ") for name in names)
    return planes.transpose(0, 2, 3, 1), labels.astype(np.int64), texts


def _read_bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ProbeError(f"{path} is larger than {MAX_BYTES >> 20} MiB; it is no CIFAR-100")
        return path.read_bytes()
    except OSError as error:
        raise ProbeError(f"{path} cannot be read ({error.strerror}); fetch it again") from error


_RECONSTRUCT = np.empty(0).__reduce__()[0]
"""What numpy begins an array with; it has no public name."""


class _RefusedError(Exception):
    """A pickle asks for more than it may."""


class _ArraysOnly(pickle.Unpickler):
    """Builds arrays and Python's plain containers, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        if module in ARRAY_PARTS.get(name, ()):
            return getattr(np, name, _RECONSTRUCT)
        if (module, name) == ("_codecs", "encode"):
            return _encode
        raise _RefusedError(f"it asks for {module}.{name}")


def _encode(text: str, _encoding: str = "latin1") -> bytes:
    """Return the bytes of an array, which newer pickles spell as text."""
    return text.encode("latin1")


def _unpickle(path: Path) -> Any:  # noqa: ANN401
    _read_bytes(path)
    try:
        with path.open("rb") as file:
            return _ArraysOnly(file, encoding="latin1").load()
    except _RefusedError as error:
        raise ProbeError(f"{path} is not unpickled: {error}, which may run code") from error
    except BROKEN as error:
        raise ProbeError(f"{path} is broken ({error}); fetch it again") from error
