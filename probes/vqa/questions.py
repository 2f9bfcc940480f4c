"""Questions about images, as vectors, and the candidate answers."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from probes.arrays import Vectors
from probes.data.images import EXTENSIONS, find_broken, read_image
from probes.data.stimuli import hash_files
from probes.data.trials import Chunk, Stimulus
from probes.data.windows import N_WINDOWS, list_windows
from probes.embeddings.images import embed_renderings
from probes.errors import ProbeError
from probes.metrics.vqa_accuracy import normalise_answer
from probes.models.base import Model
from synthtext.vqa.textvqa import Asked

CHUNK = 32
"""Number of images read and embedded at a time, with all their windows."""


Ints = NDArray[np.int64]


@dataclass(frozen=True)
class QuestionSet:
    """Questions, and the vectors of their images.

    Attributes:
        questions: N questions.
        rows: int64 (N,), the index of each question's image.
        images: float32 (M, D), unit length.
        windows: float32 (M, W, D), the windows of each image; W is 0 if none were cut.
        sizes: int64 (M, 2), width and height of each image in px.
        queries: float32 (N, D), the questions as texts.
        files: the file of each image by its name.
        broken: a sentence for each question that cannot be asked because its image is missing.
    """

    questions: tuple[Asked, ...]
    rows: Ints
    images: Vectors
    windows: Vectors
    sizes: Ints
    queries: Vectors
    files: Mapping[str, Path]
    broken: tuple[str, ...]


@dataclass(frozen=True)
class Candidates:
    """The candidate answers.

    Attributes:
        texts: K texts, the most frequent first.
        vectors: float32 (K, D), unit length.
    """

    texts: tuple[str, ...]
    vectors: Vectors

    @functools.cached_property
    def place_of(self) -> dict[str, int]:
        """The index of each text."""
        return {text: place for place, text in enumerate(self.texts)}


def list_candidates(questions: Sequence[Asked], n: int) -> tuple[str, ...]:
    """Return the most frequent human answers, in normalised form.

    Raises:
        ProbeError: fewer than two are requested or available.
    """
    if n < 2:
        raise ProbeError(f"candidates is {n}; it must be 2 or more")
    counts = Counter(
        normalise_answer(answer) for asked in questions for answer in asked.answers
    )
    counts.pop("", None)
    if len(counts) < 2:
        raise ProbeError("the annotations have fewer than two answers; give more of them")
    return tuple(text for text, _ in counts.most_common(n))


def make_question_set(
    model: Model, questions: Sequence[Asked], folder: Path, cache: Path, *, windows: bool
) -> QuestionSet:
    """Return questions with the vectors of their images, without those whose image is missing.

    Args:
        model: embeds both.
        questions: the questions.
        folder: holds the images as `train/NAME.jpg`, as in annotations, or `NAME.jpg`.
        cache: keeps the vectors, so that a killed run can resume.
        windows: whether to embed the windows of the images as well.

    Raises:
        ProbeError: no image can be read, or this runs under torchrun.
    """
    paths, missing = _find_pictures(questions, folder)
    lost = find_broken(list(paths.values()))
    reasons = {
        name: f"{path} cannot be decoded" for name, path in paths.items() if path in lost
    }
    reasons |= {name: f"{folder} has no image {file}" for name, file in missing.items()}
    asked = [each for each in questions if each.picture not in reasons]
    if not asked:
        reason = next(iter(reasons.values()), "there are no questions")
        raise ProbeError(
            f"no question is usable: {reason}; give the right folder with --images"
        )
    names = list(dict.fromkeys(each.picture for each in asked))
    chunks: list[Chunk] = [
        functools.partial(_read_chunk, {n: paths[n] for n in names[at : at + CHUNK]}, windows)
        for at in range(0, len(names), CHUNK)
    ]
    shown = [hash_files([paths[name] for name in names]), windows, *names]
    embedded, _ = embed_renderings(model, chunks, cache, stimuli=json.dumps(shown))
    if embedded is None:
        raise ProbeError("questions run in one process; leave out torchrun")
    n_views = 1 + N_WINDOWS**2 * windows
    views = embedded.vectors.reshape(len(names), n_views, -1)
    place_of = {name: place for place, name in enumerate(names)}
    facts = embedded.facts[::n_views]
    return QuestionSet(
        questions=tuple(asked),
        rows=np.array([place_of[each.picture] for each in asked]),
        images=views[:, 0],
        windows=views[:, 1:],
        sizes=np.array([(fact["width_px"], fact["height_px"]) for fact in facts]),
        queries=model.encoder.embed_texts([each.question for each in asked]),
        files={name: paths[name] for name in names},
        broken=tuple(
            f"{reasons[each.picture]} (question {each.key})"
            for each in questions
            if each.picture in reasons
        ),
    )


def _find_pictures(
    questions: Sequence[Asked], folder: Path
) -> tuple[dict[str, Path], dict[str, str]]:
    """Return the file of each image that exists, and the names of those missing."""
    if not folder.is_dir():
        raise ProbeError(
            f"{folder} is not a folder; give the folder of the images with --images"
        )
    there = {
        path.stem: path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in EXTENSIONS
    }
    paths: dict[str, Path] = {}
    missing: dict[str, str] = {}
    for asked in questions:
        inner = folder / asked.file
        # An annotation may name any path; files outside the folder are not read.
        if inner.resolve().is_relative_to(folder.resolve()) and inner.is_file():
            paths[asked.picture] = inner
        elif asked.picture in there:
            paths[asked.picture] = there[asked.picture]
        else:
            missing[asked.picture] = asked.file
    return paths, missing


def _read_chunk(paths: Mapping[str, Path], windows: bool) -> list[Stimulus]:  # noqa: FBT001
    stimuli = []
    for name, path in paths.items():
        pixels = read_image(path)
        height, width = pixels.shape[:2]
        stimuli.append(Stimulus(name, pixels, {"width_px": width, "height_px": height}))
        cuts = list_windows(width, height) if windows else []
        for number, (left, top, right, bottom) in enumerate(cuts):
            crop = np.ascontiguousarray(pixels[top:bottom, left:right])
            stimuli.append(Stimulus(f"{name}@{number}", crop))
    return stimuli
