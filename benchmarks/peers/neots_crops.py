"""Word images by neots with its minimal configuration, as it ships; run by `recogniser.py`.

The fonts and words are those that all generators get, and words are upper case or capitalised
as by `trdg_crops.py`. Vertical text is turned off, because no recogniser here reads it. neots
takes no seed, so images differ from run to run.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import yaml
from neots import SingleLineTextGenerator


def main() -> None:
    """Draw n images of the words of a file, in the fonts of a folder, into a folder."""
    words, fonts = Path(sys.argv[1]).read_text().split(), Path(sys.argv[2]).resolve()
    out, n, seed = Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
    random.seed(seed)
    file = out / "neots.yaml"
    SingleLineTextGenerator.output_minimal_dict(str(file))
    config = yaml.safe_load(file.read_text())
    config["text_sampler"] |= {"font_list": [str(fonts)], "vertical_prob": 0.0}
    generator = SingleLineTextGenerator.from_config(config)
    lines = []
    for index in range(n):
        word = random.choice(words)
        word = random.choice([word, word, word.upper(), word.title()])
        generator.generate_instance(word, type="file", path=str(out / f"{index}.png"))
        lines.append(f'{index}.png, "{word}"\n')
    (out / "gt.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
