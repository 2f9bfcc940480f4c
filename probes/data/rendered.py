"""Datasets on disk -> trials: those of `synthtext render`, and Rendered SST2 as published."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from probes.data.images import EXTENSIONS, find_broken, read_image
from probes.data.stimuli import CHUNK, make_stimulus
from probes.data.trials import ALL, Chunk, Stimulus, Trial
from probes.errors import ProbeError
from synthtext.dataset.codec import decode, decode_fields
from synthtext.dataset.manifest import read_manifest
from synthtext.dataset.plan import SENTIMENTS
from synthtext.dataset.shards import read_samples
from synthtext.dataset.verify import check_split, open_shards
from synthtext.spec import Spec, spec_from_dict

SPLITS = ("test", "val", "train")
"""By default, the first of these that a dataset has."""


PUBLISHED = {"test": "test", "val": "valid", "train": "train"}
"""The names of the splits in Rendered SST2."""


@dataclass(frozen=True)
class Shown:
    """The images of a dataset.

    Attributes:
        trials: one for each image.
        chunks: functions that read the images, in the same order.
        files: the files that they are read from.
        broken: files that cannot be read and were left out.
    """

    trials: list[Trial]
    chunks: list[Chunk]
    files: tuple[Path, ...]
    broken: tuple[str, ...] = ()


def read_trials(
    folder: Path,
    split: str | None = None,
    *,
    verify: bool = True,
    limit: int | None = None,
    seed: int = 0,
) -> Shown:
    """Return the images of a dataset.

    Args:
        folder: one that `synthtext render` wrote, or Rendered SST2 as it is published:
            `train|valid|test/negative|positive/*.png`.
        split: `train`, `val`, `test` or `all`; None takes test, or else the first that exists.
        verify: whether to verify the checksums of shards and the splits of their samples.
        limit: number of images to take at random; None takes all.
        seed: for that choice.

    Raises:
        ProbeError: there are no such images.
        DatasetError: the dataset has no such split, or is incomplete.
        ShardError: a shard is missing, broken or changed.
    """
    if is_published(folder):
        if split == ALL:
            raise ProbeError(
                f"{folder} is published in splits; choose one of {', '.join(SPLITS)}"
            )
        return _read_published(folder, split, limit, seed)
    found = read_manifest(folder, verify=verify)["splits"]
    there = [name for name in SPLITS if name in found] or [SPLITS[0]]
    files, homes, trials = [], [], []
    for name in there if split == ALL else [split or there[0]]:
        for file in open_shards(folder, name, verify=verify):
            own = _read_specs(file, verify=verify)
            if not own:  # Possible with `verify=False`.
                continue
            files.append(file)
            trials += own
            homes += [file] * len(own)
    if limit is None or limit >= len(trials):
        chunks: list[Chunk] = [functools.partial(_read_chunk, file) for file in files]
        return Shown(trials, chunks, tuple(files))
    chosen_keys: dict[Path, set[str]] = {}
    places = choose_places(len(trials), limit, seed)
    for place in places:
        chosen_keys.setdefault(homes[place], set()).add(trials[place].key)
    chunks = [functools.partial(_read_chunk, file, keys) for file, keys in chosen_keys.items()]
    return Shown([trials[place] for place in places], chunks, tuple(chosen_keys))


def _read_specs(file: Path, *, verify: bool) -> list[Trial]:
    """Return the trials of a shard."""
    trials = []
    for sample in read_samples(file):
        spec = spec_from_dict(decode_fields(sample))
        if verify:
            check_split(file, sample.key, spec.split)
        trials.append(Trial(sample.key, spec))
    return trials


def choose_places(n: int, limit: int | None, seed: int) -> list[int]:
    """Return the indices of `limit` of n items, in order; of all items without a limit."""
    if limit is None or limit >= n:
        return list(range(n))
    chosen = np.random.default_rng(seed).choice(n, size=limit, replace=False)
    return [int(place) for place in np.sort(chosen)]


def is_published(folder: Path) -> bool:
    """Return whether a folder holds images of reviews, in folders by split and label."""
    return not (folder / "dataset.json").exists() and any(
        (folder / split / SENTIMENTS[1]).is_dir() for split in PUBLISHED.values()
    )


def _read_published(folder: Path, split: str | None, limit: int | None, seed: int) -> Shown:
    found = [name for name in SPLITS if (folder / PUBLISHED[name]).is_dir()]
    chosen = split or (found[0] if found else "")
    if chosen not in found:
        raise ProbeError(f"{folder} has no split {chosen!r}; it has {', '.join(found)}")
    inner = folder / PUBLISHED[chosen]
    trials: list[Trial] = []
    misnamed: list[str] = []
    for label, name in enumerate(SENTIMENTS):
        for path in sorted((inner / name).glob("*")):
            if not _is_text(str(path)):
                misnamed.append(f"{name}/{os.fsencode(path.name)!r}")
            elif path.suffix.lower() in EXTENSIONS:
                spec = Spec(seed=0, index=len(trials), split=chosen, kind="sentence",
                            text=path.stem, font="", label=label)  # fmt: skip
                trials.append(Trial(f"{name}-{path.name}", spec, file=str(path)))
    lost = find_broken([Path(trial.file) for trial in trials])
    readable = [trial for trial in trials if Path(trial.file) not in lost]
    broken = (*misnamed, *sorted(str(path.relative_to(inner)) for path in lost))
    if not readable:
        raise ProbeError(f"{inner} has no images; give negative/*.png and positive/*.png")
    readable = [readable[place] for place in choose_places(len(readable), limit, seed)]
    chunks: list[Chunk] = [
        functools.partial(read_files, tuple(readable[at : at + CHUNK]))
        for at in range(0, len(readable), CHUNK)
    ]
    return Shown(readable, chunks, tuple(Path(trial.file) for trial in readable), broken)


def _is_text(name: str) -> bool:
    """Return whether a name is UTF-8, which keys must be; names on disk may be any bytes."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def read_files(trials: Sequence[Trial]) -> list[Stimulus]:
    """Return the images of trials that are files, without facts from drawing."""
    stimuli = []
    for trial in trials:
        pixels = read_image(Path(trial.file))
        height, width = pixels.shape[:2]
        unknown = dict.fromkeys(("x_height_px", "contrast_drawn", "size_px"), float("nan"))
        facts = {
            **unknown,
            "ink_drawn": "",
            "letter_span": None,
            "width_px": width,
            "height_px": height,
        }
        stimuli.append(Stimulus(trial.key, pixels, facts))
    return stimuli


def _read_chunk(path: Path, keys: Collection[str] | None = None) -> list[Stimulus]:
    """Return the images of a shard, all of them or those with the given keys."""
    return [
        make_stimulus(sample.key, decode(sample))
        for sample in read_samples(path)
        if keys is None or sample.key in keys
    ]
