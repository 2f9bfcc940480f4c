"""Untrusted TOML: its size, depth and numbers are limited before a parser sees it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtext.errors import SynthtextError
from synthtext.files import read_file

MAX_BARE_CHARS = 64
"""Maximum length of a key, number, date or word outside quotation marks."""

TOKEN = re.compile(
    r"""
    \#[^\n]*+
    | \"{3}(?:[^"\\]|\\.|"(?!""))*+(?:"{3,5}+|\Z)
    | '{3}(?:[^']|'(?!''))*+(?:'{3,5}+|\Z)
    | "(?:[^"\\\n]|\\.)*+"?+
    | '[^'\n]*+'?+
    | [\w+-]++
    | [][{}.,=\n]
    """,
    re.VERBOSE | re.DOTALL,
)
"""Comments, four kinds of strings, bare words, and marks; an open string ends with the text."""


@dataclass(frozen=True)
class Limits:
    """The limits of a TOML file.

    Attributes:
        max_bytes: maximum size of the file.
        max_depth: how deeply arrays, tables and dotted keys may be nested.
    """

    max_bytes: int
    max_depth: int


def read_toml(
    path: Path, limits: Limits, *, kind: type[SynthtextError], remedy: str
) -> dict[str, Any]:
    """Return the content of a TOML file.

    Args:
        path: the file.
        limits: the limits of the file.
        kind: the error to raise.
        remedy: what to do, the end of an error message.

    Raises:
        SynthtextError: of that kind: the file cannot be read, exceeds a limit or is not TOML.
    """
    raw = read_file(path, limits.max_bytes, kind=kind, remedy=remedy)
    try:
        text = raw.decode("utf-8")
        _check_shape(text, limits.max_depth)
        return tomllib.loads(text)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise kind(f"{path} cannot be read as TOML ({reason}); {remedy}") from error


def _check_shape(text: str, max_depth: int) -> None:
    """Raise a ValueError if the text is nested too deeply or has too long a word."""
    # The parser recurses at every level, and Python raises another kind of error for long
    # numbers.
    depth = n_dots = 0
    for token in TOKEN.findall(text):
        if token in "[{":
            depth, n_dots = depth + 1, 0
        elif token in "]}":
            depth -= 1
        elif token == ".":
            n_dots += 1
        elif token in ("\n", "=", ","):
            n_dots = 0
        elif token[0] not in "\"'#" and len(token) > MAX_BARE_CHARS:
            raise ValueError(f"{token[:20]}... is {len(token):,} characters long")
        if depth > max_depth or n_dots > max_depth:
            raise ValueError(f"its arrays or tables are nested more than {max_depth} deep")
