"""Archives: files written by `torch.save`, inspected without building their objects.

A pickle is checked before it is loaded, since a few bytes can become gigabytes of objects.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from probes.errors import ProbeError
from probes.pickles import check_steps

MAX_HEADER_BYTES = 16 << 20
"""Maximum size of a pickle of weights, and of an archive's directory."""

N_OLD_PICKLES = 5
"""Number of pickles at the start of a non-archive file, the format of torch before 1.6."""


class _BoundedFile(io.FileIO):
    """A file that refuses large single reads, such as an oversized list of entries."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_HEADER_BYTES:
            raise ValueError(f"{size} bytes at once")
        return super().read(-1 if size is None else size)


def list_entries(path: Path) -> list[zipfile.ZipInfo]:
    """Return the entries of an archive.

    Raises:
        Exception: of any class, as `zipfile` raises for broken archives.
    """
    with _BoundedFile(path) as file, zipfile.ZipFile(file) as archive:
        return archive.infolist()


def fits_in(path: Path, entries: list[zipfile.ZipInfo]) -> bool:
    """Return whether the entries of an archive fit into it without overlapping."""
    return sum(entry.file_size for entry in entries) <= path.stat().st_size


def find_pickle(entries: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    """Return the one pickle among the entries of an archive.

    Raises:
        ValueError: there is none, or more than one.
    """
    (found,) = (entry for entry in entries if entry.filename.endswith(".pkl"))
    return found


def check_torch_file(path: Path) -> None:
    """Refuse files that torch did not write, that contain code, or that would expand.

    Raises:
        ProbeError: the file is one of these.
    """
    is_archive = zipfile.is_zipfile(path)
    try:
        if is_archive:
            _check_archive(path)
        else:
            with path.open("rb") as file:
                check_steps(io.BytesIO(file.read(MAX_HEADER_BYTES)), N_OLD_PICKLES)
    except ProbeError:
        raise
    except Exception as error:  # Broken files raise errors of many classes.
        raise (broken(path) if is_archive else not_of_torch(path)) from error


def broken(path: Path) -> ProbeError:
    """Return the error for a broken file."""
    return ProbeError(f"{path} is broken; download or save it again")


def not_of_torch(path: Path) -> ProbeError:
    """Return the error for a file with content other than tensors, which may be code."""
    return ProbeError(
        f"{path} contains Python objects or is not a torch file, and is not unpickled; save its"
        f" state dict as safetensors"
    )


def _check_archive(path: Path) -> None:
    entries = list_entries(path)
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ProbeError(
            f"{path} has compressed entries, which torch does not write and which could"
            f" unpack to any size; save its state dict as safetensors"
        )
    found = find_pickle(entries)
    if not fits_in(path, entries) or found.file_size > MAX_HEADER_BYTES:
        raise ValueError("too large")
    with zipfile.ZipFile(path) as archive:
        check_steps(io.BytesIO(archive.read(found)))
