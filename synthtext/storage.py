"""Storage, local or at any fsspec address; files are written atomically."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from synthtext.errors import DatasetError

PART = ".part"
"""The suffix of unfinished files."""

WRITABLE = ("s3", "gs", "gcs", "az", "abfs", "hdfs", "sftp", "ssh", "smb", "memory", "file")
"""Protocols with which files can be written, and folders listed afterwards."""

OUR_PART = re.compile(rf"\..+-\d+-[0-9a-f]{{8}}{re.escape(PART)}")
"""The names that `_name_part` makes; other hidden files with this suffix are not ours."""

ABANDONED_S = 86_400
"""After this time without a change, the partial file of another machine counts as abandoned."""

_unfinished: set[Path] = set()
"""The partial files that this process is writing."""


def parse_folder(text: str) -> Path:
    """Return a folder from its path, or from an address such as `s3://bucket/words`.

    Addresses become a `UPath`, which behaves like a `Path`.

    Raises:
        DatasetError: the package for this kind of address is not installed.
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
            f"{text} cannot be reached ({error}); run: pip install 'synthtext[remote]'"
        ) from error
    except Exception as error:
        # Each store has its own errors for a missing key, bucket or network.
        raise DatasetError(
            f"{text} cannot be reached ({error}); check the address and your access rights"
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
    """Return whether a path is a remote address."""
    return hasattr(path, "fs")


@contextmanager
def write_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that gets its name when it is complete and safe on disk.

    An existing file is replaced, whole or not at all: locally by a rename, remotely by the
    upload of a finished file, which the stores of fsspec show only when it is complete. A link
    is followed, and a device or a pipe is written to directly.
    """
    if is_remote(path):
        with tempfile.NamedTemporaryFile(prefix="synthtext-") as local:
            yield cast(BinaryIO, local)
            local.flush()
            _file_system(path).put_file(local.name, _find_path(path))
        return
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file() and not path.is_dir():
        with path.open("wb") as device:
            yield device
        return
    _sweep_once(path.parent)
    part = _name_part(path)
    try:  # Begins before the part exists, since a signal may arrive at any time.
        _unfinished.add(part)
        with _open_part(part) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    finally:
        _unfinished.discard(part)
    _sync_folder(path.parent)


@contextmanager
def write_folder(path: Path) -> Iterator[Path]:
    """Create a folder that gets its name when it is complete and safe on disk.

    Args:
        path: a new path, which must not exist.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep_once(path.parent)
    made = _name_part(path)
    made.mkdir()
    handle = os.open(made, os.O_RDONLY)
    try:
        with suppress(OSError):  # Some file systems lack locks.
            _lock(handle, waits=True)
        yield made
        # One call, since a layout may have one file for each of 100,000 images.
        os.sync()
        made = made.rename(path)
        _sync_folder(path.parent)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    finally:
        os.close(handle)


def replace_file(path: Path, content: bytes) -> None:
    """Write a small file atomically; an existing one is replaced."""
    with write_whole(path) as file:
        file.write(content)


def write_json(path: Path, content: object) -> None:
    """Write a JSON file atomically; NumPy arrays become lists."""
    import orjson

    settings = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY
    replace_file(path, orjson.dumps(content, option=settings))


@contextmanager
def lock_folder(folder: Path, *, is_shared: bool = False) -> Iterator[None]:
    """Lock a folder for this process until it ends, however it ends.

    Args:
        folder: it is created if needed; at an address nothing is locked.
        is_shared: whether other processes with a shared lock may use it too.

    Raises:
        DatasetError: another process has it, or it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f"{folder} contains something else; give a new or an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    if is_remote(folder):
        yield
        return
    # Windows lacks it; the command line refuses earlier, and drawing needs no lock.

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            _lock(handle, is_shared=is_shared)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            raise DatasetError(
                f"another process is writing to {folder}; wait for it, or give another folder"
            ) from error
        yield
    finally:
        os.close(handle)


def remove_own_parts() -> None:
    """Remove the files that this process has not finished, before it ends uncleanly."""
    for part in list(_unfinished):
        with suppress(OSError):
            part.unlink()


def remove_parts(folder: Path, *, below: bool = False) -> None:
    """Remove the unfinished files and folders that dead processes have left behind.

    Those of a process that is still writing are kept. It holds a lock on each of them, which
    ends with it however it ends. A file system may hide the locks of other machines, so their
    parts are only removed once nothing has been written to them for a day.

    Args:
        folder: where to look; at an address there are none.
        below: whether to look into the folders below it as well.
    """
    if is_remote(folder):
        return
    for part in list(folder.glob(f"{'**/' if below else ''}.*{PART}")):
        # What cannot be removed is harmless, since it is never read.
        with suppress(OSError):
            _remove_dead(part)


def move_file(source: Path, target: Path) -> None:
    """Move a file, by a rename if possible; otherwise it is copied and then removed."""
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


_swept: set[Path] = set()
"""Folders in which this process has removed the parts of dead processes."""


def _sweep_once(folder: Path) -> None:
    """Remove the parts of dead processes before this one writes its first file to a folder."""
    # Once, since looking through a million files before each of them would take too long.
    if folder not in _swept:
        _swept.add(folder)
        remove_parts(folder)


def _name_part(path: Path) -> Path:
    """Return a new name for an unfinished file or folder."""
    # Unique, since two machines may be working on the same shard.
    writer = f"{os.uname().nodename}-{os.getpid()}-{os.urandom(4).hex()}"
    return path.with_name(f".{path.name}.{writer}{PART}")


def _open_part(part: Path) -> BinaryIO:
    """Return a new part, which is locked until it is closed."""
    while True:
        file = part.open("xb")
        # Some file systems lack locks; parts left there are removed after a day.
        with suppress(OSError):
            _lock(file.fileno(), waits=True)
        # Another process may have removed it as abandoned before it was locked.
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()


def _remove_dead(part: Path) -> None:
    if not OUR_PART.fullmatch(part.name):
        return
    machine = part.name.rsplit("-", 2)[0]
    is_near = machine.endswith(f".{os.uname().nodename}")
    if not is_near and time.time() - part.lstat().st_mtime < ABANDONED_S:
        return
    handle = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        _lock(handle)
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink()
    finally:
        os.close(handle)


def _lock(handle: int, *, is_shared: bool = False, waits: bool = False) -> None:
    # Windows lacks it; the command line refuses earlier.
    import fcntl

    kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
    fcntl.flock(handle, kind if waits else kind | fcntl.LOCK_NB)


def _sync_folder(folder: Path) -> None:
    """Make the entries of a folder survive a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _file_system(path: Any) -> Any:  # noqa: ANN401 - fsspec carries no types.
    return path.fs


def _find_path(path: Any) -> str:  # noqa: ANN401 - likewise.
    return str(path.path)
