"""The layouts of `KEY.json` and `dataset.json` as JSON Schema, for other languages."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from synthtext.dataset.codec import FORMAT as SAMPLE_FORMAT
from synthtext.dataset.codec import LATER_MEASURED, MEASURED
from synthtext.dataset.manifest import FORMAT as DATASET_FORMAT
from synthtext.dataset.scoring import FIELD, SCORED
from synthtext.decks import COVER
from synthtext.drawing.bands import MAX_POINTS
from synthtext.factors import SPLITS
from synthtext.spec import BOUNDS, CHOICES, COLOURS, LATER, NAMES, TYPES
from synthtext.storage import replace_file

DRAFT = "https://json-schema.org/draft/2020-12/schema"

KINDS = {int: "integer", float: "number", str: "string", bool: "boolean"}

HEX = {"type": "string", "pattern": "^#[0-9a-f]{6}$"}

POINT = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}

QUADS = {
    "type": "array",
    "items": {"type": "array", "items": POINT, "minItems": 4, "maxItems": 4},
}

POLYGONS = {
    "type": "array",
    "items": {"type": "array", "items": POINT, "minItems": 4, "maxItems": MAX_POINTS},
}

HASH = {"type": "string", "pattern": "^[0-9a-f]{64}$"}

COUNT = {"type": "integer", "minimum": 0}

RUN = {
    "type": "array", "prefixItems": [COUNT, COUNT, {"type": "string"}],
    "minItems": 3, "maxItems": 3,
}  # fmt: skip
"""A part of a text: its first place, the place after its last one, the file of its font."""


def describe_sample() -> dict[str, Any]:
    """Return the schema of `KEY.json`. Readers ignore unknown names."""
    fields = {name: _describe_field(name) for name in NAMES}
    measured = {name: {"type": "number"} for name in MEASURED} | {"ink_drawn": HEX}
    places = {"type": "array", "items": {"type": "integer", "minimum": 1}}
    runs = {"type": "array", "items": RUN}
    quads = {
        "word_quads": QUADS, "char_quads": QUADS, "word_polygons": POLYGONS,
        "word_breaks": places, "font_runs": runs,
        "others_drawn": {"type": "array", "items": {"type": "string"}},
        "other_quads": QUADS,
    }  # fmt: skip
    properties = {
        "format": {"const": SAMPLE_FORMAT}, **fields, "drawn_text": {"type": "string"},
        **measured, **quads, FIELD: {"type": "number", "minimum": 0, "maximum": 1},
    }  # fmt: skip
    return {
        "$schema": DRAFT,
        "title": "KEY.json of a synthtext sample",
        "type": "object",
        "properties": properties,
        "required": [
            name for name in properties if name not in {*LATER, *LATER_MEASURED, FIELD}
        ],
    }


def describe_manifest() -> dict[str, Any]:
    """Return the schema of `dataset.json`, for an unfinished or a finished dataset."""
    shard = {
        "type": "object",
        "properties": {
            "file": {"type": "string"}, "first": COUNT, "n_samples": COUNT, "n_bytes": COUNT,
            "sha256": HASH, "n_shrunk": COUNT,
            "not_drawn": {"type": "array"},
        },
        "required": ["file", "first", "n_samples", "n_bytes", "sha256"],
    }  # fmt: skip
    plan = {
        "type": "object",
        "properties": {
            "seed": COUNT, "count": COUNT, "recipe": {"type": "object"},
            "texts": {"type": "object"}, "fonts": {"type": "object"},
            "versions": {"type": "object"}, SCORED: {"type": "object"},
            COVER: {"type": "object"},
        },
        "required": ["seed", "count", "recipe", "texts", "fonts", "versions"],
    }  # fmt: skip
    return {
        "$schema": DRAFT,
        "title": "dataset.json of a synthtext dataset",
        "type": "object",
        "properties": {
            "format": {"const": DATASET_FORMAT}, "complete": {"type": "boolean"}, "plan": plan,
            "counts": {"type": "object", "additionalProperties": COUNT},
            "splits": {"type": "object", "propertyNames": {"enum": list(SPLITS)}},
            "not_drawn": {"type": "array"}, "shards": {"type": "array", "items": shard},
            "files": {"type": "object", "additionalProperties": HASH}, "checksum": HASH,
        },
        "required": ["format", "complete", "plan", "splits"],
    }  # fmt: skip


def _describe_field(name: str) -> dict[str, Any]:
    expected = TYPES[name]
    if name in COLOURS:
        return dict(HEX)
    if expected == int | None:
        return {"type": ["integer", "null"]}
    described: dict[str, Any] = {"type": KINDS[expected]}
    if name in BOUNDS:
        bounds = BOUNDS[name]
        described |= {
            "minimum": bounds.low, "maximum": bounds.high, "description": bounds.meaning,
        }  # fmt: skip
    if name in CHOICES:
        described["enum"] = list(CHOICES[name])
    return described


SCHEMAS = {"sample-1": describe_sample, "dataset-1": describe_manifest}
"""Every schema by its name and version."""


def write_schemas(folder: Path) -> None:
    """Write every schema as NAME.json; `make fix` does so in docs/schemas."""
    for name, describe in SCHEMAS.items():
        text = json.dumps(describe(), indent=2) + "\n"
        replace_file(folder / f"{name}.json", text.encode())


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
