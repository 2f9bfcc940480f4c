"""How fast peers draw the same words, in turn with ours on one core: `make peers`.

The peers are installed there, each in an environment of its own. The work: words of the bundled
list, one to an image, in the bundled fonts, 12 to 64 px, on a canvas of 224x224, JPEG at
quality 90, written to disk; against neots and docTR-Synth-Generator, crops of words as PNG.
Time is that of the processor. Rounds alternate, because machines are noisy; medians are shown.
The differences:

- ours places text anywhere, sets its contrast, and records every factor and the quads of words
  and letters; TRDG and SynthTIGER write the image alone, in its middle, in one ink;
- TRDG draws at 224 px and scales down; its white background is our plain one;
- SynthTIGER's noise comes from image files only, so it draws on a plain board; its layers are
  called directly, without its template, which costs it more than half of its speed;
- neots draws letters at 55 px and reduces them to fit a height of 48 px; ours and those of
  docTR-Synth-Generator are drawn at 32 px, ours on 48 px high;
- the bare loop draws, encodes and appends to a tar, and does nothing else.
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
    "ours, plain/gradient/noise paper": ("", "ours.py", "mixed"),
    "ours, noise paper": ("", "ours.py", "noise"),
    "TRDG 1.8.0, noise paper": ("trdg", "trdg_words.py", "noise"),
    "ours, plain paper": ("", "ours.py", "plain"),
    "TRDG 1.8.0, white paper": ("trdg", "trdg_words.py", "plain"),
    "SynthTIGER 1.2.1, plain board": ("synthtiger", "synthtiger_words.py", "plain"),
    "ours, natural crops, 32 px": ("", "ours.py", "crops"),
    "ours, crops, 48 px high, PNG": ("", "ours.py", "png"),
    "neots 0.3.4, effects off, its batches": ("neots", "neots_words.py", "plain"),
    "neots 0.3.4, effects off, a call for each word": ("neots", "neots_words.py", "words"),
    "neots 0.3.4, as it ships": ("neots", "neots_words.py", "shipped"),
    "docTR-Synth-Generator 0.4.1, effects off": ("doctr", "doctr_words.py", "plain"),
    "docTR-Synth-Generator 0.4.1, as it ships": ("doctr", "doctr_words.py", "shipped"),
}


def run(task: tuple[str, str, str], folder: Path, scratch: Path) -> float:
    """Return the processor seconds per image that one task takes."""
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
        ("ours, noise paper", "TRDG 1.8.0, noise paper"),
        ("ours, plain paper", "TRDG 1.8.0, white paper"),
        ("ours, plain paper", "SynthTIGER 1.2.1, plain board"),
        ("ours, crops, 48 px high, PNG", "neots 0.3.4, effects off, its batches"),
        ("ours, crops, 48 px high, PNG", "neots 0.3.4, effects off, a call for each word"),
        ("ours, crops, 48 px high, PNG", "neots 0.3.4, as it ships"),
        ("ours, crops, 48 px high, PNG", "docTR-Synth-Generator 0.4.1, effects off"),
        ("ours, crops, 48 px high, PNG", "docTR-Synth-Generator 0.4.1, as it ships"),
    ):
        console.print(f"{ours}: {rates[ours] / rates[peer]:.2f} times {peer}")


if __name__ == "__main__":
    main()
