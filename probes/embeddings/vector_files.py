"""Files of vectors: float32 (N, D) and notes, verified as a whole before use.

A file is a header of fixed size, the raw vectors, and the notes. The header holds an identifier
of what the vectors were made from and a checksum over everything, which is verified before
anything is parsed. Vectors are memory-mapped, so large files need little memory.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from probes.arrays import Vectors
from synthtext.storage import write_whole

MAGIC = b"SYNVEC02"

HEADER = struct.Struct("<8s32s32sQQQ")
"""Magic, origin, checksum, rows, columns, size of the notes in bytes."""

COUNTS = struct.Struct("<QQQ")

BLOCK_BYTES = 1 << 20


class DamagedFileError(Exception):
    """A file of vectors is damaged; the message says how that was found."""


@dataclass(frozen=True)
class VectorFile:
    """The content of a file of vectors.

    Attributes:
        vectors: float32 (N, D), read from disk on use.
        notes: the notes stored with them.
    """

    vectors: Vectors
    notes: bytes


def write_vector_file(
    path: Path, vectors: Vectors, origin: bytes, notes: bytes = b"", *, is_private: bool = False
) -> None:
    """Write vectors atomically: after a crash the file is complete or absent.

    Args:
        path: the file.
        vectors: float32 (N, D).
        origin: 32 bytes that identify what the vectors were made from.
        notes: any further content.
        is_private: whether to make the file readable and writable by its owner only.

    Raises:
        OSError: the disk is full, cannot be written, or fails.
    """
    rows = np.ascontiguousarray(vectors, np.dtype("<f4"))
    counts = (*rows.shape, len(notes))
    digest = hashlib.sha256(origin + COUNTS.pack(*counts))
    digest.update(rows.data)
    digest.update(notes)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        # A link would be followed, and a pipe would block until something reads it.
        path.unlink()
    with write_whole(path) as file:
        if is_private:
            os.fchmod(file.fileno(), stat.S_IRUSR | stat.S_IWUSR)
        file.write(HEADER.pack(MAGIC, origin, digest.digest(), *counts))
        file.write(rows.data)
        file.write(notes)


def read_vector_file(
    path: Path, origin: bytes, *, is_private: bool = False
) -> VectorFile | None:
    """Return the content of a file, None if it is missing or was made from something else.

    Args:
        path: the file.
        origin: 32 bytes that identify what the vectors are made from.
        is_private: whether to refuse a file that another user could have written.

    Raises:
        DamagedFileError: it cannot be read, or is not as it was written.
    """
    try:
        # Non-blocking, since a pipe without a writer would never open.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DamagedFileError(error.strerror or str(error)) from error
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise DamagedFileError("not a regular file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            return _read(file, origin, facts, is_private=is_private)
    except OSError as error:
        raise DamagedFileError(error.strerror or str(error)) from error
    finally:
        os.close(handle)


def _read(
    file: BinaryIO, origin: bytes, facts: os.stat_result, *, is_private: bool
) -> VectorFile | None:
    if is_private and (
        facts.st_uid != os.geteuid() or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    ):
        raise DamagedFileError("another user could have written it")
    head = file.read(HEADER.size)
    if len(head) < HEADER.size or not head.startswith(MAGIC):
        raise DamagedFileError("not an embedding file")
    _, made_from, checksum, *counts = HEADER.unpack(head)
    if made_from != origin:
        return None
    n_rows, n_columns, n_notes = counts
    n_bytes = 4 * n_rows * n_columns
    if HEADER.size + n_bytes + n_notes != facts.st_size:
        raise DamagedFileError("of the wrong length")
    digest = hashlib.sha256(origin + COUNTS.pack(*counts))
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
    file.seek(HEADER.size + n_bytes)
    notes = file.read()
    if digest.digest() != checksum:
        raise DamagedFileError("its checksum differs")
    if n_bytes == 0:
        return VectorFile(np.empty((n_rows, n_columns), np.float32), notes)
    # The map keeps its own file handle.
    vectors = np.memmap(file, "<f4", "r", HEADER.size, (n_rows, n_columns))
    return VectorFile(vectors, notes)
