from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from probes.arrays import Pixels
from probes.errors import ProbeError
from probes.fitting.reading import is_page, read_crops
from synthtext import make_spec, render


def draw_crop(text: str = "quartz", **factors: object) -> Pixels:
    spec = make_spec(text, width_px=0, height_px=0, **factors)
    return render(spec).pixels


def save(folder: Path, images: list[Pixels]) -> Path:
    folder.mkdir(exist_ok=True)
    for number, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
    return folder


def read(folder: Path, n_most: int = 100, seed: int = 0) -> tuple[list[str], tuple[str, ...]]:
    found = read_crops(folder, n_most=n_most, seed=seed, on_progress=lambda *_: None)
    assert len(found.crops) == len(found.files)
    return [path.name for path in found.files], found.notes


def explain(folder: Path) -> str:
    with pytest.raises(ProbeError) as caught:
        read(folder)
    return str(caught.value)


def draw_page() -> Pixels:
    line = draw_crop("many words in a row", size_px=24)
    return np.concatenate([line] * 12)


def test_crops_of_inner_folders_are_read(tmp_path: Path) -> None:
    save(tmp_path, [draw_crop(size_px=20 + k) for k in range(15)])
    save(tmp_path / "more", [draw_crop(size_px=20 + k) for k in range(15)])
    (tmp_path / "gt.txt").write_text('000.png, "quartz"\n')
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    files, notes = read(tmp_path)
    assert len(files) == 30
    assert len(notes) == 1
    assert "broken.png" in notes[0]


def test_of_too_many_some_are_chosen_by_seed(tmp_path: Path) -> None:
    save(tmp_path, [draw_crop(size_px=20 + k % 5) for k in range(60)])
    files, notes = read(tmp_path, n_most=25)
    assert len(files) == 25
    assert notes == ("35 of 60 beyond --crops 25",)
    assert read(tmp_path, n_most=25)[0] == files
    assert read(tmp_path, n_most=25, seed=1)[0] != files


def test_tall_crops_are_said_to_be_shrunk(tmp_path: Path) -> None:
    save(tmp_path, [draw_crop("ox", size_px=600)] * 2 + [draw_crop()] * 20)
    assert read(tmp_path)[1][-1].startswith("2 are taller than 256 px")


def test_pages_among_crops_are_left_out(tmp_path: Path) -> None:
    save(tmp_path, [draw_page()] * 3 + [draw_crop()] * 25)
    files, notes = read(tmp_path)
    assert len(files) == 25
    assert "3 pages with 5 lines or more; cut out their words" in notes


@pytest.mark.parametrize(
    "factors", [{}, {"size_px": 200}, {"background": "texture", "size_px": 150}]
)
def test_a_word_is_not_a_page(factors: dict[str, object]) -> None:
    assert not is_page(draw_crop(**factors))
    assert is_page(draw_page())


def test_bad_folders_are_named(tmp_path: Path) -> None:
    assert (
        explain(tmp_path / "none")
        == f"{tmp_path}/none is not a folder; give one that contains crops of words"
    )
    assert (
        explain(tmp_path) == f"there are no images in {tmp_path}; put .jpg or .png crops there"
    )
    save(tmp_path, [draw_crop()] * 5)
    assert (
        explain(tmp_path)
        == f"{tmp_path} holds too few images, 5; a fit needs 20 crops or more, ideally 500"
    )


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (draw_page(), "pages with 5 lines or more; cut out their words"),
        (np.full((20, 60, 3), 200, np.uint8), "images of a single colour; give crops with text on them"),
        (np.full((2000, 2100, 3), 200, np.uint8), "images of more than 4 million pixels; cut out their words, or shrink them"),
    ],
)  # fmt: skip
def test_a_folder_without_crops_is_refused_early(
    pixels: Pixels, sentence: str, tmp_path: Path
) -> None:
    save(tmp_path, [pixels] + [draw_crop()] * 5)
    for number in range(10, 74):
        (tmp_path / f"0{number}.png").hardlink_to(tmp_path / "000.png")
    assert explain(tmp_path) == f"35 of 40 images in {tmp_path} are {sentence}"


def test_too_few_that_can_be_used_are_named(tmp_path: Path) -> None:
    save(tmp_path, [draw_crop()] * 12)
    for number in range(10):
        (tmp_path / f"b{number}.png").write_bytes(b"nothing")
    assert explain(tmp_path) == (
        f"{tmp_path} holds 12 usable crops among 22 images; a fit needs 20 or more"
    )
