from __future__ import annotations

import io
import os
import shutil
import tarfile
import tracemalloc
from pathlib import Path

import orjson
import pytest
import webdataset

from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import make_plan
from synthtext.dataset.sealing import seal
from synthtext.dataset.verify import (
    _count_lines,
    find_rendering,
    spread_renderings,
    verify_dataset,
)
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.rendering import render
from synthtext.errors import DatasetError
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.words import Texts, read_words


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, fonts: Catalogue) -> Path:
    """A finished dataset of 60 images in shards of 20; copy it before damaging it."""
    folder = tmp_path_factory.mktemp("dataset")
    recipe = edit_recipe(default_recipe(), {"shard_size": "20", "image_format": "png"})
    plan = make_plan(recipe, {"word": read_words("en")}, fonts, count=60)
    render_dataset(plan, folder / "out")
    return folder / "out"


@pytest.fixture
def harmed(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "out"))


def rewrite(path: Path, change: dict[str, bytes]) -> None:
    """Rewrite a shard with some of its files changed."""
    with tarfile.open(path) as tar:
        files = [(m.name, tar.extractfile(m).read()) for m in tar]  # type: ignore[union-attr]
    with tarfile.open(path, "w") as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(change.get(name, content))
            tar.addfile(info, io.BytesIO(change.get(name, content)))


def test_a_whole_dataset_has_no_fault(whole: Path) -> None:
    assert list(verify_dataset(whole)) == []


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_webdataset_reads_every_key_once(whole: Path) -> None:
    urls = sorted(map(str, whole.glob("*/*.tar")))
    loader = webdataset.WebDataset(urls, shardshuffle=False, empty_check=False).decode("pil")
    samples = list(loader)
    keys = [sample["__key__"] for sample in samples]
    assert sorted(keys) == [f"{index:09d}" for index in range(60)]
    classnames = (whole / "classnames.txt").read_text().splitlines()
    for sample in samples:
        assert sample["png"].mode == "RGB"
        assert sample["txt"] == sample["json"]["drawn_text"]
        assert classnames[sample["cls"]] == sample["json"]["text"]


def test_an_image_is_drawn_again_from_its_spec(whole: Path, fonts: Catalogue) -> None:
    for index in (0, 31, 59):
        kept = find_rendering(whole, f"{index:09d}")
        assert (render(kept.spec, fonts).pixels == kept.pixels).all()


def test_a_spread_comes_from_many_shards(whole: Path) -> None:
    indices = [rendering.spec.index for rendering in spread_renderings(whole, 5)]
    assert len({index // 20 for index in indices}) >= 3


def test_the_card_has_a_picture_and_the_counts(whole: Path) -> None:
    card = (whole / "README.md").read_text()
    assert "60 images of text in" in card
    assert "![A few of the images](preview.jpg)" in card
    assert (whole / "preview.jpg").stat().st_size > 10_000


@pytest.mark.parametrize("key", ["000000060", "x", "-1", ""])
def test_a_missing_key_is_named(whole: Path, key: str) -> None:
    with pytest.raises(DatasetError) as caught:
        find_rendering(whole, key)
    assert str(caught.value) == (
        f"{whole} has no sample {key!r}; keys run from 000000000, as in dataset.json"
    )


def test_a_key_of_thousands_of_digits_is_named(whole: Path) -> None:
    with pytest.raises(DatasetError, match=r"has no sample '9{27}\.\.\.9{28}'; keys run"):
        find_rendering(whole, "9" * 5000)


def test_a_folder_without_dataset_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        list(verify_dataset(tmp_path))
    assert str(caught.value) == (
        f"{tmp_path} has no dataset.json; give a folder that `synthtext render` wrote"
    )


def test_an_unfinished_dataset_is_a_fault(harmed: Path) -> None:
    manifest = orjson.loads((harmed / "dataset.json").read_bytes()) | {"complete": False}
    (harmed / "dataset.json").write_bytes(orjson.dumps(seal(manifest)))
    assert list(verify_dataset(harmed)) == [
        "according to dataset.json, the run is not finished; run the same render command again"
    ]


def test_a_missing_shard_is_a_fault(harmed: Path) -> None:
    (harmed / "train/000001.tar").unlink()
    faults = list(verify_dataset(harmed))
    assert f"{harmed / 'train/000001.tar'} is missing; `synthtext render` writes it" in faults
    assert "train/000001.tar has 0 samples, but dataset.json says 20" in faults


def test_a_flipped_bit_is_a_fault(harmed: Path) -> None:
    path = harmed / "train/000000.tar"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    assert (
        "train/000000.tar is not the file that was written; delete it and render again"
        in list(verify_dataset(harmed))
    )


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("000000003.txt", b"other", "000000003.txt does not match the text in 000000003.json"),
        (
            "000000003.cls",
            b"999999",
            "000000003.cls does not match the class in 000000003.json",
        ),
        ("000000003.png", b"", "000000003.png cannot be decoded; render it again"),
        (
            "000000003.json",
            b"[]",
            "000000003.json is not of format 1; use the synthtext that wrote it",
        ),
    ],
)
def test_a_broken_part_is_a_fault(harmed: Path, name: str, content: bytes, fault: str) -> None:
    rewrite(harmed / "train/000000.tar", {name: content})
    assert any(found.endswith(fault) for found in verify_dataset(harmed))


def test_quads_that_leave_the_image_are_a_fault(harmed: Path) -> None:
    with tarfile.open(harmed / "train/000000.tar") as tar:
        fields = orjson.loads(tar.extractfile("000000003.json").read())  # type: ignore[union-attr]
    fields["word_quads"][0][2][0] += 400
    rewrite(harmed / "train/000000.tar", {"000000003.json": orjson.dumps(fields)})
    fault = "000000003.json has word_quads that are invalid or outside the image"
    assert any(found.endswith(fault) for found in verify_dataset(harmed))


def test_polygons_far_outside_the_image_are_a_fault(harmed: Path) -> None:
    with tarfile.open(harmed / "train/000000.tar") as tar:
        fields = orjson.loads(tar.extractfile("000000003.json").read())  # type: ignore[union-attr]
    # A point just outside lies above a low letter at the border.
    near, far = ([[[0, -5], [9, 0], [9, 9], [x, 9]]] for x in (0, -500))
    fault = "000000003.json has word_polygons that are far outside the image"
    for polygons, is_fault in ((near, False), (far, True)):
        content = orjson.dumps(fields | {"word_polygons": polygons})
        rewrite(harmed / "train/000000.tar", {"000000003.json": content})
        assert any(found.endswith(fault) for found in verify_dataset(harmed)) == is_fault


def test_every_sentence_of_a_file_is_drawn(fonts: Catalogue, tmp_path: Path) -> None:
    texts = Texts(("A joy to watch.", "A bore."), (1, 0), "two", "", 0)
    recipe = edit_recipe(default_recipe(), {"splits": "1,0,0"})
    render_dataset(make_plan(recipe, {"sentence": texts}, fonts), tmp_path / "out")
    found = {
        r.spec.text: (r.spec.label, r.spec.class_index)
        for r in spread_renderings(tmp_path / "out", 2)
    }
    assert found == {"A joy to watch.": (1, 1), "A bore.": (0, 0)}


def test_classes_are_counted_by_line_feeds_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "classnames.txt"
    path.write_bytes("a\u2028b\nc\rd\n".encode())
    assert _count_lines(path) == 2
    os.truncate(path, 200 << 20)
    tracemalloc.start()
    assert _count_lines(path) == 2
    assert tracemalloc.get_traced_memory()[1] < 10 << 20
    tracemalloc.stop()
