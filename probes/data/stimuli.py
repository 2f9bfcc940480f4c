"""Stimuli: the pictures of a design, drawn as they are needed, or those of a dataset."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from probes.data.designs import Trial, hash_trials
from probes.data.images import EXTENSIONS, find_broken, read_image
from probes.data.shapes import lay_picture
from probes.embeddings.images import Chunk, Stimulus
from probes.errors import ProbeError
from synthtext.dataset.codec import decode, decode_fields
from synthtext.dataset.manifest import read_manifest
from synthtext.dataset.plan import SENTIMENTS, list_versions
from synthtext.dataset.shards import read_samples
from synthtext.dataset.verify import check_split, open_shards
from synthtext.drawing.degradations import jpeg
from synthtext.drawing.fonts import Catalogue, read_catalogue
from synthtext.drawing.rendering import Rendering, render
from synthtext.errors import SynthtextError
from synthtext.spec import Spec, spec_from_dict

CHUNK = 256
"""Pictures that are drawn and embedded at a time."""

N_WINDOWS = 3
"""Windows to a row and to a column."""

SPLITS = ("test", "val", "train")
"""The split that is probed is the first of these that a dataset has."""

PUBLISHED = {"test": "test", "val": "valid", "train": "train"}
"""What Rendered SST2 calls its splits."""


def draw_stimuli(trials: Sequence[Trial]) -> list[Chunk]:
    """Return chunks that draw the trials, in order."""
    return [
        functools.partial(_draw_chunk, tuple(trials[at : at + CHUNK]))
        for at in range(0, len(trials), CHUNK)
    ]


def draw_windows(trials: Sequence[Trial]) -> list[Chunk]:
    """Return chunks that draw each trial whole, and then every window of it."""
    return [
        functools.partial(_draw_window_chunk, tuple(trials[at : at + CHUNK // 8]))
        for at in range(0, len(trials), CHUNK // 8)
    ]


def list_windows(width_px: int, height_px: int) -> list[tuple[int, int, int, int]]:
    """Return the windows of a picture, left, top, right, bottom in px, row by row.

    Each is half as wide and half as high as the picture, and they overlap by half.
    """
    return [
        (left, top, left + width_px // 2, top + height_px // 2)
        for top in np.linspace(0, height_px - height_px // 2, N_WINDOWS).astype(int).tolist()
        for left in np.linspace(0, width_px - width_px // 2, N_WINDOWS).astype(int).tolist()
    ]


def hold_box(box: Sequence[float], width_px: int, height_px: int) -> list[bool]:
    """Return which windows of a picture hold a box whole; it is left, top, right, bottom."""
    left, top, right, bottom = box
    return [
        x0 <= left and y0 <= top and right <= x1 and bottom <= y1
        for x0, y0, x1, y1 in list_windows(width_px, height_px)
    ]


@dataclass(frozen=True)
class Shown:
    """The images of a dataset.

    Attributes:
        trials: one for each.
        chunks: read them, in the same order.
        files: what they are read from.
        broken: files that cannot be read, left out.
    """

    trials: list[Trial]
    chunks: list[Chunk]
    files: tuple[Path, ...]
    broken: tuple[str, ...] = ()


def read_trials(folder: Path, split: str | None = None, *, verify: bool = True) -> Shown:
    """Return the images of a dataset.

    Args:
        folder: one that `synthtext render` wrote, or Rendered SST2 as it is published:
            `train|valid|test/negative|positive/*.png`.
        split: `train`, `val` or `test`; None takes test, or what there is.
        verify: whether shards must be those that were written, and hold samples of their split.

    Raises:
        ProbeError: there are no such pictures.
        DatasetError: the dataset has no such split, or is not finished.
        ShardError: a shard is missing, broken or not what was written.
    """
    if is_published(folder):
        return _read_published(folder, split)
    found = read_manifest(folder, verify=verify)["splits"]
    chosen = split or next((name for name in SPLITS if name in found), SPLITS[0])
    files, trials = [], []
    for file in open_shards(folder, chosen, verify=verify):
        files.append(file)
        for sample in read_samples(file):
            spec = spec_from_dict(decode_fields(sample))
            if verify:
                check_split(file, sample.key, spec.split)
            trials.append(Trial(sample.key, spec))
    chunks: list[Chunk] = [functools.partial(_read_chunk, file) for file in files]
    return Shown(trials, chunks, tuple(files))


def is_published(folder: Path) -> bool:
    """Return whether a folder has reviews as pictures, in folders by split and label."""
    return not (folder / "dataset.json").exists() and any(
        (folder / split / SENTIMENTS[1]).is_dir() for split in PUBLISHED.values()
    )


def name_stimuli(trials: Sequence[Trial], files: Sequence[Path]) -> str:
    """Return what caches of these pictures are keyed by: what is shown, and its bytes.

    Args:
        trials: what is shown.
        files: what the pictures are read from, shards or pictures; or the fonts that draw them.
    """
    versions = json.dumps(list_versions(), sort_keys=True)
    return " ".join([hash_trials(trials), hash_files(files), versions])


def name_drawn(trials: Sequence[Trial], fonts: Catalogue) -> str:
    """Return what caches of pictures that are drawn by these fonts are keyed by."""
    return name_stimuli(
        trials, [fonts.path_of(file) for file in sorted({trial.spec.font for trial in trials})]
    )


def hash_files(files: Sequence[Path]) -> str:
    """Return a SHA-256 of what some files hold, in their order.

    Size and time of change would not do: a file that is replaced may keep both.
    """
    digest = hashlib.sha256()
    with ThreadPoolExecutor() as threads:
        for part in threads.map(_hash_file, files):
            digest.update(part)
    return digest.hexdigest()


def _hash_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise ProbeError(
            f"{path} cannot be read ({error.strerror or error}); get it back and run the same"
            " command again"
        ) from error


def draw_trial(trial: Trial, fonts: Catalogue) -> Rendering:
    """Return the picture of a trial.

    Raises:
        ProbeError: it cannot be drawn; a design should not ask for it.
    """
    try:
        return render(trial.spec, fonts)
    except SynthtextError as error:
        raise ProbeError(f"the picture {trial.key} cannot be drawn: {error}") from error


def make_stimulus(key: str, rendering: Rendering) -> Stimulus:
    """Return a picture to embed, and what only drawing it tells."""
    height, width = rendering.pixels.shape[:2]
    return Stimulus(
        key,
        rendering.pixels,
        {
            "x_height_px": rendering.x_height_px,
            "contrast_drawn": rendering.contrast_drawn,
            "ink_drawn": rendering.ink_drawn,
            "size_px": rendering.spec.size_px,
            "width_px": width,
            "height_px": height,
        },
    )


def _read_published(folder: Path, split: str | None) -> Shown:
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
        raise ProbeError(f"{inner} holds no pictures; give negative/*.png and positive/*.png")
    chunks: list[Chunk] = [
        functools.partial(_read_files, tuple(readable[at : at + CHUNK]))
        for at in range(0, len(readable), CHUNK)
    ]
    return Shown(readable, chunks, tuple(Path(trial.file) for trial in readable), broken)


def _is_text(name: str) -> bool:
    """Return whether a name is UTF-8, as keys have to be; a name on disk may be any bytes."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _read_files(trials: Sequence[Trial]) -> list[Stimulus]:
    stimuli = []
    for trial in trials:
        pixels = read_image(Path(trial.file))
        height, width = pixels.shape[:2]
        unknown = dict.fromkeys(("x_height_px", "contrast_drawn", "size_px"), float("nan"))
        facts = {**unknown, "ink_drawn": "", "width_px": width, "height_px": height}
        stimuli.append(Stimulus(trial.key, pixels, facts))
    return stimuli


def _draw_chunk(trials: Sequence[Trial]) -> list[Stimulus]:
    cv2.setNumThreads(1)
    fonts = _open_catalogue()
    stimuli = []
    for trial in trials:
        stimulus = make_stimulus(trial.key, draw_trial(trial, fonts))
        pixels = jpeg(stimulus.pixels, trial.spec.jpeg_quality)
        if trial.picture:
            pixels = lay_picture(pixels, trial.picture, trial.spec.paper_seed)
        stimuli.append(Stimulus(stimulus.key, pixels, stimulus.facts))
    return stimuli


def _draw_window_chunk(trials: Sequence[Trial]) -> list[Stimulus]:
    cv2.setNumThreads(1)
    fonts = _open_catalogue()
    stimuli = []
    for trial in trials:
        rendering = draw_trial(trial, fonts)
        whole = make_stimulus(trial.key, rendering)
        corners = rendering.word_quads.reshape(-1, 2)
        box = [*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist()]
        stimuli.append(Stimulus(whole.key, whole.pixels, {**whole.facts, "word_box": box}))
        height, width = rendering.pixels.shape[:2]
        for number, (left, top, right, bottom) in enumerate(list_windows(width, height)):
            crop = np.ascontiguousarray(rendering.pixels[top:bottom, left:right])
            stimuli.append(Stimulus(f"{trial.key}@{number}", crop))
    return stimuli


def _read_chunk(path: Path) -> list[Stimulus]:
    return [make_stimulus(sample.key, decode(sample)) for sample in read_samples(path)]


@functools.cache
def _open_catalogue() -> Catalogue:
    return read_catalogue()
