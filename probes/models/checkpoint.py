"""Checkpoints: a file of weights -> tensors by name, read without running anything in it."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from probes.errors import ProbeError
from probes.models.torchscript import is_torchscript, read_torchscript

State = dict[str, Tensor]
"""Tensors of a model by name."""

N_NAMED = 3
"""Tensors that an error names before it counts the rest."""


def read_state(path: Path) -> State:
    """Return the tensors in a file, on the CPU.

    A `.safetensors` file holds tensors and nothing else. Any other file is read by torch with
    `weights_only`, which builds tensors and plain containers and refuses every other object.
    Of a TorchScript archive, the form of OpenAI's original files, the tensors alone are read,
    and not by torch, which would run the code in it.

    Raises:
        ProbeError: the file is missing, broken, holds code, or holds no tensors.
    """
    if not path.is_file():
        raise ProbeError(f"there is not a file {path}; pass the file that holds the weights")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if is_torchscript(path):
        return read_torchscript(path)
    if _is_packed(path):
        raise ProbeError(
            f"{path} holds compressed entries, which torch does not write and which may unpack"
            " to any size; save its state dict as safetensors"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise ProbeError(
            f"{path} holds Python objects or is not a file of torch, and is not unpickled;"
            " save its state dict as safetensors"
        ) from error
    except (EOFError, OSError, RuntimeError, ValueError, KeyError) as error:
        raise ProbeError(f"{path} is broken; fetch or write it again") from error
    return _unwrap_state(content, path)


def hash_state(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        # A view as bytes serves types that numpy lacks, such as bfloat16.
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check_state(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], origin: str) -> None:
    """Refuse tensors that are not exactly those of the model, by name and shape.

    Args:
        state: tensors that were read.
        wanted: tensors of the model.
        origin: says in the error where the tensors come from.

    Raises:
        ProbeError: a tensor is missing, left over, or has another shape.
    """
    remedy = "they were saved from another config, so load them with the config they came with"
    missing = sorted(set(wanted) - set(state))
    if missing:
        raise ProbeError(f"{origin} lack {_name_some(missing)} of the model; {remedy}")
    extra = sorted(set(state) - set(wanted))
    if extra:
        raise ProbeError(f"{origin} hold {_name_some(extra)}, unknown to the model; {remedy}")
    for name in sorted(wanted):
        here, there = tuple(state[name].shape), tuple(wanted[name].shape)
        if here != there:
            raise ProbeError(
                f"{origin} hold {name} in shape {here}, but the model wants {there}; {remedy}"
            )


def _read_safetensors(path: Path) -> State:
    try:
        return _unwrap_state(safetensors.torch.load_file(path), path)
    except (SafetensorError, OSError) as error:
        raise ProbeError(f"{path} is broken; fetch or write it again") from error


def _is_packed(path: Path) -> bool:
    """Return whether an archive holds more than its own size tells."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())


def _unwrap_state(content: object, path: Path) -> State:
    """Return the state dict inside a training checkpoint, freed of its DDP prefix."""
    inner = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(inner, dict) or not inner:
        raise ProbeError(f"{path} holds no state dict; save the tensors of the model by name")
    state = {name: part for name, part in inner.items() if isinstance(part, Tensor)}
    if len(state) < len(inner):
        raise ProbeError(f"{path} holds more than tensors; save the model's state dict alone")
    if all(name.startswith("module.") for name in state):
        return {name.removeprefix("module."): part for name, part in state.items()}
    return state


def _name_some(names: list[str]) -> str:
    shown = ", ".join(names[:N_NAMED])
    rest = len(names) - N_NAMED
    return f"{shown} and {rest} more tensors" if rest > 0 else shown
