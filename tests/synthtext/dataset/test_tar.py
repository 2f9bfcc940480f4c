from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import webdataset

from synthtext.dataset.shards import list_places, read_samples, read_span
from synthtext.dataset.tar import read_members
from synthtext.errors import ShardError

LONG = "folder/" * 14 + "name" * 20

FILES = {
    "000000000.jpg": bytes(range(256)) * 5, "000000000.txt": b"cat", "000000001.jpg": b"",
    "000000001.txt": b"emu" * 171, "a/000000002.txt": b"dog", f"{LONG}.jpg": bytes(512),
    f"{LONG}.txt": "straße".encode(), "éàü.txt": b"x",
}  # fmt: skip
"""Names with folders, of more than the 100 bytes in a header, and beyond ASCII."""

GNU_FORMATS = ("oldgnu", "gnu", "ustar", "posix")


def write_with_python(path: Path, files: Mapping[str, bytes], form: int) -> None:
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1_700_000_000.25
            tar.addfile(info, io.BytesIO(content))


def write_with(command: list[str], path: Path, files: Mapping[str, bytes]) -> None:
    folder = path.parent / "files"
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    subprocess.run([*command, "-cf", path, "-C", folder, *files], check=True)


def write_with_webdataset(path: Path, files: Mapping[str, bytes]) -> None:
    with webdataset.TarWriter(str(path), encoder=False) as writer:
        for name, content in files.items():
            stem, _, extension = name.rpartition(".")
            writer.write({"__key__": stem, extension: content})


WRITERS: dict[str, Callable[[Path, Mapping[str, bytes]], None]] = {
    "webdataset": write_with_webdataset,
    **{
        f"Python, {name}": lambda path, files, form=form: write_with_python(path, files, form)
        for name, form in (
            ("ustar", tarfile.USTAR_FORMAT), ("GNU", tarfile.GNU_FORMAT),
            ("pax", tarfile.PAX_FORMAT),
        )
    },
    **{
        f"GNU tar, {form}": lambda path, files, form=form: write_with(
            ["tar", f"--format={form}"], path, files
        )
        for form in GNU_FORMATS
    },
    "bsdtar": lambda path, files: write_with(["bsdtar"], path, files),
    "bsdtar, pax": lambda path, files: write_with(["bsdtar", "--format=pax"], path, files),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("maker", WRITERS)
def test_tars_of_other_makers_are_read(maker: str, tmp_path: Path) -> None:
    program = maker.partition(",")[0].replace("GNU tar", "tar")
    if program in ("tar", "bsdtar") and not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    path = tmp_path / "0.tar"
    WRITERS[maker](path, FILES)
    found = {
        f"{place.key}.{extension}": read_span(path, span)
        for place in list_places(path)
        for extension, span in place.spans.items()
    }
    assert found == FILES


def test_folders_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "0.tar"
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "1.txt").write_bytes(b"cat")
    with tarfile.open(path, "w") as tar:
        tar.add(folder, "a")
    assert [place.key for place in list_places(path)] == ["a/1"]


def test_what_holds_for_all_files_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "0.tar"
    with tarfile.open(
        path, "w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "x" * 600}
    ) as tar:
        tar.addfile(tarfile.TarInfo("1.txt"))
    assert [sample.key for sample in read_samples(path)] == ["1"]


def test_members_say_where_their_content_lies(tmp_path: Path) -> None:
    path = tmp_path / "0.tar"
    write_with_python(path, FILES, tarfile.GNU_FORMAT)
    with path.open("rb") as file, tarfile.open(path) as tar:
        found = [(m.name, m.offset, m.size) for m in read_members(file, path)]
        assert found == [(m.name, m.offset_data, m.size) for m in tar]


def test_names_beyond_utf_8_are_shown_by_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "0.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as tar:
        tar.addfile(tarfile.TarInfo("é.txt"))
    assert [sample.key for sample in read_samples(path)] == [r"\xe9"]


def test_a_pipe_among_shards_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "0.tar")
    for read in (read_samples, list_places):
        with pytest.raises(ShardError) as caught:
            next(iter(read(tmp_path / "0.tar")))
        assert str(caught.value) == f"{tmp_path / '0.tar'} is not a file; delete it"


def test_a_shard_that_is_cut_while_it_is_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "0.tar"
    write_with_python(path, {"1.txt": b"cat"}, tarfile.USTAR_FORMAT)
    (place,) = list_places(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ShardError, match=r"0\.tar has become shorter since it was checked"):
        read_span(path, place.spans["txt"])
