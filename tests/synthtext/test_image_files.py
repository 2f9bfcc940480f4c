from __future__ import annotations

import io
import os
import socket
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from probes.data.images import read_image
from synthtext.drawing.photos import read_photo, read_photos
from synthtext.errors import PhotoError
from synthtext.image_files import read_rgb

NOISE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)

EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 10 10
%%EndComments
(stolen) (w) file closefile showpage
%%EOF
"""


def explain(path: Path) -> str:
    with pytest.raises(PhotoError) as caught:
        read_rgb(path, kind=PhotoError)
    return str(caught.value)


def make_chunk(kind: bytes, content: bytes) -> bytes:
    return b"%s%s%s%s" % (
        struct.pack(">I", len(content)), kind, content,
        struct.pack(">I", zlib.crc32(kind + content)),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.eps"])
def test_postscript_is_not_handed_to_an_interpreter(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A program with the interpreter's name that would leave a marker.
    tool = tmp_path / "gs"
    tool.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    path = tmp_path / name
    path.write_bytes(EPS)
    assert explain(path) == (
        f"{path} is not a JPEG, PNG, WEBP, GIF, BMP, TIFF or PPM file; replace or remove it"
    )
    assert not (tmp_path / "ran").exists()


def test_the_content_tells_the_format_not_the_name(tmp_path: Path) -> None:
    Image.fromarray(NOISE).save(tmp_path / "a.jpg", "PNG")
    assert (np.asarray(read_rgb(tmp_path / "a.jpg", kind=PhotoError)) == NOISE).all()


def test_a_pipe_a_socket_and_a_folder_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "c.png"))
        assert "is a pipe and not a regular file" in explain(tmp_path / "a.png")
        assert "is a folder and not a regular file" in explain(tmp_path / "b.png")
        assert "cannot be read" in explain(tmp_path / "c.png")
    assert "is a device and not a regular file" in explain(Path("/dev/zero"))


def make_images() -> dict[str, Image.Image]:
    rgb = Image.fromarray(NOISE)
    clear = Image.merge("RGBA", [*rgb.split(), rgb.split()[0]])
    return {
        "deep.png": Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257),
        "deep.tif": Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257),
        "grey.png": rgb.convert("L"),
        "palette.png": rgb.convert("P"),
        "palette.gif": rgb.convert("P"),
        "clear.png": clear,
        "clear.webp": clear,
        "pale.png": rgb.convert("LA"),
        "press.jpg": rgb.convert("CMYK"),
        "bits.bmp": rgb.convert("1"),
        "plain.ppm": rgb,
    }


@pytest.mark.parametrize("name", make_images())
def test_photographs_and_images_are_read_alike(name: str, tmp_path: Path) -> None:
    make_images()[name].save(tmp_path / name)
    seen = read_image(tmp_path / name)
    assert seen.shape == (20, 30, 3)
    (tmp_path / name).rename(tmp_path / "a.png")
    assert (read_photo(read_photos(tmp_path), "a.png") == seen).all()


def test_sixteen_bits_are_scaled_for_a_model_too(tmp_path: Path) -> None:
    make_images()["deep.png"].save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png")[..., 0] == NOISE[..., 0]).all()


def make_scans(n: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (7000, 7000), 99).save(buffer, "JPEG", progressive=True)
    raw = buffer.getvalue()
    last = raw[raw.rindex(b"\xff\xda") : -2]
    return raw[:-2] + last * n + raw[-2:]


def test_a_jpeg_of_thousands_of_scans_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(make_scans(4000))
    begin = time.process_time()
    assert explain(path) == (
        f"{path} goes over 49,000,000 px more than 83 times; replace or remove it"
    )
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\xff\xd8" + b"\xff\xfe\x00\x02" * 20_000, "has more than 10,000 parts"),
        (
            b"\x89PNG\r\n\x1a\n"
            + make_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
            + make_chunk(b"abCd", b"") * 20_000,
            "has more than 10,000 parts",
        ),
        (b"P3\n9 9\n255\n" + b"0 " * (8 << 20), "is larger than 16 MiB, too much for its format"),
        (b"GIF89a" + bytes(32 << 20), "is larger than 32 MiB, too much for its format"),
    ],
    ids=["jpeg", "png", "ppm", "gif"],
)  # fmt: skip
def test_what_would_take_minutes_is_refused_at_once(
    raw: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(raw)
    begin = time.process_time()
    assert explain(path) == f"{path} {reason}; replace or remove it"
    assert time.process_time() - begin < 2


def test_the_first_frame_of_a_moving_image_is_read(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    for name in ("a.gif", "a.webp", "a.png", "a.tif"):
        options = {"lossless": True} if name == "a.webp" else {}
        first.save(tmp_path / name, save_all=True, append_images=[second], **options)
        assert (read_image(tmp_path / name) == (255, 0, 0)).all()
