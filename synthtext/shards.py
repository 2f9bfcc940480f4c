"""Shards: tar files of samples, as WebDataset reads them.

Python's tarfile writes and reads them. The webdataset package would import torch wherever
that is installed, half a gigabyte in every worker; the tests show that its own loader reads
every key.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from synthtext.codec import Sample, decode
from synthtext.errors import ShardError
from synthtext.rendering import Rendering
from synthtext.storage import write_whole

MAX_MEMBER_BYTES = 64 << 20
"""Largest file that is read from a shard: a bound for shards that come from elsewhere."""

IMAGE_EXTENSIONS = ("jpg", "jpeg", "png", "webp")
"""What pictures are called in shards, ours and other makers'."""

NAME_BYTES, SIZE_BYTES = 100, 11
"""Fields of a tar's header."""

BLANK_HEADER = tarfile.TarInfo("").tobuf(tarfile.USTAR_FORMAT)
"""To make one of these for every file would take Python as long as to draw its picture."""

BLANK_SUM = (
    sum(BLANK_HEADER[:124]) + sum(BLANK_HEADER[135:148]) + 8 * 32 + sum(BLANK_HEADER[156:])
)
"""Checksum of a header without name and size; its own field counts as blanks."""

END_OF_TAR = bytes(2 * tarfile.BLOCKSIZE)
"""What every tar ends with."""


@dataclass(frozen=True)
class ShardFile:
    """A finished shard.

    Attributes:
        n_samples: samples inside.
        n_bytes: size of the file.
        sha256: of the file, in hex.
    """

    n_samples: int
    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class Place:
    """Where the files of a sample lie in a shard, to be read without what comes before.

    Attributes:
        key: of the sample.
        spans: offset and size in bytes of each file, by its extension.
    """

    key: str
    spans: Mapping[str, tuple[int, int]]

    @property
    def image(self) -> str | None:
        """Extension of the picture, None where the sample has none."""
        return next((name for name in IMAGE_EXTENSIONS if name in self.spans), None)


def write_shard(path: Path, samples: Iterable[Sample]) -> ShardFile:
    """Write a shard and return what was written.

    >>> import tempfile
    >>> from synthtext import Spec, encode, read_catalogue, read_shard, render, write_shard
    >>> spec = Spec(0, 7, "train", "word", "quartz", "Lato_700Bold.ttf")
    >>> path = Path(tempfile.mkdtemp()) / "000000.tar"
    >>> write_shard(path, [encode(render(spec, read_catalogue()), "png")]).n_samples
    1
    >>> next(iter(read_shard(path))).spec.text
    'quartz'

    Equal samples give equal bytes. A shard that is there is replaced, whole or not at all.
    """
    n_samples = n_bytes = 0
    digest = hashlib.sha256()
    with write_whole(path) as file:
        for chunk in pack_samples(samples):
            n_samples += 1
            n_bytes += file.write(chunk)
            digest.update(chunk)
        end = END_OF_TAR + bytes(-(n_bytes + len(END_OF_TAR)) % tarfile.RECORDSIZE)
        digest.update(end)
        n_bytes += file.write(end)
    return ShardFile(n_samples, n_bytes, digest.hexdigest())


def pack_samples(samples: Iterable[Sample]) -> Iterator[bytes]:
    """Return the members of a tar, those of a sample at a time, without the tar's end.

    Equal samples give equal bytes: no time, no owner.
    """
    for sample in samples:
        parts: list[bytes] = []
        for extension, content in sample.files.items():
            n_padding = -len(content) % tarfile.BLOCKSIZE
            name = f"{sample.key}.{extension}".encode()
            parts += (_make_header(name, len(content)), content, bytes(n_padding))
        yield b"".join(parts)


def read_shard(path: Path) -> Iterator[Rendering]:
    """Return the images of a shard, in order.

    >>> from synthtext import SynthtextError, read_shard
    >>> next(iter(read_shard(Path("no.tar"))))
    Traceback (most recent call last):
    synthtext.errors.ShardError: no.tar is missing; `synthtext render` writes it

    Raises:
        ShardError: the shard is missing, broken or hostile.
    """
    return map(decode, read_samples(path))


def read_samples(path: Path) -> Iterator[Sample]:
    """Return the samples of a shard, in order, without decoding them.

    Raises:
        ShardError: the shard is missing, ends early, or holds what no shard holds.
    """
    key, files = "", dict[str, bytes]()
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                stem, extension, content = _read_member(tar, member, path)
                if stem != key and files:
                    yield Sample(key, files)
                    files = {}
                if extension in files:
                    raise ShardError(f"{path} holds {member.name} twice; render it again")
                key = stem
                files[extension] = content
            # A shard that is cut between two files looks whole to tarfile, but for its end.
            file.seek(max(0, file.seek(0, os.SEEK_END) - len(END_OF_TAR)))
            if file.read() != END_OF_TAR:
                raise tarfile.ReadError("no end of archive")
    except FileNotFoundError as error:
        raise ShardError(f"{path} is missing; `synthtext render` writes it") from error
    except (tarfile.TarError, EOFError, OSError) as error:
        where = f"inside or after sample {key}" if key else "before its first sample"
        raise ShardError(f"{path} is broken {where}; delete it and render again") from error
    if files:
        yield Sample(key, files)


def list_places(path: Path) -> Iterator[Place]:
    """Return where the samples of a shard lie, in order, reading their headers alone.

    Shards of other makers may have folders in their names; nothing is ever written under them.

    Raises:
        ShardError: the shard is missing or broken, or holds what no shard holds.
    """
    key, spans = "", dict[str, tuple[int, int]]()
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                if member.isdir():
                    continue
                folder, slash, name = member.name.rpartition("/")
                stem, _, extension = name.partition(".")
                if not member.isfile() or not stem or member.size > MAX_MEMBER_BYTES:
                    raise ShardError(
                        f"{path} holds {member.name!r}, no file of a sample; discard it"
                    )
                stem = f"{folder}{slash}{stem}"
                if stem != key and spans:
                    yield Place(key, spans)
                    spans = {}
                key = stem
                spans[extension] = (member.offset_data, member.size)
    except FileNotFoundError as error:
        raise ShardError(f"{path} is missing; `synthtext render` writes it") from error
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ShardError(f"{path} is broken ({error}); delete it and render again") from error
    if spans:
        yield Place(key, spans)


def read_span(path: Path, span: tuple[int, int]) -> bytes:
    """Return the bytes of a file in a shard, given its offset and size.

    Raises:
        ShardError: the shard is missing.
    """
    try:
        with path.open("rb") as file:
            file.seek(span[0])
            return file.read(span[1])
    except OSError as error:
        raise ShardError(f"{path} is missing; `synthtext render` writes it") from error


def _make_header(name: bytes, n_bytes: int) -> bytes:
    """Return the header of a member: tarfile's own, with name, size and checksum filled in."""
    size = b"%011o" % n_bytes
    if len(name) > NAME_BYTES or len(size) > SIZE_BYTES:
        raise ShardError(f"{name[:60]!r} of {n_bytes} bytes fits no shard; shorten it")
    checksum = BLANK_SUM + sum(name) + sum(size)
    header = bytearray(BLANK_HEADER)
    header[: len(name)] = name
    header[124 : 124 + SIZE_BYTES] = size
    header[148:154] = b"%06o" % checksum
    return bytes(header)


def _read_member(
    tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path
) -> tuple[str, str, bytes]:
    """Return stem, extension and content of a file in a shard."""
    stem, dot, extension = member.name.partition(".")
    if not member.isfile() or not stem or not dot or "/" in member.name:
        raise ShardError(
            f"{path} holds {member.name!r}, which is no file of a sample; discard it"
        )
    if member.size > MAX_MEMBER_BYTES:
        raise ShardError(
            f"{path} holds {member.name} of {member.size} bytes; at most {MAX_MEMBER_BYTES} fit"
        )
    file = tar.extractfile(member)
    content = file.read() if file else b""
    if len(content) != member.size:
        raise ShardError(f"{path} ends inside sample {stem}; delete it and render again")
    return stem, extension, content
