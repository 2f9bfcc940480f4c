"""Ways to change a finished dataset, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from synthtext.dataset.plan import Plan, make_plan
from synthtext.dataset.sealing import seal
from synthtext.drawing.fonts import Catalogue
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.words import make_texts

REPAIR = "run the same render command with --repair, or get a new copy"

WAY_OUT = "run the same render command with --repair, or use it as it is with --no-verify"


def plan_words(fonts: Catalogue) -> Plan:
    """Return the plan of a dataset of several shards in each split."""
    words = [f"{a}{b}ord" for a in "bcdfglmnpstw" for b in "aeiou"]
    recipe = edit_recipe(default_recipe(), {"shard_size": "10"})
    texts = {"word": make_texts(words, [None] * len(words), "words")}
    return make_plan(recipe, texts, fonts, seed=3, count=60)


def read_all(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def swap_lines(raw: bytes) -> bytes:
    lines = raw.splitlines(keepends=True)
    return b"".join([lines[1], lines[0], *lines[2:]])


def flip_bit(raw: bytes) -> bytes:
    return raw[:9] + bytes([raw[9] ^ 1]) + raw[10:]


def cut_end(raw: bytes) -> bytes:
    return raw[: -len(raw) // 4]


def edit_manifest(
    folder: Path, change: Callable[[dict[str, Any]], object], *, sealed: bool = False
) -> None:
    path = folder / "dataset.json"
    manifest = orjson.loads(path.read_bytes())
    change(manifest)
    path.write_bytes(orjson.dumps(seal(manifest) if sealed else manifest))


def lose_shard(manifest: dict[str, Any]) -> None:
    row = manifest["shards"].pop(1)
    manifest["counts"]["shards"] -= 1
    manifest["counts"]["drawn"] -= row["n_samples"]
    manifest["counts"]["bytes"] -= row["n_bytes"]
    manifest["counts"]["shrunk"] -= row["n_shrunk"]
    manifest["splits"]["train"]["drawn"] -= row["n_samples"]


def change_font(manifest: dict[str, Any]) -> None:
    manifest["plan"]["fonts"]["Lato_700Bold.ttf"] = "0" * 64
