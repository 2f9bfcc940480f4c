from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtext.dataset.codec import Sample
from synthtext.dataset.shards import read_samples, write_shard
from synthtext.dataset.tar import MAX_MEMBER_BYTES
from synthtext.errors import ShardError

SAMPLES = [
    Sample(f"{i:09d}", {"jpg": bytes([i]) * 600, "txt": b"word", "json": b"{}", "cls": b"0"})
    for i in range(5)
]

FILES = st.dictionaries(st.sampled_from(["jpg", "txt", "json", "cls"]), st.binary(), min_size=1)


@given(st.lists(FILES, max_size=6))
def test_samples_are_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, files: list[dict[str, bytes]]
) -> None:
    path = tmp_path_factory.mktemp("shard") / "000000.tar"
    samples = [Sample(f"{i:09d}", each) for i, each in enumerate(files)]
    write_shard(path, samples)
    assert list(read_samples(path)) == samples


def test_equal_samples_give_equal_bytes(tmp_path: Path) -> None:
    one = write_shard(tmp_path / "a.tar", SAMPLES)
    assert write_shard(tmp_path / "b.tar", SAMPLES) == one


def test_nothing_has_the_name_of_a_shard_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "000000.tar"

    def break_off() -> object:
        yield SAMPLES[0]
        assert not path.exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(path, break_off())
    assert not path.exists()


def explain(path: Path) -> str:
    with pytest.raises(ShardError) as caught:
        list(read_samples(path))
    return str(caught.value)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    path = tmp_path / "000000.tar"
    assert explain(path) == f"{path} is missing; `synthtext render` writes it"


@pytest.mark.parametrize("n_bytes", [1, 300, 700, 1500, 5000])
def test_a_shard_cut_short_is_named(tmp_path: Path, n_bytes: int) -> None:
    path = tmp_path / "000000.tar"
    write_shard(path, SAMPLES)
    path.write_bytes(path.read_bytes()[:n_bytes])
    assert explain(path).startswith(str(path))


@pytest.mark.parametrize("name", ["a/b.txt", "noextension", ".txt"])
def test_names_that_no_sample_has_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "000000.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo(name))
    assert (
        explain(path) == f"{path} contains {name!r}, which is not a file of a sample; delete it"
    )


@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt", "/etc/passwd"])
def test_names_that_lead_out_of_their_folder_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "000000.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo(name))
    assert explain(path) == (
        f"{path} contains {name!r}, which leads outside its folder, at its start; get a new copy, or"
        " render it again"
    )


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "000000.tar"
    info = tarfile.TarInfo("000000000.txt")
    info.type, info.linkname = kind, "/etc/passwd"
    with tarfile.open(path, "w") as tar:
        tar.addfile(info)
    assert "is not a file of a sample" in explain(path)


def test_a_giant_member_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "000000.tar"
    info = tarfile.TarInfo("000000000.txt")
    info.size = MAX_MEMBER_BYTES + 1
    path.write_bytes(info.tobuf())
    assert explain(path) == (
        f"{path} contains '000000000.txt' of 67108865 bytes, and the limit is 67108864, at its start; get a new copy, or render it again"
    )


def test_a_file_that_comes_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "000000.tar"
    with tarfile.open(path, "w") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("000000000.txt"), io.BytesIO())
    assert explain(path) == f"{path} contains '000000000.txt' twice; render it again"
