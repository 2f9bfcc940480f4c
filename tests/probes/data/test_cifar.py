from __future__ import annotations

import io
import os
import pickle
import time
from pathlib import Path

import numpy as np
import pytest

from probes.data.cifar import is_cifar, read_cifar
from probes.data.labelled import read_labelled
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
    """Write the files in torchvision's format, whose strings are Python 2 bytes."""
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
    # A short Python 2 string, opcode U, which Python 3 no longer writes.
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
        ProbeError,
        match=r"test cannot be unpickled safely: it asks for \S+, which may run code",
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
        f"{path} has 21513 bytes, not a whole number of images of 3074; download it again"
    )


def test_labels_without_names_are_refused(tmp_path: Path) -> None:
    write_binary(tmp_path)
    (tmp_path / "fine_label_names.txt").write_text("apple\n")
    with pytest.raises(ProbeError, match="names do not match"):
        read_cifar(tmp_path, "test")


@pytest.mark.parametrize("listed", ["apple\n" * 257, "a b c " * 100_000, "a b " + "c" * 501])
def test_names_are_no_more_and_no_longer_than_a_label_can_name(
    listed: str, tmp_path: Path
) -> None:
    write_binary(tmp_path)
    (tmp_path / "fine_label_names.txt").write_text(listed)
    with pytest.raises(ProbeError) as caught:
        read_cifar(tmp_path, "test")
    assert "\n" not in str(caught.value)


def test_either_form_is_read_as_labelled_images(tmp_path: Path) -> None:
    assert not is_cifar(tmp_path)
    labelled = read_labelled(write_pickles(tmp_path))
    assert labelled.title == "CIFAR-100, test"
    assert labelled.pictures[2]().shape == (32, 32, 3)


def pickle_array(shape: bytes, kind: bytes, raw: bytes, order: bytes = b"|") -> bytes:
    """Return a pickle of an array with the given claims."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n" + shape + b"cnumpy\ndtype\n(S'" + kind + b"'\nI0\nI1\ntR"
        b"(I3\nS'" + order + b"'\nNNNI-1\nI-1\nI0\ntbI00\nS'" + raw + b"'\ntb"
    )


def read_peak() -> int:
    """Return the peak memory of this process in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def pickle_test(data: bytes, labels: bytes = b"(lI1\na") -> bytes:
    return b"(dS'data'\n" + data + b"sS'fine_labels'\n" + labels + b"s."


ROW = pickle_array(b"(I1\nI3072\nt", b"u1", b"a" * 3072)


def test_an_array_of_a_strangers_pickle_is_read(tmp_path: Path) -> None:
    write_pickles(tmp_path)
    (tmp_path / "test").write_bytes(pickle_test(ROW))
    images, labels, _ = read_cifar(tmp_path, "test")
    assert (images == ord("a")).all()
    assert labels.tolist() == [1]


@pytest.mark.parametrize(
    "raw",
    [
        pickle_test(pickle_array(b"(I1\nI1099511627776\nt", b"u1", b"a")),
        pickle_test(pickle_array(b"(I-1\nI-1\nt", b"u1", b"a" * 3072)),
        pickle_test(pickle_array(b"(I1\nI3072\nt", b"O", b"a" * 3072)),
        pickle_test(pickle_array(b"(I1\nI3072\nt", b"S99999999999", b"a" * 3072)),
        pickle_test(pickle_array(b"(I1\nI384\nt", b"i8", b"a" * 3072, b"<")),
        pickle_test(pickle_array(b"(I1\nI3072\nt", b"u1", b"a" * 3072, b"xyz")),
        # An array given only by its shape, which NumPy would allocate: 80 GB of labels.
        pickle_test(ROW, b"cnumpy\nndarray\n(I10000000000\ntR"),
        pickle_test(ROW, b"]" * 200_000 + b"a" * 199_999),
        # Ten lists of ten lists and so on: ten billion labels.
        pickle_test(ROW, b"]K\x01a" + b"".join(
            b"p%d\n0](%sl" % (k, b"g%d\n" % k * 10) for k in range(1, 10))),
        pickle_test(ROW, b"(lL" + b"9" * 4000 + b"L\na"),
        pickle_test(ROW, b"(lI" + b"9" * 5000 + b"\na"),
        pickle_test(ROW, b"(lI-1\na"),
        pickle_test(ROW, b"(lI3\na"),
        pickle_test(ROW, b"(lF1.0\na"),
        # A memo index for which 34 GB would be allocated.
        b"\x80\x02]r\xff\xff\xff\x7f.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00a.",
        b"\x80\x02" + b"]0" * 1_100_000 + b"].",
        b"(dS'data'\nI1\nsS'fine_labels'\nI1\ns.",
        b"I1\n.",
    ],
    ids=range(20),
)  # fmt: skip
def test_a_hostile_pickle_is_refused_in_time_and_memory(raw: bytes, tmp_path: Path) -> None:
    write_pickles(tmp_path)
    (tmp_path / "test").write_bytes(raw)
    begin, before = time.process_time(), read_peak()
    with pytest.raises(ProbeError) as caught:
        read_cifar(tmp_path, "test")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert time.process_time() - begin < 8
    assert read_peak() - before < 1 << 30


@pytest.mark.parametrize(
    "names", [["x" * 501], [["apple"]], "apple", {"a": 1}, [1, 2, 3], None]
)
def test_names_are_short_texts(names: object, tmp_path: Path) -> None:
    write_pickles(tmp_path)
    (tmp_path / "meta").write_bytes(pickle.dumps({"fine_label_names": names}))
    with pytest.raises(ProbeError, match="it has no valid label names"):
        read_cifar(tmp_path, "test")


def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    write_pickles(tmp_path)
    (tmp_path / "meta").unlink()
    os.mkfifo(tmp_path / "meta")
    with pytest.raises(
        ProbeError, match="meta is a pipe and not a regular file; download it again"
    ):
        read_cifar(tmp_path, "test")
