"""Word crops of 48 px as PNG by neots, in one thread; run by `peers.py`.

`shipped` keeps the effects of its minimal configuration, at the rates and strengths set there:
rotation, distortion, italics, underlines, vertical text and random offsets. `plain` turns all
of them off. Both are drawn by its own loop over a batch, from random letters, since it has no
list of words: as many as the words have, 3 to 8. `words` draws the words, each by a call.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from string import ascii_lowercase

import yaml
from neots import SingleLineTextGenerator

N_WARM = 300

PLAIN = {
    "text_effects": {"effect_prob": 0.0},
    "text_paste": {
        "scale_range": [0.9, 0.9], "margin_range": [4, 4], "offset_prob": 0.0,
        "h_offset_range": [0, 0], "v_offset_range": [0, 0],
    },
    "transforms": {"rotation_prob": 0.0, "distortion_prob": 0.0},
}  # fmt: skip


def configure(fonts: Path, out: Path, kind: str) -> SingleLineTextGenerator:
    """Return a generator of lower-case words in the fonts of a folder."""
    file = out / "neots.yaml"
    SingleLineTextGenerator.output_minimal_dict(str(file))
    config = yaml.safe_load(file.read_text())
    config["text_sampler"] |= {"min_targets": 3, "max_targets": 8, "font_list": [str(fonts)]}
    config["random_config"] = [{"type": "random", "prob": 1.0, "from_string": ascii_lowercase}]
    config["generate"] |= {
        "out_dir": str(out / "neots"), "out_jsonl": str(out / "neots.jsonl"),
    }  # fmt: skip
    if kind != "shipped":
        config["text_sampler"]["vertical_prob"] = 0.0
        config["post_process"] = PLAIN
    return SingleLineTextGenerator.from_config(config)


def main() -> None:
    """Draw as many words as a file has, and print the processor seconds per image."""
    words, fonts = Path(sys.argv[1]).read_text().split(), Path(sys.argv[2]).resolve()
    out, kind = Path(sys.argv[3]), sys.argv[4]
    generator = configure(fonts, out, kind)
    generator.generate(N_WARM, workers=1, show_progress=False)
    begin = time.process_time()
    if kind == "words":
        for index, word in enumerate(words):
            generator.generate_instance(word, type="file", path=str(out / f"{index}.png"))
    else:
        drawn, failed = generator.generate(len(words), workers=1, show_progress=False)
        if failed or drawn != len(words):
            raise SystemExit(f"neots drew {drawn} of {len(words)} images")
    print((time.process_time() - begin) / len(words))


if __name__ == "__main__":
    main()
