from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from probes.albums import read_album
from probes.cifar import is_cifar, read_cifar
from probes.errors import ProbeError

NAMES = ["apple", "aquarium_fish", "baby"]


def make_content(n: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (n, 3072), dtype=np.uint8)
    return rows, rng.integers(0, 3, n)


def write_binary(folder: Path) -> Path:
    rows, labels = make_content()
    records = np.concatenate([labels[:, None] * 0 + 9, labels[:, None], rows], axis=1)
    (folder / "test.bin").write_bytes(records.astype(np.uint8).tobytes())
    (folder / "fine_label_names.txt").write_text("\n".join([*NAMES, ""]))
    return folder


def write_pickles(folder: Path, protocol: int = 2) -> Path:
    """Write the files that torchvision keeps, whose strings are bytes of Python 2."""
    rows, labels = make_content()
    content = {"data": rows, "fine_labels": labels.tolist(), "filenames": ["a.png"] * 7}
    (folder / "test").write_bytes(pickle.dumps(content, protocol))
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": NAMES}, protocol))
    return folder


@pytest.mark.parametrize("protocol", [2, 4])
def test_both_versions_hold_the_same(protocol: int, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "p").mkdir()
    one = read_cifar(write_binary(tmp_path / "b"), "test")
    other = read_cifar(write_pickles(tmp_path / "p", protocol), "test")
    assert np.array_equal(one[0], other[0])
    assert np.array_equal(one[1], other[1])
    assert one[2] == other[2] == ("apple", "aquarium fish", "baby")


def test_planes_become_pixels(tmp_path: Path) -> None:
    rows, _ = make_content()
    images, _, _ = read_cifar(write_binary(tmp_path), "test")
    assert images.shape == (7, 32, 32, 3)
    # Red first, row by row: the pixel at row 1, column 2 is number 34 of each plane.
    assert images[3, 1, 2].tolist() == rows[3, [34, 1024 + 34, 2048 + 34]].tolist()


def test_strings_of_python_2_are_read(tmp_path: Path) -> None:
    write_pickles(tmp_path)
    # A short string of Python 2, opcode U, which Python 3 no longer writes.
    raw = b"(dp0\nU\x10fine_label_namesp1\n(lp2\nU\x05applep3\naU\x04babyp4\naU\x03catp5\nas."
    (tmp_path / "meta").write_bytes(raw)
    _, _, names = read_cifar(tmp_path, "test")
    assert names == ("apple", "baby", "cat")


class Villain:
    def __reduce__(self):  # noqa: ANN204
        return os.system, ("touch stolen",)


@pytest.mark.parametrize(
    "thing", [Villain(), np.random.default_rng, io.BytesIO(), {"data": [Villain()]}]
)
def test_a_pickle_that_asks_for_more_than_arrays_is_refused(
    thing: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_pickles(tmp_path)
    (tmp_path / "test").write_bytes(pickle.dumps(thing))
    with pytest.raises(
        ProbeError, match=r"test is not unpickled: it asks for \S+, which may run code"
    ):
        read_cifar(tmp_path, "test")
    assert not (tmp_path / "stolen").exists()


@pytest.mark.parametrize("raw", [b"", b"\x80\x04", b"garbage", b"\x80\x02]q\x00K\x01a."])
def test_a_broken_pickle_is_named(raw: bytes, tmp_path: Path) -> None:
    write_pickles(tmp_path)
    (tmp_path / "test").write_bytes(raw)
    with pytest.raises(ProbeError, match=r"/test is (broken|not CIFAR-100)"):
        read_cifar(tmp_path, "test")


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    write_binary(tmp_path)
    path = tmp_path / "test.bin"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ProbeError) as caught:
        read_cifar(tmp_path, "test")
    assert str(caught.value) == (
        f"{path} has 21513 bytes, no whole number of pictures of 3074; fetch it again"
    )


def test_labels_without_names_are_refused(tmp_path: Path) -> None:
    write_binary(tmp_path)
    (tmp_path / "fine_label_names.txt").write_text("apple\n")
    with pytest.raises(ProbeError, match="do not belong together"):
        read_cifar(tmp_path, "test")


def test_an_album_of_either(tmp_path: Path) -> None:
    assert not is_cifar(tmp_path)
    album = read_album(write_pickles(tmp_path))
    assert album.title == "CIFAR-100, test"
    assert album.pictures[2]().shape == (32, 32, 3)
