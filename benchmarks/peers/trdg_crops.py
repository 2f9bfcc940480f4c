"""Word images by TextRecognitionDataGenerator, with its effects on; run by `recogniser.py`."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from trdg.data_generator import FakeTextDataGenerator


def main() -> None:
    """Draw n images of the words of a file, in the fonts of a folder, into a folder."""
    words, fonts = Path(sys.argv[1]).read_text().split(), Path(sys.argv[2])
    out, n, seed = Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
    random.seed(seed)
    files = sorted(str(path) for path in fonts.glob("*.ttf"))
    lines = []
    for index in range(n):
        word = random.choice(words)
        word = random.choice([word, word, word.upper(), word.title()])
        color = f"#{random.randrange(0x808080):06x}"
        FakeTextDataGenerator.generate(
            index, word, random.choice(files), str(out), size=random.randint(24, 64),
            extension="jpg", skewing_angle=5, random_skew=True, blur=1, random_blur=True,
            background_type=random.choice([0, 0, 1]), distorsion_orientation=0,
            distorsion_type=random.choice([0, 0, 1, 2]), is_handwritten=False, name_format=2,
            width=-1, alignment=1,
            text_color=color, orientation=0, space_width=1.0, character_spacing=0,
            margins=(5, 5, 5, 5), fit=True, output_mask=False, word_split=False, image_dir="",
        )  # fmt: skip
        if (out / f"{index}.jpg").is_file():  # It skips what it cannot draw.
            lines.append(f'{index}.jpg, "{word}"')
    (out / "gt.txt").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
