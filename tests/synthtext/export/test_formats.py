"""Every export is read by its target tool, or by its documented layout, and compared."""

from __future__ import annotations

import base64
import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from exported import decode, export
from synthtext.dataset.codec import encode
from synthtext.dataset.map_style import load
from synthtext.dataset.shards import pack_samples
from synthtext.dataset.wids_index import index_shards
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layout import split_chars
from synthtext.drawing.rendering import Rendering, render
from synthtext.errors import DatasetError
from synthtext.export.benchmarks import write_vlmeval
from synthtext.export.export import export_dataset
from synthtext.export.formats import TARGETS
from synthtext.export.items import read_shard_items
from synthtext.spec import Spec


def test_parseq_s_lmdb(data: Path, drawn: dict[str, list[Rendering]], tmp_path: Path) -> None:
    lmdb = pytest.importorskip("lmdb")
    out = export(data, tmp_path, "lmdb")
    for split, renderings in drawn.items():
        # As in the dataset classes of PARSeq and CLOVA.
        with lmdb.open(
            str(out / split), max_readers=1, readonly=True, create=False,
            readahead=False, meminit=False, lock=False,
        ) as database, database.begin() as transaction:  # fmt: skip
            assert int(transaction.get(b"num-samples")) == len(renderings)
            for number, rendering in enumerate(renderings, 1):
                label = transaction.get(f"label-{number:09d}".encode()).decode()
                raw = transaction.get(f"image-{number:09d}".encode())
                assert label == rendering.spec.drawn_text
                assert (decode(raw) == rendering.pixels).all()


def test_parquet(data: Path, drawn: dict[str, list[Rendering]], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = export(data, tmp_path, "parquet")
    rows = parquet.read_table(out / "test" / "data.parquet").to_pylist()
    assert len(rows) == len(drawn["test"])
    for row, rendering in zip(rows, drawn["test"], strict=True):
        assert row["drawn_text"] == rendering.spec.drawn_text
        assert row["size_px"] == rendering.spec.size_px
        assert np.allclose(np.reshape(row["quads"], (-1, 4, 2)), rendering.word_quads)
        assert (decode(row["image"]["bytes"]) == rendering.pixels).all()


def test_hugging_face_reads_parquet_folders_and_shards(
    data: Path,
    drawn: dict[str, list[Rendering]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    script = f"""
import warnings; warnings.simplefilter("ignore")
from datasets import load_dataset
import json, sys
out = {str(tmp_path)!r}
found = {{}}
files = {{"test": {str(data)!r} + "/test/*.tar"}}
shards = load_dataset("webdataset", data_files=files, split="test", cache_dir=out + "/c")
found["shards"] = [(row["__key__"], row["txt"], row["jpg"].size) for row in shards]
found["features"] = {{name: type(kind).__name__ for name, kind in shards.features.items()}}
stream = load_dataset("webdataset", data_files=files, split="test", streaming=True)
found["stream"] = [row["txt"] for row in stream]
folder = load_dataset("imagefolder", data_dir=out + "/folder", split="test", cache_dir=out + "/c")
found["folder"] = [row["text"] for row in folder]
table = load_dataset("parquet", data_files={{"test": out + "/parquet/test/data.parquet"}},
                     split="test", cache_dir=out + "/c")
found["parquet"] = table["drawn_text"][:]
task = load_dataset("parquet", data_files={{"test": out + "/lmms-eval/test/data.parquet"}},
                    split="test", cache_dir=out + "/c")
found["task"] = [(row["text"], row["image"].size) for row in task]
print(json.dumps(found))
"""
    pytest.importorskip("datasets")
    for target in ("folder", "parquet", "lmms-eval"):
        export(data, tmp_path, target)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    texts = [rendering.spec.drawn_text for rendering in drawn["test"]]
    keys = [rendering.spec.key for rendering in drawn["test"]]
    assert [row[1] for row in found["shards"]] == found["stream"] == texts
    assert [row[0].rpartition("/")[2] for row in found["shards"]] == keys
    assert {tuple(row[2]) for row in found["shards"]} == {(224, 224)}
    assert found["features"]["jpg"] == "Image"
    assert sorted(found["folder"]) == sorted(texts)
    assert found["parquet"] == texts
    assert found["task"] == [[text, [224, 224]] for text in texts]


def test_a_class_with_a_line_separator_is_one_class(tmp_path: Path) -> None:
    (tmp_path / "classnames.txt").write_text("two\u2028lines\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"has one text in classnames\.txt"):
        write_vlmeval(iter(()), tmp_path, tmp_path)


def test_vlmevalkit(data: Path, drawn: dict[str, list[Rendering]], tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    out = export(data, tmp_path, "vlmeval") / "test"
    # As its load() reads it.
    table = pandas.read_csv(out / "synthtext_test.tsv", sep="\t")
    assert set("ABCD") == set(table["answer"])
    for row, rendering in zip(table.to_dict("records"), drawn["test"], strict=True):
        options = [row[letter] for letter in "ABCD"]
        assert row[row["answer"]] == f'"{rendering.spec.drawn_text}"'
        assert len({option.casefold() for option in options}) == 4
        assert (decode(base64.b64decode(row["image"])) == rendering.pixels).all()
    again = export(data, tmp_path / "again", "vlmeval") / "test/synthtext_test.tsv"
    assert again.read_bytes() == (out / "synthtext_test.tsv").read_bytes()


def test_options_of_a_text_with_a_class_are_the_classes(
    spec: Spec, fonts: Catalogue, tmp_path: Path
) -> None:
    sample = encode(render(replace(spec, label=1, class_index=1), fonts), "png")
    (tmp_path / "one.tar").write_bytes(b"".join(pack_samples([sample])) + bytes(1024))
    (tmp_path / "classnames.txt").write_text("negative\npositive\n")
    write_vlmeval(read_shard_items(tmp_path / "one.tar"), tmp_path, tmp_path)
    with (tmp_path / f"synthtext_{tmp_path.name}.tsv").open(newline="") as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    options = [row["A"].strip('"'), row["B"].strip('"')]
    assert sorted(options) == ["negative", "positive"]
    assert row[row["answer"]] == '"positive"'
    (tmp_path / "classnames.txt").write_text("negative\n")
    with pytest.raises(DatasetError) as caught:
        write_vlmeval(read_shard_items(tmp_path / "one.tar"), tmp_path, tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} has one text in classnames.txt, and a question with options needs two;"
        " export it to lmms-eval instead"
    )


def test_doctr(data: Path, drawn: dict[str, list[Rendering]], tmp_path: Path) -> None:
    out = export(data, tmp_path, "doctr") / "test"
    labels = json.loads((out / "labels.json").read_text())
    found = json.loads((out / "detection.json").read_text())
    for (name, text), rendering in zip(labels.items(), drawn["test"], strict=True):
        assert text == rendering.spec.drawn_text
        assert np.allclose(found[name]["polygons"], rendering.word_quads)
        assert found[name]["img_dimensions"] == [224, 224]
        assert (decode((out / "images" / name).read_bytes()) == rendering.pixels).all()


def test_paddleocr(data: Path, drawn: dict[str, list[Rendering]], tmp_path: Path) -> None:
    out = export(data, tmp_path, "paddleocr") / "test"
    texts = (out / "rec_gt.txt").read_text().splitlines()
    places = (out / "det_gt.txt").read_text().splitlines()
    for line, place, rendering in zip(texts, places, drawn["test"], strict=True):
        name, text = line.split("\t")
        assert text == rendering.spec.drawn_text
        assert (out / name).is_file()
        named, found = place.split("\t")
        assert named == name
        boxes = json.loads(found)
        assert [box["transcription"] for box in boxes] == text.split()
        assert np.allclose([box["points"] for box in boxes], rendering.word_quads)


def test_icdar(data: Path, drawn: dict[str, list[Rendering]], tmp_path: Path) -> None:
    out = export(data, tmp_path, "icdar") / "train"
    lines = (out / "gt.txt").read_text().splitlines()
    for line, rendering in zip(lines, drawn["train"], strict=True):
        name, _, quoted = line.partition(", ")
        assert json.loads(quoted) == rendering.spec.drawn_text
        rows = (out / "gt" / f"gt_{name[:-4]}.txt").read_text().splitlines()
        for row, quad, word in zip(
            rows, rendering.word_quads, rendering.spec.drawn_text.split(), strict=True
        ):
            # Eight numbers and the text, which may hold commas itself.
            *numbers, text = row.split(",", 8)
            assert text == word
            assert np.abs(np.reshape(list(map(int, numbers)), (4, 2)) - quad).max() <= 0.51


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools with NumPy 2
def test_pycocotools_reads_coco(
    data: Path, drawn: dict[str, list[Rendering]], tmp_path: Path
) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    out = export(data, tmp_path, "coco") / "test"
    found = coco.COCO(str(out / "annotations.json"))
    for image, rendering in zip(found.loadImgs(found.getImgIds()), drawn["test"], strict=True):
        rows = found.loadAnns(found.getAnnIds(imgIds=image["id"]))
        assert [row["text"] for row in rows] == rendering.spec.drawn_text.split()
        for row, quad in zip(rows, rendering.word_quads, strict=True):
            assert np.allclose(np.reshape(row["segmentation"], (4, 2)), quad, atol=0.01)
            x, y, width, height = row["bbox"]
            assert np.allclose([x, y], quad.min(axis=0), atol=0.01)
            assert np.allclose([x + width, y + height], quad.max(axis=0), atol=0.02)
            mask = found.annToMask(row)
            assert mask.shape == (224, 224)
            assert abs(int(mask.sum()) - row["area"]) < 0.2 * row["area"] + 60


def test_easyocr(data: Path, drawn: dict[str, list[Rendering]], tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    out = export(data, tmp_path, "easyocr") / "train"
    # As its trainer reads it: the first comma of a line ends the name.
    table = pandas.read_csv(
        out / "labels.csv", sep="^([^,]+),", engine="python",
        usecols=["filename", "words"], keep_default_na=False,
    )  # fmt: skip
    assert list(table["words"]) == [r.spec.drawn_text for r in drawn["train"]]
    for name, rendering in zip(table["filename"], drawn["train"], strict=True):
        assert (decode((out / name).read_bytes()) == rendering.pixels).all()


def test_mmocr(data: Path, drawn: dict[str, list[Rendering]], tmp_path: Path) -> None:
    out = export(data, tmp_path, "mmocr") / "test"
    texts = json.loads((out / "textrecog.json").read_text())
    places = json.loads((out / "textdet.json").read_text())
    assert texts["metainfo"] == {"dataset_type": "TextRecogDataset", "task_name": "textrecog"}
    for said, found, rendering in zip(
        texts["data_list"], places["data_list"], drawn["test"], strict=True
    ):
        assert said["img_path"] == found["img_path"]
        assert (out / said["img_path"]).is_file()
        assert said["instances"] == [{"text": rendering.spec.drawn_text}]
        assert (found["width"], found["height"]) == (224, 224)
        polygons = [np.reshape(row["polygon"], (4, 2)) for row in found["instances"]]
        assert np.allclose(polygons, rendering.word_quads)
        for row, quad in zip(found["instances"], rendering.word_quads, strict=True):
            assert np.allclose(row["bbox"], [*quad.min(axis=0), *quad.max(axis=0)])


@pytest.mark.parametrize(("target", "n_numbers"), [("yolo", 4), ("yolo-obb", 8)])
def test_yolo(
    target: str,
    n_numbers: int,
    data: Path,
    drawn: dict[str, list[Rendering]],
    tmp_path: Path,
) -> None:
    out = export(data, tmp_path, target)
    content = (out / "data.yaml").read_text()
    assert content == "names:\n  0: text\ntrain: train/images\ntest: test/images\n"
    images = sorted((out / "test/images").iterdir())
    for image, rendering in zip(images, drawn["test"], strict=True):
        rows = (out / "test/labels" / image.name).with_suffix(".txt").read_text().splitlines()
        for row, quad in zip(rows, rendering.word_quads, strict=True):
            kind, *numbers = row.split(" ")
            assert kind == "0"
            assert len(numbers) == n_numbers
            found = np.array(numbers, float).reshape(-1, 2) * 224
            low, high = quad.min(axis=0), quad.max(axis=0)
            expected = quad if n_numbers == 8 else [(low + high) / 2, high - low]
            assert np.allclose(found, expected, atol=1e-3)


def test_tesstrain(data: Path, drawn: dict[str, list[Rendering]], tmp_path: Path) -> None:
    out = export(data, tmp_path, "tesstrain", crops=True) / "train"
    words = [word for r in drawn["train"] for word in r.spec.drawn_text.split()]
    pictures = sorted(out.glob("*.png"))
    assert [p.with_suffix(".gt.txt").read_text() for p in pictures] == [f"{w}\n" for w in words]
    for picture, word in zip(pictures, words, strict=True):
        pixels = decode(picture.read_bytes()).mean(axis=2)
        height, width = pixels.shape
        *rows, end = picture.with_suffix(".box").read_text().splitlines()
        assert end == f"\t {width} 0 {width + 1} {height} 0"
        assert "".join(row.split(" ")[0] for row in rows) == word
        for row in rows:
            left, bottom, right, top = map(int, row.split(" ")[1:5])
            assert 0 <= left < right <= width
            assert 0 <= bottom < top <= height
            # A character differs from its background somewhere within its box.
            box = pixels[height - top : height - bottom, left:right]
            assert np.abs(box - np.median(pixels)).max() > 10


@pytest.mark.parametrize(
    ("target", "space", "line", "word", "glyph"),
    [
        ("page", "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15", "TextLine", "Word", "Glyph"),
        ("alto", "http://www.loc.gov/standards/alto/ns-v4#", "TextLine", "String", "Glyph"),
    ],
)  # fmt: skip
def test_page_xml_and_alto(
    target: str,
    space: str,
    line: str,
    word: str,
    glyph: str,
    data: Path,
    drawn: dict[str, list[Rendering]],
    tmp_path: Path,
) -> None:
    out = export(data, tmp_path, target) / "test"
    for path, rendering in zip(sorted(out.glob("*.xml")), drawn["test"], strict=True):
        root = ET.parse(path).getroot()
        (named,) = {path.with_suffix(end).name for end in (".jpg",)}
        assert named in ET.tostring(root, encoding="unicode")
        assert (decode((out / named).read_bytes()) == rendering.pixels).all()
        words = root.findall(f".//{{{space}}}{word}")
        found = [
            each.get("CONTENT") or each.findtext(f"{{{space}}}TextEquiv/{{{space}}}Unicode")
            for each in words
        ]
        assert found == rendering.spec.drawn_text.split()
        assert len(root.findall(f".//{{{space}}}{line}")) == 1
        assert len(root.findall(f".//{{{space}}}{glyph}")) == sum(map(len, found))
        for each, quad in zip(words, rendering.word_quads, strict=True):
            points = each.find(f"{{{space}}}Coords")
            points = each.find(f".//{{{space}}}Polygon") if points is None else points
            numbers = (points.get("points") or points.get("POINTS")).replace(",", " ").split()
            assert np.abs(np.reshape(list(map(float, numbers)), (4, 2)) - quad).max() <= 0.51


def test_characters_keep_their_marks() -> None:
    assert split_chars("ab c") == ["a", "b", "c"]
    assert split_chars("e\u0301te\u0301 x") == ["e\u0301", "t", "e\u0301", "x"]


def test_clip_benchmark_s_layout(data: Path, tmp_path: Path) -> None:
    out = export(data, tmp_path, "clip-benchmark")
    n_shards = int((out / "train/nshards.txt").read_text())
    shards = [(out / f"train/{number}.tar").read_bytes() for number in range(n_shards)]
    assert shards == [path.read_bytes() for path in sorted(data.glob("train/*.tar"))]
    assert (out / "classnames.txt").read_text() == (data / "classnames.txt").read_text()
    templates = (out / "zeroshot_classification_templates.txt").read_text().splitlines()
    assert all("{c}" in template for template in templates)


def test_class_names_that_are_not_a_plain_file_of_texts_are_refused(
    data: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    names = copy / "classnames.txt"
    names.write_bytes(b"cat\n\xff\n")
    with pytest.raises(DatasetError, match="not UTF-8"):
        export_dataset(copy, tmp_path / "out", "clip-benchmark", verify=False)
    names.unlink()
    os.mkfifo(names)
    with pytest.raises(DatasetError, match="is a pipe and not a regular file"):
        export_dataset(copy, tmp_path / "out", "clip-benchmark", verify=False)


def test_wids_finds_every_sample_by_its_number(data: Path) -> None:
    paths = index_shards(data)
    assert [path.name for path in paths] == ["train.json", "test.json"]
    for path in paths:
        content = json.loads(path.read_text())
        assert content["__kind__"] == "wids-shard-index-v1"
        n = 0
        for row in content["shardlist"]:
            assert (data / row["url"]).stat().st_size == row["filesize"]
            n += row["nsamples"]
        assert n == len(load(data, path.stem))
        path.unlink()


READ_BY = {
    "folder": test_hugging_face_reads_parquet_folders_and_shards,
    "parquet": test_parquet,
    "lmdb": test_parseq_s_lmdb,
    "doctr": test_doctr,
    "paddleocr": test_paddleocr,
    "icdar": test_icdar,
    "coco": test_pycocotools_reads_coco,
    "easyocr": test_easyocr,
    "tesstrain": test_tesstrain,
    "mmocr": test_mmocr,
    "yolo": test_yolo,
    "yolo-obb": test_yolo,
    "page": test_page_xml_and_alto,
    "alto": test_page_xml_and_alto,
    "vlmeval": test_vlmevalkit,
    "lmms-eval": test_hugging_face_reads_parquet_folders_and_shards,
    "clip-benchmark": test_clip_benchmark_s_layout,
}

READ_AS_POLYGONS = {"totaltext", "yolo-seg"}
"""Formats that `test_bent_words.py` reads back, which are for polygons alone."""


def test_every_format_is_read_back() -> None:
    assert READ_BY.keys() | READ_AS_POLYGONS == TARGETS.keys()
