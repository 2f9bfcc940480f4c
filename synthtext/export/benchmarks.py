"""The writers for benchmarks of vision-language models: VLMEvalKit and lmms-eval."""

from __future__ import annotations

import base64
import bisect
import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from synthtext.dataset.manifest import CLASSNAMES, read_classnames
from synthtext.errors import DatasetError
from synthtext.export.items import Item, Items
from synthtext.export.parquet_files import import_arrow, tabulate, write_groups
from synthtext.rng import draw_units
from synthtext.spec import spec_from_dict

LETTERS = "ABCD"

NEIGHBOURS = 60
"""Texts of the nearest lengths, from which the wrong options are chosen."""

N_PER_GROUP = 500
"""Images per Parquet row group."""

QUESTION = "Which text is written in the image?"
CLASS_QUESTION = "Which of these describes the text in the image?"
"""The question about a text with a class, such as a sentiment."""

TASK = """\
task: synthtext_{split}
dataset_path: parquet
dataset_kwargs:
  data_files:
    test: data.parquet
test_split: test
output_type: generate_until
doc_to_visual: image
doc_to_text: "What text is written in this image? Answer with the text alone."
doc_to_target: text
generation_kwargs:
  max_new_tokens: 256
  temperature: 0
  do_sample: false
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
    ignore_case: true
    ignore_punctuation: false
  - metric: anls
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
"""
"""A task for lmms-eval that needs no Python code."""

FEATURES = {
    "index": {"dtype": "int64", "_type": "Value"},
    "image": {"_type": "Image"},
    "text": {"dtype": "string", "_type": "Value"},
}
"""The columns, as Hugging Face datasets states them in a Parquet file."""


def write_vlmeval(items: Items, out: Path, folder: Path) -> None:
    """Write `synthtext_SPLIT.tsv` with up to four options per image, as VLMEvalKit reads it.

    The options are quoted because VLMEvalKit reads the file with pandas, which would take a
    word such as null for a missing value, and would parse digits as a number.

    Raises:
        DatasetError: the dataset has no second text to choose from.
    """
    names = read_classnames(folder)
    if len(names) < 2:
        raise DatasetError(
            f"{folder} has one text in {CLASSNAMES}, and a question with options needs two;"
            " export it to lmms-eval instead"
        )
    by_length = sorted((len(name), name) for name in names)
    path = out / f"synthtext_{out.name}.tsv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter="\t", lineterminator="\n")
        rows.writerow(["index", "image", "question", *LETTERS, "answer", "category"])
        for number, item in enumerate(items):
            if item.fields["label"] is None:
                question, (options, place) = QUESTION, _list_options(item, by_length)
            else:
                question, (options, place) = CLASS_QUESTION, _list_classes(item, names)
            quoted = [f'"{text}"' for text in options] + [""] * (len(LETTERS) - len(options))
            image = base64.b64encode(item.image).decode()
            kind = item.fields["font_category"]
            rows.writerow([number, image, question, *quoted, LETTERS[place], kind])


def _list_options(item: Item, by_length: Sequence[tuple[int, str]]) -> tuple[list[str], int]:
    """Return the options for an image, and the index of the right one.

    The wrong ones are texts of similar length from the dataset, in the same letter case.
    """
    spec = spec_from_dict(item.fields)
    near = bisect.bisect_left(by_length, (len(spec.text), spec.text))
    low = max(0, min(near - NEIGHBOURS // 2, len(by_length) - NEIGHBOURS))
    near_names = [name for _, name in by_length[low : low + NEIGHBOURS]]
    drawn = [replace(spec, text=name).drawn_text for name in near_names]
    return _mix(item, item.text, drawn)


def _list_classes(item: Item, names: Sequence[str]) -> tuple[list[str], int]:
    """Return the same for an image whose text has a class."""
    if item.label >= len(names):
        raise DatasetError(
            f"{item.name} is of class {item.label}, and {CLASSNAMES} has {len(names)} lines;"
            " render the dataset again"
        )
    low = max(0, min(item.label - NEIGHBOURS // 2, len(names) - NEIGHBOURS))
    return _mix(item, names[item.label], names[low : low + NEIGHBOURS])


def _mix(item: Item, right: str, others: Sequence[str]) -> tuple[list[str], int]:
    """Return the right option among wrong ones, in an order set by the image and the seed."""
    index = item.fields["index"] * (NEIGHBOURS + 1)
    units = draw_units(item.fields["seed"], "options", index, index + NEIGHBOURS + 1)[:, 0]
    shown = {right.casefold()}
    wrong: list[str] = []
    for place in np.argsort(units[: len(others)], kind="stable").tolist():
        if others[place].casefold() not in shown and len(wrong) < len(LETTERS) - 1:
            shown.add(others[place].casefold())
            wrong.append(others[place])
    at = int(units[-1] * (len(wrong) + 1))
    return [*wrong[:at], right, *wrong[at:]], at


def write_lmms_eval(items: Items, out: Path, _: Path) -> None:
    """Write `data.parquet` and `synthtext_SPLIT.yaml`, a task of lmms-eval: read the text."""
    pa = import_arrow()
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    described = json.dumps({"info": {"features": FEATURES}})
    schema = pa.schema(
        [("index", pa.int64()), ("image", image), ("text", pa.string())],
        metadata={"huggingface": described},
    )
    write_groups(out / "data.parquet", schema, tabulate(items, _make_row, N_PER_GROUP))
    (out / f"synthtext_{out.name}.yaml").write_text(TASK.format(split=out.name))


def _make_row(item: Item) -> dict[str, Any]:
    return {
        "index": item.fields["index"],
        "image": {"bytes": item.image, "path": item.name},
        "text": item.text,
    }
