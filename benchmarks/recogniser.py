"""Does the data teach? One small recogniser, the same steps, on three renderers' words.

A CRNN (convolutions, a recurrent layer, CTC) is trained from random weights on the pictures of
synthtext, of TRDG and of SynthTIGER, of the same words in the same fonts, and reads words that
it was not taught, as each of the three draws them; and real ones, if a folder with ICDAR's
`gt.txt` (`word_1.png, "Text"`) is given. Nothing is tuned on real pictures.

`make recogniser` installs the others and runs it at small size; at full size it is called as
`recogniser.py PEERS OUT [--real DIR] [--steps N] [--count N] [--device cuda]`. PEERS is where
they are installed; OUT keeps what was drawn, so that a second run need not draw it again.

`--recipes ocr-crops mine.toml` compares recipes instead of renderers, on the pictures of
`--real` alone; a recipe that `synthtext fit` wrote is drawn with the words beside it, if
`mine/words.txt` is there.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from probes.metrics.intervals import wilson
from synthtext.dataset.codec import encode_pixels
from synthtext.dataset.map_style import stream
from synthtext.drawing.fonts import bundled_folder
from synthtext.texts.words import read_words

SCRIPTS = Path(__file__).parent / "peers"

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"

HEIGHT_PX, WIDTH_PX = 32, 128

SOURCES = ("synthtext", "TRDG", "SynthTIGER")

BATCH = 64

N_TEST = 1000


class Crnn(nn.Module):
    """Convolutions over a line of text, a recurrent layer over its columns, CTC."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 32, 64, 128, 128, 192)
        pools = ((2, 2), (2, 2), (2, 1), (2, 1), (2, 1))
        self.columns = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(),
                    nn.MaxPool2d(pool),
                )
                for before, after, pool in zip(widths[:-1], widths[1:], pools, strict=True)
            )
        )  # fmt: skip
        self.line = nn.LSTM(widths[-1], 128, bidirectional=True, batch_first=True)
        self.name = nn.Linear(256, len(LETTERS) + 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the log probabilities of letters, (columns, B, letters), 0 for none."""
        columns = self.columns(images).squeeze(2).transpose(1, 2)
        return self.name(self.line(columns)[0]).log_softmax(2).transpose(0, 1)


def draw(source: str, words: Path, out: Path, n: int, peers: Path, seed: int) -> None:
    """Write n word pictures of a source, and then `gt.txt`; peers' are not drawn twice."""
    out.mkdir(parents=True, exist_ok=True)
    if source == "synthtext":
        pictures = stream(
            "ocr-crops", str(words), count=n, seed=seed, edits={"splits": "1,0,0"}
        )
        lines = []
        for index, rendering in enumerate(pictures):
            (out / f"{index}.jpg").write_bytes(encode_pixels(rendering.pixels, "jpg", 90))
            lines.append(f'{index}.jpg, "{rendering.spec.drawn_text}"')
        (out / "gt.txt").write_text("\n".join([*lines, ""]))
        return
    if (out / "gt.txt").exists():
        return
    name = source.lower()
    subprocess.run(
        [peers / name / "bin/python", SCRIPTS / f"{name}_crops.py", words, bundled_folder(),
         out, str(n), str(seed)],
        check=True, capture_output=True,
    )  # fmt: skip


def read(folder: Path) -> tuple[NDArray[np.uint8], list[str]]:
    """Return the pictures of a folder at one size, uint8 (N, 32, 128), and their letters."""
    images, texts = [], []
    for line in (folder / "gt.txt").read_text(encoding="utf-8-sig").splitlines():
        name, _, quoted = line.partition(", ")
        letters = to_letters(quoted)
        if not letters or not (folder / name).exists():
            continue
        image = cv2.imread(str(folder / name), cv2.IMREAD_GRAYSCALE)
        if image is not None:
            images.append(fit(image))
            texts.append(letters)
    return np.stack(images), texts


def to_letters(text: str) -> str:
    """Return the letters of a text that are read, case aside."""
    return "".join(char for char in text.casefold() if char in LETTERS)


def fit(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture at the size that is read, uint8 (32, 128), its edge filling the rest."""
    scale = min(HEIGHT_PX / image.shape[0], WIDTH_PX / image.shape[1])
    size = [max(1, round(side * scale)) for side in image.shape[::-1]]
    fitted = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    below, beside = HEIGHT_PX - fitted.shape[0], WIDTH_PX - fitted.shape[1]
    return cv2.copyMakeBorder(fitted, 0, below, 0, beside, cv2.BORDER_REPLICATE)


def draw_recipe(recipe: str, words: Path, n: int) -> tuple[NDArray[np.uint8], list[str]]:
    """Return n pictures that a recipe draws, as `read` gives those of a folder."""
    images, texts = [], []
    for rendering in stream(recipe, str(words), count=n, edits={"splits": "1,0,0"}):
        letters = to_letters(rendering.spec.drawn_text)
        if letters:
            raw = encode_pixels(rendering.pixels, "jpg", rendering.spec.jpeg_quality)
            levels = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_GRAYSCALE)
            images.append(fit(levels))
            texts.append(letters)
    return np.stack(images), texts


def compare_recipes(
    recipes: Sequence[str], folder: Path, words: Path, *, steps: int, count: int, device: str
) -> Table:
    """Return a row for each recipe: how many real words are read after training on it.

    Args:
        recipes: names or files; `mine.toml` is drawn with `mine/words.txt` if that is there.
        folder: of the real words, with their `gt.txt`.
        words: what the others are drawn with.
        steps: of training, the same for each.
        count: pictures to draw of each.
        device: where to train.
    """
    table = Table("taught by", "reads real words, %", "words", box=None)
    real = read(folder)
    for recipe in recipes:
        own = Path(recipe).with_suffix("") / "words.txt"
        lessons = draw_recipe(recipe, own if own.exists() else words, count)
        right = count_right(train(*lessons, steps, device), *real, device)
        low, high = wilson(right, len(real[1]))
        share = 100 * right / len(real[1])
        table.add_row(
            recipe, f"{share:.1f} ({100 * low:.1f} to {100 * high:.1f})", f"{len(real[1]):,}"
        )
    return table


def to_input(images: NDArray[np.uint8], device: str) -> Tensor:
    """Return pictures as a model takes them, each of its own mean and contrast."""
    pixels = torch.from_numpy(images).to(device).float().unsqueeze(1)
    mean, std = pixels.mean((2, 3), keepdim=True), pixels.std((2, 3), keepdim=True)
    return (pixels - mean) / (std + 8)


def train(images: NDArray[np.uint8], texts: list[str], steps: int, device: str) -> Crnn:
    """Return a recogniser that was taught from random weights."""
    torch.manual_seed(0)
    model = Crnn().to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
    chance = np.random.default_rng(0)
    for _ in range(steps):
        rows = chance.integers(0, len(texts), BATCH)
        named = [[LETTERS.index(c) + 1 for c in texts[row]] for row in rows.tolist()]
        with torch.autocast(device, torch.bfloat16):
            scores = model(to_input(images[rows], device)).float()
        lengths = torch.full((BATCH,), len(scores))
        loss = nn.functional.ctc_loss(
            scores.cpu(), torch.tensor([k for name in named for k in name]), lengths,
            torch.tensor([len(name) for name in named]), zero_infinity=True,
        )  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        rate.step()
    return model.eval()


@torch.inference_mode()
def count_right(model: Crnn, images: NDArray[np.uint8], texts: list[str], device: str) -> int:
    """Return how many words are read without a mistake, case aside."""
    n_right = 0
    for at in range(0, len(texts), 256):
        best = model(to_input(images[at : at + 256], device)).argmax(2).T.cpu().numpy()
        for row, text in zip(best, texts[at : at + 256], strict=True):
            kept = row[np.r_[True, row[1:] != row[:-1]]]
            n_right += "".join(LETTERS[k - 1] for k in kept if k) == text
    return n_right


def main() -> None:
    """Draw, train and read; print a row for each source, a column for each test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--recipes", nargs="+")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    listed = [
        word for word in read_words("en").items if word.isascii() and 3 <= len(word) <= 12
    ]
    taught = [word for k, word in enumerate(listed) if k % 10]
    out: Path = given.out
    out.mkdir(parents=True, exist_ok=True)
    (out / "taught.txt").write_text("\n".join(w for w in taught if w.isalpha()))
    (out / "new.txt").write_text("\n".join(w for w in listed[::10] if w.isalpha()))
    if given.recipes:
        table = compare_recipes(
            given.recipes, given.real, out / "taught.txt", steps=given.steps,
            count=given.count, device=given.device,
        )  # fmt: skip
        Console(width=120).print(table)
        return
    tests = {}
    for source in SOURCES:
        draw(source, out / "new.txt", out / f"{source}-test", N_TEST, given.peers, 1)
        tests[source] = read(out / f"{source}-test")
    if given.real:
        tests["real pictures"] = read(given.real)
    table = Table("taught by", *(f"reads {title}, %" for title in tests), "minutes", box=None)
    for source in SOURCES:
        lessons = out / f"{source}-{given.count}"
        draw(source, out / "taught.txt", lessons, given.count, given.peers, 0)
        begin = time.perf_counter()
        model = train(*read(lessons), given.steps, given.device)
        cells = []
        for images, texts in tests.values():
            right = count_right(model, images, texts, given.device)
            low, high = wilson(right, len(texts))
            cells.append(
                f"{100 * right / len(texts):.1f} ({100 * low:.1f} to {100 * high:.1f})"
            )
        table.add_row(source, *cells, f"{(time.perf_counter() - begin) / 60:.1f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
