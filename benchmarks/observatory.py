"""A comparison of the bundled reader, Tesseract and PP-OCRv4 on every factor and every font.

    python benchmarks/observatory.py OUT [--words 20] [--fonts DIR] [--kli FILE]

Each reader sees the same images: words at every level of every factor from two baselines, and
words in every font at five sizes, the latter twice, with different words and another seed.
Results are kept in OUT, so that a run that was stopped continues; `OUT/READER/PART.parquet` has
a row for each image, and `OUT/tables.md` the resulting tables. With 20 words there are about
5,800 images, which take a quarter of an hour on one core. `--kli` is the file of results of the
Kept Legibility Index, and `--fonts` a folder of fonts that are ranked too.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from probes.data.designs import add_levels, make_trials, name_fonts
from probes.data.stimuli import name_drawn, show_trial
from probes.data.trials import Stimulus, Trial
from probes.embeddings.images import embed_renderings
from probes.embeddings.texts import find_cache_folder
from probes.factors import BASELINES, FACTORS
from probes.metrics.breakdown import tabulate_factor, tabulate_thresholds
from probes.metrics.intervals import clustered_accuracy
from probes.metrics.spelling import tabulate_answers
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

K = 100

FIGURES = ("exact, case folded", "character error rate", "nothing read")

FONT_SETS = ("fonts, seed 0", "fonts, seed 1")

CHUNK = 128

MIN_FONTS = 8
"""Minimum number of fonts to compare rankings; with five, they may agree by chance."""

TELL_S = 30
"""Seconds between two progress lines."""

N_DRAWS = 2000


def list_parts(n_words: int, fonts: Catalogue) -> tuple[dict[str, list[Trial]], Candidates]:
    """Return the images to show, in parts, and the candidate words."""
    directed = [name for name, row in FACTORS.items() if row.direction]
    others = [name for name, row in FACTORS.items() if not row.direction and name != "font"]
    config = ProbeConfig(n=N_SPARE * n_words)
    pool = read_pool(config)
    shown = choose_shown(config, pool, [*directed, *others])[:n_words]
    curves = make_trials(shown, directed, 0)
    for baseline in BASELINES:
        # Every reader can read the smallest size of a design; these sizes extend the scan.
        curves += add_levels(curves, "size_px", baseline, SMALL_SIZES_PX, look=curves[0].look)
    parts = {
        "thresholds": curves,
        "other factors": make_trials(shown[:N_OTHER], others, 0),
        "fonts": list_fonts(pool.texts[: pool.n_showable], fonts),
    }
    return {name: name_fonts(trials, fonts) for name, trials in parts.items()}, pool


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


def measure(
    model: Model, trials: Sequence[Trial], pool: Candidates, file: Path, fonts: Path | None
) -> pd.DataFrame:
    """Return the outcomes of a reader, from an earlier run if it had the same images."""
    named = name_drawn(trials, open_catalogue(fonts))
    stamp = file.with_suffix(".json")
    asked = {"images": named, "model": identify_model(model)}
    if stamp.exists() and json.loads(stamp.read_text()) == asked:
        return read_outcomes(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    began, last = time.perf_counter(), 0.0

    def tell(unit: str, n_done: int, n_all: int | None, *_: object) -> None:
        nonlocal last
        if unit == "pictures" and time.perf_counter() - last > TELL_S:
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
    question = Question("words", pool, templates, (2, 10, K), K, 0, find_cache_folder())
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


def format_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def show_interval(value: float, low: float, high: float) -> str:
    """Return a fraction with its interval, in percent."""
    return f"{100 * value:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def show_tau(a: pd.Series, b: pd.Series) -> str:
    """Return Kendall's tau-b of two scores of the same fonts, with its interval, as text."""
    if len(a.index.intersection(b.index)) < MIN_FONTS:
        return "too few fonts"
    tau, low, high = correlate(a, b)
    return f"{tau:.2f} ({low:.2f} to {high:.2f})"


def tabulate_headlines(found: dict[str, pd.DataFrame]) -> str:
    """Return a table of the accuracy of each reader and the scores of its answers."""
    rows = []
    for name, outcomes in found.items():
        overall = clustered_accuracy(outcomes["correct"], outcomes["word"])
        cells = [name, f"{len(outcomes):,}", show_interval(*overall)]
        if "answer" in outcomes:
            answers = tabulate_answers(outcomes).set_index("figure")[["value", "low", "high"]]
            cells += [show_interval(*answers.loc[figure]) for figure in FIGURES]
            cells.append(f"{int((outcomes['fault'] != '').sum())}")
        else:
            cells += [""] * (len(FIGURES) + 1)
        rows.append(cells)
    columns = ("reader", "images", f"1 of {K}, %", "exact, %", "character errors, %",
               "nothing read, %", "faults")  # fmt: skip
    return format_table(columns, rows)


def tabulate_all_thresholds(found: dict[str, pd.DataFrame]) -> str:
    """Return a table of every threshold of every reader."""
    tables = {
        name: tabulate_thresholds(outcomes).set_index(["unit", "baseline"])
        for name, outcomes in found.items()
    }
    places = [place for place in next(iter(tables.values())).index if "patches" not in place[0]]
    rows = []
    for place in places:
        cells = []
        for table in tables.values():
            row = table.loc[place]
            low, high = (
                "?" if pd.isna(row[end]) else f"{row[end]:.3g}" for end in ("low", "high")
            )
            level = "-" if pd.isna(row["level"]) else f"{row['level']:.3g}"
            cells.append(f"{level} ({low} to {high})" if row["reached"] else row["note"])
        rows.append([*place, *cells])
    return format_table(("threshold of", "baseline", *tables), rows)


def tabulate_levels(found: dict[str, pd.DataFrame]) -> str:
    """Return a table of the accuracy at each level of the factors without a threshold."""
    rows = []
    for factor, known in FACTORS.items():
        if known.direction or factor == "font":
            continue
        tables = [
            tabulate_factor(outcomes, factor).table.set_index(["baseline", "label"])
            for outcomes in found.values()
        ]
        rows += [
            (factor, *place, *(f"{100 * table.loc[place, 'accuracy']:.0f}" for table in tables))
            for place in tables[0].index
        ]
    return format_table(("factor", "baseline", "level", *found), rows)


def score_fonts(outcomes: pd.DataFrame, name: str) -> pd.Series:
    """Return the accuracy in each font, over sizes and words."""
    return outcomes[outcomes["baseline"] == name].groupby("level")["correct"].mean()


def correlate(a: pd.Series, b: pd.Series) -> tuple[float, float, float]:
    """Return Kendall's tau-b of two scores of the same fonts, with a 95 % interval.

    The interval resamples fonts, so it covers agreement on other fonts of these kinds.
    """
    pairs = pd.concat([a, b], axis=1, join="inner").to_numpy()
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(pairs), (N_DRAWS, len(pairs)))
    taus = [kendalltau(*pairs[rows].T).statistic for rows in drawn]
    low, high = np.nanquantile(taus, [0.025, 0.975])
    return float(kendalltau(*pairs.T).statistic), float(low), float(high)


def tabulate_ranks(found: dict[str, pd.DataFrame], fonts: Catalogue) -> str:
    """Return how similarly readers rank the bundled fonts, and how consistently each does."""
    bundled = set(read_catalogue().fonts) & set(fonts.fonts)
    pooled, rows = {}, []
    for name, outcomes in found.items():
        halves = [score_fonts(outcomes, each) for each in FONT_SETS]
        halves = [half[half.index.isin(bundled)] for half in halves]
        pooled[name] = (halves[0] + halves[1]) / 2
        rows.append((name, "itself, other words and seed", show_tau(*halves)))
    names = list(found)
    rows += [
        (one, other, show_tau(pooled[one], pooled[other]))
        for at, one in enumerate(names)
        for other in names[at + 1 :]
    ]
    table = format_table(
        ("reader", "against", "Kendall's tau"), [list(map(str, r)) for r in rows]
    )
    scores = pd.DataFrame(pooled).assign(mean=lambda all_: all_.mean(axis=1))
    scores = scores.sort_values("mean", ascending=False)
    listed = [
        [fonts.fonts[file].family, file, *(f"{100 * share:.0f}" for share in row[:-1])]
        for file, row in zip(scores.index, scores.to_numpy(), strict=True)
    ]
    return table + "\n" + format_table(("family", "font", *names), listed)


def tabulate_kli(found: dict[str, pd.DataFrame], fonts: Catalogue, path: Path) -> str:
    """Return how similarly readers and the Kept Legibility Index rank the fonts they share."""
    results = json.loads(path.read_text())["results"]
    index = pd.Series({name: row["grand_mean"] for name, row in results.items()})
    family_of = {file: font.family for file, font in fonts.fonts.items()}
    rows = []
    for name, outcomes in found.items():
        scores = sum(score_fonts(outcomes, each) for each in FONT_SETS) / len(FONT_SETS)
        own = scores.rename(index=family_of).groupby(level=0).mean()
        shared = own[own.index.isin(index.index)]
        listed = ", ".join(shared.index)
        rows.append((name, str(len(shared)), listed, show_tau(shared, index)))
    return format_table(("reader", "fonts", "which", "Kendall's tau with the index"), rows)


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
    asked = parser.parse_args()
    fonts = open_catalogue(asked.fonts)
    parts, pool = list_parts(asked.words, fonts)
    print(f"{sum(map(len, parts.values())):,} images", flush=True)
    readers = [name for name in READERS if is_here(name)]
    found: dict[str, dict[str, pd.DataFrame]] = {part: {} for part in parts}
    for name in readers:
        model = load_model(name, device="cpu")
        for part, trials in parts.items():
            file = asked.out / name.replace(":", "-") / f"{part}.parquet"
            found[part][name] = measure(model, trials, pool, file, asked.fonts)
    write_tables(asked.out, found, fonts, asked.kli)


def write_tables(
    out: Path, found: dict[str, dict[str, pd.DataFrame]], fonts: Catalogue, kli: Path | None
) -> None:
    """Write the results to `tables.md`, and print it."""
    tables = [
        "## Thresholds\n\n" + tabulate_headlines(found["thresholds"]),
        tabulate_all_thresholds(found["thresholds"]),
        "## Other factors\n\n" + tabulate_levels(found["other factors"]),
        "## Fonts\n\n" + tabulate_ranks(found["fonts"], fonts),
    ]
    if kli:
        tables.append("## Kept Legibility Index\n\n" + tabulate_kli(found["fonts"], fonts, kli))
    text = "\n".join(tables)
    (out / "tables.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
