from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fake_encoders import BlindReader, model_of
from probes.reports import plots
from probes.reports.image_grids import (
    MAX_SHOWN,
    MAX_TEXTS,
    count_left_out,
    draw_bars,
    draw_matrix,
)
from probes.tasks.matching import Entry, compare_files

HOSTILE = [
    "$",
    "$x_{",
    "a$b$c",
    "$\\frac{",
    "_^\\",
    "[/b]",
    "\x1b[2J\n\0",
    "\u202ex",
    "猫",
    "\udce9",
]
"""Texts that a plot might take for a formula, or cannot draw."""

ROOT = Path(__file__).parents[3]

PICTURE = np.zeros((6, 8, 3), np.uint8)


def measure(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as image:
        return image.size


def test_a_matrix_of_hostile_texts_is_drawn() -> None:
    assert draw_matrix([PICTURE], HOSTILE, np.zeros((1, len(HOSTILE)), np.float32))


def test_bars_of_hostile_texts_are_drawn() -> None:
    assert draw_bars([Entry(PICTURE, text, tuple(HOSTILE), (0.1,) * 10) for text in HOSTILE])


def test_plots_of_hostile_texts_are_drawn() -> None:
    numbers = {"level": 8.0, "accuracy": 0.5, "low": 0.4, "high": 0.6}
    rows = [{"baseline": text, "label": text} | numbers for text in HOSTILE[:-1]]
    table = pd.DataFrame({name: [row[name] for row in rows] for name in rows[0]}, dtype=object)
    table = table.astype(dict.fromkeys(numbers, float))
    assert plots.draw_levels(table, "font", 0.1)
    assert plots.draw_curve(table, "size_px", 0.1, pd.DataFrame())
    assert plots.draw_counts([(text, 2) for text in HOSTILE], "times")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("$x_{2}$", "$x_{2}$"), ("猫", "\\u732b"), ("\x1b[2J", "\\x1b[2J"), ("ß", "ß")],
)  # fmt: skip
def test_a_label_shows_the_text_itself(text: str, shown: str) -> None:
    assert plots.plot_text(text) == shown


def test_a_long_label_ends_in_an_ellipsis() -> None:
    assert plots.plot_text("猫" * 100) == ("\\u732b" * 8)[:47] + "…"


def test_a_plot_of_many_levels_shows_both_ends() -> None:
    labels = [f"{number:04d}.ttf" for number in range(3000)]
    table = pd.DataFrame({"baseline": "", "level": 0.0, "label": labels, "accuracy": 0.5})
    drawn = plots.draw_levels(table.assign(low=0.4, high=0.6), "font", 0.1)
    assert measure(drawn.png)[1] < 4000


def test_a_matrix_is_bounded_and_says_what_it_leaves_out() -> None:
    cosines = np.zeros((3, 2000), np.float32)
    png = draw_matrix([PICTURE] * 3, ["x"] * 2000, cosines)
    assert measure(png)[1] < 6000
    assert count_left_out(MAX_SHOWN, MAX_TEXTS) == ""
    assert count_left_out(70, 2000) == (
        "the plot shows the first 64 of 70 images and the first 40 of 2,000 texts"
    )


def test_pictures_are_read_a_few_at_a_time(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((300, 400, 3), np.uint8))
    held: list[int] = []

    class Counter(BlindReader):
        def embed_images(self, images):  # noqa: ANN001, ANN202
            held.append(len(images))
            return super().embed_images(images)

    files = [tmp_path / "a.png"] * 300
    thumbnails, cosines = compare_files(model_of(Counter()), files, ["x", "y"], ("{}",))
    assert (max(held), sum(held)) == (64, 300)
    assert cosines.shape == (300, 2)
    assert len(thumbnails) == MAX_SHOWN
    assert thumbnails[0].shape == (120, 160, 3)


def run_measured(
    command: list[str], folder: Path
) -> tuple[subprocess.CompletedProcess[str], int]:
    """Run the command line in a process that finally prints its peak memory in bytes."""
    script = (
        "import sys\nfrom synthtext_cli import app\ntry:\n    app.main()\nfinally:\n"
        "    status = open('/proc/self/status').read()\n"
        "    print(status.partition('VmHWM:')[2].split()[0], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command], capture_output=True, text=True, check=False,
        cwd=folder, env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/helpers'}"},
    )  # fmt: skip
    return done, 1024 * int(done.stderr.split()[-1])


@pytest.mark.parametrize(("n_pictures", "side_px", "n_texts"), [(12, 4900, 3), (10, 40, 2000)])
def test_a_matrix_takes_no_more_than_2_gb(
    n_pictures: int, side_px: int, n_texts: int, tmp_path: Path
) -> None:
    for number in range(n_pictures):
        Image.new("RGB", (side_px, side_px), (number, 0, 0)).save(tmp_path / f"{number}.jpg")
    (tmp_path / "t.txt").write_text("\n".join(f"text {number}" for number in range(n_texts)))
    done, peak = run_measured(
        [
            "matrix",
            ".",
            "--texts-file",
            "t.txt",
            "--model",
            "bundled",
            "--pretrained",
            "random",
        ],
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert peak < 2 << 30
    is_bounded = f"the first {MAX_TEXTS} of {n_texts:,} texts; matrix.json has them all"
    assert (is_bounded in done.stderr) == (n_texts > MAX_TEXTS)
