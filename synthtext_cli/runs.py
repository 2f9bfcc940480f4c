"""Folders of results: a run records its options, and no run overwrites another's results.

`run.json` has the command line, its options and hashes of its inputs; `run.toml` has the
options again, in the format of `--config`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer

from synthtext.files import hash_file
from synthtext_cli.config_file import format_options
from synthtext_cli.console import fail

RUN, OPTIONS, RESULT = "run.json", "run.toml", "summary.json"

MAX_BYTES = 1 << 20

APART = frozenset(
    {"out", "device", "overwrite", "compiled", "batch_size", "workers", "options_file"}
)
"""Options that do not change what is measured."""

INPUTS = frozenset(
    {"model", "pretrained", "data", "folder", "prompts", "vocabulary", "annotations", "val",
     "images", "mix", "real"}
)  # fmt: skip
"""Options that may be files or folders, identified by content instead of path."""

MAX_HASHED_BYTES = 64 << 30
"""Weights of the largest model that is loaded are smaller; a larger file is refused anyway."""

MAX_LISTED_BYTES = 1 << 30
"""The same for lists, prompts and annotations."""

WEIGHTS = frozenset({"model", "pretrained"})

Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the results of another run in --out.")
]


def check_run(
    context: typer.Context,
    out: Path,
    *,
    overwrite: bool,
    apart: Collection[str] = APART,
    begun: bool = False,
) -> None:
    """Refuse a folder that has the results of a run with other options or inputs.

    Args:
        context: context of the command.
        out: the folder.
        overwrite: whether another run in it may be replaced.
        apart: options that may differ.
        begun: whether a run without results counts as well.
    """
    has_run = (out / RESULT).exists() or (begun and (out / RUN).exists())
    if not overwrite and has_run:
        refuse_changes(out, find_changes(context, out, apart))


def refuse_changes(out: Path, changed: Collection[str] | None) -> None:
    """End the command if a folder has another run, according to `find_changes`."""
    if changed is None:
        fail(f"{out} has other results; give another --out, or --overwrite")
    if changed:
        listed = ", ".join(changed)
        fail(f"{out} has a run with other {listed}; give another --out, or --overwrite")


def find_changes(
    context: typer.Context, out: Path, apart: Collection[str] = APART
) -> list[str] | None:
    """Return the options and inputs in which a command differs from the run in a folder.

    Args:
        context: context of the command.
        out: the folder of the run.
        apart: options that may differ.

    Returns:
        None if the folder has no valid record of a run.
    """
    before = _read_run(out / RUN)
    if before is None:
        return None
    asked, inputs = _list_options(context), _hash_inputs(context, out)
    known = before.get("inputs")
    hashes = known if isinstance(known, dict) else {}
    return [
        name
        for name in asked
        if name not in apart
        and (
            hashes[name] != inputs[name]
            if name in inputs and name in hashes
            else before["options"].get(name) != asked[name]
        )
    ]


def note_run(context: typer.Context, out: Path, line: str = "") -> None:
    """Write the command line and its options, defaults included, into a folder of results.

    Args:
        context: context of the command.
        out: the folder.
        line: the command line, if it differs from that of this process.
    """
    if os.environ.get("RANK", "0") == "0":  # Under torchrun only the first process writes.
        from synthtext.storage import replace_file, write_json

        out.mkdir(parents=True, exist_ok=True)
        line = line or read_line()
        content = {
            "command": line,
            "options": _list_options(context),
            "inputs": _hash_inputs(context, out),
        }
        write_json(out / RUN, content)
        replace_file(out / OPTIONS, format_options(context, line).encode())


def read_line() -> str:
    """Return the command line of this process."""
    return shlex.join(["synthtext", *sys.argv[1:]])


def write_line(context: typer.Context) -> str:
    """Return the command line for the options of a command, without defaults."""
    words = ["synthtext", str(context.info_name)]
    for parameter in context.command.params:
        value = context.params.get(str(parameter.name))
        if parameter.name in ("options_file", "overwrite"):
            continue
        if value is None or value is False or value == parameter.default:
            continue
        option = max(parameter.opts, key=len)
        words += [option] if value is True else [option, str(value)]
    return shlex.join(words)


def _list_options(context: typer.Context) -> dict[str, object]:
    return {
        name: value if value is None or isinstance(value, bool | int | float) else str(value)
        for name, value in context.params.items()
    }


def _read_run(path: Path) -> dict[str, Any] | None:
    """Return the record of a run, or None if its file has no valid one."""
    if not path.is_file():  # A pipe would block until it has a writer.
        return None
    try:
        with path.open("rb") as file:
            noted = json.loads(file.read(MAX_BYTES))
        return noted if isinstance(noted["options"], dict) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _hash_inputs(context: typer.Context, out: Path) -> dict[str, str]:
    """Return a hash of the content of each option that is a file or a folder.

    Results inside a folder that is read are not part of its content.
    """
    inputs = {}
    for name in sorted(INPUTS & context.params.keys()):
        value = context.params[name]
        path = Path(str(value).removeprefix("responses:"))
        if value is not None and path.exists():
            most = MAX_HASHED_BYTES if name in WEIGHTS else MAX_LISTED_BYTES
            described = _describe_input(path, out, most)
            inputs[name] = hashlib.sha256(described.encode()).hexdigest()
    return inputs


def _describe_input(path: Path, out: Path, most: int) -> str:
    """Return the identity of a file or folder, whatever its path.

    It is the plan of a dataset, the bytes of a file or a model folder, or the file names and
    sizes in any other folder, which may be too large to read twice. A file of more bytes than
    `most` is known by its size: it is hashed before anything refuses it, and may have no end.
    """
    from synthtext.dataset.manifest import read_manifest

    if (path / "dataset.json").is_file():
        return json.dumps(read_manifest(path, verify=False)["plan"], sort_keys=True)
    if path.is_file():
        return str(_hash_or_measure(path, most))
    files = [
        each
        for each in sorted(path.rglob("*"))
        if each.is_file() and out.resolve() not in each.resolve().parents
    ]
    is_model = (path / "open_clip_config.json").is_file()
    return json.dumps(
        [
            [os.fsencode(each.relative_to(path)).hex(),
             _hash_or_measure(each, most if is_model else -1)]
            for each in files
        ]
    )  # fmt: skip


def _hash_or_measure(path: Path, most: int) -> str | int:
    """Return the SHA-256 of a file, or its size if that is more than `most`."""
    n_bytes = path.stat().st_size
    return hash_file(path) if n_bytes <= most else n_bytes
