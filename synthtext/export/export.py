"""Exporting: a dataset -> the layouts that recognisers, detectors and other tools read."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import orjson

from synthtext.dataset.codec import FORMATS, Sample, decode_fields, decode_with, encode_pixels
from synthtext.dataset.manifest import list_files, read_manifest
from synthtext.dataset.plan import SENTIMENTS
from synthtext.dataset.shards import read_samples
from synthtext.dataset.verify import check_split, open_shards
from synthtext.drawing.layout import split_words
from synthtext.drawing.rendering import Pixels, Quads
from synthtext.errors import DatasetError, ShardError
from synthtext.spec import Spec
from synthtext.storage import write_folder

CROP_MARGIN = 0.08
"""Room around a word in its crop, as a share of its height."""

CROP_QUALITY = 95

MAP_BYTES = 1 << 40
"""Largest LMDB: an address space, not a size on disk."""

N_PER_COMMIT = 1000
"""Pictures to a transaction of LMDB, or to a row group of Parquet."""

TEMPLATES = {
    True: ("a {c} review of a movie.",),
    False: ('a picture of the word "{c}".', "{c}"),
}
"""Prompts in the form of CLIP_benchmark, by whether the classes are sentiments."""


@dataclass(frozen=True)
class Item:
    """A picture to export.

    Attributes:
        name: of its file, with its ending.
        image: the file.
        text: what it shows.
        words: the words that have ink.
        quads: float32 (k, 4, 2), where each of them lies, in px.
        size_px: width and height.
        label: line of the text, or of its label, in `classnames.txt`.
        fields: what `KEY.json` says.
    """

    name: str
    image: bytes
    text: str
    words: tuple[str, ...]
    quads: Quads
    size_px: tuple[int, int]
    label: int
    fields: dict[str, Any]


Items = Iterator[Item]

OnProgress = Callable[[str, int, int | None], None]


def export_dataset(
    folder: Path,
    out: Path,
    target: str,
    *,
    crops: bool = False,
    verify: bool = True,
    on_progress: OnProgress = lambda *_: None,
) -> dict[str, int]:
    """Write a dataset in another layout and return the pictures of each split.

    It gets its name when all of it is written; what a killed export left is begun anew.

    Args:
        folder: a dataset that `synthtext render` wrote.
        out: new; nothing that is there is touched.
        target: one of `TARGETS`.
        crops: whether to cut out every word, upright, instead of taking whole pictures.
        verify: whether shards must be those that were written.
        on_progress: called after every picture.

    Raises:
        DatasetError: no such target, something is there already, or a package is missing.
        ShardError: a shard is missing, broken or not what was written.
    """
    _check_target(target, out, crops=crops)
    manifest = read_manifest(folder, verify=verify)
    if not manifest.get("complete"):
        raise DatasetError(f"{folder} is not finished; run the same render again")
    counts: dict[str, int] = {}

    def watch(items: Items, split: str) -> Items:
        for item in items:
            yield item
            counts[split] = counts.get(split, 0) + 1
            on_progress("pictures", sum(counts.values()), None)

    with _explain(out), write_folder(out) as part:
        for split in (name for name, row in manifest["splits"].items() if row["drawn"]):
            (part / split).mkdir()
            items = watch(read_items(folder, split, crops=crops, verify=verify), split)
            TARGETS[target](items, part / split, folder)
    return counts


@contextmanager
def _explain(out: Path) -> Iterator[None]:
    """Turn what a disk or a file system does to an export into one sentence."""
    try:
        yield
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error
        raise DatasetError(
            f"{out} cannot be written ({reason}); nothing was left there, so mend that and run"
            " the same command again"
        ) from error


def _check_target(target: str, out: Path, *, crops: bool) -> None:
    if target not in TARGETS:
        raise DatasetError(f"no export is called {target!r}; there is {', '.join(TARGETS)}")
    if crops and target in WHOLE:
        raise DatasetError(f"{target} takes whole pictures; leave out --crops")
    if out.exists():
        raise DatasetError(f"{out} is there already; give a new folder, or remove it")


def read_items(folder: Path, split: str, *, crops: bool = False, verify: bool = True) -> Items:
    """Return the pictures of a split, or the words cut out of them, in order.

    Raises:
        ShardError: a shard is broken, or a picture comes a second time.
        DatasetError: a shard is not the one that was written, or of another split.
    """
    last = -1
    for file in open_shards(folder, split, verify=verify):
        before = last
        for item in read_shard_items(file, crops=crops):
            index = item.fields["index"]
            # Shards hold one range after another, so that no list of all keys is needed.
            if index <= before:
                raise ShardError(
                    f"{file} holds {item.name}, which a shard before it held or should have"
                    " held; render it again"
                )
            last = max(last, index)
            if verify:
                check_split(file, item.name, item.fields["split"])
            yield item


def read_shard_items(file: Path, *, crops: bool = False) -> Items:
    """Return the same of one shard.

    Raises:
        ShardError: it is broken, or its words lie where its picture does not.
    """
    for sample in read_samples(file):
        fields = decode_fields(sample)
        drawn = decode_with(fields, sample)
        _check_files(sample, drawn.spec)
        words = tuple(split_words(drawn.spec.drawn_text))
        height, width = drawn.pixels.shape[:2]
        inside = (drawn.word_quads >= 0) & (drawn.word_quads <= (width, height))
        if not inside.all():
            raise ShardError(f"{sample.key}.json has quads that do not fit; draw it again")
        extension = next(name for name in FORMATS if name in sample.files)
        item = Item(
            name=f"{sample.key}.{extension}",
            image=sample.files[extension],
            text=drawn.spec.drawn_text,
            words=words,
            quads=drawn.word_quads,
            size_px=(width, height),
            label=drawn.spec.class_index,
            fields=fields,
        )
        if crops:
            yield from _cut_words(item, drawn.pixels)
        else:
            yield item


def _check_files(sample: Sample, spec: Spec) -> None:
    """Check that the other files of a sample say what its `.json` says."""
    if sample.key != spec.key:
        raise ShardError(f"{sample.key}.json is that of {spec.key}; draw it again")
    said = {"txt": spec.drawn_text.encode(), "cls": str(spec.class_index).encode()}
    for extension, content in said.items():
        if sample.files.get(extension, content) != content:
            raise ShardError(
                f"{sample.key}.{extension} does not agree with {sample.key}.json; draw it again"
            )


def crop_quad(pixels: Pixels, quad: Quads, margin: float = CROP_MARGIN) -> Pixels:
    """Return what a quad holds, upright.

    Args:
        pixels: uint8 (H, W, 3).
        quad: float32 (4, 2), clockwise from the top left of the upright text.
        margin: room around it, as a share of its height; beyond the picture its edge goes on.
    """
    top, right, bottom, left = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    # The far end of a word seen from the side is smaller: it gets the size of the middle.
    width, height = float(top + bottom) / 2, float(left + right) / 2
    room = margin * height
    upright = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) + room
    # Quads count from a pixel's edge, OpenCV from its middle.
    matrix = cv2.getPerspectiveTransform(quad - np.float32(0.5), upright - np.float32(0.5))
    size = (max(1, round(width + 2 * room)), max(1, round(height + 2 * room)))
    return cv2.warpPerspective(pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE)


def _cut_words(item: Item, pixels: Pixels) -> Items:
    stem = item.name.partition(".")[0]
    for number, (word, quad) in enumerate(zip(item.words, item.quads, strict=True)):
        crop = crop_quad(pixels, quad)
        height, width = crop.shape[:2]
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        yield Item(
            name=f"{stem}-{number:02d}.jpg",
            image=encode_pixels(crop, "jpg", CROP_QUALITY),
            text=word,
            words=(word,),
            quads=corners[None],
            size_px=(width, height),
            label=item.label,
            fields=item.fields,
        )


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
