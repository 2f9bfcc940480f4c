"""Word crops as PNG by docTR-Synth-Generator, with local words and fonts; run by `peers.py`.

`shipped` keeps its realism, with 3 times the pixels reduced at the end; `plain` turns it off.
The loop is that of its own workers, without the processes and their queues.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from generator.components import GenerationConfig
from generator.components.generator import TextImageGenerator

SIZE_PX, N_WARM = 32, 60

EFFECTS = (
    "colored_ink_prob", "outline_prob", "invert_prob", "bold_prob", "rotation_prob",
    "blur_prob", "perspective_prob", "pixel_dropout_prob", "final_blur_prob", "noise_prob",
    "jpeg_prob", "brightness_jitter", "contrast_jitter",
)  # fmt: skip


def main() -> None:
    """Draw the words of a file in the fonts of a folder; print processor seconds per image."""
    words, fonts, out = Path(sys.argv[1]).read_text().split(), sys.argv[2], Path(sys.argv[3])
    effects: dict[str, float] = {}
    if sys.argv[4] == "plain":
        effects = dict.fromkeys(EFFECTS, 0.0) | {"supersample": 1}
    config = GenerationConfig.flat(
        font_dir=fonts, auto_download_fonts=False, auto_download_backgrounds=False,
        font_size_range=(SIZE_PX, SIZE_PX), **effects,
    )  # fmt: skip
    drawer = TextImageGenerator(config)
    for word in words[:N_WARM]:
        drawer.generate_image(word)
    begin = time.process_time()
    for index, word in enumerate(words):
        image = drawer.generate_image(word)
        if image is None:
            raise SystemExit(f"docTR-Synth-Generator did not draw {word}")
        image.save(out / f"{index}.png", "PNG")
    print((time.process_time() - begin) / len(words))


if __name__ == "__main__":
    main()
