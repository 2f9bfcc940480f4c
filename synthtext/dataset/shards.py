"""Shards: tar files of samples in WebDataset format.

The webdataset package is not used, since it imports torch wherever that is installed, half a
gigabyte in every worker; the tests show that its loader reads every key.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from synthtext.dataset.codec import Sample, decode
from synthtext.dataset.tar import read_members
from synthtext.drawing.rendering import Rendering
from synthtext.errors import ShardError, quote
from synthtext.storage import is_remote, write_whole

IMAGE_EXTENSIONS = ("jpg", "jpeg", "png", "webp")
"""Extensions of images in shards from synthtext and from other tools."""

NAME_BYTES, SIZE_BYTES = 100, 11
"""Sizes of two fields of a tar header."""

BLANK_HEADER = tarfile.TarInfo("").tobuf(tarfile.USTAR_FORMAT)
"""A template, since building a header in Python takes as long as drawing the image."""

BLANK_SUM = (
    sum(BLANK_HEADER[:124]) + sum(BLANK_HEADER[135:148]) + 8 * 32 + sum(BLANK_HEADER[156:])
)
"""Checksum of a header without name and size; the checksum field itself counts as spaces."""

MAX_TEXT_BYTES = 1 << 20

END_OF_TAR = bytes(2 * tarfile.BLOCKSIZE)
"""The end of every tar."""


@dataclass(frozen=True)
class ShardFile:
    """A finished shard.

    Attributes:
        n_samples: number of samples.
        n_bytes: size of the file.
        sha256: hash of the file, in hex.
    """

    n_samples: int
    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class Place:
    """Where the files of a sample lie in a shard, for random access.

    Attributes:
        key: key of the sample.
        spans: offset and size in bytes of each file, by its extension.
    """

    key: str
    spans: Mapping[str, tuple[int, int]]

    @property
    def image(self) -> str | None:
        """Extension of the image, None if the sample has none."""
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

    Equal samples give equal bytes. An existing shard is replaced atomically.
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
    """Return the members of a tar, one sample at a time, without the tar's end.

    Equal samples give equal bytes: times and owners are not stored.
    """
    for sample in samples:
        parts: list[bytes] = []
        for extension, content in sample.files.items():
            n_padding = -len(content) % tarfile.BLOCKSIZE
            name = f"{sample.key}.{extension}".encode()
            parts += (_make_header(name, len(content)), content, bytes(n_padding))
        yield b"".join(parts)


def read_shard(path: str | Path) -> Iterator[Rendering]:
    """Return the images of a shard, in order.

    >>> from synthtext import SynthtextError, read_shard
    >>> next(iter(read_shard(Path("no.tar"))))
    Traceback (most recent call last):
    synthtext.errors.ShardError: no.tar is missing; `synthtext render` writes it

    Raises:
        ShardError: the shard is missing, broken or hostile.
    """
    return map(decode, read_samples(Path(path) if isinstance(path, str) else path))


def read_samples(path: Path) -> Iterator[Sample]:
    """Return the samples of a shard, in order, without decoding them.

    Raises:
        ShardError: the shard is missing or broken, or has content that synthtext does not
            write.
    """
    with _open_shard(path) as file:
        for place in _read_places(file, path):
            if "/" in place.key or "" in place.spans:
                raise _refuse(path, f"{place.key}.{next(iter(place.spans))}".rstrip("."))
            yield _read_sample(file, path, place)


def list_places(path: Path) -> Iterator[Place]:
    """Return where the samples of a shard lie, in order, reading only their headers.

    Names in shards from other tools may have folders; nothing is ever extracted to them.

    Raises:
        ShardError: the shard is missing or broken, or has content that no shard needs.
    """
    with _open_shard(path) as file:
        yield from _read_places(file, path)


def read_drawn_texts(path: Path) -> Iterator[str]:
    """Return the text of each sample of a shard, in order, without reading its image.

    Raises:
        ShardError: the shard is missing or broken, or a sample has no text.
    """
    with _open_shard(path) as file:
        for place in _read_places(file, path):
            span = place.spans.get("txt", (0, MAX_TEXT_BYTES + 1))
            if span[1] > MAX_TEXT_BYTES:
                raise ShardError(f"{path} has no text for {place.key}; render it again")
            yield _read_bytes(file, path, span).decode(errors="replace")


def read_place(path: Path, place: Place) -> Sample:
    """Return the sample at a place in a shard.

    Raises:
        ShardError: the shard is missing or has changed.
    """
    with _open_shard(path) as file:
        return _read_sample(file, path, place)


def read_span(path: Path, span: tuple[int, int]) -> bytes:
    """Return the bytes of a file in a shard, given its offset and size.

    Raises:
        ShardError: the shard is missing or has changed.
    """
    with _open_shard(path) as file:
        return _read_bytes(file, path, span)


@contextmanager
def _open_shard(path: Path) -> Iterator[BinaryIO]:
    """Open a shard for reading.

    Raises:
        ShardError: it is missing, cannot be read, or is not a file.
    """
    try:
        # Opening a pipe would wait for a writer.
        if not is_remote(path) and path.exists() and not path.is_file():
            raise ShardError(f"{path} is not a file; delete it")
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise ShardError(f"{path} is missing; `synthtext render` writes it") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ShardError(f"{path} cannot be read ({reason}); get a new copy") from error


def _read_places(file: BinaryIO, path: Path) -> Iterator[Place]:
    """Return where the samples of an open shard lie; the files of each must be contiguous."""
    key, spans, seen = "", dict[str, tuple[int, int]](), set[str]()
    for member in read_members(file, path):
        if not member.is_file:
            continue
        stem, extension = _split_name(member.name, path)
        if stem != key:
            if spans:
                yield Place(key, spans)
            if stem in seen:
                raise ShardError(
                    f"{path} has files of the sample {quote(stem)} in two places; render it"
                    f" again, or pack it in the order of names"
                )
            seen.add(stem)
            key, spans = stem, {}
        if extension in spans:
            raise ShardError(f"{path} contains {quote(member.name)} twice; render it again")
        spans[extension] = (member.offset, member.size)
    if spans:
        yield Place(key, spans)


def _split_name(name: str, path: Path) -> tuple[str, str]:
    """Return the key of a sample, with its folders, and the extension of a file."""
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    if not stem:
        raise _refuse(path, name)
    return f"{folder}{slash}{stem}", extension


def _refuse(path: Path, name: str) -> ShardError:
    return ShardError(
        f"{path} contains {quote(name)}, which is not a file of a sample; delete it"
    )


def _read_sample(file: BinaryIO, path: Path, place: Place) -> Sample:
    files = {name: _read_bytes(file, path, span) for name, span in place.spans.items()}
    return Sample(place.key, files)


def _read_bytes(file: BinaryIO, path: Path, span: tuple[int, int]) -> bytes:
    offset, size = span
    file.seek(offset)
    content = file.read(size)
    if len(content) != size:
        raise ShardError(f"{path} has become shorter since it was checked; get a new copy")
    return content


def _make_header(name: bytes, n_bytes: int) -> bytes:
    """Return the header of a member: tarfile's, with name, size and checksum filled in."""
    size = b"%011o" % n_bytes
    if len(name) > NAME_BYTES or len(size) > SIZE_BYTES:
        raise ShardError(
            f"{name[:60]!r} of {n_bytes} bytes is too long for a shard; shorten it"
        )
    checksum = BLANK_SUM + sum(name) + sum(size)
    header = bytearray(BLANK_HEADER)
    header[: len(name)] = name
    header[124 : 124 + SIZE_BYTES] = size
    header[148:154] = b"%06o" % checksum
    return bytes(header)
