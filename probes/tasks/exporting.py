"""Export of a probe's images and a table for answers by people or other programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from probes.errors import ProbeError
from probes.readers.responses import COLUMNS, hash_pixels
from probes.tasks.base import list_readable
from probes.tasks.config import ProbeConfig
from probes.tasks.run import check_config, show_images
from synthtext.dataset.codec import encode_pixels
from synthtext.dataset.generate import OnProgress
from synthtext.rng import draw_bits
from synthtext.storage import replace_file

TABLE, IMAGES = "responses.csv", "images"


def export_pictures(
    config: ProbeConfig, folder: Path, *, on_progress: OnProgress = lambda *_: None
) -> int:
    """Write the images of a probe and a table to fill in, and return how many there are.

    The images are numbered in random order, since a person who sees one word at every level in
    turn learns it. Neither the names nor the table reveal the texts.

    Args:
        config: the settings of the probe.
        folder: for `responses.csv` and `images/`; created if needed.
        on_progress: called as images are written.

    Raises:
        ProbeError: the settings cannot be exported, or the folder already has a table.
    """
    task = check_config(config)
    if not task.takes_readers:
        able = ", ".join(list_readable())
        raise ProbeError(f"the task {task.name} does not ask for texts; export one of {able}")
    if (folder / TABLE).exists():
        raise ProbeError(f"{folder / TABLE} may already be filled in; give another folder")
    shown = show_images(config, task)
    n = len(shown.trials)
    order = np.argsort(draw_bits(config.seed, "export", 0, n)[:, 0], kind="stable")
    place_of = {shown.trials[row].key: place for place, row in enumerate(order.tolist())}
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    rows = []
    for chunk in shown.chunks:
        for stimulus in chunk():
            place = place_of[stimulus.key]
            name = f"{IMAGES}/{place:06d}.png"
            replace_file(folder / name, encode_pixels(stimulus.pixels, "png", 100))
            rows.append((place, name, stimulus.key, hash_pixels(stimulus.pixels), "", ""))
        on_progress("images", len(rows), n)
    table = pd.DataFrame([row[1:] for row in sorted(rows)], columns=list(COLUMNS))
    replace_file(folder / TABLE, table.to_csv(index=False).encode())
    return n
