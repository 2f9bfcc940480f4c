"""Memory of a worker over time, and the speed-up from a second worker: `make memory`."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import make_plan
from synthtext.drawing.fonts import read_catalogue
from synthtext.recipe import default_recipe
from synthtext.texts.words import read_words

N_IMAGES, N_SHORT, N_ROUNDS = 200_000, 40_000, 3


def main() -> None:
    """Print the memory of this process as it draws, then the time of one worker and of two."""
    n_images = int(sys.argv[1]) if len(sys.argv) > 1 else N_IMAGES
    texts, fonts = {"word": read_words("en")}, read_catalogue()
    times: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(N_ROUNDS):
        for n_workers, found in times.items():
            with tempfile.TemporaryDirectory() as folder:
                plan = make_plan(default_recipe(), texts, fonts, count=N_SHORT)
                begin = time.perf_counter()
                render_dataset(plan, Path(folder), n_workers=n_workers)
                found.append(time.perf_counter() - begin)
    ratio = min(times[1]) / min(times[2])
    Console().print(f"two workers: {ratio:.2f} times one, over {N_SHORT:,} images")
    table = Table("images drawn", "peak memory, MB", box=None)
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(default_recipe(), texts, fonts, count=n_images)
        marks = iter([n_images // 20 * k for k in range(1, 21)])
        mark = next(marks)

        def note(unit: str, n_done: int, n_all: int | None) -> None:
            nonlocal mark
            if n_done >= mark:
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                table.add_row(f"{n_done:,}", f"{peak:,.0f}")
                mark = next(marks, n_images + 1)

        render_dataset(plan, Path(folder), on_progress=note)
    Console().print(table)


if __name__ == "__main__":
    main()
