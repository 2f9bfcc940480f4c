"""TextRecognitionDataGenerator on the standard task; run by `peers.py`.

Its text is as high as the canvas minus the margins, so margins set the requested size.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from trdg.data_generator import FakeTextDataGenerator

SIDE_PX, N_WARM = 224, 20


def draw(index: int, word: str, font: str, out: str, background: int) -> None:
    """Draw one word; background 0 is its noise, 1 its plain white."""
    size = random.randint(12, 64)
    above = (SIDE_PX - size) // 2
    FakeTextDataGenerator.generate(
        index, word, font, out, size=SIDE_PX, extension="jpg", skewing_angle=0,
        random_skew=False, blur=0, random_blur=False, background_type=background,
        distorsion_type=0, distorsion_orientation=0, is_handwritten=False, name_format=2,
        width=SIDE_PX, alignment=1, text_color="#101010", orientation=0, space_width=1.0,
        character_spacing=0, margins=(above, 4, SIDE_PX - size - above, 4), fit=True,
        output_mask=False, word_split=False, image_dir="",
    )  # fmt: skip


def main() -> None:
    """Draw the words of a file in the fonts of a folder; print processor seconds per image."""
    words, fonts = Path(sys.argv[1]).read_text().split(), Path(sys.argv[2])
    out, background = sys.argv[3], {"noise": 0, "plain": 1}[sys.argv[4]]
    random.seed(0)
    files = sorted(str(path) for path in fonts.glob("*.ttf"))
    for index, word in enumerate(words[:N_WARM]):
        draw(index, word, files[index % len(files)], out, background)
    begin = time.process_time()
    for index, word in enumerate(words):
        draw(index, word, files[index % len(files)], out, background)
    print((time.process_time() - begin) / len(words))


if __name__ == "__main__":
    main()
