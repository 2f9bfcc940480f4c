"""Whether a recipe fitted to crops of another generator is better for learning to read them.

    python benchmarks/worlds.py PEERS OUT [--worlds TRDG SynthTIGER neots docTR-Synth]
        [--crops 600] [--fit-count 4000] [--rounds 1] [--count 3000] [--steps 800] [--seeds 1]

Each peer draws crops, as in `recogniser.py`, and `synthtext fit` sees their images only. A
small recogniser is trained on crops of `ocr-crops` and on crops of the fitted recipe, which
draw the same list of words, so that only the appearance differs. Both then read 500 crops of
the peer, with words that neither was trained on. Prints word accuracy and character error
rate, with 95 % intervals over words and seeds, and the difference on the same words.
Everything is kept in OUT, so that a run that was stopped continues.

The recogniser is made for training in a minute on one core: its words have 3 to 5 letters,
crops are stretched to 24 x 64 px, and in the first quarter of the steps the letters are
assumed to be spread evenly, because CTC alone takes a thousand steps to begin to align them.
The crops that are fitted to have words of any length.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from crnn import Errors, Images, Size, Training, count_errors, read, train
from ends import STRIDES
from recogniser import PEERS, describe, describe_difference, draw, write_words
from rich.console import Console
from rich.table import Table

from probes.fitting.drawing import Materials
from probes.fitting.fit import FitConfig, run_fit
from probes.fitting.wording import add_signs
from synthtext.drawing.fonts import read_catalogue
from synthtext.recipe_toml import format_recipe
from synthtext.texts.words import read_words

DEFAULT = "ocr-crops"

SIZE = Size(
    height_px=24, width_px=64, widths=(1, 24, 48, 80, 96), strides=STRIDES, hidden=64, rate=4e-3
)

LONGEST = 5

N_TEST = 500


def keep_short(out: Path) -> Path:
    """Return a file of short held-out words; write short words to train on to `taught.txt`."""
    taught, new = write_words(out)
    for file in (taught, new):
        short = [word for word in file.read_text().split() if len(word) <= LONGEST]
        file.write_text("\n".join(short))
    return new


def fit_world(crops: Path, recipe: Path, count: int, rounds: int) -> str:
    """Return the name of a file with the recipe that is fitted to a folder of crops.

    Args:
        crops: folder of the images; `gt.txt` is not read.
        recipe: the file; beside it are the stages of all fits, which share the first round.
        count: crops drawn in the first round.
        rounds: number of rounds.
    """
    if not recipe.exists():
        materials = Materials(add_signs(read_words("en").items, seed=0), read_catalogue())
        config = FitConfig(crops, count=count, n_rounds=rounds, device="cpu")
        begin = time.process_time()
        fitted = run_fit(config, materials, recipe.parent / "stages", on_progress=show_progress)
        minutes, seen = (time.process_time() - begin) / 60, fitted.two_sample
        print(
            f"\n{crops.name}: {minutes:.1f} minutes of processor time; told apart "
            f"{100 * seen.accuracy:.1f} % ({100 * seen.low:.1f} to {100 * seen.high:.1f})"
        )
        recipe.write_text(format_recipe(fitted.recipe))
    return str(recipe)


def show_progress(unit: str, n_done: int, n_all: int | None, remark: str = "") -> None:
    """Print progress on one line."""
    print(f"\r{unit}: {n_done:,} of {n_all or 0:,} {remark}   ", end="", file=sys.stderr)


def measure(
    recipe: str, tests: dict[str, tuple[Images, list[str]]], given: argparse.Namespace
) -> dict[str, Errors]:
    """Return the wrong characters in every word of every test, int64 (seeds, words) each."""
    found = []
    how = Training(given.steps, "cpu", torch.float32)
    for seed in range(given.seeds):
        name = f"{Path(recipe).stem}-{given.count}"
        file = given.out / f"{name}-{given.steps}-{seed}.json"
        kept = json.loads(file.read_text()) if file.exists() else {}
        if not kept.keys() >= tests.keys():
            taught = given.out / "taught.txt"
            folder = draw(recipe, taught, given.out / name, given.count, given.peers, 0)
            model = train(*read(folder, SIZE), SIZE, how=how, seed=seed)
            kept = {
                each: count_errors(model, *test, "cpu").tolist() for each, test in tests.items()
            }
            file.write_text(json.dumps(kept))
        found.append(kept)
    return {world: np.array([each[world] for each in found]) for world in tests}


def main() -> None:
    """Draw, fit, train and test; print a row for each world."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--worlds", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--crops", type=int, default=600)
    parser.add_argument("--fit-count", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    out: Path = given.out
    long, _ = write_words(out / "words")
    new = keep_short(out)
    tests = {
        world: read(draw(world, new, out / f"{world}-test", N_TEST, given.peers, 10**6), SIZE)
        for world in given.worlds
    }
    before = measure(DEFAULT, tests, given)
    table = Table("world", f"{DEFAULT}: words, %; CER, %", "fitted", "difference, points")
    for world, (_, texts) in tests.items():
        crops = draw(world, long, out / f"{world}-crops", given.crops, given.peers, 0)
        fitted = fit_world(crops, out / f"fitted-{world}.toml", given.fit_count, given.rounds)
        after = measure(fitted, tests, given)
        cells = (describe(each[world], texts) for each in (before, after))
        table.add_row(world, *cells, describe_difference(after[world], before[world]))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
