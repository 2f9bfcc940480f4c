"""Tar: an archive -> the files in it, read strictly and within bounds.

Python's tarfile trusts the sizes, the nesting and the sparse maps in headers, so an untrusted
shard could demand any amount of memory, depth or time. Here every number is checked before it
is used, and what no shard needs is refused: links, devices, sparse files. Archives from
webdataset, Python, GNU tar and bsdtar are accepted.

Source: POSIX.1-2017, pax; GNU tar 1.35, "Basic Tar Format".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from synthtext.errors import ShardError, quote

BLOCK_BYTES = 512

MAX_MEMBER_BYTES = 64 << 20
"""Maximum size of a file in a shard: a bound for shards from elsewhere."""

MAX_NAME_BYTES = 4096
"""Maximum length of a file name, as on Linux."""

MAX_EXTENDED_BYTES = 1 << 16
"""Maximum size of a pax header or a long name of GNU tar before a file."""

MAX_END_BYTES = 16 << 20
"""Maximum number of zero bytes after the last file; writers pad their last record."""

MAX_DIGITS = 20
"""Maximum number of digits of a size in a pax header."""

BLANK = bytes(BLOCK_BYTES)

POSIX = b"ustar\0"

MAGICS = frozenset({POSIX, b"ustar ", bytes(6)})
"""Magic numbers of POSIX, GNU tar and Unix V7 headers."""

FILES = frozenset({b"0", b"\0"})

FOLDER = b"5"

LONG_NAME, PAX, PAX_OF_ALL = b"L", b"x", b"g"

EXTENDED = frozenset({LONG_NAME, PAX, PAX_OF_ALL})
"""Headers with more details of the file that follows, each allowed once."""


class Member(NamedTuple):
    """A file or a folder in a tar.

    Attributes:
        name: name of the file, with its folders.
        offset: where its content begins, in bytes.
        size: size of its content, in bytes.
        is_file: whether it is a file, not a folder.
    """

    name: str
    offset: int
    size: int
    is_file: bool


class TarError(Exception):
    """What is wrong with a tar, without its name; used only inside this module."""


def read_members(file: BinaryIO, path: Path) -> Iterator[Member]:
    """Return the files and folders of a tar, in order, without reading their content.

    The caller may seek in the file between them.

    Args:
        file: the tar, open.
        path: its name, for errors.

    Raises:
        ShardError: it is broken, truncated, or has content that no shard needs.
    """
    n_bytes = file.seek(0, os.SEEK_END)
    at, last = 0, ""
    while True:
        try:
            member = _read_member(file, at, n_bytes)
        except TarError as error:
            where = f"after {quote(last)}" if last else "at its start"
            raise ShardError(
                f"{path} {error}, {where}; get a new copy, or render it again"
            ) from error
        if member is None:
            return
        yield member
        last = member.name
        at = member.offset + _pad(member.size)


def _read_member(file: BinaryIO, at: int, n_bytes: int) -> Member | None:
    """Return the file or folder whose header is at an offset, None at the end of the tar."""
    extended: dict[bytes, bytes] = {}
    while True:
        header = _read(file, at, BLOCK_BYTES)
        if header == BLANK and not extended:
            _check_end(file, n_bytes - at)
            return None
        kind, size = _read_header(header)
        offset = at + BLOCK_BYTES
        if kind not in EXTENDED:
            break
        if kind in extended:
            raise TarError(f"has two headers of the type {kind.decode()!r} for one file")
        if size > MAX_EXTENDED_BYTES:
            raise TarError(
                f"has a header of {size} bytes, and the limit is {MAX_EXTENDED_BYTES}"
            )
        extended[kind] = _read(file, offset, size)
        at = offset + _pad(size)
    name = _read_name(header)
    if extended:
        name, size = _extend(name, size, extended)
    return _check_member(name, kind, offset=offset, size=size, n_bytes=n_bytes)


def _read(file: BinaryIO, at: int, n_bytes: int) -> bytes:
    file.seek(at)
    content = file.read(n_bytes)
    if len(content) != n_bytes:
        raise TarError("ends early")
    return content


def _read_header(header: bytes) -> tuple[bytes, int]:
    """Return the type and the size in a header."""
    field = header[148:156]
    # The checksum counts its own field as spaces.
    if sum(header) - sum(field) + 8 * 32 != _read_octal(field):
        raise TarError("has a header whose checksum does not match")
    if header[257:263] not in MAGICS:
        raise TarError(f"has a header of the unknown format {_show(header[257:263])}")
    field = header[124:136]
    if field[0] < 0x80:
        return header[156:157], _read_octal(field)
    if field[0] == 0xFF:
        raise TarError("has a file of a negative size")
    # Numbers too large for twelve digits are binary, marked by the first bit.
    return header[156:157], int.from_bytes(field, "big") - (0x80 << 88)


def _read_octal(field: bytes) -> int:
    digits = field.strip(b" \0")
    # int() alone would accept signs and underscores.
    if not digits.isdigit():
        if digits:
            raise TarError(f"has a header with {_show(digits)} for a number")
        return 0
    try:
        return int(digits, 8)
    except ValueError as error:
        raise TarError(f"has a header with {_show(digits)} for an octal number") from error


def _read_name(header: bytes) -> str:
    name = header[:100].partition(b"\0")[0]
    if header[345]:
        # Other formats store times where POSIX has the folders of a long name.
        if header[257:263] != POSIX:
            raise TarError("has a header with invalid characters")
        name = header[345:500].partition(b"\0")[0] + b"/" + name
    return _decode_name(name)


def _show(content: bytes) -> str:
    return quote(_decode_name(content))


def _decode_name(name: bytes) -> str:
    return name.decode("utf-8", errors="backslashreplace")


def _extend(name: str, size: int, extended: Mapping[bytes, bytes]) -> tuple[str, int]:
    """Return the name and the size of a file, as overridden by its extended headers."""
    if LONG_NAME in extended:
        name = _read_long_name(extended[LONG_NAME])
    if {b"path", b"size"} & _read_records(extended.get(PAX_OF_ALL, b"")).keys():
        raise TarError("gives one name or size to all of its files")
    records = _read_records(extended.get(PAX, b""))
    if b"path" in records:
        if LONG_NAME in extended:
            raise TarError("gives two names to one file")
        name = _decode_name(records[b"path"])
    if b"size" in records:
        digits = records[b"size"]
        if not digits.isdigit() or len(digits) > MAX_DIGITS:
            raise TarError(f"has a file of the size {_show(digits)}")
        size = int(digits)
    return name, size


def _read_long_name(raw: bytes) -> str:
    name, end, _ = raw.partition(b"\0")
    if not end:
        raise TarError(f"has a long name without an end, {_show(name)}")
    return _decode_name(name)


def _read_records(raw: bytes) -> dict[bytes, bytes]:
    """Return the entries of a pax header, one `LENGTH KEY=VALUE` per line."""
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(raw):
        digits, blank, _ = raw[at : at + MAX_DIGITS].partition(b" ")
        end = at + int(digits) if blank and digits.isdigit() else at
        key, equals, value = raw[at + len(digits) + 1 : end - 1].partition(b"=")
        if not equals or raw[end - 1 : end] != b"\n":
            raise TarError("has a broken pax header")
        if key.startswith(b"GNU.sparse."):
            raise TarError("has a sparse file")
        if key in records:
            raise TarError(f"gives {_show(key)} twice to one file")
        records[key] = value
        at = end
    return records


def _check_member(name: str, kind: bytes, *, offset: int, size: int, n_bytes: int) -> Member:
    shown = quote(name)
    is_folder = kind == FOLDER or (kind == b"\0" and name.endswith("/"))
    if not is_folder and kind not in FILES:
        raise TarError(f"contains {shown}, which is not a file of a sample")
    if not name or len(name) > MAX_NAME_BYTES or "\0" in name:
        raise TarError(f"contains the name {shown}, which is not the name of a file")
    if name.startswith("/") or ".." in name.split("/"):
        raise TarError(f"contains {shown}, which leads outside its folder")
    if is_folder and size:
        raise TarError(f"contains the folder {shown} of {size} bytes")
    if size > MAX_MEMBER_BYTES:
        raise TarError(f"contains {shown} of {size} bytes, and the limit is {MAX_MEMBER_BYTES}")
    if offset + size > n_bytes:
        raise TarError(f"ends inside {shown}")
    return Member(name, offset, size, not is_folder)


def _check_end(file: BinaryIO, n_left: int) -> None:
    """Check that a tar has its end marker, which one truncated between two files lacks."""
    if n_left < 2 * BLOCK_BYTES:
        raise TarError("ends early")
    if n_left > MAX_END_BYTES or file.read(n_left).strip(b"\0"):
        raise TarError("continues after its end")


def _pad(size: int) -> int:
    return size + -size % BLOCK_BYTES
