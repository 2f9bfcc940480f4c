"""A small recogniser trained on the words of several generators, with equal numbers of steps.

    python benchmarks/recogniser.py PEERS OUT [--ours ocr-crops street mine.toml] [--seeds 3]
        [--real NAME=DIR ...] [--only-real] [--taught-by NAME=DIR ...] [--drawings 3]
        [--count 6000] [--steps 2000] [--bfloat16]

A CRNN (convolutions, a recurrent layer, CTC) is trained from random weights on images of the
same words in the same fonts, as drawn by each of our recipes and each peer. It then reads words
that it was not trained on, as drawn by every generator, and real words from folders with
ICDAR's `gt.txt` (`word_1.png, "Text"`). `--taught-by` also trains on such a folder, which shows
how far real training words go. PEERS is where `make peers` installed the other generators, each
used as released: TRDG with the effects of its command line, SynthTIGER with the template,
configuration, colour map and textures of its repository, neots with its minimal configuration,
docTR-Synth-Generator with its defaults and the backgrounds of its repository. Images and
results are kept in OUT, so that a run that was stopped continues. A second table has the
differences from each peer on the same words. `--only-real` leaves out the words that the
generators draw, and `--drawings 1` trains every seed on the same images, for when drawing takes
longer than training. `--bfloat16` is for GPUs: on a CPU, even one with instructions for it, so
small a network takes a third longer with it. In the first quarter of the steps the letters are
assumed to be spread evenly over the image, because CTC alone aligns them slowly.

A recipe of `synthtext fit` draws its own list of words, if that lies beside it. To compare it
on the same words, name a copy of the recipe without the list.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from probes.metrics.spelling import count_edits
from synthtext.dataset.codec import encode_pixels
from synthtext.dataset.map_style import stream
from synthtext.drawing.fonts import bundled_folder
from synthtext.errors import DrawError
from synthtext.texts.words import read_words

SCRIPTS = Path(__file__).parent / "peers"

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"

HEIGHT_PX, WIDTH_PX, COLUMN_PX = 32, 100, 4

BATCH, RATE = 32, 3e-3

EVEN_FRAC = 0.25
"""Fraction of the steps in which letters are assumed to be spread evenly."""

UNKNOWN = -100
"""The letter of a column between two letters, which is not trained on."""

N_TEST = 1000

N_DRAWS = 2000

PEERS = {
    "TRDG": ("trdg", "trdg_crops.py", ()),
    "SynthTIGER": ("synthtiger", "synthtiger_template.py", ("synthtiger-source",)),
    "neots": ("neots", "neots_crops.py", ()),
    "docTR-Synth": ("doctr", "doctr_crops.py", ("doctr-source",)),
}
"""The environment of each peer, the script that runs it, and folders that the script needs."""

Images = NDArray[np.uint8]
Errors = NDArray[np.int64]


def make_columns(widths: Sequence[int], strides: Sequence[tuple[int, int]]) -> nn.Module:
    """Return convolutions that turn an image into columns of `COLUMN_PX`."""
    return nn.Sequential(
        *(
            nn.Sequential(
                nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after),
                nn.ReLU(),
            )
            for before, after, stride in zip(widths[:-1], widths[1:], strides, strict=True)
        )
    )  # fmt: skip


class Crnn(nn.Module):
    """Convolutions over a word, a recurrent layer over its columns, CTC."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 24, 48, 80, 96, 128)
        self.columns = make_columns(widths, ((2, 2), (2, 2), (2, 1), (2, 1), (2, 1)))
        self.line = nn.LSTM(widths[-1], 96, bidirectional=True, batch_first=True)
        self.name = nn.Linear(192, len(LETTERS) + 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the log probabilities of letters, (columns, B, letters), 0 for none."""
        columns = self.columns(images).squeeze(2).transpose(1, 2)
        return self.name(self.line(columns)[0]).log_softmax(2).transpose(0, 1)


def draw(name: str, words: Path, out: Path, n: int, peers: Path, seed: int) -> Path:
    """Return a folder with n word images and `gt.txt`, drawn by a recipe of ours or a peer."""
    if (out / "gt.txt").exists():
        return out
    out.mkdir(parents=True, exist_ok=True)
    if name in PEERS:
        environment, script, needed = PEERS[name]
        subprocess.run(
            [peers / environment / "bin/python", SCRIPTS / script, words, bundled_folder(),
             out, str(n), str(seed), *(peers / each for each in needed)],
            check=True, capture_output=True,
        )  # fmt: skip
        return out
    lines = []
    # Beside a recipe of `synthtext fit` is a list of words with the lengths that it found.
    own = Path(name).with_suffix("") / "words.txt"
    words = own if own.exists() else words
    edits = {"splits": "1,0,0"}
    images = stream(name, str(words), count=n, seed=seed, edits=edits, errors="raise")
    for index in range(n):
        try:
            rendering = images[index]
        except DrawError:  # The word is too short for its arc, or leaves no ink.
            continue
        quality = rendering.spec.jpeg_quality
        (out / f"{index}.jpg").write_bytes(encode_pixels(rendering.pixels, "jpg", quality))
        lines.append(f'{index}.jpg, "{rendering.spec.drawn_text}"\n')
    (out / "gt.txt").write_text("".join(lines))
    return out


def read(folder: Path) -> tuple[Images, list[str]]:
    """Return the images of a folder at one size, uint8 (N, 32, 100), and their letters."""
    images, texts = zip(*list_words(folder), strict=True)
    size = (WIDTH_PX, HEIGHT_PX)
    stretched = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]
    return np.stack(stretched), list(texts)


def list_words(folder: Path, n_most: int | None = None) -> Iterator[tuple[Images, str]]:
    """Yield the images of a folder, uint8 (H, W), with their letters and digits, in lower case.

    Args:
        folder: folder with ICDAR's `gt.txt`.
        n_most: maximum number of lines to read; None reads all.
    """
    for line in (folder / "gt.txt").read_text(encoding="utf-8-sig").splitlines()[:n_most]:
        name, _, quoted = line.partition(", ")
        letters = "".join(char for char in quoted.casefold() if char in LETTERS)
        if not letters or not (folder / name).exists():
            continue
        image = cv2.imread(str(folder / name), cv2.IMREAD_GRAYSCALE)
        if image is not None:
            yield image, letters


def spread(texts: Sequence[str], n_columns: int) -> Tensor:
    """Return the letter of each column if letters are spread evenly, `UNKNOWN` in between.

    Returns:
        int64 (N, n_columns).
    """
    rows = []
    for text in texts:
        places = (np.arange(n_columns) + 0.5) / n_columns * len(text)
        at = places.astype(int)
        letters = np.array([LETTERS.index(letter) + 1 for letter in text])[at]
        rows.append(np.where(np.abs(places - at - 0.5) <= 0.3, letters, UNKNOWN))
    return torch.from_numpy(np.stack(rows))


def to_input(images: Images, device: str) -> Tensor:
    """Return images as input of a model, each normalised by its own mean and contrast."""
    pixels = torch.from_numpy(images).to(device).float().unsqueeze(1)
    mean, std = pixels.mean((2, 3), keepdim=True), pixels.std((2, 3), keepdim=True)
    return ((pixels - mean) / (std + 8)).contiguous(memory_format=torch.channels_last)


class Training(NamedTuple):
    """How every recogniser is trained."""

    steps: int
    device: str
    dtype: torch.dtype


def train(images: Images, texts: list[str], how: Training, seed: int) -> Crnn:
    """Return a recogniser trained from random weights."""
    steps, device, dtype = how
    torch.manual_seed(seed)
    model = Crnn().to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    chance = np.random.default_rng(seed)
    columns = spread(texts, WIDTH_PX // COLUMN_PX)
    for step in range(steps):
        rows = chance.integers(0, len(texts), BATCH)
        named = [[LETTERS.index(c) + 1 for c in texts[row]] for row in rows.tolist()]
        with torch.autocast(device, torch.bfloat16, enabled=dtype == torch.bfloat16):
            scores = model(to_input(images[rows], device)).float()
        scores = scores.cpu()
        if step < EVEN_FRAC * steps:
            loss = nn.functional.nll_loss(scores.permute(1, 2, 0), columns[rows])
        else:
            loss = nn.functional.ctc_loss(
                scores, torch.tensor([k for name in named for k in name]),
                torch.full((BATCH,), len(scores)), torch.tensor([len(name) for name in named]),
                zero_infinity=True,
            )  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        rate.step()
    return model.eval()


@torch.inference_mode()
def count_errors(model: Crnn, images: Images, texts: list[str], device: str) -> Errors:
    """Return the number of wrong characters in each word, ignoring case: int64 (N,)."""
    errors = []
    for at in range(0, len(texts), 256):
        best = model(to_input(images[at : at + 256], device)).argmax(2).T.cpu().numpy()
        for row, text in zip(best, texts[at : at + 256], strict=True):
            kept = row[np.r_[True, row[1:] != row[:-1]]]
            errors.append(count_edits("".join(LETTERS[k - 1] for k in kept if k), text))
    return np.array(errors)


def describe(errors: Errors, texts: Sequence[str]) -> str:
    """Return word accuracy and character error rate, with 95 % intervals over words and seeds.

    Args:
        errors: numbers of wrong characters, int64 (seeds, words).
        texts: the words.
    """
    n_seeds, n_words = errors.shape
    lengths = np.array([len(text) for text in texts])
    rng = np.random.default_rng(0)
    found = []
    for _ in range(N_DRAWS):
        seeds, words = rng.integers(0, n_seeds, n_seeds), rng.integers(0, n_words, n_words)
        drawn = errors[seeds][:, words]
        found.append(((drawn == 0).mean(), drawn.mean() / lengths[words].mean()))
    low, high = np.quantile(np.array(found), [0.025, 0.975], axis=0)
    values = (errors == 0).mean(), errors.mean() / lengths.mean()
    words_right, characters = (
        f"{100 * value:.1f} ({100 * a:.1f} to {100 * b:.1f})"
        for value, a, b in zip(values, low, high, strict=True)
    )
    return f"{words_right}; {characters}"


def describe_difference(errors: Errors, others: Errors) -> str:
    """Return word accuracy minus that of another source on the same words, in points.

    The 95 % interval resamples words, which both have read, and the seeds of each.

    Args:
        errors: numbers of wrong characters, int64 (seeds, words).
        others: the same of the other source.
    """
    rng = np.random.default_rng(0)
    found = []
    for _ in range(N_DRAWS):
        words = rng.integers(0, errors.shape[1], errors.shape[1])
        one, other = (
            (each[rng.integers(0, len(each), len(each))][:, words] == 0).mean()
            for each in (errors, others)
        )
        found.append(one - other)
    low, high = np.quantile(found, [0.025, 0.975])
    value = (errors == 0).mean() - (others == 0).mean()
    return f"{100 * value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def write_words(out: Path) -> tuple[Path, Path]:
    """Return a file of words to train on and one of held-out words."""
    listed = [
        word
        for word in read_words("en").items
        if word.isascii() and word.isalpha() and 3 <= len(word) <= 12
    ]
    out.mkdir(parents=True, exist_ok=True)
    taught, new = out / "taught.txt", out / "new.txt"
    taught.write_text("\n".join(word for k, word in enumerate(listed) if k % 10))
    new.write_text("\n".join(listed[::10]))
    return taught, new


def parse_folders(pairs: Sequence[str]) -> dict[str, Path]:
    """Return folders by name, from NAME=DIR."""
    return {name: Path(folder) for name, _, folder in (pair.partition("=") for pair in pairs)}


def main() -> None:
    """Draw, train and test; print a row for each source, with a column for each test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--ours", nargs="*", default=["ocr-crops", "street"])
    parser.add_argument("--rivals", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--real", nargs="*", default=[], metavar="NAME=DIR")
    parser.add_argument("--taught-by", nargs="*", default=[], metavar="NAME=DIR")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--drawings", type=int)
    parser.add_argument("--only-real", action="store_true")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bfloat16", action="store_true")
    given = parser.parse_args()
    out: Path = given.out
    dtype = torch.bfloat16 if given.bfloat16 else torch.float32
    how = Training(given.steps, given.device, dtype)
    taught, new = write_words(out)
    generators = [*given.ours, *given.rivals]
    tests = {
        name: read(draw(name, new, out / f"{Path(name).stem}-test", N_TEST, given.peers, 10**6))
        for name in ([] if given.only_real else generators)
    }
    tests |= {name: read(folder) for name, folder in parse_folders(given.real).items()}
    real = parse_folders(given.taught_by)
    errors: dict[str, dict[str, Errors]] = {}
    for source in [*generators, *real]:
        found = []
        for seed in range(given.seeds):
            drawing = seed % (given.drawings or given.seeds)
            folder = real.get(source) or draw(
                source, taught, out / f"{Path(source).stem}-{given.count}-{drawing}",
                given.count, given.peers, drawing,
            )  # fmt: skip
            found.append(measure(folder, tests, how, seed, out))
        errors[source] = {title: np.array([each[title] for each in found]) for title in tests}
    table = Table("trained on", *(f"{title}: words, %; CER, %" for title in tests))
    for source, rows in errors.items():
        table.add_row(
            Path(source).name, *(describe(rows[title], tests[title][1]) for title in tests)
        )
    console = Console(width=60 + 40 * len(tests))
    console.print(table)
    for rival in given.rivals:
        table = Table(f"minus {rival}", *(f"{title}: words, points" for title in tests))
        for source in [each for each in errors if each != rival]:
            pairs = [(errors[source][title], errors[rival][title]) for title in tests]
            table.add_row(Path(source).name, *(describe_difference(*pair) for pair in pairs))
        console.print(table)


def measure(
    folder: Path,
    tests: dict[str, tuple[Images, list[str]]],
    how: Training,
    seed: int,
    out: Path,
) -> dict[str, list[int]]:
    """Return the number of wrong characters in every word of every test, cached in OUT."""
    gt = (folder / "gt.txt").read_bytes()
    asked = hashlib.sha256(
        gt + f"{folder.name} {sorted(tests)} {how} {seed}".encode()
    ).hexdigest()[:16]
    file = out / f"errors-{asked}.json"
    if not file.exists():
        images, texts = read(folder)
        model = train(images, texts, how, seed)
        found = {
            name: count_errors(model, *test, how.device).tolist()
            for name, test in tests.items()
        }
        file.write_text(json.dumps(found))
        right = {name: f"{100 * np.mean(np.array(e) == 0):.1f}" for name, e in found.items()}
        print(folder.name, f"seed {seed}", right, flush=True)
    kept: dict[str, list[int]] = json.loads(file.read_text())
    return kept


if __name__ == "__main__":
    main()
