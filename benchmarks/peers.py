"""The speed of peers and of synthtext at drawing the same words on one core: `make peers`.

`make peers` installs the peers, each in its own environment. All draw words of the bundled
list, one per image, in the bundled fonts, 12 to 64 px, on a canvas of 224x224 px, and write
JPEG at quality 90 to disk; against neots and docTR-Synth-Generator, crops of words as PNG. Time
is processor time. Rounds alternate, because timings are noisy; medians are shown. The
differences:

- synthtext places text anywhere, sets its contrast, and records every factor and the quads of
  words and letters; TRDG and SynthTIGER write only the image, with the text in the centre and
  in one colour;
- TRDG draws at 224 px and scales down; its white background corresponds to our plain one;
- SynthTIGER's noise comes from image files only, so it draws on a plain background; its layers
  are called directly, without its template, which would cost more than half of its speed;
- neots draws letters at 55 px and reduces them to fit a height of 48 px; ours and those of
  docTR-Synth-Generator are drawn at 32 px, ours on a canvas 48 px high;
- the bare loop only draws, encodes and appends to a tar.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from synthtext.drawing.fonts import bundled_folder
from synthtext.texts.words import read_words

SCRIPTS = Path(__file__).parent / "peers"

N_OURS, N_PEERS, N_ROUNDS = 2000, 150, 5

TASKS = {
    "bare loop": ("", "ours.py", "bare"),
    "ours, plain/gradient/noise background": ("", "ours.py", "mixed"),
    "ours, noise background": ("", "ours.py", "noise"),
    "TRDG 1.8.0, noise background": ("trdg", "trdg_words.py", "noise"),
    "ours, plain background": ("", "ours.py", "plain"),
    "TRDG 1.8.0, white background": ("trdg", "trdg_words.py", "plain"),
    "SynthTIGER 1.2.1, plain background": ("synthtiger", "synthtiger_words.py", "plain"),
    "ours, natural crops, 32 px": ("", "ours.py", "crops"),
    "ours, crops, 48 px high, PNG": ("", "ours.py", "png"),
    "neots 0.3.4, effects off, its batches": ("neots", "neots_words.py", "plain"),
    "neots 0.3.4, effects off, a call for each word": ("neots", "neots_words.py", "words"),
    "neots 0.3.4, as it ships": ("neots", "neots_words.py", "shipped"),
    "docTR-Synth-Generator 0.4.1, effects off": ("doctr", "doctr_words.py", "plain"),
    "docTR-Synth-Generator 0.4.1, as it ships": ("doctr", "doctr_words.py", "shipped"),
}


def run(task: tuple[str, str, str], folder: Path, scratch: Path) -> float:
    """Return the processor seconds per image of a task."""
    name, script, kind = task
    python = folder / name / "bin" / "python" if name else Path(sys.executable)
    words = scratch / ("few.txt" if name in ("trdg", "synthtiger", "doctr") else "many.txt")
    done = subprocess.run(
        [python, SCRIPTS / script, words, bundled_folder(), scratch, kind],
        capture_output=True, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return float(done.stdout.split()[-1])


def main() -> None:
    """Run all tasks in turn, and print medians and ratios."""
    folder = Path(sys.argv[1])
    fitting = [word for word in read_words("en").items if 3 <= len(word) <= 8]
    seconds: dict[str, list[float]] = {title: [] for title in TASKS}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for file, n in (("many.txt", N_OURS), ("few.txt", N_PEERS)):
            step = len(fitting) // n
            (scratch / file).write_text("\n".join(fitting[: n * step : step]))
        for _ in range(N_ROUNDS):
            for title, task in TASKS.items():
                seconds[title].append(run(task, folder, scratch))
    rates = {title: 1 / statistics.median(found) for title, found in seconds.items()}
    table = Table("work, one process on one core", "images/s", "of the bare loop", box=None)
    for title, rate in rates.items():
        table.add_row(title, f"{rate:,.0f}", f"{rate / rates['bare loop']:.2f}")
    console = Console(width=100)
    console.print(table)
    for ours, peer in (
        ("ours, noise background", "TRDG 1.8.0, noise background"),
        ("ours, plain background", "TRDG 1.8.0, white background"),
        ("ours, plain background", "SynthTIGER 1.2.1, plain background"),
        ("ours, crops, 48 px high, PNG", "neots 0.3.4, effects off, its batches"),
        ("ours, crops, 48 px high, PNG", "neots 0.3.4, effects off, a call for each word"),
        ("ours, crops, 48 px high, PNG", "neots 0.3.4, as it ships"),
        ("ours, crops, 48 px high, PNG", "docTR-Synth-Generator 0.4.1, effects off"),
        ("ours, crops, 48 px high, PNG", "docTR-Synth-Generator 0.4.1, as it ships"),
    ):
        console.print(f"{ours}: {rates[ours] / rates[peer]:.2f} times {peer}")


if __name__ == "__main__":
    main()
