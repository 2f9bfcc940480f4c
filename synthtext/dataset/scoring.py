"""A dataset with a score for each image -> a copy with `p_read` in every `KEY.json`.

Shards, keys and images stay the same, so the copy is read and verified like any dataset. Images
left out by their score are recorded like those that could not be drawn.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from synthtext.dataset.codec import Sample, decode_fields
from synthtext.dataset.folders import (
    RECORDS,
    begin_folder,
    is_there,
    list_damaged,
    read_records,
    write_record,
)
from synthtext.dataset.generate import OnProgress, finish_dataset
from synthtext.dataset.manifest import (
    CLASSNAMES,
    NotDrawn,
    ShardRecord,
    describe_run,
    read_classnames_file,
    read_manifest,
    read_record,
)
from synthtext.dataset.sealing import hash_json
from synthtext.dataset.shards import read_samples, write_shard
from synthtext.dataset.verify import check_shard
from synthtext.errors import DatasetError, quote

FIELD = "p_read"
"""The field in `KEY.json`: the probability that the image is read, 0 to 1."""

SCORED = "scored"
"""The entry of a plan that describes the scores."""

DIGITS = 6
"""Number of decimals of a score."""

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip

KEEP = re.compile(rf"\s*{FIELD}\s*(>=|<=|>|<)\s*([0-9]*\.?[0-9]+)\s*")


@dataclass(frozen=True)
class Keep:
    """A condition for keeping images: a comparison of their score with a bound."""

    comparison: str
    bound: float

    def holds(self, score: float) -> bool:
        """Return whether an image with this score is kept."""
        return COMPARISONS[self.comparison](score, self.bound)

    def __str__(self) -> str:
        return f"{FIELD}{self.comparison}{self.bound:g}"


def parse_keep(text: str) -> Keep:
    """Return the condition in a value of `--keep`.

    >>> str(parse_keep("p_read > 0.90"))
    'p_read>0.9'

    Raises:
        DatasetError: it is not a comparison of the score with a number from 0 to 1.
    """
    found = KEEP.fullmatch(text)
    if found is None or not 0 <= float(found[2]) <= 1:
        raise DatasetError(
            f"--keep is {quote(text)}; compare the score with a number from 0 to 1, such as"
            f" '{FIELD}>0.9'"
        )
    return Keep(found[1], float(found[2]))


def describe_scored(
    source: Path, how: Mapping[str, Any], keep: Keep | None, *, verify: bool = True
) -> dict[str, Any]:
    """Return the initial `dataset.json` of a copy with scores.

    Args:
        source: a finished dataset without scores.
        how: the meaning and the origin of the scores, for `dataset.json`.
        keep: which images to keep; None keeps all.
        verify: whether the source must match its checksums.

    Raises:
        DatasetError: the source is unfinished, or already has scores.
    """
    manifest = read_manifest(source, verify=verify)
    if not manifest["complete"]:
        raise DatasetError(f"{source} is not finished; run the same render command again")
    if SCORED in manifest["plan"]:
        raise DatasetError(
            f"{source} already has scores; score the dataset that it was made from"
        )
    if verify and CLASSNAMES in list_damaged(source, manifest):
        raise DatasetError(
            f"{source / CLASSNAMES} is not the file that was written; render it again"
        )
    scored = {
        "field": FIELD, **how, "keep": None if keep is None else str(keep),
        "source": hash_json(manifest),
    }  # fmt: skip
    splits = {
        split: {name: value for name, value in row.items() if name != "drawn"}
        for split, row in manifest["splits"].items()
    }
    names = ("format", "duplicates_merged", "left_out_fonts")
    return {name: manifest[name] for name in names} | {
        "complete": False,
        "plan": {**manifest["plan"], SCORED: scored},
        "splits": splits,
        "files": {
            name: sha for name, sha in manifest.get("files", {}).items() if name == CLASSNAMES
        },
    }


def begin_scored(source: Path, out: Path, begun: Mapping[str, Any]) -> dict[str, Any] | None:
    """Start or resume the folder of a copy; return its `dataset.json` if it is finished.

    Raises:
        DatasetError: the folder holds something else, or a copy started with other settings,
            or the source has no `classnames.txt` that can be read.
    """
    if (out / "dataset.json").exists() and not (out / RECORDS).exists():
        manifest = read_manifest(out)
        rows = [read_record(row) for row in manifest.get("shards", [])]
        is_finished = manifest["complete"] and manifest["plan"] == begun["plan"]
        if is_finished and all(is_there(out, row) for row in rows):
            return manifest
    classnames = read_classnames_file(source)
    out.mkdir(parents=True, exist_ok=True)
    begin_folder(out, begun, classnames)
    for split in begun["splits"]:
        (out / split).mkdir(exist_ok=True)
    return None


def write_scored(
    source: Path,
    out: Path,
    begun: Mapping[str, Any],
    scores: Mapping[str, float],
    keep: Keep | None,
    *,
    on_progress: OnProgress = lambda *_: None,
) -> dict[str, Any]:
    """Write the shards of a copy that was started, finish it, and return its `dataset.json`.

    Existing shards are kept.

    Args:
        source: the dataset.
        out: its copy, from `begin_scored`.
        begun: from `describe_scored`.
        scores: the score of every image, by its key, 0 to 1.
        keep: as for `describe_scored`.
        on_progress: called after every shard.

    Raises:
        DatasetError: an image has no score.
        ShardError: a shard is missing, broken or changed.
    """
    rows = read_manifest(source, verify=False)["shards"]
    records = read_records(out)
    n_all = sum(row["n_samples"] for row in rows)
    n_done = 0
    for row in rows:
        if row["file"] not in records:
            check_shard(source, row)
            records[row["file"]] = _write_shard(source, out, row, scores, keep)
        n_done += row["n_samples"]
        on_progress("images", n_done, n_all)
    return finish_dataset(out, describe_run(begun, records))


def _write_shard(
    source: Path,
    out: Path,
    row: Mapping[str, Any],
    scores: Mapping[str, float],
    keep: Keep | None,
) -> ShardRecord:
    lost = list(read_record(row).not_drawn)
    n_shrunk = 0

    def choose() -> Iterator[Sample]:
        nonlocal n_shrunk
        for sample in read_samples(source / row["file"]):
            fields = decode_fields(sample)
            if sample.key not in scores:
                raise DatasetError(f"{source} contains {quote(sample.key)}, which has no score")
            score = round(scores[sample.key], DIGITS)
            if keep is not None and not keep.holds(score):
                reason = f"{FIELD} is {score:g}; only {keep} is kept"
                lost.append(NotDrawn(int(sample.key), str(fields["text"]), reason))
                continue
            n_shrunk += fields["size_px"] < fields["size_asked_px"]
            raw = orjson.dumps({**fields, FIELD: score})
            yield Sample(sample.key, {**sample.files, "json": raw})

    file = write_shard(out / row["file"], choose())
    record = ShardRecord(
        file=row["file"], first=row["first"], n_samples=file.n_samples, n_bytes=file.n_bytes,
        sha256=file.sha256, n_shrunk=n_shrunk,
        not_drawn=tuple(sorted(lost, key=lambda each: each.index)),
    )  # fmt: skip
    write_record(out, record)
    return record
