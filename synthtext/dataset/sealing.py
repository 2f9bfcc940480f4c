"""Sealing: JSON with its own checksum, read within bounds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from synthtext.errors import DamageError, DatasetError

CHECKSUM = "checksum"
"""The entry with the checksum of all others."""

MAX_BYTES = 512 << 20
"""Maximum file size: the file for a billion images in a million shards has about 300 MB."""

MAX_PARTS = 16_000_000
"""Maximum number of values in a file, by commas and brackets; they determine its memory use.

A million shards have 9 million, and 16 million of the costliest kind take about 2 GB.
"""

REPAIR = "run the same render command with --repair, or get a new copy"
"""The remedy in error messages."""


def seal(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content with its checksum as the last entry."""
    bare = {name: value for name, value in content.items() if name != CHECKSUM}
    return {**bare, CHECKSUM: hash_json(bare)}


def hash_json(content: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of content as JSON without whitespace, with sorted names.

    The checksum of the content itself is left out.

    >>> hash_json({"b": 1, "a": 2}) == hash_json({"a": 2, "b": 1, "checksum": "x"})
    True
    """
    bare = {name: value for name, value in content.items() if name != CHECKSUM}
    return hashlib.sha256(orjson.dumps(bare, option=orjson.OPT_SORT_KEYS)).hexdigest()


def read_sealed(path: Path) -> tuple[dict[str, Any], bool]:
    """Return the content of a JSON file, and whether its checksum matches or is absent.

    Raises:
        FileNotFoundError: it is missing.
        DamageError: it is not a JSON object, or is larger or more deeply nested than any that
            is written.
        DatasetError: it is not a file.
    """
    raw = _read_bounded(path)
    try:
        content = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise DamageError(f"{path} is broken ({error}); {REPAIR}") from error
    if not isinstance(content, dict):
        raise DamageError(f"{path} is broken (it is not a JSON object); {REPAIR}")
    try:
        found = hash_json(content)
    except TypeError as error:  # orjson raises this if nesting is too deep.
        raise DamageError(f"{path} is nested too deeply; {REPAIR}") from error
    return content, content.get(CHECKSUM, found) == found


def _read_bounded(path: Path) -> bytes:
    """Return the bytes of a file that is not too large to be parsed."""
    if not path.is_file():
        if path.exists():
            raise DatasetError(f"{path} is not a file; give a folder that contains one")
        raise FileNotFoundError(path)
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise DamageError(f"{path} is larger than {MAX_BYTES >> 20} MiB; {REPAIR}")
    n_parts = sum(map(raw.count, (b",", b"[", b"{")))
    if n_parts > MAX_PARTS:
        raise DamageError(
            f"{path} has about {n_parts:,} values, and the limit is {MAX_PARTS:,}; {REPAIR}"
        )
    return raw
