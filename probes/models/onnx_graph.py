"""What an ONNX file holds, read from its bytes before any library builds it.

An ONNX file is a message of protocol buffers. onnxruntime would follow the names of files in
it, and run loops in it for as long as they say; both are looked for here and refused. Source:
`onnx.proto3` of ONNX 1.17, and the encoding of protocol buffers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from probes.errors import ProbeError
from synthtext.errors import quote

MAX_BYTES = (2 << 30) - 1
"""The most that a message of protocol buffers may hold."""

MAX_NODES = 200_000

MAX_DEPTH = 8
"""Graphs inside nodes of graphs; exports of CLIP have one or none."""

DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})
"""Sets of operators that onnxruntime brings along."""

ENDLESS = frozenset({"Loop", "Scan"})
"""Operators that run a graph as often as they are told."""

EXTERNAL = 1
"""The place of a tensor whose numbers lie in another file."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Kinds of a field, by the last three bits of its tag."""

Field = tuple[int, int | memoryview]
"""The number of a field, and its value."""


def check_graph(path: Path, raw: bytes) -> None:
    """Refuse an ONNX file that could read other files, or run without end.

    Raises:
        ProbeError: it is not an ONNX file, or holds what an encoder does not need.
    """
    try:
        n_nodes = 0
        for number, value in _read_fields(memoryview(raw)):
            if number == 7 and isinstance(value, memoryview):
                n_nodes += _check_nodes(path, value, 0)
            elif number in (20, 25):  # Training, and functions of one's own.
                raise ProbeError(
                    f"{path} has parts for training or functions of its own; export the"
                    " encoder without them"
                )
    except (IndexError, ValueError, UnicodeDecodeError) as error:
        raise ProbeError(f"{path} is not an ONNX file; export or download it again") from error
    if n_nodes == 0:
        raise ProbeError(f"{path} is not an ONNX file; export or download it again")


def _check_nodes(path: Path, graph: memoryview, depth: int) -> int:
    """Return the number of nodes of a graph, all of which are checked."""
    if depth > MAX_DEPTH:
        raise ProbeError(f"{path} has graphs nested more than {MAX_DEPTH} deep; do not use it")
    n_nodes = 0
    for number, value in _read_fields(graph):
        if number == 1 and isinstance(value, memoryview):
            n_nodes += 1 + _check_node(path, value, depth)
        elif number in (5, 15) and isinstance(value, memoryview):
            _check_tensor(path, value)
        if n_nodes > MAX_NODES:
            raise ProbeError(
                f"{path} has more than {MAX_NODES:,} operators; give a smaller encoder"
            )
    return n_nodes


def _check_node(path: Path, node: memoryview, depth: int) -> int:
    """Return the number of nodes inside a node."""
    n_nodes = 0
    for number, value in _read_fields(node):
        if not isinstance(value, memoryview):
            continue
        if number == 4 and bytes(value).decode() in ENDLESS:
            raise ProbeError(
                f"{path} has the operator {bytes(value).decode()}, which may never end;"
                " export the encoder without it"
            )
        if number == 7 and bytes(value).decode() not in DOMAINS:
            raise ProbeError(
                f"{path} has operators of {quote(bytes(value).decode())}, which are not those"
                " of onnxruntime; export the encoder without them"
            )
        if number == 5:
            n_nodes += _check_attribute(path, value, depth)
    return n_nodes


def _check_attribute(path: Path, attribute: memoryview, depth: int) -> int:
    n_nodes = 0
    for number, value in _read_fields(attribute):
        if number in (5, 10, 22, 23) and isinstance(value, memoryview):
            _check_tensor(path, value)
        elif number in (6, 11) and isinstance(value, memoryview):
            n_nodes += 1 + _check_nodes(path, value, depth + 1)
    return n_nodes


def _check_tensor(path: Path, tensor: memoryview) -> None:
    """Refuse a tensor whose numbers lie in another file, also inside a sparse one."""
    for number, value in _read_fields(tensor):
        if (number == 14 and value == EXTERNAL) or number == 13:
            raise ProbeError(
                f"{path} keeps weights in another file; export the encoder into one file"
            )


def _read_fields(message: memoryview) -> Iterator[Field]:
    """Yield the fields of a message: whole numbers as such, and what is longer as bytes.

    Raises:
        ValueError: it is not a message.
        IndexError: it ends too early.
    """
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        size = {FIXED64: 8, FIXED32: 4}.get(kind)
        if size is None:
            if kind != BYTES:
                raise ValueError("a kind of field that is not in use")
            size, at = _read_varint(message, at)
        if size > len(message) - at:
            raise IndexError("a field is longer than its message")
        yield number, message[at : at + size]
        at += size


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return a whole number of seven bits a byte, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number is too long")
