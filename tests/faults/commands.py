"""Every command that writes, with a fault at each of its disk operations.

Run it as a script, with the number of faults per command (0 for one at every operation) and the
commands. It prints a line of JSON for each.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lent_hub import REPO
from operations import FAULTS, run
from shortcuts import import_all
from synthtext.drawing.fonts import bundled_folder
from trials import CACHE, OTHER, Command, Trial, choose

RENDER = (
    "render --words words.txt --seed 3 --shard-size 8 --size 20:30 --splits 0.5,0.2,0.3"
    " --background plain --width 96 --height 64"
)
FONT = "mine.ttf"
"""A font of the user; beside it lies the one that replaces it."""

OWN = f"--fonts {FONT} --font-category user"
PLAIN = (
    "--size 24 --font-family Lato --letter-spacing 0 --line-height 1.2 --align left --case as-is"
    " --x 0.5 --y 0.5 --rotation 0 --ink black --paper white --contrast 21 --opacity 1 --noise 0"
    " --jpeg-quality 90"
)
"""Fixed factors, so that a report has few plots, all of which are written in the same way."""

READER = "--model python:fake_encoders:BlindReader"
LOVER = "--model python:fake_encoders:BlindLover"
ASK = "--annotations signs/train.json --val signs/val.json --images signs/images"

COMMANDS = {
    "render": Command(f"{RENDER} --out out"),
    "render, gone on with": Command(f"{RENDER} --out out", before=f"{RENDER} --shards 0/2 --out out"),
    "render, a font replaced": Command(f"{RENDER} {OWN} --out out", replaced=FONT),
    "render, gone on with, a font replaced": Command(
        f"{RENDER} {OWN} --out out", before=f"{RENDER} {OWN} --shards 0/2 --out out", replaced=FONT
    ),
    "render --repair, a font replaced": Command(
        f"{RENDER} {OWN} --repair --out out", before=f"{RENDER} {OWN} --shards 0/2 --out out",
        replaced=FONT,
    ),
    "render --repair": Command(f"{RENDER} --repair --out words"),
    "render-vqa": Command("render-vqa --count 6 --words words.txt --out out"),
    "merge": Command("merge part-0 part-1 --out out"),
    "draw": Command(
        "draw 000000001 --from words --set blur_px=3 --out a.png", before="show words 000000002 --out a.png"
    ),
    "fonts --sheet": Command("fonts --sheet a.png", before="show words 000000002 --out a.png"),
    "preview --sheet": Command(
        "preview words --n 4 --sheet a.png", before="show words 000000002 --out a.png"
    ),
    "show --out": Command("show words 000000001 --out a.png", before="show words 000000002 --out a.png"),
    "gallery": Command(
        "gallery --factors blur --out a.png", before="show words 000000002 --out a.png"
    ),
    "index": Command("index words"),
    "push": Command(f"push words {REPO}", sampled=1),
    "score": Command(f"score words {READER} --out out"),
    "preview --html": Command("preview words --n 4 --html a.html"),
    "stats --json": Command("stats words --json a.json"),
    "probe": Command(
        f"probe {READER} --data plain --k 2,3 --overwrite --out out", before=f"probe {READER} --n 2 --design blur --k 2 --out out"
    ),
    "probe, the cache": Command(
        f"probe {READER} --n 2 --design blur --k 2 --prompts prompts.txt --overwrite --out out",
        within=CACHE,
    ),
    "probe --models": Command("probe --models models.txt --data plain --k 2 --out out"),
    "probe --export-pictures": Command(
        f"probe {READER} --n 2 --design blur --k 2 --export-pictures pictures --out out"
    ),
    "probe --linear": Command(
        f"probe {READER} --task sentiment --data reviews --linear --out out"
    ),
    "import": Command("import answers.csv --by area --out out"),
    "fit": Command("fit cut --count 100 --rounds 1 --crops 20 --out a.toml"),
    "match": Command(
        f"match a.png b.png --texts red blue {READER} --out out",
        before=f"match b.png --texts green blue {READER} --out out",
    ),
    "matrix": Command(
        f"matrix a.png b.png --texts red blue {READER} --out out",
        before=f"matrix b.png --texts green blue {READER} --out out",
    ),
    "classify": Command(
        f"classify classes {READER} --overwrite --out out", before=f"classify words {READER} --out out"
    ),
    "vqa": Command(f"vqa {ASK} {READER} --candidates 20 --out out"),
    "compare --out": Command(
        "compare results/a results/b --out a.csv", before="show words 000000002 --out a.csv.png"
    ),
    "compare --out, a folder": Command("compare results/a results/b results/c --out board"),
    "finetune": Command(
        "finetune --model model --pretrained random --data school --prompts prompt.txt --out out"
        " --arm full --batch-size 16 --steps 2 --save-every 1"
    ),
    **{
        f"export --to {target}": Command(f"export words --to {target} --out out", sampled=1)
        for target in (
            "folder", "parquet", "lmdb", "doctr", "paddleocr", "icdar", "totaltext", "coco",
            "easyocr", "tesstrain --crops", "mmocr", "yolo", "yolo-obb", "yolo-seg", "page",
            "alto", "vlmeval", "lmms-eval", "clip-benchmark",
        )
    },
}  # fmt: skip


MADE = {
    "words": f"{RENDER} --out words",
    "plain": f"{RENDER} {PLAIN} --out plain",
    "part-0": f"{RENDER} --shards 0/2 --out part-0",
    "part-1": f"{RENDER} --shards 1/2 --out part-1",
    "reviews": "render --sentences rows.tsv --kind sentence --splits 0.5,0.25,0.25 --count 32"
    " --out reviews",
    "signs": "render-vqa --count 16 --words words.txt --out signs",
    "results/a": f"probe {READER} --n 3 --design blur --k 2 --out results/a",
    "results/b": f"probe {READER} --n 3 --design blur --k 2 --seed 0 --out results/b",
    "results/c": f"probe {LOVER} --n 3 --design blur --k 2 --out results/c",
}
"""Inputs of the commands, and the command lines that make them."""


def prepare(base: Path, log: Path, lines: Sequence[str]) -> None:
    """Fill a folder with the inputs of command lines."""
    from PIL import Image

    base.mkdir()
    words = [f"{a}{b}rd" for a in "bcdfglmnpst" for b in "ae"]
    (base / "words.txt").write_text("\n".join(words))
    sentences = [
        f"{a}{b} is {c}\t{c == 'good':d}" for a in "bcdf" for b in "ae" for c in ("good", "bad")
    ]
    (base / "rows.tsv").write_text("\n".join(["sentence\tlabel", *sentences, ""]))
    for number, colour in enumerate(("red", "blue")):
        Image.new("RGB", (32, 32), colour).save(base / f"{'ab'[number]}.png")
        (base / "classes" / colour).mkdir(parents=True)
        shutil.copy(base / f"{'ab'[number]}.png", base / "classes" / colour / "1.png")
    for font, name in (("Lato_700Bold.ttf", FONT), ("DejaVuSans.ttf", f"{FONT}{OTHER}")):
        shutil.copy(bundled_folder() / font, base / name)
    rows = [f"{k},{'ab'[k % 2]},{'ab'[k % 3 > 1]},{k / 20}" for k in range(20)]
    (base / "answers.csv").write_text("\n".join(["key,truth,guess,area", *rows, ""]))
    readers = [f"python:fake_encoders:Blind{name}" for name in ("Reader", "Lover")]
    (base / "prompts.txt").write_text("the word {}.\n{}\n")
    (base / "prompt.txt").write_text("{}\n")
    (base / "models.txt").write_text("\n".join([*readers, ""]))
    if any(line.startswith("fit") for line in lines):
        (base / "cut").mkdir()
        write_crops(base / "cut")
    if any("--data school" in line for line in lines):
        import tiny_training

        tiny_training.write_model(base / "model", tiny_training.TINY)
        tiny_training.write_data(base / "school", count=60)
    for folder, line in MADE.items():
        if any(re.search(rf"\b{folder}\b(?!\.txt)", each) for each in lines):
            made = run(line.split(), base, log=log)
            if made.code:
                sys.exit(f"{line}: {made.printed}")


def write_crops(folder: Path) -> None:
    """Write as many word crops as a fit needs into an empty folder."""
    import cv2
    from PIL import Image

    from synthtext import stream

    cv2.setNumThreads(0)  # A fork would wait forever for the threads of this process.
    crops = {"width_px": "0", "height_px": "0", "size_px": "20:30", "splits": "1,0,0"}
    for number, rendering in enumerate(stream(count=20, seed=1, edits=crops)):
        Image.fromarray(rendering.pixels).save(folder / f"{number:02d}.png")


def main(n_faults: int, names: Sequence[str]) -> None:
    """Try commands and print the result of each."""
    lines = [line for name in names for line in (COMMANDS[name].line, COMMANDS[name].before)]
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        room = Path(scratch).resolve()
        (room / "kept").mkdir()
        import_all(lines, room / "kept")
        os.environ["XDG_CACHE_HOME"] = str(room / "cache")
        prepare(room / "base", room / "log", lines)
        for name in names:
            row = try_command(COMMANDS[name], n_faults, room / "base", room / "trial")
            sys.stdout.write(f"{json.dumps({'command': name, **row})}\n")
            sys.stdout.flush()
            shutil.rmtree(room / "trial")


def try_command(command: Command, n_faults: int, base: Path, room: Path) -> dict[str, Any]:
    """Return the number of operations of a command, how many were made to fail, and faults."""
    try:
        trial = Trial(command, base, room)
    except RuntimeError as error:
        return {"n_operations": 0, "n_tried": 0, "found": {"undisturbed": [str(error)]}}
    n = min(n_faults, command.sampled)  # 0 is all of them.
    chosen = choose(trial.numbers, n)
    found = {
        f"{kind} at {k}, {trial.operations[k - 1]}": faults
        for k, kind in chosen
        if (faults := trial.try_fault(k, FAULTS[kind]))
    }
    return {
        "n_operations": len(trial.numbers), "n_tried": len(chosen), "found": found,
        "volatile": sorted(trial.volatile),
    }  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:] or list(COMMANDS))
