"""Shapes: what JSON from elsewhere may hold, and the sentence that names what does not fit.

A shape is a small tree of the kinds below. Sizes are bounded before anything is parsed, and
depth by the parser, so that a file can neither fill the memory nor the stack.
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
"""Commas of a file; each may become an object in memory."""

MAX_NESTED = 4_000_000
"""Lists and objects of a file, which take more memory than anything else in it."""


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def find_fault(self, value: object) -> str | None:
        """Return what the value should be, None if it is that."""
        return None if isinstance(value, bool) else "true or false"


@dataclass(frozen=True)
class Whole:
    """A whole number within bounds, both included."""

    low: int
    high: int

    def find_fault(self, value: object) -> str | None:
        """Return what the value should be, None if it is that."""
        whole = isinstance(value, int) and not isinstance(value, bool)
        fits = whole and self.low <= value <= self.high  # type: ignore[operator]
        return None if fits else f"a whole number from {self.low} to {self.high}"


@dataclass(frozen=True)
class Real:
    """A number within bounds, both included."""

    low: float
    high: float

    def find_fault(self, value: object) -> str | None:
        """Return what the value should be, None if it is that."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = number and self.low <= value <= self.high  # type: ignore[operator]
        return None if fits else f"a number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Text:
    """A text, of a length within bounds, or one of a few."""

    among: tuple[str, ...] = ()
    longest: int = 1000

    def find_fault(self, value: object) -> str | None:
        """Return what the value should be, None if it is that."""
        if self.among:
            return None if value in self.among else f"one of {', '.join(map(repr, self.among))}"
        fits = isinstance(value, str) and len(value) <= self.longest
        return None if fits else f"a text of at most {self.longest} characters"


@dataclass(frozen=True)
class Row:
    """A list of items of one kind, as many as the bounds allow."""

    item: Shape
    low: int
    high: int

    def find_fault(self, value: object) -> str | None:
        """Return what the value should be, None if it is that."""
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
        """Return what the value should be, None if it is that."""
        faults = [kind.find_fault(value) for kind in self.kinds]
        return None if None in faults else " or ".join(map(str, faults))


@dataclass(frozen=True)
class Null:
    """Nothing, as JSON writes it."""

    def find_fault(self, value: object) -> str | None:
        """Return what the value should be, None if it is that."""
        return None if value is None else "null"


@dataclass(frozen=True)
class Anything:
    """A value that nothing here depends on."""

    def find_fault(self, value: object) -> str | None:
        """Return what the value should be, None if it is that."""
        del value
        return None


Shape = Flag | Whole | Real | Text | Row | Either | Null | Anything


def check_entries(
    value: object, shapes: Mapping[str, Shape], origin: str, *, others: bool = False
) -> dict[str, Any]:
    """Return the value, an object whose entries fit their shapes; none of them is required.

    Args:
        value: parsed JSON.
        shapes: name of an entry to what it may be.
        origin: what the object is, which begins the error.
        others: whether entries of other names are ignored rather than refused.

    Raises:
        ProbeError: it is not an object, or an entry is unknown or does not fit.
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
    """Return the bytes of a regular file that is not larger than it may be.

    Args:
        path: of the file.
        max_bytes: the most that it may hold.
        remedy: ends the error of a file that is missing or unreadable.

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
    """Return what a JSON text holds; the parser refuses what is nested over 1000 deep.

    Raises:
        ProbeError: it is not JSON, or holds more parts than memory allows.
    """
    if raw.count(b",") > MAX_ITEMS or raw.count(b"[") + raw.count(b"{") > MAX_NESTED:
        raise ProbeError(f"{path} has too many entries; {remedy}")
    try:
        return orjson.loads(raw)
    except ValueError as error:
        raise ProbeError(f"{path} is not valid JSON ({error}); {remedy}") from error
