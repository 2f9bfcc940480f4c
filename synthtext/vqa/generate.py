"""Scenes -> a folder in TextVQA's layout: images, and annotations with the true answers.

`images/NAME.jpg`, an annotation file for each split, and `scenes.json`, which records how it
was made. A killed run can be resumed; the bytes are those of an uninterrupted one.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synthtext.dataset.codec import encode_pixels
from synthtext.dataset.folders import RECORDS, hash_if_there
from synthtext.dataset.generate import explain_failure
from synthtext.dataset.manifest import check_same_plan, to_json
from synthtext.dataset.plan import list_versions
from synthtext.dataset.sealing import CHECKSUM, read_sealed, seal
from synthtext.drawing.fonts import Catalogue
from synthtext.engine import LOCAL, check_engine, run_tasks
from synthtext.errors import DamageError, DatasetError, shorten
from synthtext.rng import draw_below, draw_units, pick
from synthtext.storage import PART, is_remote, lock_folder, remove_parts, replace_file
from synthtext.texts.words import Texts
from synthtext.vqa.scenes import SIDE_PX, ask_about, draw_scene, sample_scene
from synthtext.vqa.textvqa import Questions

FORMAT = 1
"""Version of the layout of `scenes.json`."""

BLOCK = 100
"""Number of scenes per task."""

N_SIGNS = (2, 3, 4)

WORD_CHARS = range(3, 13)
"""Lengths of the words on signs."""

ZIPF_SHIFT = 10
"""Words have weight 1 / (rank + shift): some answers are frequent and most rare, as in TextVQA.

Source: Mandelbrot 1953, his generalisation of Zipf's law.
"""

TRAIN_FRAC = 0.8

N_ANSWERS = 10
"""Number of answers to a question in TextVQA 0.5.1."""

JPEG_QUALITY = 92

MAX_SCENES = 1_000_000

MAX_SEED = 2**53
"""The largest integer that every JSON reader represents exactly."""

OWN_NAMES = frozenset({"scenes.json", "images"})
"""Names in the folder other than annotations."""


@dataclass(frozen=True)
class Picture:
    """A scene to draw: its name, its split, and the texts of its signs."""

    name: str
    split: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class ScenePlan:
    """Everything that determines the bytes of a folder of scenes.

    Attributes:
        seed: 0 or more.
        pictures: what to draw.
        fonts: the fonts to choose from.
        source: the source of the texts, for `scenes.json`.
        given: annotations to whose images these are stand-ins; None generates questions.
        file: file name of these annotations.
    """

    seed: int
    pictures: tuple[Picture, ...]
    fonts: Catalogue
    source: Mapping[str, object]
    given: Questions | None = None
    file: str = ""


def plan_scenes(words: Texts, fonts: Catalogue, *, seed: int, count: int) -> ScenePlan:
    """Return the plan of generated scenes, 80 % of them for training.

    Train and val have common words, as they have common answers in TextVQA; no two scenes are
    equal.

    Raises:
        DatasetError: a number is out of range, or no word has a suitable length.
    """
    _check_range("count", count, 2, MAX_SCENES)
    _check_range("seed", seed, 0, MAX_SEED)
    fitting = [word for word in words.items if len(word) in WORD_CHARS]
    if not fitting:
        raise DatasetError(
            f"{words.name} has no word of {WORD_CHARS.start} to {WORD_CHARS.stop - 1} letters;"
            " give other --words"
        )
    order = np.argsort(draw_units(seed, "scene ranks", 0, len(fitting))[:, 0], kind="stable")
    weights = 1 / (np.arange(len(fitting)) + ZIPF_SHIFT)
    units = draw_units(seed, "scene words", 0, count)
    ranks = pick(units.reshape(-1), weights).reshape(units.shape)
    n_signs = draw_below(draw_units(seed, "scene signs", 0, count)[:, 0], len(N_SIGNS))
    n_train = min(count - 1, round(TRAIN_FRAC * count))
    pictures = tuple(
        Picture(
            f"{index:09d}",
            "train" if index < n_train else "val",
            tuple(dict.fromkeys(fitting[place] for place in row[: N_SIGNS[n]])),
        )
        for index, (row, n) in enumerate(
            zip(order[ranks].tolist(), n_signs.tolist(), strict=True)
        )
    )
    source = {"words": words.name, "n_words": len(fitting), "sha256": words.sha256}
    return ScenePlan(seed, pictures, fonts, source)


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if value < low:
        raise DatasetError(f"{name} is {shorten(str(value))}; it must be {low} or more")
    if value > high:
        raise DatasetError(f"{name} is {shorten(str(value))}; it must be at most {high}")


def plan_stand_ins(
    questions: Questions, words: Texts, fonts: Catalogue, *, seed: int, file: str
) -> ScenePlan:
    """Return the plan of stand-ins for the images of an annotation file.

    Each has a sign for the answer to each question about it, and one for a random word.

    Args:
        questions: the questions.
        words: the words for signs without an answer.
        fonts: the fonts to choose from.
        seed: 0 or more.
        file: file name of the annotations.

    Raises:
        DatasetError: the seed is below 0, or the file has a reserved name.
    """
    _check_range("seed", seed, 0, MAX_SEED)
    if file.startswith(".") or file in OWN_NAMES:
        raise DatasetError(f"{file} is the name of an output file; rename it")
    texts: dict[str, dict[str, None]] = {}
    for asked in questions.items:
        texts.setdefault(asked.picture, {})[asked.answer] = None
    fitting = [word for word in words.items if len(word) in WORD_CHARS] or list(words.items)
    fillers = draw_below(draw_units(seed, "scene fillers", 0, len(texts))[:, 0], len(fitting))
    pictures = tuple(
        # As many as there are places.
        Picture(name, "val", tuple(dict.fromkeys([*list(answers)[:5], fitting[filler]])))
        for (name, answers), filler in zip(texts.items(), fillers.tolist(), strict=True)
    )
    source = {"annotations": file, "n_questions": len(questions.items), "words": words.name}
    return ScenePlan(seed, pictures, fonts, source, questions, file)


def check_apart(annotations: Path, folder: Path) -> None:
    """Refuse to draw into the folder of the annotations, which would be overwritten.

    Raises:
        DatasetError: it is that folder.
    """
    # Unlike `Path.resolve`, this accepts a link to itself, which is refused on reading.
    place = Path(os.path.realpath(annotations)).parent
    if not is_remote(folder) and place == Path(os.path.realpath(folder)):
        raise DatasetError(
            f"{annotations} lies in {folder} and would be overwritten; give another folder"
        )


def render_scenes(
    plan: ScenePlan,
    folder: Path,
    *,
    n_workers: int = 1,
    on_progress: Callable[[str, int, int | None], None] = lambda *_: None,
) -> dict[str, Any]:
    """Draw what is missing from a folder of scenes and return its `scenes.json`.

    Args:
        plan: what to draw.
        folder: new, empty, or started with the same plan.
        n_workers: number of processes to draw with, 1 or more.
        on_progress: called after every block of scenes.

    Raises:
        DatasetError: the folder holds something else, or cannot be written.
    """
    check_engine(LOCAL, n_workers)
    starts = range(0, len(plan.pictures), BLOCK)
    try:
        with lock_folder(folder):
            records = _open_folder(plan, folder)
            todo = [start for start in starts if start not in records]
            n_done = len(plan.pictures) - sum(len(_cut(plan, start)) for start in todo)
            on_progress("scenes", n_done, len(plan.pictures))
            draw = functools.partial(_draw_block, plan, folder)
            for start, rows in run_tasks(draw, todo, n_workers):
                records[start] = rows
                n_done += len(rows)
                on_progress("scenes", n_done, len(plan.pictures))
            return _close_folder(plan, folder, [row for s in starts for row in records[s]])
    except OSError as error:
        raise DatasetError(explain_failure(folder, error)) from error


def _cut(plan: ScenePlan, start: int) -> Sequence[Picture]:
    return plan.pictures[start : start + BLOCK]


def _draw_block(plan: ScenePlan, folder: Path, start: int) -> tuple[int, list[dict[str, Any]]]:
    """Draw a block of scenes and return its start and its records."""
    rows = []
    for index, picture in enumerate(_cut(plan, start), start):
        scene = sample_scene(
            picture.texts, plan.fonts,
            name=picture.name, split=picture.split, seed=plan.seed, index=index,
        )  # fmt: skip
        drawn = draw_scene(scene, plan.fonts)
        path = folder / "images" / f"{picture.name}.jpg"
        content = encode_pixels(drawn.pixels, "jpg", JPEG_QUALITY)
        replace_file(path, content)
        queries = [] if plan.given else ask_about(scene)
        rows.append(
            {
                "name": picture.name,
                "split": picture.split,
                "boxes": dict(zip(picture.texts, drawn.boxes, strict=True)),
                "queries": [(query.question, query.answer) for query in queries],
                "lost": drawn.lost,
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        )
    replace_file(_name_record(folder, start), to_json(seal({"rows": rows})))
    return start, rows


def _name_record(folder: Path, start: int) -> Path:
    return folder / RECORDS / f"{start:09d}.json"


def _open_folder(plan: ScenePlan, folder: Path) -> dict[int, list[dict[str, Any]]]:
    """Start or resume a folder; return the records of its finished blocks, by their start."""
    path = folder / "scenes.json"
    described = _describe(plan)
    if path.exists():
        _check_begun(folder, described)
    elif any(each.suffix != PART for each in folder.iterdir()):
        raise DatasetError(f"{folder} contains something else; give a new or an empty folder")
    if not path.exists():
        # Written first, because a folder with other files and without it is not resumed.
        begun = seal({"format": FORMAT, "complete": False, "plan": described})
        replace_file(path, to_json(begun))
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / RECORDS).mkdir(exist_ok=True)
    records = {}
    for record in (folder / RECORDS).glob("*.json"):
        start = int(record.stem) if record.stem.isdecimal() else len(plan.pictures)
        rows = _read_rows(record, _cut(plan, start))
        images = folder / "images"
        if rows and all(
            hash_if_there(images / f"{r['name']}.jpg") == r["sha256"] for r in rows
        ):
            records[start] = rows
    return records


def _check_begun(folder: Path, described: Mapping[str, Any]) -> None:
    """Refuse a folder of another plan, or with an unreadable `scenes.json`."""
    path = folder / "scenes.json"
    try:
        begun, is_sealed = read_sealed(path)
    except DamageError as error:
        raise DatasetError(f"{path} is broken; give another folder") from error
    if not is_sealed or not isinstance(begun.get("plan"), dict):
        raise DatasetError(f"{path} is not the file that was written; give another folder")
    check_same_plan(folder, begun["plan"], described)


def _read_rows(record: Path, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
    """Return the records of a block of scenes; nothing if it must be drawn again."""
    try:
        content, is_sealed = read_sealed(record)
    except DatasetError:
        return []
    # Only this program writes sealed files, so they need no further checks.
    if CHECKSUM not in content or not is_sealed:
        return []
    rows: list[dict[str, Any]] = content["rows"]
    return rows if [row["name"] for row in rows] == [each.name for each in pictures] else []


def _close_folder(
    plan: ScenePlan, folder: Path, rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Write the annotations and the finished `scenes.json`, and return the latter."""
    n_questions, files = 0, dict[str, str]()
    for name, content in _list_annotations(plan, rows):
        n_questions += len(content["data"])
        written = to_json(content)
        files[name] = hashlib.sha256(written).hexdigest()
        replace_file(folder / name, written)
    lost = [{"scene": row["name"], "reason": text} for row in rows for text in row["lost"]]
    manifest = {
        "format": FORMAT,
        "complete": True,
        "plan": _describe(plan),
        "counts": {"scenes": len(rows), "questions": n_questions, "signs_not_drawn": len(lost)},
        "not_drawn": lost,
        "files": files | {f"images/{row['name']}.jpg": row["sha256"] for row in rows},
    }
    manifest = seal(manifest)
    replace_file(folder / "scenes.json", to_json(manifest))
    remove_parts(folder, below=True)
    for each in (folder / RECORDS).glob("*.json"):
        each.unlink()
    (folder / RECORDS).rmdir()
    return manifest


def _list_annotations(
    plan: ScenePlan, rows: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the names and contents of the annotation files."""
    if plan.given is not None:
        boxes = {row["name"]: row["boxes"] for row in rows}
        entries = list(plan.given.content["data"])
        data = [
            entries[row] | {"answer_box": boxes[asked.picture].get(asked.answer)}
            for row, asked in zip(plan.given.rows, plan.given.items, strict=True)
        ]
        yield plan.file, {**plan.given.content, "data": data}
        return
    for split in ("train", "val"):
        asked = [
            (row, query) for row in rows if row["split"] == split for query in row["queries"]
        ]
        data = [
            _format_entry(row, query, number)
            for number, (row, query) in enumerate(asked)
            if row["boxes"][query[1]] is not None
        ]
        head = {"dataset_type": split, "dataset_name": "textvqa", "dataset_version": "0.5.1"}
        yield f"{split}.json", {**head, "data": data}


def _format_entry(row: Mapping[str, Any], query: Sequence[str], number: int) -> dict[str, Any]:
    question, answer = query
    return {
        "question_id": number,
        "question": question,
        "question_tokens": question.rstrip("?").split(),
        "image_id": row["name"],
        "image_classes": ["Sign"],
        "flickr_original_url": "",
        "flickr_300k_url": "",
        "image_width": SIDE_PX,
        "image_height": SIDE_PX,
        "answers": [answer] * N_ANSWERS,
        "answer_box": row["boxes"][answer],
        "set_name": row["split"],
    }


def _describe(plan: ScenePlan) -> dict[str, Any]:
    return {
        "seed": plan.seed,
        "n_scenes": len(plan.pictures),
        "source": dict(plan.source),
        "fonts": {font.file: font.sha256 for font in plan.fonts.fonts.values()},
        "versions": list_versions(),
    }
