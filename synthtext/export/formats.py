"""A writer for the layout of each other tool."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import orjson

from synthtext.dataset.manifest import list_files
from synthtext.dataset.plan import SENTIMENTS
from synthtext.errors import DatasetError
from synthtext.export.items import Item, Items

MAP_BYTES = 1 << 40
"""Largest LMDB: an address space, not a size on disk."""


N_PER_COMMIT = 1000
"""Pictures to a transaction of LMDB, or to a row group of Parquet."""


TEMPLATES = {
    True: ("a {c} review of a movie.",),
    False: ('a picture of the word "{c}".', "{c}"),
}
"""Prompts in the form of CLIP_benchmark, by whether the classes are sentiments."""


def _write_images(items: Items, folder: Path) -> Items:
    """Write the pictures of items into a folder and pass the items on."""
    folder.mkdir(exist_ok=True)
    for item in items:
        (folder / item.name).write_bytes(item.image)
        yield item


def _write_folder(items: Items, out: Path, _: Path) -> None:
    """Write pictures and `metadata.jsonl`, as Hugging Face's imagefolder reads them."""
    with (out / "metadata.jsonl").open("wb") as file:
        for item in _write_images(items, out):
            file.write(orjson.dumps({"file_name": item.name, "text": item.text}) + b"\n")


def _write_parquet(items: Items, out: Path, _: Path) -> None:
    """Write `data.parquet`: image, text, class, quads, and a column for every factor."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise DatasetError(_say_missing("pyarrow")) from error
    batches = _tabulate(items)
    first = next(batches, None)
    if first is None:
        return
    schema = pa.Table.from_pylist(first).schema
    # A file of ours, so that Arrow's own does not hide what a disk says.
    with (
        (out / "data.parquet").open("wb") as file,
        parquet.ParquetWriter(file, schema) as writer,
    ):
        for rows in itertools.chain([first], batches):
            writer.write_table(pa.Table.from_pylist(rows).cast(schema))


def _tabulate(items: Items) -> Iterator[list[dict[str, Any]]]:
    """Return the rows of a table, as many at a time as make a row group."""
    while some := list(itertools.islice(items, N_PER_COMMIT)):
        yield [_make_row(item) for item in some]


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
        raise DatasetError(_say_missing("lmdb")) from error
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
        # LMDB does not say by which number a disk refused; its text does.
        raise OSError(str(error)) from error


def _commit(database: Any, batch: dict[bytes, bytes]) -> None:  # noqa: ANN401 - no types.
    with database.begin(write=True) as transaction:
        for key, value in batch.items():
            transaction.put(key, value)
    batch.clear()


def _write_doctr(items: Items, out: Path, _: Path) -> None:
    """Write `images/`, `labels.json` to recognise and `detection.json` to detect by."""
    labels, found = {}, {}
    for item in _write_images(items, out / "images"):
        labels[item.name] = item.text
        found[item.name] = {
            "img_dimensions": item.size_px[::-1], "polygons": item.quads.tolist(),
        }  # fmt: skip
    (out / "labels.json").write_bytes(orjson.dumps(labels))
    (out / "detection.json").write_bytes(orjson.dumps(found))


def _write_paddleocr(items: Items, out: Path, _: Path) -> None:
    """Write `images/`, `rec_gt.txt` to recognise and `det_gt.txt` to detect by."""
    with (out / "rec_gt.txt").open("wb") as texts, (out / "det_gt.txt").open("wb") as places:
        for item in _write_images(items, out / "images"):
            texts.write(f"images/{item.name}\t{item.text}\n".encode())
            found = [
                {"transcription": word, "points": quad.tolist()}
                for word, quad in zip(item.words, item.quads, strict=True)
            ]
            places.write(f"images/{item.name}\t".encode() + orjson.dumps(found) + b"\n")


def _write_icdar(items: Items, out: Path, _: Path) -> None:
    """Write `images/`, a `gt/gt_NAME.txt` for each with quads, and `gt.txt` with the texts.

    Source: ICDAR 2015's robust reading, tasks 4.1 and 4.3; coordinates in whole px.
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
        for word, quad in zip(item.words, item.quads.astype(np.float64), strict=True):
            low, high = quad.min(axis=0), quad.max(axis=0)
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": number, "category_id": 1,
                    "segmentation": [quad.ravel().round(2).tolist()], "iscrowd": 0,
                    "bbox": [*low.round(2).tolist(), *(high - low).round(2).tolist()],
                    "area": round(float(cv2.contourArea(quad.astype(np.float32))), 2),
                    "text": word,
                }
            )  # fmt: skip
    content = {
        "images": images, "annotations": annotations, "categories": [{"id": 1, "name": "text"}],
    }  # fmt: skip
    (out / "annotations.json").write_bytes(orjson.dumps(content))


def _write_clip_benchmark(items: Items, out: Path, folder: Path) -> None:
    """Write the shards under the names that CLIP_benchmark gives them, and its lists."""
    files = list_files(folder, out.name)
    for number, file in enumerate(files):
        # The bytes are the same, so that a link is enough where there can be one.
        try:
            (out / f"{number}.tar").hardlink_to(file)
        except (OSError, NotImplementedError):
            (out / f"{number}.tar").write_bytes(file.read_bytes())
    (out / "nshards.txt").write_text(f"{len(files)}\n")
    names = (folder / "classnames.txt").read_text(encoding="utf-8")
    (out.parent / "classnames.txt").write_text(names, encoding="utf-8")
    templates = TEMPLATES[tuple(names.split()) == SENTIMENTS]
    (out.parent / "zeroshot_classification_templates.txt").write_text("\n".join(templates))
    for _ in items:
        pass


def _say_missing(package: str) -> str:
    return f"this export needs {package}; type: pip install 'synthtext[export]'"


TARGETS: dict[str, Callable[[Items, Path, Path], None]] = {
    "folder": _write_folder,
    "parquet": _write_parquet,
    "lmdb": _write_lmdb,
    "doctr": _write_doctr,
    "paddleocr": _write_paddleocr,
    "icdar": _write_icdar,
    "coco": _write_coco,
    "clip-benchmark": _write_clip_benchmark,
}


WHOLE = frozenset({"coco", "clip-benchmark"})
"""Targets for which words that are cut out make no sense."""
