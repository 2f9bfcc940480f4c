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

import cv2
import numpy as np
import torch
from ends import STRIDES
from recogniser import (
    COLUMN_PX,
    EVEN_FRAC,
    LETTERS,
    PEERS,
    Errors,
    Images,
    count_errors,
    describe,
    describe_difference,
    draw,
    list_words,
    make_columns,
    spread,
    to_input,
    write_words,
)
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from probes.fitting.drawing import Materials
from probes.fitting.fit import FitConfig, run_fit
from probes.fitting.wording import add_signs
from synthtext.drawing.fonts import read_catalogue
from synthtext.recipe_toml import format_recipe
from synthtext.texts.words import read_words

DEFAULT = "ocr-crops"

HEIGHT_PX, WIDTH_PX = 24, 64

LONGEST = 5

N_TEST = 500

BATCH, RATE = 32, 4e-3


class Crnn(nn.Module):
    """Convolutions over a word, a recurrent layer over its columns, CTC."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 24, 48, 80, 96)
        self.columns = make_columns(widths, STRIDES)
        self.line = nn.LSTM(widths[-1], 64, bidirectional=True, batch_first=True)
        self.name = nn.Linear(128, len(LETTERS) + 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the log probabilities of letters, (columns, B, letters), 0 for none."""
        columns = self.columns(images).squeeze(2).transpose(1, 2)
        return self.name(self.line(columns)[0]).log_softmax(2).transpose(0, 1)


def keep_short(out: Path) -> Path:
    """Return a file of short held-out words; write short words to train on to `taught.txt`."""
    taught, new = write_words(out)
    for file in (taught, new):
        short = [word for word in file.read_text().split() if len(word) <= LONGEST]
        file.write_text("\n".join(short))
    return new


def read(folder: Path) -> tuple[Images, list[str]]:
    """Return the images of a folder at one size, uint8 (N, 24, 64), and their letters."""
    images, texts = zip(*list_words(folder), strict=True)
    size = (WIDTH_PX, HEIGHT_PX)
    stretched = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]
    return np.stack(stretched), list(texts)


def train(images: Images, texts: list[str], steps: int, seed: int) -> Crnn:
    """Return a recogniser trained from random weights."""
    torch.manual_seed(seed)
    model = Crnn().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    chance = np.random.default_rng(seed)
    codes = [torch.tensor([LETTERS.index(letter) + 1 for letter in text]) for text in texts]
    columns = spread(texts, WIDTH_PX // COLUMN_PX)
    for step in range(steps):
        rows = chance.integers(0, len(texts), BATCH)
        scores = model(to_input(images[rows], "cpu"))
        if step < EVEN_FRAC * steps:
            loss = nn.functional.nll_loss(scores.permute(1, 2, 0), columns[rows])
        else:
            named = [codes[row] for row in rows.tolist()]
            loss = nn.functional.ctc_loss(
                scores, torch.cat(named), torch.full((BATCH,), len(scores)),
                torch.tensor([len(name) for name in named]), zero_infinity=True,
            )  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        rate.step()
    return model.eval()


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
    for seed in range(given.seeds):
        name = f"{Path(recipe).stem}-{given.count}"
        file = given.out / f"{name}-{given.steps}-{seed}.json"
        kept = json.loads(file.read_text()) if file.exists() else {}
        if not kept.keys() >= tests.keys():
            taught = given.out / "taught.txt"
            folder = draw(recipe, taught, given.out / name, given.count, given.peers, 0)
            model = train(*read(folder), given.steps, seed)
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
        world: read(draw(world, new, out / f"{world}-test", N_TEST, given.peers, 10**6))
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
