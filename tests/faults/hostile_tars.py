"""Malformed and malicious tars, as code that makes them.

`make_tars` returns whole tars, which every reader of shards refuses; `make_samples` the files of
a sample, to be packed into a valid tar; `mutate_headers` the inputs of a fuzzer.
"""

from __future__ import annotations

import io
import random
import struct
import tarfile
from collections.abc import Mapping, Sequence

import orjson
from PIL import Image

BLOCK = 512

END = bytes(2 * BLOCK)

NAME = b"000000000.txt"

HUGE = {"2^80": 2**80, "2^40": 2**40, "8 GiB": 8 << 30, "64 MiB and one": (64 << 20) + 1}

DIGITS = 300_000

N_NESTED = 20_000

CHECKSUM_AT, SIZE_AT, KIND_AT = 148, 124, 156

FIELDS = {
    "name": (0, 100), "mode": (100, 108), "size": (124, 136), "time": (136, 148),
    "checksum": (148, 156), "kind": (156, 157), "link": (157, 257), "magic": (257, 265),
    "prefix": (345, 500),
}  # fmt: skip
"""Positions of the fields in a header."""

NUMBERS = [
    b"00000000000\0", b"77777777777\0", b"777777777777", b"-0000000001\0", b"0000000_010\0",
    b"            ", bytes(12), b"\x80" + bytes(11), b"\x80" + b"\xff" * 11, b"\xff" * 12,
    b"\x80\0\0\0\0\0\0\0\0\0\2\0", b"00000001000\0", b"9999999999 \0", b"\x40" + bytes(11),
]  # fmt: skip
"""Valid and invalid encodings of sizes."""

KINDS = b"\x000123456789LKxgXSVMDNA\xff"

RECORDS = [
    b"path=a.txt", b"path=../x.txt", b"path=", b"path=\0", b"size=0", b"size=-1", b"size=512",
    b"size=" + b"9" * 30, b"size=1e3", b"GNU.sparse.map=0,1", b"GNU.sparse.major=1", b"=", b"a",
    b"hdrcharset=BINARY", b"linkpath=/etc/passwd", b"comment=" + b"x" * 600,
]  # fmt: skip


def make_header(
    name: bytes = NAME, size: int | bytes = 0, kind: bytes = b"0", **fields: bytes
) -> bytes:
    """Return a header with a correct checksum; sizes of 8 GiB and more are binary."""
    header = bytearray(BLOCK)
    header[: len(name)] = name
    header[SIZE_AT : SIZE_AT + 12] = size if isinstance(size, bytes) else write_size(size)
    header[KIND_AT : KIND_AT + 1] = kind
    header[257:265] = b"ustar\x0000"
    for field, content in fields.items():
        header[FIELDS[field][0] : FIELDS[field][0] + len(content)] = content
    return mend_header(bytes(header))


def write_size(size: int) -> bytes:
    """Return a size as a header field."""
    if 0 <= size < 8**11:
        return b"%011o\0" % size
    mark = b"\x80" if size >= 0 else b"\xff"
    return mark + (size % (1 << 88)).to_bytes(11, "big")


def mend_header(header: bytes) -> bytes:
    """Return a header with its checksum corrected."""
    blank = header[:CHECKSUM_AT] + b" " * 8 + header[CHECKSUM_AT + 8 :]
    return blank[:CHECKSUM_AT] + b"%06o\0 " % sum(blank) + blank[CHECKSUM_AT + 8 :]


def make_file(name: bytes = NAME, content: bytes = b"", kind: bytes = b"0") -> bytes:
    """Return a header followed by its content."""
    return make_header(name, len(content), kind) + content + bytes(-len(content) % BLOCK)


def make_pax(*records: bytes, kind: bytes = b"x") -> bytes:
    """Return a pax header with records, each preceded by its length."""
    return make_file(b"pax", b"".join(map(_measure, records)), kind)


def _measure(record: bytes) -> bytes:
    n = len(record) + 3
    while len(b"%d %s\n" % (n, record)) != n:
        n += 1
    return b"%d %s\n" % (n, record)


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a valid tar."""
    parts = (make_file(name.encode(), content) for name, content in files.items())
    return b"".join(parts) + END


def _sparse() -> bytes:
    """Return a sparse file in the old GNU format, whose map continues in further blocks."""
    header = bytearray(make_header(size=512, kind=b"S", magic=b"ustar  \0"))
    header[386:410] = b"%011o\0%011o\0" % (0, 512)
    header[482] = 1
    more = (b"%011o\0%011o\0" % (0, 1) * 21 + b"\1").ljust(BLOCK, b"\0")
    return mend_header(bytes(header)) + more * 3 + bytes(BLOCK) + END


def make_tars() -> dict[str, bytes]:
    """Return tars by what is wrong with them; every reader of shards refuses all of them."""
    return {**_make_huge(), **_make_nested(), **_make_odd(), **_make_repeated(), **_make_cut()}


def _make_huge() -> dict[str, bytes]:
    made = {}
    for what, size in HUGE.items():
        made[f"a file of {what}"] = make_header(size=size)
        made[f"a GNU long name of {what}"] = make_header(size=size, kind=b"L")
        made[f"a pax header of {what}"] = make_header(size=size, kind=b"x")
        made[f"a pax header for all files of {what}"] = make_header(size=size, kind=b"g")
        made[f"a pax size of {what}"] = make_pax(b"size=%d" % size)
    for n in (DIGITS, 60_000):
        length = make_file(content=b"9" * n + b" path=a.txt\n", kind=b"x")
        made[f"a pax length of {n} digits"] = length
        made[f"a pax header of {n} digits"] = make_file(content=b"9" * n, kind=b"x")
        made[f"a pax size of {n} digits"] = make_pax(b"size=" + b"9" * n)
    return {what: start + make_file() + END for what, start in made.items()}


def _make_nested() -> dict[str, bytes]:
    name, pax = make_file(content=b"a.txt\0", kind=b"L"), make_pax(b"path=a.txt")
    of_all = make_pax(b"comment=a", kind=b"g")
    made = {"long names": name, "pax headers": pax, "global headers": of_all,
            "headers of three kinds": name + pax + of_all}  # fmt: skip
    return {
        f"{N_NESTED} {what}": start * N_NESTED + make_file() + END
        for what, start in made.items()
    }


def _make_odd() -> dict[str, bytes]:
    version = (
        b"GNU.sparse.major=1",
        b"GNU.sparse.minor=0",
        b"GNU.sparse.realsize=1099511627776",
    )
    made = {
        "a sparse file of old": _sparse(),
        "a sparse map": make_pax(b"GNU.sparse.map=" + b"0,1," * 9000 + b"0,1"),
        "a sparse file of version 1.0": make_pax(*version) + make_file(content=b"99999999\n"),
        "a name with NUL": make_pax(b"path=a\0b.txt"),
        "a long name that leads out": make_file(content=b"../../a.txt\0", kind=b"L"),
        "a name of 60,000 bytes": make_pax(b"path=" + b"a" * 60_000),
        "one name for all files": make_pax(b"path=a.txt", kind=b"g"),
        "a name given twice": make_pax(b"path=a.txt", b"path=b.txt"),
        "a pax header without records": make_file(content=b"path=a.txt", kind=b"x"),
        "an empty name": make_header(b""),
        "a folder with content": make_file(b"a/", b"x", b"5"),
        "another magic": make_header(magic=b"USTAR\0000"),
        "a checksum that does not fit": make_header().replace(b"0", b"1", 1),
        "a sign in a size": make_header(size=b"-0000000001\0"),
        "an underscore in a size": make_header(size=b"00000_00010\0"),
        "a size that is not octal": make_header(size=b"00000000009\0"),
    }
    for kind in b"123467KMNVXDA":
        made[f"the type {chr(kind)}"] = make_header(kind=bytes([kind]), link=b"/etc/passwd")
    for name in (b"../../escape.txt", b"/etc/escape.txt", b"a/../../escape.txt"):
        made[f"the name {name.decode()}"] = make_file(name)
    return {what: start + make_file() + END for what, start in made.items()}


def _make_repeated() -> dict[str, bytes]:
    one, other, third = make_file(b"0.txt", b"a"), make_file(b"1.txt"), make_file(b"0.jpg")
    return {
        "a file twice": one + make_file(b"0.txt", b"b") + END,
        "a file twice, apart": one + other + make_file(b"0.txt", b"b") + END,
        "a sample in two places": one + other + third + END,
        "a file twice by a long name": one + make_pax(b"path=0.txt") + other + END,
    }


def _make_cut() -> dict[str, bytes]:
    whole = make_file(content=b"a" * 700) + make_file(b"1.txt", b"b")
    return {
        "an empty file": b"",
        "half a header": whole[:300],
        "half a file": whole[: BLOCK + 600],
        "a tar without an end": whole,
        "a tar with half an end": whole + bytes(BLOCK),
        "a long name without a file": make_file(content=b"a.txt\0", kind=b"L") + END,
        "a tar after a tar": whole + END + whole + END,
        "17 MiB of end": whole + bytes(17 << 20),
        "rubbish": b"not a tar at all " * 100,
    }


def change_fields(files: Mapping[str, bytes], **fields: object) -> dict[str, bytes]:
    """Return the files of a sample with some fields of its `.json` changed."""
    return {**files, "json": orjson.dumps(orjson.loads(files["json"]) | fields)}


def _cut_into(files: Mapping[str, bytes], name: str, value: bytes) -> dict[str, bytes]:
    """Return the files with any bytes as the JSON of a field, which orjson would not write."""
    mark = b'"mark"'
    changed = change_fields(files, **{name: "mark"})
    return {**changed, "json": changed["json"].replace(mark, value)}


def make_samples(files: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    """Return damaged files of a sample, by what is wrong with them.

    Args:
        files: the files of a valid sample with a JPEG.
    """
    made = {
        f".cls of {what}": {**files, "cls": raw}
        for what, raw in (
            ("30,000 digits", b"9" * 30_000), ("-1", b"-1"), ("a word", b"cat"),
            ("a class beyond all", b"999999"), ("nothing", b""), ("0x0", b"0x0"),
        )
    }  # fmt: skip
    return {**made, **_make_fields(files), **make_images(files)}


def _make_fields(files: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    quads = orjson.loads(files["json"])["char_quads"]
    values = {
        "a JSON 100,000 deep": ("blur_px", b"[" * 100_000),
        "a JSON 1,000 deep": ("blur_px", b"[" * 1_000 + b"]" * 1_000),
        "a number of 5,000 digits": ("blur_px", b"9" * 5_000),
        "an index of 30 digits": ("index", b"9" * 30),
        "1e999": ("blur_px", b"1e999"),
        "NaN": ("blur_px", b"NaN"),
        "a measure of 5,000 digits": ("x_height_px", b"9" * 5_000),
        "a measure that is a word": ("x_height_px", b'"' + b"x" * 5_000 + b'"'),
        "a colour 1,000 deep": ("ink_drawn", b"[" * 1_000 + b"]" * 1_000),
        "quads of NaN": ("word_quads", b"[[[NaN,0],[0,0],[0,0],[0,0]]]"),
        "quads of null": ("word_quads", b"[[[null,0],[0,0],[0,0],[0,0]]]"),
        "quads of words": ("word_quads", b'[[["1","2"],["1","2"],["1","2"],["1","2"]]]'),
        "quads of 1e300": ("word_quads", b"[[[1e300,0],[0,0],[0,0],[0,0]]]"),
        "quads 1,000 deep": ("word_quads", b"[" * 1_000 + b"]" * 1_000),
        "quads of 10^7 points": ("word_quads", b"[" + b"[0,0]," * 10_000_000 + b"[0,0]]"),
        "quads of 10^6 points": ("word_quads", b"[" + b"[0,0]," * 1_000_000 + b"[0,0]]"),
        "too few quads": ("char_quads", orjson.dumps(quads[:-1])),
        "too many quads": ("char_quads", orjson.dumps([*quads, *quads])),
        "no quads": ("word_quads", b"{}"),
        "polygons of null": ("word_polygons", b"[[[null,0],[0,0],[0,0],[0,0]]]"),
        "polygons 1,000 deep": ("word_polygons", b"[" * 1_000 + b"]" * 1_000),
        "polygons of 10^6 points": (
            "word_polygons",
            b"[[" + b"[0,0]," * 1_000_000 + b"[0,0]]]",
        ),
        "a text that is not drawn": ("drawn_text", b'"another"'),
        "a text of 4 MiB": ("text", b'"' + b"x" * (4 << 20) + b'"'),
        "an image larger than it is": ("width_px", b"999"),
    }
    return {what: _cut_into(files, name, raw) for what, (name, raw) in values.items()}


def make_images(files: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    """Return files of a sample with a damaged image, by what is wrong with it."""
    jpeg = files["jpg"]
    frame = jpeg.index(b"\xff\xc0") + 5
    epsf = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n"
    return {
        what: {**files, "jpg": raw}
        for what, raw in (
            ("an EPS called .jpg", epsf),
            ("a PNG called .jpg", _draw("PNG")),
            ("a GIF called .jpg", _draw("GIF")),
            ("a TIFF called .jpg", _draw("TIFF")),
            ("a JPEG of 65,535 px", jpeg[:frame] + b"\xff" * 4 + jpeg[frame + 4 :]),
            ("a JPEG of 7 px", jpeg[:frame] + struct.pack(">HH", 7, 7) + jpeg[frame + 4 :]),
            ("half a JPEG header", jpeg[:30]),
            ("an empty image", b""),
        )
    }


def _draw(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (224, 224), "white").save(buffer, kind)
    return buffer.getvalue()


def mutate_headers(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return one of the seeds with changed header fields and correct checksums."""
    raw = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 4)):
        n_blocks = len(raw) // BLOCK
        at = BLOCK * chance.randrange(n_blocks + 1)
        edit = chance.randrange(6)
        if edit == 0:
            raw[at:at] = _draw_header(chance)
        elif edit == 1:
            del raw[at : at + BLOCK * chance.randint(1, 3)]
        elif edit == 2:
            other = chance.choice(seeds)
            raw[at:at] = other[: BLOCK * chance.randint(1, 4)]
        elif edit == 3 and at < len(raw):
            raw[chance.randrange(at, len(raw))] = chance.randrange(256)
        else:
            _change_field(chance, raw, at)
    if chance.random() < 0.9:
        raw = bytearray(mend_tar(bytes(raw)))
    return bytes(raw[: chance.randrange(len(raw) + 1)] if chance.random() < 0.05 else raw)


def mend_tar(raw: bytes) -> bytes:
    """Return a tar with the checksums of all blocks that look like headers corrected."""
    blocks = [raw[at : at + BLOCK] for at in range(0, len(raw), BLOCK)]
    return b"".join(
        mend_header(block) if len(block) == BLOCK and block[257:262] == b"ustar" else block
        for block in blocks
    )


def _draw_header(chance: random.Random) -> bytes:
    made = (
        lambda: make_pax(*chance.sample(RECORDS, chance.randint(1, 3))),
        lambda: make_pax(chance.choice(RECORDS), kind=b"g"),
        lambda: make_file(content=chance.choice(RECORDS)[5:] + b"\0", kind=b"L"),
        lambda: make_file(b"%d.txt" % chance.randrange(3), bytes(chance.randrange(600))),
        lambda: make_header(size=chance.choice(NUMBERS), kind=bytes([chance.choice(KINDS)])),
    )
    return chance.choice(made)()


def _change_field(chance: random.Random, raw: bytearray, at: int) -> None:
    first, last = FIELDS[chance.choice(tuple(FIELDS))]
    n = last - first
    if n == 1:
        content = bytes([chance.choice(KINDS)])
    elif chance.random() < 0.7:
        content = chance.choice(NUMBERS)[:n]
    else:
        content = chance.randbytes(chance.randint(1, n))
    if at + last <= len(raw):
        raw[at + first : at + first + len(content)] = content


def seed_headers() -> list[bytes]:
    """Return tars to mutate: usual ones, and small malicious ones."""
    sound = {"a.txt": b"cat", "a.jpg": bytes(700), "d/b.txt": b"dog", "d/b.cls": b"1"}
    made = [pack(sound)]
    for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=kind) as tar:
            for name, content in (*sound.items(), ("f/" * 60 + "c.txt", b"emu")):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        made.append(buffer.getvalue())
    return [*made * 10, *(raw for raw in make_tars().values() if len(raw) <= 1 << 14)]
