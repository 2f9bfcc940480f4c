"""The structure of `dataset.json`, which is checked before use because it may be untrusted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from synthtext.dataset.plan import MAX_NUMBER, MAX_SHARDS
from synthtext.decks import COVER
from synthtext.errors import quote
from synthtext.factors import SPLITS
from synthtext.recipe import FORMATS

SHARD_FILE = re.compile(r"(train|val|test)/[0-9]{6,12}\.tar")

OTHER_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")
"""Allowed names of the other files of a dataset, which cannot lead outside the folder."""

SHA256 = re.compile(r"[0-9a-f]{64}")

Fits = Callable[[Any], bool]

Shape = Mapping[str, Fits]
"""Checks of the values, by name."""


def check_shape(manifest: Mapping[str, Any]) -> None:
    """Check the content of a `dataset.json`. Unknown names are ignored.

    Raises:
        ValueError: something is missing, of the wrong type, or out of bounds.
    """
    _check("", manifest, TOP, TOP_LATER)
    plan, splits = manifest["plan"], manifest["splits"]
    _check("plan ", plan, PLAN, PLAN_LATER)
    _check("recipe ", plan["recipe"], RECIPE)
    for kind, texts in plan["texts"].items():
        _check(f"texts {quote(kind)} ", texts, TEXTS)
    for split, row in splits.items():
        _check(f"split {quote(split)} ", row, SPLIT)
        if split not in SPLITS:
            raise ValueError(f"it has a split {quote(split)}")
    _check_size(plan, splits)
    if manifest["complete"]:
        _check("", manifest, COMPLETE)
        _check("counts ", manifest["counts"], COUNTS)
        for split, row in splits.items():
            _check(f"split {split} ", row, {"drawn": _is_count})
    for row in manifest.get("shards", ()):
        check_record(row)


def check_record(row: object) -> None:
    """Check the entry of a shard.

    Raises:
        ValueError: something is missing, of the wrong type, or out of bounds.
    """
    _check("a shard's ", row, RECORD)


def _check_size(plan: Mapping[str, Any], splits: Mapping[str, Any]) -> None:
    n_asked = sum(row["asked"] for row in splits.values())
    if n_asked != plan["count"]:
        raise ValueError(f"its splits have {n_asked} images, its plan has {plan['count']}")
    size = plan["recipe"]["shard_size"]
    n_shards = sum(-(-row["asked"] // size) for row in splits.values())
    if n_shards > MAX_SHARDS:
        raise ValueError(f"it asks for {n_shards} shards, and the limit is {MAX_SHARDS}")


def _check(where: str, row: object, needed: Shape, later: Shape | None = None) -> None:
    """Check the values of a table; those added in a later version may be missing."""
    if not isinstance(row, dict):
        raise ValueError(f"{where}is {quote(row)}")  # noqa: TRY004 - one type for all.
    for name, fits in needed.items():
        if name not in row:
            raise ValueError(f"{where}{name} is missing")
        if not fits(row[name]):
            raise ValueError(f"{where}{name} is {quote(row[name])}")
    for name, fits in (later or {}).items():
        if name in row and not fits(row[name]):
            raise ValueError(f"{where}{name} is {quote(row[name])}")


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_NUMBER


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and SHA256.fullmatch(value) is not None


def _is(kind: type) -> Fits:
    return lambda value: isinstance(value, kind)


def _maps_to(fits: Fits) -> Fits:
    """Return whether a value is a table with valid values."""
    return lambda value: isinstance(value, dict) and all(map(fits, value.values()))


def _lists(fits: Fits) -> Fits:
    """Return whether a value is a list of valid items."""
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _is_lost(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == LOST.keys()
        and all(fits(value[name]) for name, fits in LOST.items())
    )


def _is_shard_file(value: object) -> bool:
    # An untrusted name must not lead outside the folder.
    return isinstance(value, str) and SHARD_FILE.fullmatch(value) is not None


LOST: Shape = {"index": _is_count, "text": _is(str), "reason": _is(str)}

RECORD: Shape = {
    "file": _is_shard_file, "first": _is_count, "n_samples": _is_count, "n_bytes": _is_count,
    "sha256": _is_hash, "n_shrunk": _is_count, "not_drawn": _lists(_is_lost),
}  # fmt: skip

RECIPE: Shape = {
    "image_format": lambda value: isinstance(value, str) and value in FORMATS,
    "shard_size": lambda value: _is_count(value) and value > 0,
}

TEXTS: Shape = {"name": _is(str), "n_texts": _is_count, "sha256": _is(str)}

SPLIT: Shape = {"first": _is_count, "asked": _is_count, "n_texts": _maps_to(_is_count)}

PLAN: Shape = {
    "seed": _is_count, "count": _is_count, "recipe": _is(dict), "texts": _is(dict),
    "fonts": _maps_to(_is(str)),
    "versions": lambda value: _maps_to(_is(str))(value) and "synthtext" in value,
}  # fmt: skip

COVERED: Shape = {
    "alphabet": _is(str), "at_least": _is_count, "images": _maps_to(_is_count),
    "sha256": _is_hash,
}  # fmt: skip

PLAN_LATER: Shape = {
    "photos": lambda value: value is None or isinstance(value, str), "scored": _is(dict),
    COVER: lambda value: isinstance(value, dict) and not set(COVERED) - set(value)
    and all(fits(value[name]) for name, fits in COVERED.items()),
}  # fmt: skip

TOP: Shape = {
    "complete": _is(bool), "plan": _is(dict), "splits": _is(dict),
    "duplicates_merged": _is_count, "left_out_fonts": _lists(_is(str)),
}  # fmt: skip

TOP_LATER: Shape = {
    "files": lambda value: _maps_to(_is_hash)(value) and all(map(OTHER_FILE.fullmatch, value)),
    "not_drawn": _lists(_is_lost), "shards": _is(list),
}  # fmt: skip

COMPLETE: Shape = {"counts": _is(dict), "not_drawn": _is(list), "shards": _is(list)}

COUNTS: Shape = dict.fromkeys(
    ("asked", "drawn", "not_drawn", "shrunk", "bytes", "shards", "duplicates_merged"), _is_count
)
