"""Files from users: only regular files, whose size is limited before a parser sees them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from synthtext.errors import SynthtextError, shorten

MAX_LISTED = 1_000_000
"""Maximum number of names in a folder tree, since it may be untrusted."""

MAX_PATH_CHARS = 300
"""Maximum length of a path that an error shows in full."""

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""Entries of a folder other than regular files."""


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hex. An `OSError` is the caller's to explain."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_file(
    path: Path, max_bytes: int, *, kind: type[SynthtextError], remedy: str
) -> BinaryIO:
    """Return a file, open for reading.

    Args:
        path: the file, or a link to it.
        max_bytes: largest size.
        kind: the error to raise.
        remedy: what to do, the end of an error message.

    Raises:
        SynthtextError: of that kind: it is missing, is not a regular file, or is too large.
    """
    name = shorten(str(path), MAX_PATH_CHARS)
    try:
        # Non-blocking, since a pipe without a writer would never open.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise kind(f"{name} cannot be read ({reason}); {remedy}") from error
    facts, reason = os.fstat(handle), ""
    if not stat.S_ISREG(facts.st_mode):
        what = KINDS.get(stat.S_IFMT(facts.st_mode), "something else")
        reason = f"is {what} and not a regular file"
    elif facts.st_size > max_bytes:
        reason = f"is larger than {format_bytes(max_bytes)}"
    if reason:
        os.close(handle)
        raise kind(f"{name} {reason}; {remedy}")
    return os.fdopen(handle, "rb")


def read_file(path: Path, max_bytes: int, *, kind: type[SynthtextError], remedy: str) -> bytes:
    """Return the content of a file; arguments and errors are those of `open_file`."""
    with open_file(path, max_bytes, kind=kind, remedy=remedy) as file:
        try:
            raw = file.read(max_bytes + 1)
        except OSError as error:
            name = shorten(str(path), MAX_PATH_CHARS)
            reason = (error.strerror or str(error)).lower()
            raise kind(f"{name} cannot be read ({reason}); {remedy}") from error
    if len(raw) > max_bytes:
        # Some files are longer than their stated size, such as those in /proc.
        raise kind(f"{path} is larger than {format_bytes(max_bytes)}; {remedy}")
    return raw


def list_files(
    folder: Path, suffixes: Collection[str], *, kind: type[SynthtextError]
) -> list[str]:
    """Return the names of the files in a folder and its subfolders, in order.

    Args:
        folder: where to look; links to folders are not followed, hidden folders are left out.
        suffixes: extensions in lower case, such as `.png`; other files are left out.
        kind: the error to raise.

    Returns:
        Paths relative to the folder, separated by `/`, including pipes, sockets and devices.

    Raises:
        SynthtextError: of that kind: the folder cannot be read or holds far too much.
    """

    def refuse(error: OSError) -> None:
        reason = (error.strerror or str(error)).lower()
        raise kind(f"{error.filename} cannot be read ({reason}); give a readable folder")

    names: list[str] = []
    n_seen = 0
    for inner, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        n_seen += len(files) + len(folders)
        if n_seen > MAX_LISTED:
            raise kind(
                f"{folder} contains more than {MAX_LISTED:,} files; give a smaller folder"
            )
        start = Path(inner).relative_to(folder)
        names += [
            (start / name).as_posix() for name in files if Path(name).suffix.lower() in suffixes
        ]
    return sorted(names)


def format_bytes(n_bytes: int) -> str:
    """Return a number of bytes in the largest unit that gives a whole number.

    >>> format_bytes(256 << 20), format_bytes(1 << 30)
    ('256 MiB', '1 GiB')
    """
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if n_bytes >= 1 << shift and n_bytes % (1 << shift) == 0:
            return f"{n_bytes >> shift} {unit}"
    return f"{n_bytes:,} bytes"
