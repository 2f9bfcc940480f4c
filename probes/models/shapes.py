"""Shapes: a schema for untrusted JSON, and the error for what does not match it.

A shape is a small tree of the kinds below. Sizes are bounded before anything is parsed, and
depth by the parser, so that a file can fill neither the memory nor the stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from probes.errors import ProbeError
from synthtext.errors import quote

MAX_ITEMS = 8_000_000
"""Maximum number of commas in a file; each may become an object in memory."""

MAX_NESTED = 4_000_000
"""Maximum number of lists and objects in a file, which take the most memory."""


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def find_fault(self, value: object) -> str | None:
        """Return what the value should be, or None if it matches."""
        return None if isinstance(value, bool) else "true or false"


@dataclass(frozen=True)
class Whole:
    """A whole number within bounds, both included."""

    low: int
    high: int

    def find_fault(self, value: object) -> str | None:
        """Return what the value should be, or None if it matches."""
        whole = isinstance(value, int) and not isinstance(value, bool)
        fits = whole and self.low <= value <= self.high  # type: ignore[operator]
        return None if fits else f"a whole number from {self.low} to {self.high}"


@dataclass(frozen=True)
class Real:
    """A number within bounds, both included."""

    low: float
    high: float

    def find_fault(self, value: object) -> str | None:
        """Return what the value should be, or None if it matches."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = number and self.low <= value <= self.high  # type: ignore[operator]
        return None if fits else f"a number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Text:
    """A text with a length within bounds, or one of several."""

    among: tuple[str, ...] = ()
    longest: int = 1000

    def find_fault(self, value: object) -> str | None:
        """Return what the value should be, or None if it matches."""
        if self.among:
            return None if value in self.among else f"one of {', '.join(map(repr, self.among))}"
        fits = isinstance(value, str) and len(value) <= self.longest
        return None if fits else f"a text of at most {self.longest} characters"


@dataclass(frozen=True)
class Row:
    """A list of items of one kind, with a length within bounds."""

    item: Shape
    low: int
    high: int

    def find_fault(self, value: object) -> str | None:
        """Return what the value should be, or None if it matches."""
        if not isinstance(value, list) or not self.low <= len(value) <= self.high:
            return f"a list of {self.low} to {self.high} entries"
        faults = (self.item.find_fault(part) for part in value)
        fault = next(filter(None, faults), None)
        return fault and f"a list in which each entry is {fault}"


@dataclass(frozen=True)
class Either:
    """A value of one of several kinds."""

    kinds: tuple[Shape, ...]

    def find_fault(self, value: object) -> str | None:
        """Return what the value should be, or None if it matches."""
        faults = [kind.find_fault(value) for kind in self.kinds]
        return None if None in faults else " or ".join(map(str, faults))


@dataclass(frozen=True)
class Null:
    """JSON's null."""

    def find_fault(self, value: object) -> str | None:
        """Return what the value should be, or None if it matches."""
        return None if value is None else "null"


@dataclass(frozen=True)
class Anything:
    """Any value; nothing depends on it."""

    def find_fault(self, value: object) -> str | None:
        """Return what the value should be, or None if it matches."""
        del value
        return None


Shape = Flag | Whole | Real | Text | Row | Either | Null | Anything


def check_entries(
    value: object, shapes: Mapping[str, Shape], origin: str, *, others: bool = False
) -> dict[str, Any]:
    """Return the value, an object whose entries match their shapes; all entries are optional.

    Args:
        value: parsed JSON.
        shapes: the shape of each entry by name.
        origin: name of the object, which begins the error.
        others: whether entries with other names are ignored rather than refused.

    Raises:
        ProbeError: it is not an object, or an entry is unknown or does not match.
    """
    if not isinstance(value, dict):
        raise ProbeError(f"{origin} is {quote(value)}; it must be a JSON object")
    for name, held in value.items():
        if name not in shapes:
            if others:
                continue
            raise ProbeError(
                f"{origin} has the unknown entry {quote(name)}; remove it, or"
                " update synthtext if newer models need it"
            )
        fault = shapes[name].find_fault(held)
        if fault:
            raise ProbeError(f"{origin} has {name} {quote(held)}; it is {fault}")
    return value


def read_bounded(path: Path, max_bytes: int, remedy: str) -> bytes:
    """Return the bytes of a regular file that is not too large.

    Args:
        path: the file.
        max_bytes: maximum size.
        remedy: end of the error for a missing or unreadable file.

    Raises:
        ProbeError: it is missing, is not a regular file, is too large or cannot be read.
    """
    try:
        if not path.exists():
            raise ProbeError(f"there is no file {path}; {remedy}")
        if not path.is_file():
            raise ProbeError(f"{path} is not a regular file; {remedy}")
        with path.open("rb") as file:
            raw = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise ProbeError(f"{path} cannot be read ({error}); {remedy}") from error
    if len(raw) > max_bytes:
        raise ProbeError(f"{path} has more than {max_bytes:,} bytes; {remedy}")
    return raw


def parse_json(raw: bytes, path: Path, remedy: str) -> Any:  # noqa: ANN401 - JSON is anything.
    """Return the content of a JSON text; the parser refuses nesting deeper than 1000.

    Raises:
        ProbeError: it is not JSON, or has too many parts.
    """
    if raw.count(b",") > MAX_ITEMS or raw.count(b"[") + raw.count(b"{") > MAX_NESTED:
        raise ProbeError(f"{path} has too many entries; {remedy}")
    try:
        return orjson.loads(raw)
    except ValueError as error:
        raise ProbeError(f"{path} is not valid JSON ({error}); {remedy}") from error
