"""Statistics that tell real crops from drawn ones, in seconds (`fit.py real` takes an hour).

    python benchmarks/likeness.py FOLDER ... --real FOLDER ...

Folders contain images and ICDAR's `gt.txt`, as `recogniser.py` writes them. Prints quantiles of
the statistics, and the accuracy of gradient boosting at telling real crops from as many drawn
ones, in three-fold cross-validation; 50 % would be chance. `street` was tuned with this.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import cross_val_score

from probes.fitting.crops import Crops, look_at

N_CROPS = 1000

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)

EDGE_SHARE = 0.3
"""A row contains text if its edges exceed this fraction of those of the strongest rows."""

NAMES = (
    "height, log2 px", "edges 10 %", "edges 30 %", "edges 50 %", "edges 90 %", "edges 99 %",
    "contrast", "rows of text", "saturation of background", "lightness of background",
    "saturation of text", "lightness of text", "difference of lightness",
)  # fmt: skip

Floats = NDArray[np.float64]


def measure(folder: Path) -> Floats:
    """Return statistics of up to a thousand crops of a folder: float64 (N, 13)."""
    lines = (folder / "gt.txt").read_text(encoding="utf-8-sig").splitlines()
    order = np.random.default_rng(0).permutation(len(lines))[:N_CROPS]
    read = [cv2.imread(str(folder / lines[k].partition(", ")[0])) for k in order.tolist()]
    images = [cv2.cvtColor(image, cv2.COLOR_BGR2RGB) for image in read if image is not None]
    crops = look_at(images)
    rows = np.array([measure_rows(image) for image in images])
    return np.column_stack([crops.scalars[:, [0, *range(3, 9)]], rows, measure_colours(crops)])


def measure_rows(image: NDArray[np.uint8]) -> float:
    """Return the fraction of the rows of a crop that contain text."""
    levels = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = np.abs(np.diff(levels, axis=1)).mean(axis=1)
    return float((edges > EDGE_SHARE * np.quantile(edges, 0.9)).mean())


def measure_colours(crops: Crops) -> Floats:
    """Return saturation and lightness of background and text, and the difference: (N, 5)."""
    paper, ink = (
        cv2.cvtColor(colours[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
        for colours in (crops.paper, crops.ink)
    )
    saturations = [np.hypot(each[:, 1], each[:, 2]) for each in (paper, ink)]
    return np.column_stack(
        [saturations[0], paper[:, 0], saturations[1], ink[:, 0], abs(paper[:, 0] - ink[:, 0])]
    )


def main() -> None:
    """Print quantiles for each folder, and how well real and drawn crops are told apart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("drawn", type=Path, nargs="+")
    parser.add_argument("--real", type=Path, nargs="+", required=True)
    given = parser.parse_args()
    seen = {folder: measure(folder) for folder in [*given.real, *given.drawn]}
    table = Table("", *(folder.name for folder in seen))
    for place, name in enumerate(NAMES):
        quantiles = (np.quantile(values[:, place], LEVELS) for values in seen.values())
        table.add_row(name, *(" ".join(f"{value:.3g}" for value in each) for each in quantiles))
    for real in given.real:
        cells = []
        for drawn in seen:
            if drawn in given.real:
                cells.append("")
                continue
            n = min(len(seen[real]), len(seen[drawn]))
            values = np.concatenate([seen[real][:n], seen[drawn][:n]])
            told = cross_val_score(
                HistGradientBoostingClassifier(max_iter=60), values, np.repeat([0, 1], n), cv=3
            )
            cells.append(f"{100 * told.mean():.1f} %")
        table.add_row(f"told from {real.name}", *cells)
    Console(width=40 + 36 * len(seen)).print(table)


if __name__ == "__main__":
    main()
