"""Malformed files of every format that is read, as code that makes them.

A case is a name and a function that replaces a good file. Each format has the cases for any
file, those for text files if it is one, and its own.
"""

from __future__ import annotations

import copy
import functools
import gzip
import io
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

Make = Callable[[Path], None]

Cases = dict[str, Make]

ENDLESS_BYTES = 8 << 30
"""Size of a sparse file."""

DEEP = 100_000

BOMB_BYTES = 3 << 30
"""Size of a decompression bomb when unpacked."""

ODD_VALUES: dict[str, Any] = {
    "null": None, "list": [], "dict": {}, "text": "x", "negative": -1, "large": 2**62,
    "float": 1e308, "truth": True, "nested": [[[[{}]]]], "control": "\x00\x1b[2J[/b]\n",
}  # fmt: skip
"""Values that replace the right ones."""

N_ODD = 3
"""Number of odd values that are tried at each position in JSON."""

ODD_TOML = (
    "[]", "{}", "true", "'x'", "-1", "9" * 5000, "nan", "1979-05-27", "[[[[]]]]",
    "[" + "1," * 1_000_000 + "]", "[" * 900 + "]" * 900, '"\\u0000\\u001b[2J"',
)  # fmt: skip


class RunsCode:
    """Creates the marker file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ('touch "$FAULTS_MARKER"',)


def list_cases(kind: str, good: bytes) -> Cases:
    """Return the cases of a format.

    Args:
        kind: one of `FORMATS`.
        good: the content of a file that is read without an error.
    """
    return {**_cases_of_files(good), **FORMATS[kind](good)}


def _write(content: bytes) -> Make:
    def make(path: Path) -> None:
        path.unlink()
        path.write_bytes(content)

    return make


def _place(put: Callable[[Path], object]) -> Make:
    def make(path: Path) -> None:
        path.unlink()
        put(path)

    return make


def _make_endless(path: Path) -> None:
    path.touch()
    os.truncate(path, ENDLESS_BYTES)


def _forbid(path: Path) -> None:
    path.touch()
    path.chmod(0)


def _cases_of_files(good: bytes) -> Cases:
    cuts = {f"cut at {n}/4": _write(good[: len(good) * n // 4]) for n in (1, 2, 3)}
    cases = {
        "empty": _write(b""),
        "endless": _place(_make_endless),
        "a device without end": _place(lambda path: path.symlink_to("/dev/zero")),
        "a pipe": _place(os.mkfifo),
        "a folder": _place(Path.mkdir),
        "a link to itself": _place(lambda path: path.symlink_to(path)),
        "a link to nothing": _place(lambda path: path.symlink_to(path.with_name("nothing"))),
        "zeros": _write(bytes(4096)),
        "bytes": _write(bytes(range(256)) * 16),
        "garbage after its end": _write(good + b"\xff\x00garbage" * 100),
        "twice": _write(good * 2),
        **cuts,
    }
    if os.geteuid() != 0:  # The superuser may read every file.
        cases["not readable"] = _place(_forbid)
    return cases


def _cases_of_text(good: bytes) -> Cases:
    return {
        "invalid UTF-8": _write(good + b"\n\xff\xfe\n"),
        "lone surrogates": _write(good + b"\n\xed\xa0\x80\n"),
        "zeros among letters": _write(good[:1] + b"\x00" + good[1:]),
        "escapes": _write("\x1b[2J\n[/b]\n[red]\n\u202ea\n$x^\n{}\n".encode()),
        "one long line": _write(b"a" * 5_000_000),
        "backquotes": _write(b"sentence\tlabel\n" + (b"` " * 1000 + b"\t1\n") * 200),
        "many lines": _write(b"\n".join(b"w%d" % number for number in range(20_000))),
        "UTF-16": _write(good.decode().encode("utf-16")),
    }


def _cases_of_json(good: bytes) -> Cases:
    deep = {
        "deep lists": _write(b"[" * DEEP + b"]" * DEEP),
        "deep objects": _write(b'{"a":' * DEEP + b"1" + b"}" * DEEP),
        "a deep value": _write(good.rstrip()[:-1] + b',"zz":' + b"[" * DEEP + b"]" * DEEP + b"}"),
        "a giant number": _write(b"9" * 50_000),
        "infinite": _write(b'{"a": 1e999, "b": NaN}'),
        "a lone surrogate": _write(b'{"\\ud800": "\\udfff"}'),
        "a list": _write(b"[]"), "a text": _write(b'"x"'), "null": _write(b"null"),
        "no entries": _write(b"{}"),
    }  # fmt: skip
    changed = {
        f"{place} is {name}": _write(orjson.dumps(value))
        for place, name, value in _change_values(orjson.loads(good))
    }
    giant = {
        f"{place} is giant": _write(orjson.dumps(value).replace(b'"GIANT"', b"9" * 5000))
        for place, name, value in _change_values(orjson.loads(good), {"giant": "GIANT"})
    }
    return {**deep, **changed, **giant}


def _change_values(
    whole: Any,  # noqa: ANN401 - any JSON value.
    odd: dict[str, Any] | None = None,
) -> Iterator[tuple[str, str, Any]]:
    """Yield copies of a document, each with one value replaced by an odd one."""
    values = list((odd or ODD_VALUES).items())
    for number, place in enumerate(_list_places(whole)):
        for name, value in (values * 2)[number % len(values) :][: min(N_ODD, len(values))]:
            changed = copy.deepcopy(whole)
            inner = changed
            for step in place[:-1]:
                inner = inner[step]
            inner[place[-1]] = value
            yield ".".join(map(str, place)), name, changed


def _list_places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    """Yield the path to each value; only the first of a list is included."""
    if isinstance(value, dict):
        inner = list(value.items())
    else:
        inner = list(enumerate(value[:1])) if isinstance(value, list) else []
    for step, part in inner:
        yield (*above, step)
        yield from _list_places(part, (*above, step))


def _cases_of_toml(good: bytes) -> Cases:
    lines = good.decode().splitlines()
    entries = [place for place, line in enumerate(lines) if "=" in line and line[0] != "#"]
    changed = {}
    for place in entries:
        name = lines[place].partition("=")[0]
        for number, value in enumerate(ODD_TOML):
            text = "\n".join([*lines[:place], f"{name}= {value}", *lines[place + 1 :]])
            changed[f"{name.strip()} is {value[:12]} ({number})"] = _write(text.encode())
    return {
        **_cases_of_text(good),
        "dotted keys": _write(b"a" + b".a" * 5000 + b" = 1\n"),
        "nested tables": _write(b"[" + b"a." * 5000 + b"a]\n"),
        "many tables": _write(b"".join(b"[t%d]\n" % number for number in range(100_000))),
        "inline tables": _write(b"a = " + b"{a = " * 900 + b"1" + b"}" * 900 + b"\n"),
        **changed,
    }


def _png(width: int, height: int, *parts: tuple[bytes, bytes]) -> bytes:
    """Return a grey PNG of that size, with other chunks than its pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), *parts, (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _cases_of_image(_: bytes) -> Cases:
    zeros = zlib.compress(bytes(50 << 20), 9)
    postscript = b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(touch "$FAULTS_MARKER")'
    return {
        "EPS": _write(postscript + b" system\nshowpage\n%%EOF\n"),
        "SVG": _write(b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"),
        "PDF": _write(b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n"),
        "a billion pixels": _write(_png(31_623, 31_623, (b"IDAT", zeros))),
        "a side of 2^31": _write(_png(2**31 - 1, 2**31 - 1, (b"IDAT", zeros))),
        "no pixels": _write(_png(0, 0, (b"IDAT", zeros))),
        "a text that unpacks": _write(
            _png(1, 1, (b"zTXt", b"a\0\0" + zeros), (b"IDAT", zlib.compress(b"\0\0")))
        ),
        "GIF without frames": _write(b"GIF89a\xff\xff\xff\xff\x00\x00\x00;"),
        "BMP of 2^31": _write(
            b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**31 - 1, -(2**31), 1, 24,
                                0, 0, 0, 0, 0, 0)
        ),
        "TIFF that points to itself": _write(b"II*\0" + struct.pack("<IHI", 8, 0, 8)),
    }  # fmt: skip


def _cases_of_font(good: bytes) -> Cases:
    n_tables = struct.unpack(">H", good[4:6])[0]
    flipped = {}
    for number in range(n_tables):
        at = 12 + 16 * number
        tag = good[at : at + 4].decode("ascii")
        # The table lies beyond the end, has the maximum length, or contains only ones.
        for name, entry in (("far", b"\xff\xff\xff\x00"), ("long", good[at + 8 : at + 12])):
            raw = bytearray(good)
            raw[at + 8 : at + 16] = entry + b"\x7f\xff\xff\xff"
            flipped[f"{tag} is {name}"] = _write(bytes(raw))
        begin, size = struct.unpack(">II", good[at + 8 : at + 16])
        raw = bytearray(good)
        raw[begin : begin + size] = b"\xff" * size
        flipped[f"{tag} is all ones"] = _write(bytes(raw))
    return {**flipped, "65,535 tables": _write(good[:4] + b"\xff\xff" + good[6:])}


def _tar(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, "/etc/passwd", len(content)
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _header(name: bytes, kind: bytes, size: bytes) -> bytes:
    """Return a header block with any bytes for its size, and a correct checksum."""
    raw = bytearray(tarfile.TarInfo(name.decode()).tobuf(tarfile.USTAR_FORMAT)[:512])
    raw[124:136], raw[156:157], raw[148:156] = size, kind, b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


def _cases_of_tar(good: bytes) -> Cases:
    sizes = {
        "2^80": b"\x80\x00" + (2**80 - 1).to_bytes(10, "big"), "8 GiB": b"\x80" + (8 << 30).to_bytes(11, "big"),
        "negative": b"\xff" * 12, "no number": b"zzzzzzzzzzz\0",
    }  # fmt: skip
    kinds = {"member": b"0", "long name": b"L", "long link": b"K", "PAX": b"x", "sparse": b"S"}
    lying = {
        f"a {name} of {label}": _write(
            _header(b"000000000.png", kind, size) + bytes(2048) + good
        )
        for name, kind in kinds.items()
        for label, size in sizes.items()
    }
    digits = b"%d size=%s\n" % (300_000, b"9" * 299_988)
    pax = _header(b"p", b"x", b"%011o\0" % len(digits)) + digits + bytes(-len(digits) % 512)
    nested = (_header(b"l", b"L", b"%011o\0" % 1) + b"a".ljust(512, b"\0")) * 20_000
    return {
        **lying,
        "300 kB of digits": _write(pax + good),
        "20,000 nested headers": _write(nested + good),
        "a link out": _write(_tar("000000000.png", kind=tarfile.SYMTYPE)),
        "a way out": _write(_tar("../../escape.txt", b"x") + good),
        "an absolute way out": _write(_tar("/escape.txt", b"x") + good),
        "a device": _write(_tar("000000000.png", kind=tarfile.CHRTYPE)),
        "JSON that is deep": _write(_tar("000000000.json", b"[" * DEEP)),
        "a class of 30,000 digits": _write(_tar("000000000.cls", b"9" * 30_000)),
        "a negative class": _write(_tar("000000000.cls", b"-1")),
        "gzip": _write(gzip.compress(good)),
        "gzip that unpacks": _write(gzip.compress(bytes(50 << 20))),
    }


@functools.cache
def _zip_of_zeros() -> bytes:
    """Return a small archive that declares 3 GiB of content and really unpacks to it."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    block, n_blocks = bytes(64 << 20), BOMB_BYTES >> 26
    # After a full flush, equal blocks are compressed to equal bytes.
    once = squeeze.compress(block) + squeeze.flush(zlib.Z_FULL_FLUSH)
    packed, name = once * n_blocks + squeeze.flush(), b"archive/data.pkl"
    crc = functools.reduce(lambda crc, _: zlib.crc32(block, crc), range(n_blocks), 0)
    shared = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, crc, len(packed), BOMB_BYTES,
                         len(name), 0)  # fmt: skip
    local = b"PK\x03\x04" + shared + name + packed
    entry = b"PK\x01\x02" + b"\x14\x00" + shared + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local), 0)
    return local + entry + end


def _cases_of_pickle(_: bytes) -> Cases:
    raw = pickle.dumps(RunsCode())
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", raw)
        file.writestr("archive/version", "3\n")
    torchscript = io.BytesIO()
    with zipfile.ZipFile(torchscript, "w") as file:
        file.writestr("archive/constants.pkl", raw)
        file.writestr("archive/code/__torch__.py", "import os")
    return {
        "a pickle that runs code": _write(raw),
        "an archive that runs code": _write(archive.getvalue()),
        "TorchScript": _write(torchscript.getvalue()),
        "a deep pickle": _write(b"\x80\x04" + b"]" * DEEP + b"a" * (DEEP - 1) + b"."),
        "a pickle of a giant": _write(b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"."),
        "a giant number": _write(b"\x80\x04\x8b\xff\xff\xff\x7f."),
        "a text": _write(pickle.dumps("x")),
        "wrong entries": _write(pickle.dumps({"data": "x", "fine_labels": [-1, "x"]}, 2)),
        "no entries": _write(pickle.dumps({})),
        "an archive that unpacks": _place(lambda path: path.write_bytes(_zip_of_zeros())),
    }


def _cases_of_safetensors(_: bytes) -> Cases:
    def pack(header: bytes, body: bytes = b"") -> Make:
        return _write(struct.pack("<Q", len(header)) + header + body)

    entry = b'{"a": {"dtype": "F32", "shape": %s, "data_offsets": [0, %d]}}'
    return {
        "a header of 2^63": _write(struct.pack("<Q", 1 << 63) + b"{}"),
        "a deep header": pack(b"[" * DEEP),
        "a giant shape": pack(entry % (b"[99999999999, 99999999999]", 4), bytes(4)),
        "a tensor beyond the end": pack(entry % (b"[1048576]", 4 << 20)),
        "an unknown type": pack(entry.replace(b"F32", b"Q99") % (b"[1]", 4), bytes(4)),
        "another tensor": pack(entry % (b"[1]", 4), bytes(4)),
        "nothing": pack(b"{}"),
        **_cases_of_pickle(b""),
    }


def _cases_of_vectors(good: bytes) -> Cases:
    flips = {}
    for at in (9, 41, 75, 83, 91, len(good) // 2, len(good) - 1):
        raw = bytearray(good)
        raw[at] ^= 0x10
        flips[f"a bit at {at}"] = _write(bytes(raw))
    zeros = _write(good[:96] + bytes(len(good) - 96))
    return {**flips, "zeros after the header": zeros, **_cases_of_pickle(b"")}


def _cases_of_parquet(good: bytes) -> Cases:
    flips = {}
    for number in range(24):
        raw = bytearray(good)
        # The metadata is at the end.
        raw[-9 - number * 97 % (len(good) - 20)] ^= 0xFF
        flips[f"a byte flipped ({number})"] = _write(bytes(raw))
    footer = good[:-8] + b"\xff\xff\xff\x7fPAR1"
    return {**flips, "a footer of 2 GiB": _write(footer), **_cases_of_pickle(b"")}


FORMATS: dict[str, Callable[[bytes], Cases]] = {
    "bytes": lambda _: {},
    "text": _cases_of_text,
    "JSON": lambda good: {**_cases_of_json(good), **_cases_of_text(good)},
    "TOML": _cases_of_toml,
    "image": _cases_of_image,
    "font": _cases_of_font,
    "tar": _cases_of_tar,
    "pickle": _cases_of_pickle,
    "safetensors": _cases_of_safetensors,
    "vectors": _cases_of_vectors,
    "Parquet": _cases_of_parquet,
}
