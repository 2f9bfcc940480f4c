"""CIFAR-100 as published: the binary version, and the Python pickles, read safely.

Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009, and the
layout on its page: in the binary version a coarse and a fine label, a byte each, then 3,072
bytes of red, green and blue, row by row.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.errors import ProbeError
from probes.pickles import RefusedError, check_steps
from synthtext.errors import shorten
from synthtext.files import read_file

SIDE_PX = 32

RECORD_BYTES = 2 + 3 * SIDE_PX * SIDE_PX

MAX_BYTES = 400 << 20
"""Maximum file size in bytes; the published files have 155 MB."""

BINARY = ("test.bin", "fine_label_names.txt")

PICKLED = ("test", "meta")

MAX_NAMES = 256
"""Maximum number of classes, since a label is a byte; the published ones are 100."""

MAX_NAME_CHARS = 500


KIND = re.compile(r"[ui][1248]")
"""Integer types, as named in a pickled array."""

BROKEN = (
    AttributeError, EOFError, ImportError, IndexError, KeyError, MemoryError, OverflowError,
    RecursionError, TypeError, ValueError, pickle.UnpicklingError,
)  # fmt: skip
"""The exceptions that a broken pickle can raise."""


def is_cifar(folder: Path) -> bool:
    """Return whether a folder holds CIFAR-100 in one of its published versions."""
    return any(all((folder / name).is_file() for name in names) for names in (BINARY, PICKLED))


def read_cifar(
    folder: Path, split: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """Return images (N, 32, 32, 3), fine labels (N,) and the names of the labels.

    Args:
        folder: the binary version, or the pickles as torchvision keeps them.
        split: `train` or `test`.

    Raises:
        ProbeError: a file is missing, broken, or holds objects other than arrays, strings,
            numbers, lists and dictionaries.
    """
    if (folder / BINARY[0]).is_file():
        raw = _read_bytes(folder / f"{split}.bin")
        if not raw or len(raw) % RECORD_BYTES:
            raise ProbeError(
                f"{folder / split}.bin has {len(raw)} bytes, not a whole number of images of"
                f" {RECORD_BYTES}; download it again"
            )
        records = np.frombuffer(raw, np.uint8).reshape(-1, RECORD_BYTES)
        listed = _read_bytes(folder / BINARY[1], MAX_NAMES * MAX_NAME_CHARS)
        names = listed.decode("utf-8", errors="replace").split()
        return _check(folder, records[:, 2:], records[:, 1], names)
    content, meta = _unpickle(folder / split), _unpickle(folder / "meta")
    try:
        rows, labels, listed = content["data"], content["fine_labels"], meta["fine_label_names"]
        return _check(folder, _to_array(rows), _to_array(labels), _check_names(listed))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ProbeError(
            f"{folder / split} is not CIFAR-100: it has no valid {shorten(str(error))}"
        ) from error


def _check(
    folder: Path, rows: NDArray[Any], labels: NDArray[Any], names: Sequence[str]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    fits = (
        rows.dtype == np.uint8
        and rows.shape == (len(labels), RECORD_BYTES - 2)
        and np.issubdtype(labels.dtype, np.integer)
        and len(labels) > 0
        and 0 <= labels.min() <= labels.max() < len(names) <= MAX_NAMES
        and all(len(name) <= MAX_NAME_CHARS for name in names)
    )
    if not fits:
        raise ProbeError(
            f"{folder} is not CIFAR-100: {rows.dtype} {rows.shape}, {len(labels)} labels and"
            f" {len(names)} names do not match"
        )
    planes = rows.reshape(-1, 3, SIDE_PX, SIDE_PX)
    texts = tuple(str(name).replace("_", " ") for name in names)
    return planes.transpose(0, 2, 3, 1), labels.astype(np.int64), texts


def _read_bytes(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    return read_file(path, max_bytes, kind=ProbeError, remedy="download it again")


class _Kind:
    """The dtype of an array as given in a pickle: type and byte order."""

    def __init__(self, *said: object) -> None:
        self.said = said
        self.state: Any = ()

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Array:
    """An array as given in a pickle: version, shape, dtype, order and bytes."""

    def __init__(self, *_: object) -> None:
        self.state: Any = ()

    def __setstate__(self, state: object) -> None:
        self.state = state


PARTS: Mapping[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
}
"""Replacements for the NumPy classes in a pickled array, which would allocate as much memory as
an untrusted file asks for."""


class _ArraysOnly(pickle.Unpickler):
    """Builds plain Python containers and the parts of arrays, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        if (module, name) in PARTS:
            return PARTS[module, name]
        if (module, name) == ("_codecs", "encode"):
            return _encode
        raise RefusedError(f"it asks for {shorten(f'{module}.{name}')}, which may run code")


def _encode(text: str, _encoding: str = "latin1") -> bytes:
    """Return the bytes of an array, which newer pickles store as text."""
    return text.encode("latin1")


def _unpickle(path: Path) -> Any:  # noqa: ANN401
    raw = _read_bytes(path)
    try:
        check_steps(io.BytesIO(raw))
        return _ArraysOnly(io.BytesIO(raw), encoding="latin1").load()
    except RefusedError as error:
        raise ProbeError(f"{path} cannot be unpickled safely: {error}") from error
    except BROKEN as error:
        raise ProbeError(
            f"{path} is broken ({shorten(str(error))}); download it again"
        ) from error


def _to_array(thing: object) -> NDArray[Any]:
    """Return an array from its pickled parts, or from a list of integers."""
    if isinstance(thing, list):
        if not all(type(each) is int for each in thing):
            raise ValueError("list of whole numbers")
        return np.array(thing, np.int64)
    if not isinstance(thing, _Array) or not isinstance(thing.state, tuple):
        raise TypeError("array")
    _, shape, kind, is_fortran, raw = thing.state
    name = kind.said[0] if isinstance(kind, _Kind) and kind.said else None
    if not isinstance(name, str) or not KIND.fullmatch(name):
        raise ValueError("array of whole numbers")
    order = kind.state[1] if isinstance(kind.state, tuple) and len(kind.state) > 1 else "|"
    if order not in ("|", "<", ">", "="):
        raise ValueError("byte order")
    content = raw.encode("latin1") if isinstance(raw, str) else raw
    numbers = np.frombuffer(content, np.dtype(f"{order}{name}"))
    return numbers.reshape(shape, order="F" if is_fortran else "C")


def _check_names(names: object) -> list[str]:
    if not isinstance(names, list) or not all(
        isinstance(name, str) and len(name) <= MAX_NAME_CHARS for name in names
    ):
        raise ValueError("label names")
    return names
