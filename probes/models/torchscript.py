"""TorchScript archives, such as OpenAI's original files: tensors by name, no code run.

An archive is a zip file: `data.pkl` describes the modules and their tensors, `data/` holds the
bytes, and `code/` is ignored. The pickle is read by an unpickler that accepts only tensors,
plain values and placeholders for modules; each tensor must lie within its bytes.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from probes.errors import ProbeError
from probes.models.archive import MAX_HEADER_BYTES, fits_in, list_entries
from probes.pickles import RefusedError, check_steps
from synthtext.errors import quote

MAX_DEPTH = 64
"""Maximum depth of nested modules."""

MAX_TENSORS = 100_000

MASK = "attn_mask"
"""A buffer in some archives that is not a weight; a model creates its own."""


KINDS = {
    "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "DoubleStorage": torch.float64,
    "LongStorage": torch.int64, "IntStorage": torch.int32, "BoolStorage": torch.bool,
}  # fmt: skip
"""Data types by their storage names in a pickle."""

OPENAI_MARKS = (b"input_resolution", b"context_length", b"vocab_size", b"visual")
"""Names in the pickles of OpenAI's archives that no fine-tuned file contains."""

BROKEN = (
    AttributeError, EOFError, IndexError, KeyError, MemoryError, OverflowError, RecursionError,
    RuntimeError, TypeError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile, OSError,
    NotImplementedError,
)  # fmt: skip
"""The exceptions that a broken archive can raise."""


class _Module:
    """A module as given in a pickle: its parts by name."""

    parts: object = None

    def __setstate__(self, state: object) -> None:
        self.parts = state


@dataclass(frozen=True)
class _Bytes:
    """The storage of a tensor: its type, its entry in the archive, and its element count."""

    kind: torch.dtype
    key: str
    n: int


def is_torchscript(path: Path) -> bool:
    """Return whether a file is a TorchScript archive."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        entries = list_entries(path)
    except Exception:  # noqa: BLE001 - errors are reported when it is read.
        return False
    return any(entry.filename.endswith("/constants.pkl") for entry in entries)


def is_openai(path: Path) -> bool:
    """Return whether a file is an archive of OpenAI's CLIP, which computes QuickGELU."""
    try:
        if not is_torchscript(path):
            return False
        if not fits_in(path, [entry for entry in list_entries(path) if _is_plain(entry)]):
            return False
        with zipfile.ZipFile(path) as archive:
            raw = _read_entry(archive, f"{_find_root(archive)}/data.pkl", MAX_HEADER_BYTES)
        return all(mark in raw for mark in OPENAI_MARKS)
    except (RefusedError, *BROKEN):
        return False  # Errors are reported when it is read.


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """Return the tensors of an archive by name, on the CPU.

    Raises:
        ProbeError: it is broken, or has content other than tensors and plain values.
    """
    try:
        held = [entry for entry in list_entries(path) if _is_plain(entry)]
        if not fits_in(path, held):
            raise ValueError("entries larger than the file")
        with zipfile.ZipFile(path) as archive:
            root = _find_root(archive)
            raw = _read_entry(archive, f"{root}/data.pkl", MAX_HEADER_BYTES)
            check_steps(io.BytesIO(raw))
            found: dict[str, Tensor] = {}
            _collect(_TensorsOnly(raw, archive, root).load(), "", 0, found)
    except RefusedError as error:
        raise ProbeError(
            f"{path} is a TorchScript archive that cannot be read: {error}; save its state"
            f" dict as"
            " safetensors"
        ) from error
    except BROKEN as error:
        raise ProbeError(
            f"{path} is broken ({quote(str(error))}); download or save it again"
        ) from error
    if not found:
        raise ProbeError(f"{path} has no tensors; pass the file with the weights")
    return found


class _TensorsOnly(pickle.Unpickler):
    """Builds tensors, plain values and placeholders for modules; refuses every other name."""

    def __init__(self, raw: bytes, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(raw))
        self._archive = archive
        self._root = root
        self._held: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - as its base.
        if module.partition(".")[0] == "__torch__":
            return _Module
        if module == "torch" and name in KINDS:
            return KINDS[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._rebuild
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle":
            return _take_first
        raise RefusedError(f"it asks for {quote(f'{module}.{name}')}")

    def persistent_load(self, pid: Any) -> _Bytes:  # noqa: ANN401 - as its base.
        """Return the storage of a tensor."""
        word, kind, key, _, n = pid
        fits = isinstance(kind, torch.dtype) and isinstance(key, str) and type(n) is int
        if word != "storage" or not fits:
            raise RefusedError("it contains something that is not a tensor")
        return _Bytes(kind, key, n)

    def _rebuild(
        self, held: _Bytes, offset: int, size: Sequence[int], stride: Sequence[int], *_: object
    ) -> Tensor:
        numbers = self._read(held)
        whole = (offset, *size, *stride)
        if len(size) != len(stride) or not all(type(n) is int and n >= 0 for n in whole):
            raise ValueError("a tensor without a shape")
        reach = sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        n_numbers = math.prod(size)
        if n_numbers and (offset + reach >= len(numbers) or n_numbers > len(numbers)):
            raise ValueError("a tensor that reaches beyond its bytes")
        return torch.as_strided(numbers, tuple(size), tuple(stride), offset)

    def _read(self, held: _Bytes) -> Tensor:
        """Return the elements of an entry, (n,), read once for all tensors that share them."""
        if held.key not in self._held:
            n_bytes = held.n * held.kind.itemsize
            raw = _read_entry(self._archive, f"{self._root}/data/{held.key}", n_bytes)
            if len(raw) != n_bytes:
                raise ValueError(f"data/{quote(held.key)} has {len(raw)} bytes")
            numbers = torch.frombuffer(bytearray(raw), dtype=held.kind) if raw else None
            self._held[held.key] = (
                torch.empty(0, dtype=held.kind) if numbers is None else numbers
            )
        numbers = self._held[held.key]
        if numbers.dtype != held.kind:
            raise ValueError(f"data/{quote(held.key)} has two types")
        return numbers


def _take_first(value: object, *_: object) -> object:
    """Return the list that a pickle passes together with its type."""
    return value


def _find_root(archive: zipfile.ZipFile) -> str:
    roots = [name.removesuffix("/data.pkl") for name in archive.namelist()]
    roots = [name for name in roots if f"{name}/data.pkl" in archive.NameToInfo]
    if len(roots) != 1 or "/" in roots[0]:
        raise RefusedError("it has no data.pkl of its own")
    return roots[0]


def _read_entry(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    entry = archive.getinfo(name)
    if not _is_plain(entry) or entry.file_size > most:
        raise RefusedError(f"{quote(name)} is compressed or too large")
    return archive.read(entry)


def _is_plain(entry: zipfile.ZipInfo) -> bool:
    return entry.compress_type == zipfile.ZIP_STORED


def _collect(thing: object, name: str, depth: int, found: dict[str, Tensor]) -> None:
    """Gather the tensors of a module and of its submodules."""
    if isinstance(thing, Tensor):
        found[name] = thing
        return
    parts = thing.parts if isinstance(thing, _Module) else None
    if not isinstance(parts, Mapping):
        return
    if depth > MAX_DEPTH or len(found) > MAX_TENSORS:
        raise RefusedError("it has endlessly nested modules")
    for part, inner in parts.items():
        if part == MASK:
            continue
        _collect(inner, f"{name}.{part}" if name else str(part), depth + 1, found)
