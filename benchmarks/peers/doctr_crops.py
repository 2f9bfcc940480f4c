"""Word images by docTR-Synth-Generator with its default realism; run by `recogniser.py`.

The backgrounds are those of its repository, which it would download itself. The fonts and
words are those that all generators get, and words are upper case or capitalised as by
`trdg_crops.py`.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
from generator.components import GenerationConfig
from generator.components.generator import TextImageGenerator


def main() -> None:
    """Draw n images of the words of a file, in the fonts of a folder, into a folder."""
    words, fonts = Path(sys.argv[1]).read_text().split(), sys.argv[2]
    out, n, seed = Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  It draws from the global state.
    config = GenerationConfig.flat(
        font_dir=fonts, bg_image_dir=str(Path(sys.argv[6]) / "resources/background_images"),
        auto_download_fonts=False, auto_download_backgrounds=False,
    )  # fmt: skip
    drawer = TextImageGenerator(config)
    lines = []
    for index in range(n):
        word = random.choice(words)
        word = random.choice([word, word, word.upper(), word.title()])
        image = drawer.generate_image(word)
        if image is not None:  # It has given up on a word that it did not make visible.
            image.save(out / f"{index}.png", "PNG")
            lines.append(f'{index}.png, "{word}"\n')
    (out / "gt.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
