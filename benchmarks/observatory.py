"""A comparison of the bundled reader, Tesseract and PP-OCRv4 on every factor and every font.

    python benchmarks/observatory.py OUT [--words 20] [--fonts DIR] [--kli FILE]
        [--readers bundled ocr:tesseract:eng:7 ocr:rapidocr]

Each reader sees the same images: words at every level of every factor from two baselines, and
words in every font at five sizes. Factors with a threshold and fonts are shown twice, with
other words and another seed. Results are kept in OUT, so that a run that was stopped continues;
`OUT/READER/PART.parquet` has a row for each image, `OUT/tables.md` the resulting tables, and
`OUT/calibration.png` the reliability diagram. `--kli` is the file of results of the Kept
Legibility Index, and `--fonts` a folder of fonts that are ranked too.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from observatory_tables import CURVES, FONT_SETS, OTHERS, K, draw_calibration, write_tables

from probes.data.designs import add_levels, make_trials, name_fonts
from probes.data.stimuli import name_drawn, show_trial
from probes.data.trials import Stimulus, Trial
from probes.embeddings.images import embed_renderings
from probes.embeddings.texts import find_cache_folder
from probes.factors import BASELINES, FACTORS
from probes.models.base import Model, identify_model
from probes.models.factory import load_model
from probes.models.prompts import WORDS
from probes.tasks.base import ProbeConfig, Question
from probes.tasks.outcomes import read_outcomes, write_outcomes
from probes.tasks.run import watch
from probes.tasks.vocabulary import Candidates, draw_some
from probes.tasks.words import choose_among_words, choose_shown, read_pool
from synthtext.drawing.fonts import Catalogue, read_catalogue
from synthtext.spec import Spec

READERS = ("bundled", "ocr:tesseract:eng:7", "ocr:rapidocr")
"""Mode 7 of Tesseract expects a single line of text."""

SMALL_SIZES_PX = (3.0, 4.0, 5.0)
"""Em sizes below those of a design, because PP-OCRv4 reads even the smallest of those."""

FONT_SIZES_PX = (4.0, 5.5, 7.5, 10.0, 14.0)

N_FONT_WORDS = 4
"""Number of words in each font at each size, for each of two seeds."""

N_SPARE = 4
"""Candidate words for each word that is shown, because not every word fits at all levels."""

N_OTHER = 8
"""Number of words at each level of a factor without a threshold."""

CHUNK = 128

TELL_S = 30
"""Seconds between two progress lines."""


@dataclass(frozen=True)
class Part:
    """Images that are shown to every reader.

    Attributes:
        trials: one for each image.
        pool: the candidates.
        seed: seed of the words, the noise and the question.
    """

    trials: tuple[Trial, ...]
    pool: Candidates
    seed: int = 0


def list_parts(n_words: int, fonts: Catalogue) -> dict[str, Part]:
    """Return the images to show, in parts."""
    directed = [name for name, row in FACTORS.items() if row.direction]
    others = [name for name, row in FACTORS.items() if not row.direction and name != "font"]
    parts: dict[str, Part] = {}
    known: set[str] = set()
    for seed, name in enumerate(CURVES):
        config = ProbeConfig(n=N_SPARE * n_words, seed=seed)
        pool = read_pool(config)
        fitting = choose_shown(config, pool, [*directed, *others])
        words = [word for word in fitting if word not in known][:n_words]
        known.update(words)
        parts[name] = Part(tuple(list_curves(words, directed, seed)), pool, seed)
        if seed == 0:
            levels = make_trials(words[:N_OTHER], others, seed)
            showable = pool.texts[: pool.n_showable]
            last = {
                OTHERS: Part(tuple(levels), pool),
                "fonts": Part(tuple(list_fonts(showable, fonts)), pool),
            }
    return {
        name: replace(part, trials=tuple(name_fonts(part.trials, fonts)))
        for name, part in {**parts, **last}.items()
    }


def list_curves(words: Sequence[str], factors: Sequence[str], seed: int) -> list[Trial]:
    """Return words at every level of the factors that have a threshold."""
    trials = make_trials(words, factors, seed)
    for baseline in BASELINES:
        # Every reader can read the smallest size of a design; these sizes extend the scan.
        trials += add_levels(trials, "size_px", baseline, SMALL_SIZES_PX, look=trials[0].look)
    return trials


def list_fonts(short: Sequence[str], fonts: Catalogue) -> list[Trial]:
    """Return words in every font at every size, twice, with different words the second time."""
    trials = []
    for seed, name in enumerate(FONT_SETS):
        words = draw_some(short, N_FONT_WORDS, "observatory", seed)
        trials += [
            Trial(
                f"{name}-{font}-{size_px}-{number}",
                Spec(seed=seed, index=number, split="test", kind="word", text=word, font=font,
                     size_px=size_px, width_px=224, height_px=224, noise_std=4.0,
                     noise_seed=seed * 104729 + number),
                name, "font", font,
            )
            for font in fonts.fonts
            for size_px in FONT_SIZES_PX
            for number, word in enumerate(words)
        ]  # fmt: skip
    return trials


def measure(model: Model, part: Part, file: Path, fonts: Path | None) -> pd.DataFrame:
    """Return the outcomes of a reader, from an earlier run if it had the same images."""
    trials = part.trials
    named = name_drawn(trials, open_catalogue(fonts))
    stamp = file.with_suffix(".json")
    asked = {"images": named, "model": identify_model(model)}
    if stamp.exists() and json.loads(stamp.read_text()) == asked:
        return read_outcomes(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    began, last = time.perf_counter(), 0.0

    def tell(unit: str, n_done: int, n_all: int | None, *_: object) -> None:
        nonlocal last
        if unit == "images" and time.perf_counter() - last > TELL_S:
            last = time.perf_counter()
            print(f"{file.stem}: {n_done:,} of {n_all:,}, {last - began:.0f} s", flush=True)

    chunks = [
        functools.partial(draw_chunk, tuple(trials[at : at + CHUNK]), fonts)
        for at in range(0, len(trials), CHUNK)
    ]
    folder = file.parent / f".{file.stem}"
    embedded, stats = embed_renderings(
        watch(model, len(trials), tell), chunks, folder, stimuli=named
    )
    if embedded is None:
        raise SystemExit("start it without torchrun")
    templates = () if model.reader else WORDS
    question = Question(
        "words", part.pool, templates, (2, 10, K), K, part.seed, find_cache_folder()
    )
    outcomes = choose_among_words(question, model, trials, embedded)
    write_outcomes(file, outcomes)
    stamp.write_text(json.dumps(asked))
    shutil.rmtree(folder)
    print(f"{model.name}, {file.stem}: {stats.seconds:.0f} s for {stats.n_images:,} images")
    return outcomes


def draw_chunk(trials: Sequence[Trial], fonts: Path | None) -> list[Stimulus]:
    """Return the images of some trials."""
    catalogue = open_catalogue(fonts)
    return [show_trial(trial, catalogue) for trial in trials]


@functools.cache
def open_catalogue(fonts: Path | None) -> Catalogue:
    """Return the bundled fonts and those of a folder."""
    return read_catalogue(fonts)


def is_here(name: str) -> bool:
    """Return whether a reader is installed."""
    if name.startswith("ocr:tesseract"):
        return shutil.which("tesseract") is not None
    return (
        name != "ocr:rapidocr" or importlib.util.find_spec("rapidocr_onnxruntime") is not None
    )


def main() -> None:
    """Measure the installed readers and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--words", type=int, default=20)
    parser.add_argument("--fonts", type=Path)
    parser.add_argument("--kli", type=Path)
    parser.add_argument("--readers", nargs="+", default=READERS)
    asked = parser.parse_args()
    fonts = open_catalogue(asked.fonts)
    parts = list_parts(asked.words, fonts)
    print(f"{sum(len(part.trials) for part in parts.values()):,} images", flush=True)
    models = [load_model(name, device="cpu") for name in asked.readers if is_here(name)]
    found: dict[str, dict[str, pd.DataFrame]] = {}
    for name, part in parts.items():
        found[name] = {
            model.name: measure(
                model, part, asked.out / model.name.replace(":", "-") / f"{name}.parquet",
                asked.fonts,
            )
            for model in models
        }  # fmt: skip
    write_tables(asked.out, found, fonts, asked.kli)
    draw_calibration(found[CURVES[0]], asked.out / "calibration.png")


if __name__ == "__main__":
    main()
