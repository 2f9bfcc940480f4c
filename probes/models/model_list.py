"""Lists of models to probe: a file of names and weights, and a folder for each model."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from probes.errors import ProbeError
from synthtext.errors import quote, shorten
from synthtext.files import read_file

MAX_BYTES = 1 << 20

MAX_MODELS = 1000

MAX_NAME_CHARS = 1000

MAX_FOLDER_CHARS = 80

COMMENT = re.compile(r"(^|\s)#.*")

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
"""Names that can be used for a folder unchanged."""

TAKEN = frozenset({"plots"})
"""Reserved names of other folders in the same place."""

REMEDY = "give a text file with a line for each model, its name and its weights"


@dataclass(frozen=True)
class WantedModel:
    """A model to probe, as values of `--model` and `--pretrained`."""

    name: str
    pretrained: str | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.pretrained}" if self.pretrained else self.name


def read_model_list(path: Path) -> tuple[WantedModel, ...]:
    """Return the models in a file: on each line a name and, optionally, weights.

    A name with a space must be quoted. Empty lines are ignored, and so is everything after a
    `#` at the beginning of a line or after a space.

    Raises:
        ProbeError: the file cannot be read, is not such a list, or is too long.
    """
    raw = read_file(path, MAX_BYTES, kind=ProbeError, remedy=REMEDY)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProbeError(f"{path} is not UTF-8 ({error.reason}); {REMEDY}") from error
    wanted = []
    for number, line in enumerate(text.split("\n"), start=1):
        words = _split_line(path, number, COMMENT.sub("", line.replace("\t", " ")).strip())
        if words:
            wanted.append(WantedModel(*words))
        if len(wanted) > MAX_MODELS:
            raise ProbeError(
                f"{path} lists more than {MAX_MODELS:,} models; give fewer at a time"
            )
    if not wanted:
        raise ProbeError(f"{path} lists no models; {REMEDY}")
    return tuple(wanted)


def _split_line(path: Path, number: int, line: str) -> list[str]:
    if not line.isprintable():
        raise ProbeError(
            f"{path} has a hidden character in line {number}, {quote(line)}; {REMEDY}"
        )
    try:
        words = shlex.split(line) if len(line) <= 2 * MAX_NAME_CHARS else [line] * 3
    except ValueError as error:
        raise ProbeError(
            f"{path} has an open quote in line {number}, {quote(line)}; {REMEDY}"
        ) from error
    if len(words) > 2 or any(not word or len(word) > MAX_NAME_CHARS for word in words):
        raise ProbeError(
            f"{path} has more than a name and weights in line {number}, {quote(line)}; put a"
            " name with a space in quotes"
        )
    return words


def name_folders(wanted: Sequence[WantedModel]) -> list[str]:
    """Return a folder name for each model, which depends only on that model.

    >>> name_folders([WantedModel("ViT-B-32", "openai"), WantedModel("../a b")])
    ['ViT-B-32@openai', 'a_b-2c2c791a']

    Raises:
        ProbeError: a model is listed twice.
    """
    for place, model in enumerate(wanted):
        if model in wanted[:place]:
            raise ProbeError(f"{shorten(str(model))} is listed twice; list each model once")
    return [_name_folder(model) for model in wanted]


def _name_folder(model: WantedModel) -> str:
    parts = [model.name, *([model.pretrained] if model.pretrained else [])]
    name = "@".join(parts)
    is_plain = all(PLAIN.fullmatch(part) for part in parts) and name not in TAKEN
    if is_plain and len(name) <= MAX_FOLDER_CHARS:
        return name
    # The hash distinguishes names that are equal after cutting and replacing.
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
    ends = [re.split(r"[/:]", part.rstrip("/"))[-1] for part in parts]
    safe = re.sub(r"[^A-Za-z0-9._+@-]+", "_", "@".join(ends)).lstrip("._+@-")
    return f"{safe[:MAX_FOLDER_CHARS] or 'model'}-{digest}"
