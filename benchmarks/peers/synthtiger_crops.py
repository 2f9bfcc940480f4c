"""Word images by SynthTIGER, with effects of its own; run by `recogniser.py`."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import cv2
import numpy as np
from synthtiger import components, layers

WARPS = [
    components.Switch(components.Rotate(angle=(-5, 5)), 0.5),
    components.Switch(
        components.Perspective(percents=((0.8, 1), (0.8, 1), (0.8, 1), (0.8, 1))), 0.3
    ),
]

BORDER = components.Switch(components.TextBorder(size=(1, 3), alpha=(1, 1)), 0.2)

DAMAGE = [
    components.Switch(components.AdditiveGaussianNoise(scale=(2, 12), per_channel=0), 0.3),
    components.Switch(components.GaussianBlur(sigma=(0, 1)), 0.4),
    components.Switch(components.JpegCompression(compression=(5, 30)), 0.3),
]


def draw(word: str, font: str) -> np.ndarray:
    """Return one word as BGR pixels."""
    size = random.randint(24, 64)
    chars = layers.Group([layers.TextLayer(char, font, size) for char in word])
    components.FlowLayout().apply(chars)
    ink, paper = (tuple(random.randrange(256) for _ in range(3)) for _ in range(2))
    while abs(sum(ink) - sum(paper)) < 120:
        ink, paper = (tuple(random.randrange(256) for _ in range(3)) for _ in range(2))
    text = chars.merge()
    components.RGB(rgb=((ink[0],) * 2, (ink[1],) * 2, (ink[2],) * 2)).apply([text])
    BORDER.apply([text])
    for warp in WARPS:
        warp.apply([text])
    room = random.randint(2, 8)
    board = layers.RectLayer(
        (int(text.width) + 2 * room, int(text.height) + 2 * room), (*paper, 255)
    )
    board.center = text.center
    whole = (text + board).merge()
    for damage in DAMAGE:
        damage.apply([whole])
    return np.clip(whole.output()[..., 2::-1], 0, 255).astype(np.uint8)


def main() -> None:
    """Draw the words of a file, in the fonts of a folder, n images, into a folder."""
    words, fonts = Path(sys.argv[1]).read_text().split(), Path(sys.argv[2])
    out, n, seed = Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - it draws from the old generator.
    files = sorted(str(path) for path in fonts.glob("*.ttf"))
    lines = []
    for index in range(n):
        word = random.choice(words)
        word = random.choice([word, word, word.upper(), word.title()])
        cv2.imwrite(str(out / f"{index}.jpg"), draw(word, random.choice(files)))
        lines.append(f'{index}.jpg, "{word}"')
    (out / "gt.txt").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
