"""Whether a recipe fitted to the crops of another generator teaches a recogniser to read them.

    python benchmarks/worlds.py PEERS OUT [--worlds TRDG SynthTIGER neots docTR-Synth]
        [--crops 800] [--count 3000] [--steps 1500] [--seeds 1] [--full]

Each peer draws crops, as in `recogniser.py`, and `synthtext fit` sees their images only. The
small recogniser of `recogniser.py` is trained on crops of `ocr-crops`, and on crops of the
fitted recipe; `--full` trains the large one. Both recipes draw the same list of words, so only
the appearance differs, and both recognisers read a thousand crops of the peer, with words that
neither was trained on. Prints word accuracy and character error rate, with 95 % intervals over
words and seeds, and the difference on the same words. Everything is kept in OUT, so that a run
that was stopped continues.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from recogniser import (
    N_TEST,
    PEERS,
    Errors,
    Training,
    describe,
    describe_difference,
    draw,
    measure,
    read,
    write_words,
)
from rich.console import Console
from rich.table import Table

from probes.fitting.drawing import Materials
from probes.fitting.fit import FitConfig, run_fit
from probes.fitting.wording import add_signs
from synthtext.drawing.fonts import read_catalogue
from synthtext.recipe import format_recipe
from synthtext.texts.words import read_words

DEFAULT = "ocr-crops"


def fit_world(crops: Path, out: Path, device: str) -> Path:
    """Return the file of a recipe that is fitted to a folder of crops.

    Args:
        crops: folder of the images; `gt.txt` is not read.
        out: folder for the recipe, and for the stages of all fits, which share the first round.
        device: where the estimator is trained.
    """
    recipe = out / f"fitted-{crops.name}.toml"
    if not recipe.exists():
        materials = Materials(add_signs(read_words("en").items, seed=0), read_catalogue())
        config = FitConfig(crops, device=device)
        begin = time.process_time()
        fitted = run_fit(config, materials, out / "stages", on_progress=show_progress)
        seen = fitted.two_sample
        interval = f"({100 * seen.low:.1f} to {100 * seen.high:.1f})"
        minutes = (time.process_time() - begin) / 60
        print(
            f"\n{crops.name}: {minutes:.1f} minutes of processor time; "
            f"told apart {100 * seen.accuracy:.1f} % {interval}", flush=True,
        )  # fmt: skip
        recipe.write_text(format_recipe(fitted.recipe))
    return recipe


def show_progress(unit: str, n_done: int, n_all: int | None, remark: str = "") -> None:
    """Print progress on one line."""
    print(f"\r{unit}: {n_done:,} of {n_all or 0:,} {remark}   ", end="", file=sys.stderr)


def main() -> None:
    """Draw, fit, train and test; print a row for each world."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--worlds", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--crops", type=int, default=800)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--full", action="store_true")
    given = parser.parse_args()
    out: Path = given.out
    taught, new = write_words(out)
    how = Training(given.steps, given.device, torch.float32, small=not given.full)
    tests = {
        world: read(draw(world, new, out / f"{world}-test", N_TEST, given.peers, 10**6))
        for world in given.worlds
    }

    def train_on(recipe: str) -> dict[str, Errors]:
        found = []
        for seed in range(given.seeds):
            folder = out / f"{Path(recipe).stem}-{given.count}-{seed}"
            draw(recipe, taught, folder, given.count, given.peers, seed)
            found.append(measure(folder, tests, how, seed, out))
        return {world: np.array([each[world] for each in found]) for world in tests}

    before = train_on(DEFAULT)
    table = Table("world", f"{DEFAULT}: words, %; CER, %", "fitted", "difference, points")
    for world, (_, texts) in tests.items():
        crops = draw(world, taught, out / f"{world}-{given.crops}", given.crops, given.peers, 0)
        after = train_on(str(fit_world(crops, out, given.device)))
        difference = describe_difference(after[world], before[world])
        cells = (describe(each[world], texts) for each in (before, after))
        table.add_row(world, *cells, difference)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
