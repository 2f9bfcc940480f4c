"""Stimuli: the images of a design, drawn as they are needed, or those of a dataset."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from probes.data.shapes import lay_picture
from probes.data.trials import Chunk, Stimulus, Trial, hash_trials
from probes.data.windows import list_windows
from probes.errors import ProbeError
from synthtext.dataset.plan import list_versions
from synthtext.drawing.degradations import jpeg
from synthtext.drawing.fonts import Catalogue, read_catalogue
from synthtext.drawing.rendering import Rendering, render
from synthtext.errors import SynthtextError
from synthtext.files import hash_file

CHUNK = 256
"""Number of images drawn and embedded at a time."""


def draw_stimuli(trials: Sequence[Trial]) -> list[Chunk]:
    """Return chunks that draw the trials, in order."""
    return [
        functools.partial(_draw_chunk, tuple(trials[at : at + CHUNK]))
        for at in range(0, len(trials), CHUNK)
    ]


def draw_windows(trials: Sequence[Trial]) -> list[Chunk]:
    """Return chunks that draw each trial whole, followed by each of its windows."""
    return [
        functools.partial(_draw_window_chunk, tuple(trials[at : at + CHUNK // 8]))
        for at in range(0, len(trials), CHUNK // 8)
    ]


def name_stimuli(trials: Sequence[Trial], files: Sequence[Path]) -> str:
    """Return the cache key of these images: a hash of what is shown and of the file contents.

    Args:
        trials: what is shown.
        files: the shards or images that are read, or the fonts that draw the images.
    """
    versions = json.dumps(list_versions(), sort_keys=True)
    return " ".join([hash_trials(trials), hash_files(files), versions])


def name_drawn(trials: Sequence[Trial], fonts: Catalogue) -> str:
    """Return the cache key of images drawn with these fonts."""
    return name_stimuli(
        trials, [fonts.path_of(file) for file in sorted({trial.spec.font for trial in trials})]
    )


def hash_files(files: Sequence[Path]) -> str:
    """Return a SHA-256 of the contents of files, in order.

    Size and modification time are not enough, since a replaced file may keep both.
    """
    digest = hashlib.sha256()
    with ThreadPoolExecutor() as threads:
        for part in threads.map(_hash_stimulus, files):
            digest.update(part)
    return digest.hexdigest()


def _hash_stimulus(path: Path) -> bytes:
    try:
        return bytes.fromhex(hash_file(path))
    except OSError as error:
        raise ProbeError(
            f"{path} cannot be read ({error.strerror or error}); restore it and run the same"
            " command again"
        ) from error


def draw_trial(trial: Trial, fonts: Catalogue) -> Rendering:
    """Return the image of a trial.

    Raises:
        ProbeError: it cannot be drawn; a design should exclude such trials.
    """
    try:
        return render(trial.spec, fonts)
    except SynthtextError as error:
        raise ProbeError(f"the image {trial.key} cannot be rendered: {error}") from error


def make_stimulus(key: str, rendering: Rendering) -> Stimulus:
    """Return an image to embed, with the facts known only from drawing it.

    `letter_span` is the box around the centres of the letters: left, top, right, bottom in px.
    """
    height, width = rendering.pixels.shape[:2]
    centres = rendering.char_quads.mean(axis=1)
    span = (
        [*centres.min(axis=0).tolist(), *centres.max(axis=0).tolist()] if len(centres) else None
    )
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
            "letter_span": span,
        },
    )


def show_trial(trial: Trial, fonts: Catalogue) -> Stimulus:
    """Return the image of a trial as a model sees it, after JPEG compression.

    Raises:
        ProbeError: it cannot be drawn; a design should exclude such trials.
    """
    drawn = make_stimulus(trial.key, draw_trial(trial, fonts))
    pixels = jpeg(drawn.pixels, trial.spec.jpeg_quality)
    if trial.picture:
        pixels = lay_picture(pixels, trial.picture, trial.spec.paper_seed)
    return Stimulus(drawn.key, pixels, drawn.facts)


def _draw_chunk(trials: Sequence[Trial]) -> list[Stimulus]:
    cv2.setNumThreads(1)
    fonts = _open_catalogue()
    return [show_trial(trial, fonts) for trial in trials]


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


@functools.cache
def _open_catalogue() -> Catalogue:
    return read_catalogue()
