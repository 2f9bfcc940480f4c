"""Checkpoints: a weights file -> tensors by name, read without running code in it."""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import safetensors.torch
import torch
from torch import Tensor

from probes.errors import ProbeError
from probes.models.archive import (
    MAX_HEADER_BYTES,
    broken,
    check_torch_file,
    list_entries,
    not_of_torch,
)
from probes.models.torchscript import is_torchscript, read_torchscript
from synthtext.errors import MAX_QUOTED_CHARS, quote

State = dict[str, Tensor]
"""Tensors of a model by name."""

N_NAMED = 3
"""Number of tensors that an error lists before it counts the rest."""

PLAIN_TYPES = (
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int8, torch.int16,
    torch.int32, torch.int64, torch.uint8, torch.bool,
)  # fmt: skip
"""Accepted data types of weights."""


def read_state(path: Path) -> State:
    """Return the tensors in a file, on the CPU.

    A `.safetensors` file contains only tensors. Any other file is read by torch with
    `weights_only`, which builds tensors and plain containers and refuses every other object.
    From a TorchScript archive, the format of OpenAI's original files, only the tensors are
    read, and not by torch, which would run the code in it.

    Raises:
        ProbeError: the file is missing or broken, contains code, or has no tensors.
    """
    if not path.is_file():
        raise ProbeError(f"there is no file {path}; pass the file with the weights")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if is_torchscript(path):
        return _unwrap_state(dict(read_torchscript(path)), path)
    state = _unwrap_state(_read_torch(path), path)
    if zipfile.is_zipfile(path):
        _check_storages(path, state)
    return state


def hash_state(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, types, shapes and bytes, sorted by name."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        # A byte view works for types that numpy lacks, such as bfloat16.
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check_state(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], origin: str) -> None:
    """Refuse tensors that are not exactly those of the model, by name and shape.

    Args:
        state: tensors that were read.
        wanted: tensors of the model.
        origin: source of the tensors, for the error.

    Raises:
        ProbeError: a tensor is missing, unexpected, or has another shape.
    """
    remedy = "they were saved with another config, so load them with that config"
    missing = sorted(set(wanted) - set(state))
    if missing:
        raise ProbeError(f"{origin} lack {_name_some(missing)} of the model; {remedy}")
    extra = sorted(set(state) - set(wanted))
    if extra:
        raise ProbeError(f"{origin} have {_name_some(extra)}, unknown to the model; {remedy}")
    for name in sorted(wanted):
        here, there = tuple(state[name].shape), tuple(wanted[name].shape)
        if here != there:
            raise ProbeError(
                f"{origin} have {name} in shape {quote(here)}, but the model needs {there};"
                f" {remedy}"
            )


def _read_safetensors(path: Path) -> State:
    with path.open("rb") as file:
        n_bytes = int.from_bytes(file.read(8), "little")
    if n_bytes > MAX_HEADER_BYTES:
        raise broken(path)
    try:
        content = safetensors.torch.load_file(path)
    except Exception as error:  # Unknown data types raise errors of various classes.
        raise broken(path) from error
    return _unwrap_state(content, path)


def _read_torch(path: Path) -> object:
    check_torch_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # About tensor types that are refused later.
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise not_of_torch(path) from error
    except Exception as error:  # A hostile pickle may raise anything.
        raise broken(path) from error


def _check_storages(path: Path, state: State) -> None:
    """Refuse tensors larger than their bytes in an archive, which older torch would read."""
    stores = [part.untyped_storage() for part in state.values()]
    found = Counter({store.data_ptr(): store.nbytes() for store in stores}.values())
    known = Counter(entry.file_size for entry in list_entries(path))
    if any(n_bytes and n > known[n_bytes] for n_bytes, n in found.items()):
        raise broken(path)


def _unwrap_state(content: object, path: Path) -> State:
    """Return the state dict inside a training checkpoint, without its DDP prefix."""
    inner = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(inner, dict) or not inner:
        raise ProbeError(f"{path} has no state dict; save the model's tensors by name")
    state = {name: part for name, part in inner.items() if isinstance(part, Tensor)}
    if len(state) < len(inner):
        raise ProbeError(f"{path} contains more than tensors; save only the model's state dict")
    for name, part in state.items():
        if not isinstance(name, str) or not _is_plain(part):
            raise ProbeError(
                f"{path} contains {quote(name)}, which is not a plain tensor of numbers with a"
                " name; save the model's state dict as safetensors"
            )
    if all(name.startswith("module.") for name in state):
        return {name.removeprefix("module."): part for name, part in state.items()}
    return state


def _is_plain(tensor: Tensor) -> bool:
    """Return whether a tensor is dense and in memory."""
    is_dense = tensor.layout is torch.strided and tensor.device.type == "cpu"
    return is_dense and tensor.dtype in PLAIN_TYPES and not tensor.is_quantized


def _name_some(names: list[str]) -> str:
    plain = [
        name if name.isprintable() and len(name) <= MAX_QUOTED_CHARS else quote(name)
        for name in names[:N_NAMED]
    ]
    shown = ", ".join(plain)
    rest = len(names) - N_NAMED
    return f"{shown} and {rest} more tensors" if rest > 0 else shown
