"""Where data lies: here, or at any address that fsspec knows; files whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from synthtext.errors import DatasetError

PART = ".part"
"""What unfinished files end with."""

WRITABLE = ("s3", "gs", "gcs", "az", "abfs", "hdfs", "sftp", "ssh", "smb", "memory", "file")
"""Kinds of address where files can be written, and folders listed afterwards."""


def parse_folder(text: str) -> Path:
    """Return a folder from its path, or from an address such as `s3://bucket/words`.

    Addresses become a `UPath`, which does what a `Path` does.

    Raises:
        DatasetError: what it takes to go there is not installed.
    """
    protocol, is_address, rest = text.partition("://")
    if not is_address:
        return Path(text)
    if protocol == "file":
        return Path(rest)
    try:
        from upath import UPath

        path = UPath(text)
        path.exists()
    except (ImportError, ValueError) as error:
        raise DatasetError(
            f"{text} cannot be reached ({error}); type: pip install 'synthtext[remote]'"
        ) from error
    except Exception as error:
        # Each store has errors of its own for a missing key, bucket or network.
        raise DatasetError(
            f"{text} cannot be reached ({error}); check the address and your access to it"
        ) from error
    return path


def parse_output(text: str) -> Path:
    """Return a folder to write to, from its path or its address.

    Raises:
        DatasetError: nothing can be written there.
    """
    protocol, is_address, _ = text.partition("://")
    if is_address and protocol not in WRITABLE:
        listed = ", ".join(WRITABLE)
        raise DatasetError(
            f"{text} cannot be written to; give a folder, or an address of {listed}"
        )
    return parse_folder(text)


def parse_local(text: str | Path) -> Path:
    """Return a folder on this machine.

    Raises:
        DatasetError: it is an address elsewhere.
    """
    protocol, is_address, rest = str(text).partition("://")
    if is_address and protocol != "file":
        raise DatasetError(f"{text} is an address; give a folder on this machine")
    return Path(rest if is_address else text)


def is_remote(path: Path) -> bool:
    """Return whether a path is an address rather than a place on this machine."""
    return hasattr(path, "fs")


@contextmanager
def write_whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write, which gets its name when all of it is written and safe.

    A file that is there is replaced, whole or not at all. Here that is a rename; elsewhere an
    upload of a file that is finished, which the stores that fsspec knows show when it is done.
    """
    if is_remote(path):
        with tempfile.NamedTemporaryFile(prefix="synthtext-") as file:
            yield cast(BinaryIO, file)
            file.flush()
            _file_system(path).put_file(file.name, _find_path(path))
        return
    # A name of its own, for two machines may be at work on one shard.
    part = path.with_name(f".{path.name}.{os.uname().nodename}-{os.getpid()}{PART}")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Write a small file whole or not at all, over the one that is there."""
    with write_whole(path) as file:
        file.write(content)


@contextmanager
def lock_folder(folder: Path, *, is_shared: bool = False) -> Iterator[None]:
    """Keep a folder for this process until it ends, however it ends.

    Args:
        folder: it is made if need be; at an address nothing is locked.
        is_shared: whether others that share may be there as well.

    Raises:
        DatasetError: another process has it, or it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f"{folder} holds something else; give a new or an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    if is_remote(folder):
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            raise DatasetError(
                f"another process is writing to {folder}; wait for it, or give another folder"
            ) from error
        yield
    finally:
        os.close(handle)


def move_file(source: Path, target: Path) -> None:
    """Move a file, by a rename if it can be; else it is copied whole and then removed."""
    if not is_remote(source) and not is_remote(target):
        try:
            source.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        else:
            return
    with source.open("rb") as old, write_whole(target) as new:
        while chunk := old.read(1 << 20):
            new.write(chunk)
    source.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _file_system(path: Any) -> Any:  # noqa: ANN401 - fsspec carries no types.
    return path.fs


def _find_path(path: Any) -> str:  # noqa: ANN401 - likewise.
    return str(path.path)
