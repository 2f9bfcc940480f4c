"""A one-minute test of training crops: a network that learns the first and the last letter.

    python benchmarks/ends.py FOLDER ... --real FOLDER ... [--count 2180] [--steps 500]

`recogniser.py` trains a recogniser of whole words, which takes longer, because CTC has to learn
to align the letters. Here a small convolutional network (24 x 96 px) is trained from random
weights to classify the first and the last letter or digit of each word, whose positions are
known, and is tested on real words. The network, the number of images and the number of steps
are the same for every folder. Folders contain images and ICDAR's `gt.txt`, as `recogniser.py`
writes them.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from crnn import LETTERS, Images, list_words, make_columns, to_input
from numpy.typing import NDArray
from recogniser import N_DRAWS
from torch import Tensor, nn

HEIGHT_PX, WIDTH_PX = 24, 96

BATCH = 32

STRIDES = ((2, 2), (2, 2), (2, 1), (3, 1))
"""Strides of convolutions that turn 24 px of height into one row."""

RATE = 4e-3

REACH = 8
"""Columns of 4 px at each end from which the letter is predicted."""

Ints = NDArray[np.int64]


class Ends(nn.Module):
    """Convolutions over a word; the columns at each end predict a letter."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 24, 48, 80, 112)
        self.columns = make_columns(widths, STRIDES)
        self.ends = nn.ModuleList(nn.Linear(widths[-1] * REACH, len(LETTERS)) for _ in range(2))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the first and the last letter: (2, B, letters)."""
        columns = self.columns(images).squeeze(2)
        parts = columns[:, :, :REACH], columns[:, :, -REACH:]
        return torch.stack(
            [end(part.flatten(1)) for end, part in zip(self.ends, parts, strict=True)]
        )


def read(folder: Path, n_most: int | None = None) -> tuple[Images, Ints]:
    """Return images scaled to one size, uint8 (N, 24, 96), and both letters, (N, 2)."""
    images, ends = [], []
    for image, letters in list_words(folder, n_most):
        size = (WIDTH_PX, HEIGHT_PX)
        images.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        ends.append([LETTERS.index(letters[0]), LETTERS.index(letters[-1])])
    return np.stack(images), np.array(ends)


def train(images: Images, ends: Ints, steps: int, seed: int) -> Ends:
    """Return a network trained from random weights."""
    torch.manual_seed(seed)
    model = Ends().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.02)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    chance = np.random.default_rng(seed)
    for _ in range(steps):
        rows = chance.integers(0, len(ends), BATCH)
        first, last = model(to_input(images[rows], "cpu"))
        named = torch.from_numpy(ends[rows])
        loss = nn.functional.cross_entropy(first, named[:, 0])
        loss = loss + nn.functional.cross_entropy(last, named[:, 1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
    return model.eval()


@torch.inference_mode()
def check(model: Ends, images: Images, ends: Ints) -> NDArray[np.bool_]:
    """Return which letters are predicted correctly: bool (N, 2)."""
    parts = (to_input(images[at : at + 256], "cpu") for at in range(0, len(ends), 256))
    named = [model(part).argmax(2).T for part in parts]
    return torch.cat(named).numpy() == ends


def describe(right: NDArray[np.bool_]) -> str:
    """Return the accuracy over letters, in %, with a 95 % interval over seeds and words.

    Args:
        right: (seeds, words, 2).
    """
    rng = np.random.default_rng(0)
    n_seeds, n_words = right.shape[:2]
    found = [
        right[rng.integers(0, n_seeds, n_seeds)][:, rng.integers(0, n_words, n_words)].mean()
        for _ in range(N_DRAWS)
    ]
    low, high = np.quantile(found, [0.025, 0.975])
    return f"{100 * right.mean():.1f} ({100 * low:.1f} to {100 * high:.1f})"


def main() -> None:
    """Train on each folder, and print the accuracy on the real ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--real", type=Path, nargs="+", required=True)
    parser.add_argument("--count", type=int, default=2180)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True, help="JSON of results to add to")
    given = parser.parse_args()
    kept = json.loads(given.out.read_text()) if given.out.exists() else {}
    tests = {folder.name: read(folder) for folder in given.real}
    for folder in given.folders:
        images, ends = read(folder, given.count)
        for seed in given.seeds:
            if f"{folder.name} {seed}" in kept:
                continue
            begin = time.process_time()
            model = train(images, ends, given.steps, seed)
            kept[f"{folder.name} {seed}"] = {
                name: check(model, *test).tolist() for name, test in tests.items()
            }
            given.out.write_text(json.dumps(kept))
            print(folder.name, seed, f"{time.process_time() - begin:.0f} s", flush=True)
    for folder in given.folders:
        rows = [kept[f"{folder.name} {seed}"] for seed in given.seeds]
        cells = [f"{name} {describe(np.array([row[name] for row in rows]))}" for name in tests]
        print(folder.name, "; ".join(cells))


if __name__ == "__main__":
    main()
