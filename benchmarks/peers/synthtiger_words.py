"""SynthTIGER on the standard task, with all its effects off; run by `peers.py`.

The layout follows its own template: a layer per character, a flow layout, a board below.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from synthtiger import components, layers

SIDE_PX, N_WARM = 224, 20


def draw(index: int, word: str, font: str, out: Path) -> None:
    """Draw one word on a plain board."""
    size = random.randint(12, 64)
    chars = layers.Group([layers.TextLayer(char, font, size) for char in word])
    components.FlowLayout().apply(chars)
    text = chars.merge()
    paper = tuple(random.randint(180, 255) for _ in range(3))
    board = layers.RectLayer((SIDE_PX, SIDE_PX), (*paper, 255))
    text.center = board.center
    image = (text + board).merge().output(bbox=board.bbox)
    pixels = np.clip(image[..., 2::-1], 0, 255).astype(np.uint8)
    cv2.imwrite(str(out / f"{index}.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])


def main() -> None:
    """Draw the words of a file in the fonts of a folder; print processor seconds per image."""
    words, fonts, out = Path(sys.argv[1]).read_text().split(), Path(sys.argv[2]), sys.argv[3]
    random.seed(0)
    files = sorted(str(path) for path in fonts.glob("*.ttf"))
    for index, word in enumerate(words[:N_WARM]):
        draw(index, word, files[index % len(files)], Path(out))
    begin = time.process_time()
    for index, word in enumerate(words):
        draw(index, word, files[index % len(files)], Path(out))
    print((time.process_time() - begin) / len(words))


if __name__ == "__main__":
    main()
