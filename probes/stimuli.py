"""Stimuli: the pictures of a design, drawn as they are needed, or those of a dataset."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from probes.designs import Trial, hash_trials
from probes.embeddings import Chunk, Stimulus
from probes.errors import ProbeError
from probes.pictures import lay_picture
from synthtext.codec import decode, decode_fields
from synthtext.degradations import jpeg
from synthtext.errors import SynthtextError
from synthtext.fonts import Catalogue, read_catalogue
from synthtext.manifest import read_manifest
from synthtext.render import Rendering, render
from synthtext.shards import read_samples
from synthtext.spec import spec_from_dict

CHUNK = 256
"""Pictures that are drawn and embedded at a time."""

N_WINDOWS = 3
"""Windows to a row and to a column."""

SPLITS = ("test", "val", "train")
"""The split that is probed is the first of these that a dataset has."""


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


def read_trials(folder: Path, split: str | None = None) -> tuple[list[Trial], list[Chunk]]:
    """Return the images of a dataset as trials, and chunks that read them, one for each shard.

    Args:
        folder: one that `synthtext render` wrote.
        split: `train`, `val` or `test`; None takes test, or what there is.

    Raises:
        ProbeError: the dataset has no such split, or is not finished.
        ShardError: a shard is missing or broken.
    """
    manifest = read_manifest(folder)
    found = manifest.get("splits", {})
    chosen = split or next((name for name in SPLITS if name in found), "")
    if chosen not in found:
        have = ", ".join(found) or "none yet; finish the render"
        raise ProbeError(f"{folder} has no split {chosen!r}; it has {have}")
    files = [row["file"] for row in manifest["shards"] if row["file"].startswith(f"{chosen}/")]
    trials = [
        Trial(sample.key, spec_from_dict(decode_fields(sample)))
        for file in files
        for sample in read_samples(folder / file)
    ]
    chunks: list[Chunk] = [functools.partial(_read_chunk, folder / file) for file in files]
    return trials, chunks


def name_stimuli(trials: Sequence[Trial]) -> str:
    """Return what caches of these pictures are keyed by."""
    return hash_trials(trials)


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
