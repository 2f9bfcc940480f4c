"""Word images by SynthTIGER's own template, as it ships; run by `recogniser.py`.

Its template, configuration for horizontal text, colour map and textures are those of its
repository. Only the words and the fonts are replaced, by those that all generators get.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from fontTools.ttLib import TTFont


def list_characters(fonts: Path, folder: Path) -> Path:
    """Return a folder of the fonts, each with a list of its characters next to it."""
    folder.mkdir(exist_ok=True)
    for font in sorted(fonts.glob("*.ttf")):
        shutil.copy(font, folder)
        characters = sorted(TTFont(font).getBestCmap())
        text = "\n".join(chr(code) for code in characters if code > 32)
        (folder / f"{font.stem}.txt").write_text(text, encoding="utf-8")
    return folder


def main() -> None:
    """Draw n images of the words of a file, in the fonts of a folder, into a folder."""
    words, fonts, out = (Path(name).resolve() for name in sys.argv[1:4])
    n, seed, source = sys.argv[4], sys.argv[5], Path(sys.argv[6]).resolve()
    example = source / "examples/synthtiger"
    config = yaml.safe_load((example / "config_horizontal.yaml").read_text())
    corpus = config["corpus"]["args"][0]
    corpus |= {"paths": [str(words)], "weights": [1]}
    # Labels are compared with the words unchanged, so nothing is appended to them.
    corpus["augmentation"] = 0
    config["font"]["paths"] = [str(list_characters(fonts, out / "fonts"))]
    for name in ("coord_output", "mask_output", "glyph_coord_output", "glyph_mask_output"):
        config[name] = False
    drawn = out / "drawn"
    shutil.rmtree(drawn, ignore_errors=True)
    file = out / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    subprocess.run(
        [Path(sys.executable).parent / "synthtiger", "-o", drawn, "-c", n, "-s", seed, "-v",
         example / "template.py", "SynthTiger", file],
        check=True, cwd=source, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    lines = (drawn / "gt.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t", 1) for line in lines]
    (out / "gt.txt").write_text("".join(f'drawn/{name}, "{text}"\n' for name, text in pairs))


if __name__ == "__main__":
    main()
