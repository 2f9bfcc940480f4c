from __future__ import annotations

import io
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from probes.data.pairs import join_pairs, keep_pairs, parse_exclusion, read_batches, read_pairs
from probes.errors import ProbeError
from synthtext.dataset.shards import read_shard
from synthtext.errors import ShardError
from tiny_training import write_data


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return (
        write_data(tmp_path_factory.mktemp("d") / "d", 40, size_px="20:30") / "train/000000.tar"
    )


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def make_jpeg(level: int = 128) -> bytes:
    return cv2.imencode(".jpg", np.full((16, 16, 3), level, np.uint8))[1].tobytes()


def test_pairs_are_the_samples_of_the_shard(shard: Path) -> None:
    pairs = read_pairs([shard])
    renderings = list(read_shard(shard))
    assert pairs.captions == tuple(r.spec.drawn_text for r in renderings)
    (pixels,) = read_batches(pairs, [np.arange(len(renderings))], lambda image: image)
    assert all(np.array_equal(a, r.pixels) for a, r in zip(pixels, renderings, strict=True))


def test_batches_come_in_the_order_asked_for(shard: Path) -> None:
    pairs = read_pairs([shard])
    wanted = [np.array([number, number + 1]) for number in (8, 0, 4, 2, 6, 10)]
    alone = [next(read_batches(pairs, [batch], lambda image: image)) for batch in wanted]
    together = list(read_batches(pairs, wanted, lambda image: image, n_ahead=2))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_levels_are_marked(shard: Path) -> None:
    pairs = read_pairs([shard], parse_exclusion(["size_px=20:25"]))
    sizes = [rendering.spec.size_px for rendering in read_shard(shard)]
    assert pairs.is_marked.tolist() == [20 <= size <= 25 for size in sizes]
    assert 0 < pairs.is_marked.sum() < len(sizes)


def test_a_choice_of_numbers_marks_whole_and_broken_ones(tmp_path: Path) -> None:
    files = {
        f"{number}.{extension}": content
        for number, size in enumerate((b"12.0", b"12", b"12.5", b"13"))
        for extension, content in (
            ("jpg", make_jpeg()), ("txt", b"ox"), ("json", b'{"size_px":' + size + b"}"),
        )
    }  # fmt: skip
    path = write_tar(tmp_path / "a.tar", files)
    marks = read_pairs([path], parse_exclusion(["size_px=12,12.5"])).is_marked
    assert marks.tolist() == [True, True, True, False]


def test_shards_of_other_makers_may_have_folders_and_gaps(tmp_path: Path) -> None:
    files = {
        "a/1.jpg": make_jpeg(), "a/1.txt": b"a cat", "a/2.jpg": make_jpeg(),
        "b/1.txt": b"no picture", "b/3.jpeg": make_jpeg(200), "b/3.txt": b"an owl",
    }  # fmt: skip
    pairs = read_pairs([write_tar(tmp_path / "n.tar", files)])
    assert pairs.captions == ("a cat", "an owl")
    (pixels,) = read_batches(pairs, [np.array([1])], lambda image: image)
    assert abs(int(pixels[0, 0, 0, 0]) - 200) < 3


def test_joined_pairs_keep_their_pictures(shard: Path, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "n.tar", {"1.jpg": make_jpeg(90), "1.txt": b"grey"})
    own = keep_pairs(read_pairs([shard]), np.array([3]))
    both = join_pairs(own, read_pairs([path]))
    assert both.captions[1:] == ("grey",)
    (pixels,) = read_batches(both, [np.array([1])], lambda image: image)
    assert pixels.shape == (1, 16, 16, 3)


def test_shards_without_captions_are_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "n.tar", {"1.jpg": make_jpeg(), "2.jpg": make_jpeg()})
    with pytest.raises(ProbeError) as caught:
        read_pairs([path])
    assert str(caught.value) == (
        f"{path} and 0 more: no sample has an image and a caption; a sample needs KEY.jpg and KEY.txt"
    )


def test_a_picture_that_does_not_decode_is_named(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "n.tar", {"1.jpg": b"no jpeg", "1.txt": b"ox"})
    with pytest.raises(ShardError, match=r"n\.tar: sample 0\.jpg cannot be decoded"):
        list(read_batches(read_pairs([path]), [np.array([0])], lambda image: image))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("size_px", "'size_px' excludes nothing; write FACTOR=LEVELS, size_px=8:12"),
        ("case=any", "'case=any' excludes everything; name the levels to leave out"),
    ],
)
def test_an_exclusion_names_levels(text: str, sentence: str) -> None:
    with pytest.raises(ProbeError) as caught:
        parse_exclusion([text])
    assert str(caught.value) == sentence


def test_nothing_left_is_said(shard: Path) -> None:
    with pytest.raises(ProbeError, match="every image has an excluded level"):
        keep_pairs(read_pairs([shard]), np.array([], np.int64))


@pytest.mark.parametrize("raw", [b"2", b"-1", b"cat", b"9" * 30_000])
def test_a_class_without_a_name_is_refused(raw: bytes, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "n.tar", {"1.jpg": make_jpeg(), "1.cls": raw})
    with pytest.raises(ShardError, match=r"n\.tar: 1\.cls is '.*', which is not a class; "):
        read_pairs([path], names=("negative", "positive"))


@pytest.mark.parametrize("raw", [b"[" * 100_000, b"[]", b"NaN", b"{"])
def test_factors_that_cannot_be_read_are_refused(raw: bytes, tmp_path: Path) -> None:
    files = {"1.jpg": make_jpeg(), "1.txt": b"ox", "1.json": raw}
    path = write_tar(tmp_path / "n.tar", files)
    with pytest.raises(ShardError, match=r"n\.tar: 1\.json "):
        read_pairs([path], parse_exclusion(["size_px=20:25"]))
    assert read_pairs([path]).captions == ("ox",)
