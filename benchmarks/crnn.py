"""The small recogniser of `recogniser.py` and `worlds.py`, its training, and what it reads.

A CRNN has convolutions, a recurrent layer over their columns, and CTC. In the first quarter of
the steps the letters are assumed to be spread evenly over the image, because CTC alone aligns
them slowly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from probes.metrics.spelling import count_edits

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"

COLUMN_PX = 4
"""Width of the image that one column of letters stands for."""

BATCH = 32

EVEN_FRAC = 0.25
"""Fraction of the steps in which letters are assumed to be spread evenly."""

UNKNOWN = -100
"""The letter of a column between two letters, which is not trained on."""

Images = NDArray[np.uint8]
Errors = NDArray[np.int64]


class Size(NamedTuple):
    """The size of a recogniser and of its images, and the learning rate that suits it.

    Attributes:
        height_px: height that images are stretched to; the strides reduce it to one row.
        width_px: width that images are stretched to, a multiple of `COLUMN_PX`.
        widths: channels of the convolutions; the image, which is grey, comes first.
        strides: strides of the convolutions, (y, x).
        hidden: units of the recurrent layer in each direction.
        rate: highest learning rate.
    """

    height_px: int
    width_px: int
    widths: Sequence[int]
    strides: Sequence[tuple[int, int]]
    hidden: int
    rate: float


class Training(NamedTuple):
    """How every recogniser is trained."""

    steps: int
    device: str
    dtype: torch.dtype


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

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.columns = make_columns(size.widths, size.strides)
        self.line = nn.LSTM(size.widths[-1], size.hidden, bidirectional=True, batch_first=True)
        self.name = nn.Linear(2 * size.hidden, len(LETTERS) + 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the log probabilities of letters, (columns, B, letters), 0 for none."""
        columns = self.columns(images).squeeze(2).transpose(1, 2)
        return self.name(self.line(columns)[0]).log_softmax(2).transpose(0, 1)


def read(folder: Path, size: Size) -> tuple[Images, list[str]]:
    """Return the images of a folder, stretched, uint8 (N, height, width), and their letters."""
    images, texts = zip(*list_words(folder), strict=True)
    to = (size.width_px, size.height_px)
    stretched = [cv2.resize(image, to, interpolation=cv2.INTER_AREA) for image in images]
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


def train(images: Images, texts: list[str], size: Size, *, how: Training, seed: int) -> Crnn:
    """Return a recogniser trained from random weights."""
    steps, device, dtype = how
    torch.manual_seed(seed)
    model = Crnn(size).to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), size.rate, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, size.rate, steps)
    chance = np.random.default_rng(seed)
    columns = spread(texts, size.width_px // COLUMN_PX)
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
