"""The writers for the formats of other tools."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import orjson
from numpy.typing import NDArray

from synthtext.dataset.codec import decode_image, encode_pixels
from synthtext.dataset.manifest import CLASSNAMES, list_files, read_classnames
from synthtext.dataset.plan import SENTIMENTS
from synthtext.drawing.rendering import Quads
from synthtext.errors import DatasetError
from synthtext.export.benchmarks import write_lmms_eval, write_vlmeval
from synthtext.export.items import Item, Items
from synthtext.export.page_layouts import write_alto, write_page
from synthtext.export.parquet_files import import_arrow, say_missing, tabulate, write_groups

Floats = NDArray[np.float64]

MAP_BYTES = 1 << 40
"""Maximum size of an LMDB: this reserves address space, not disk space."""


N_PER_COMMIT = 1000
"""Images per LMDB transaction or Parquet row group."""


TEMPLATES = {
    True: ("a {c} review of a movie.",),
    False: ('a picture of the word "{c}".', "{c}"),
}
"""Prompt templates as CLIP_benchmark writes them; `True` if the classes are sentiments."""


def _write_images(items: Items, folder: Path) -> Items:
    """Write the images of items into a folder and pass the items on."""
    folder.mkdir(exist_ok=True)
    for item in items:
        (folder / item.name).write_bytes(item.image)
        yield item


def _write_folder(items: Items, out: Path, _: Path) -> None:
    """Write images and `metadata.jsonl`, as Hugging Face's imagefolder reads them."""
    with (out / "metadata.jsonl").open("wb") as file:
        for item in _write_images(items, out):
            file.write(orjson.dumps({"file_name": item.name, "text": item.text}) + b"\n")


def _write_parquet(items: Items, out: Path, _: Path) -> None:
    """Write `data.parquet`: image, text, class, quads, and a column for every factor."""
    pa = import_arrow()
    groups = tabulate(items, _make_row, N_PER_COMMIT)
    first = next(groups, None)
    if first is None:
        return
    schema = pa.Table.from_pylist(first).schema
    write_groups(out / "data.parquet", schema, itertools.chain([first], groups))


def _make_row(item: Item) -> dict[str, Any]:
    plain = {k: v for k, v in item.fields.items() if not isinstance(v, list)}
    plain |= {"label": -1 if plain["label"] is None else plain["label"]}
    return {
        "image": {"bytes": item.image, "path": item.name},
        "drawn_text": item.text,
        "words": list(item.words),
        "quads": item.quads.reshape(-1, 8).tolist(),
        **{k: v for k, v in plain.items() if k != "drawn_text"},
    }


def _write_lmdb(items: Items, out: Path, _: Path) -> None:
    """Write the LMDB that PARSeq and CLOVA's benchmark read: `image-%09d`, `label-%09d`."""
    try:
        import lmdb
    except ImportError as error:
        raise DatasetError(say_missing("lmdb")) from error
    try:
        with lmdb.open(str(out), map_size=MAP_BYTES, writemap=False) as database:
            batch: dict[bytes, bytes] = {}
            n = 0
            for n, item in enumerate(items, 1):
                batch[b"image-%09d" % n] = item.image
                batch[b"label-%09d" % n] = item.text.encode()
                if n % N_PER_COMMIT == 0:
                    _commit(database, batch)
            batch[b"num-samples"] = str(n).encode()
            _commit(database, batch)
    except lmdb.Error as error:
        # LMDB's errors carry no error number; only the message names the cause.
        raise OSError(str(error)) from error


def _commit(database: Any, batch: dict[bytes, bytes]) -> None:  # noqa: ANN401 - no types.
    with database.begin(write=True) as transaction:
        for key, value in batch.items():
            transaction.put(key, value)
    batch.clear()


def _write_doctr(items: Items, out: Path, _: Path) -> None:
    """Write `images/`, `labels.json` for recognition and `detection.json` for detection."""
    labels, found = {}, {}
    for item in _write_images(items, out / "images"):
        labels[item.name] = item.text
        found[item.name] = {
            "img_dimensions": item.size_px[::-1], "polygons": item.quads.tolist(),
        }  # fmt: skip
    (out / "labels.json").write_bytes(orjson.dumps(labels))
    (out / "detection.json").write_bytes(orjson.dumps(found))


def _write_paddleocr(items: Items, out: Path, _: Path) -> None:
    """Write `images/`, `rec_gt.txt` for recognition and `det_gt.txt` for detection."""
    with (out / "rec_gt.txt").open("wb") as texts, (out / "det_gt.txt").open("wb") as places:
        for item in _write_images(items, out / "images"):
            texts.write(f"images/{item.name}\t{item.text}\n".encode())
            found = [
                {"transcription": word, "points": polygon.tolist()}
                for word, polygon in zip(item.words, item.polygons, strict=True)
            ]
            places.write(f"images/{item.name}\t".encode() + orjson.dumps(found) + b"\n")


def _write_icdar(items: Items, out: Path, _: Path) -> None:
    """Write `images/`, a `gt/gt_NAME.txt` with the quads of each, and `gt.txt` with the texts.

    Source: ICDAR 2015 Robust Reading, tasks 4.1 and 4.3; coordinates are in whole px.
    """
    (out / "gt").mkdir()
    with (out / "gt.txt").open("wb") as texts:
        for item in _write_images(items, out / "images"):
            quoted = item.text.replace("\\", "\\\\").replace('"', '\\"')
            texts.write(f'{item.name}, "{quoted}"\n'.encode())
            lines = [
                ",".join([*map(str, np.rint(quad).astype(int).ravel().tolist()), word])
                for word, quad in zip(item.words, item.quads, strict=True)
            ]
            stem = item.name.partition(".")[0]
            (out / "gt" / f"gt_{stem}.txt").write_bytes("\n".join([*lines, ""]).encode())


def _write_coco(items: Items, out: Path, _: Path) -> None:
    """Write `images/` and `annotations.json` with a polygon for each word."""
    images, annotations = list[dict[str, Any]](), list[dict[str, Any]]()
    for number, item in enumerate(_write_images(items, out / "images"), 1):
        width, height = item.size_px
        images.append({"id": number, "file_name": item.name, "width": width, "height": height})
        for word, each in zip(item.words, item.polygons, strict=True):
            polygon = each.astype(np.float64)
            low, high = _bound(item, polygon)
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": number, "category_id": 1,
                    "segmentation": [polygon.ravel().round(2).tolist()], "iscrowd": 0,
                    "bbox": [*low.round(2).tolist(), *(high - low).round(2).tolist()],
                    "area": round(float(cv2.contourArea(each)), 2),
                    "text": word,
                }
            )  # fmt: skip
    content = {
        "images": images, "annotations": annotations, "categories": [{"id": 1, "name": "text"}],
    }  # fmt: skip
    (out / "annotations.json").write_bytes(orjson.dumps(content))


def _bound(item: Item, polygon: Floats | Quads) -> Floats:
    """Return left and top, right and bottom of a polygon (n, 2), (2, 2), within the image."""
    bounds = np.stack([polygon.min(axis=0), polygon.max(axis=0)])
    return np.clip(bounds, 0, np.array(item.size_px, bounds.dtype))


def _write_totaltext(items: Items, out: Path, _: Path) -> None:
    """Write `images/` and a `gt/poly_gt_NAME.txt` with the polygons of each.

    Source: Total-Text, the labels of its first release; coordinates are in whole px. `c` is
    text along a curve, `h` horizontal text and `m` text in another direction.
    """
    (out / "gt").mkdir()
    for item in _write_images(items, out / "images"):
        lines = []
        for word, polygon in zip(item.words, item.polygons, strict=True):
            points = np.rint(polygon).astype(int)
            x, y = (" ".join(map(str, each)) for each in points.T.tolist())
            is_level = points[0, 1] == points[1, 1]
            kind = "c" if len(points) > 4 else "h" if is_level else "m"
            lines.append(
                f"x: [[{x}]], y: [[{y}]], ornt: [u'{kind}'], transcriptions: [u{word!r}]"
            )
        stem = item.name.partition(".")[0]
        (out / "gt" / f"poly_gt_{stem}.txt").write_bytes("\n".join([*lines, ""]).encode())


def _write_easyocr(items: Items, out: Path, _: Path) -> None:
    """Write images and `labels.csv`, as EasyOCR's trainer reads them.

    The trainer splits a line at the first comma and uses the rest as it is, so nothing is
    quoted.
    """
    with (out / "labels.csv").open("wb") as file:
        file.write(b"filename,words\n")
        for item in _write_images(items, out):
            file.write(f"{item.name},{item.text}\n".encode())


def _write_tesstrain(items: Items, out: Path, _: Path) -> None:
    """Write PNGs, each with its `.gt.txt` and the `.box` of its characters, for Tesseract.

    Boxes are measured from the bottom left, in whole px; a tab after the last ends the line.
    """
    for item in items:
        stem = out / item.name.partition(".")[0]
        pixels = decode_image(item.name, item.image)
        stem.with_suffix(".png").write_bytes(encode_pixels(pixels, "png", 100))
        stem.with_suffix(".gt.txt").write_text(f"{item.text}\n", encoding="utf-8")
        width, height = item.size_px
        lines = [
            f"{char} {left} {height - bottom} {right} {height - top} 0"
            for char, (left, top, right, bottom) in zip(
                item.chars, _box(item.char_quads), strict=True
            )
        ]
        lines.append(f"\t {width} 0 {width + 1} {height} 0")
        stem.with_suffix(".box").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _box(quads: Quads) -> list[list[int]]:
    """Return left, top, right, bottom in whole px around each quad (n, 4, 2)."""
    around = [np.floor(quads.min(axis=1)), np.ceil(quads.max(axis=1))]
    return np.concatenate(around, axis=1).astype(int).tolist()


def _write_yolo(items: Items, out: Path, _: Path) -> None:
    """Write `images/`, `labels/` with the upright box of each word, and `data.yaml`."""

    def find_box(item: Item, word: int) -> Floats:
        low, high = _bound(item, item.polygons[word].astype(np.float64)) / item.size_px
        return np.append((low + high) / 2, high - low)

    _write_labels(items, out, find_box)


def _write_yolo_obb(items: Items, out: Path, _: Path) -> None:
    """Write the same with the four corners of each word instead of its box."""
    _write_labels(items, out, lambda item, word: item.quads[word] / np.array(item.size_px))


def _write_yolo_seg(items: Items, out: Path, _: Path) -> None:
    """Write the same with the polygon of each word."""

    def clip(item: Item, word: int) -> Floats:
        return np.clip(item.polygons[word] / np.array(item.size_px), 0, 1)

    _write_labels(items, out, clip)


def _write_labels(items: Items, out: Path, place: Callable[[Item, int], Floats]) -> None:
    """Write YOLO's files; `place` describes a word of an item in fractions of the sides."""
    (out / "labels").mkdir()
    for item in _write_images(items, out / "images"):
        rows = [place(item, word).ravel() for word in range(len(item.words))]
        lines = [" ".join(["0", *(f"{number:.6f}" for number in row)]) for row in rows]
        stem = item.name.partition(".")[0]
        (out / "labels" / f"{stem}.txt").write_text("\n".join([*lines, ""]))
    # It lists every split; this function is called once for each.
    with (out.parent / "data.yaml").open("a") as file:
        if not file.tell():
            file.write("names:\n  0: text\n")
        file.write(f"{out.name}: {out.name}/images\n")


def _write_mmocr(items: Items, out: Path, _: Path) -> None:
    """Write `images/`, `textrecog.json` and `textdet.json` in the form of MMOCR 1.x."""
    texts, places = list[dict[str, Any]](), list[dict[str, Any]]()
    for item in _write_images(items, out / "images"):
        path = f"images/{item.name}"
        width, height = item.size_px
        texts.append({"img_path": path, "instances": [{"text": item.text}]})
        found = [
            {
                "polygon": polygon.ravel().tolist(), "bbox_label": 0, "ignore": False,
                "bbox": np.ravel(_bound(item, polygon)).tolist(), "text": word,
            }
            for word, polygon in zip(item.words, item.polygons, strict=True)
        ]  # fmt: skip
        places.append({"img_path": path, "width": width, "height": height, "instances": found})
    _write_mmocr_json(out / "textrecog.json", {"dataset_type": "TextRecogDataset"}, texts)
    about = {"dataset_type": "TextDetDataset", "category": [{"id": 0, "name": "text"}]}
    _write_mmocr_json(out / "textdet.json", about, places)


def _write_mmocr_json(path: Path, about: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    content = {"metainfo": {**about, "task_name": path.stem}, "data_list": rows}
    path.write_bytes(orjson.dumps(content))


def _write_clip_benchmark(items: Items, out: Path, folder: Path) -> None:
    """Write the shards under the names that CLIP_benchmark expects, and its lists."""
    files = list_files(folder, out.name)
    for number, file in enumerate(files):
        # The bytes are the same, so a hard link is enough if the file system allows one.
        try:
            (out / f"{number}.tar").hardlink_to(file)
        except (OSError, NotImplementedError):
            (out / f"{number}.tar").write_bytes(file.read_bytes())
    (out / "nshards.txt").write_text(f"{len(files)}\n")
    names = read_classnames(folder)
    (out.parent / CLASSNAMES).write_text("\n".join([*names, ""]), encoding="utf-8")
    templates = TEMPLATES[names == SENTIMENTS]
    (out.parent / "zeroshot_classification_templates.txt").write_text("\n".join(templates))
    for _ in items:
        pass


TARGETS: dict[str, Callable[[Items, Path, Path], None]] = {
    "folder": _write_folder,
    "parquet": _write_parquet,
    "lmdb": _write_lmdb,
    "doctr": _write_doctr,
    "paddleocr": _write_paddleocr,
    "icdar": _write_icdar,
    "totaltext": _write_totaltext,
    "coco": _write_coco,
    "easyocr": _write_easyocr,
    "tesstrain": _write_tesstrain,
    "mmocr": _write_mmocr,
    "yolo": _write_yolo,
    "yolo-obb": _write_yolo_obb,
    "yolo-seg": _write_yolo_seg,
    "page": write_page,
    "alto": write_alto,
    "vlmeval": write_vlmeval,
    "lmms-eval": write_lmms_eval,
    "clip-benchmark": _write_clip_benchmark,
}


WHOLE = frozenset({"coco", "yolo", "yolo-obb", "yolo-seg", "clip-benchmark"})
"""Targets for which word crops make no sense."""


CROPS = frozenset({"tesstrain"})
"""Targets that need one line of text per image, so that words must be cropped."""
