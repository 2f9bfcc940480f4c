from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthtext.drawing.backgrounds import draw_paper
from synthtext.drawing.photos import read_photo, read_photos
from synthtext.errors import PhotoError
from synthtext.spec import Spec

NOISE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.fromarray(NOISE).save(tmp_path / "a.png")
    Image.fromarray(NOISE[::-1].copy()).save(tmp_path / "B.JPG", "JPEG")
    return tmp_path


def explain(folder: Path) -> str:
    with pytest.raises(PhotoError) as caught:
        read_photos(folder)
    return str(caught.value)


def test_photographs_are_listed_by_name(folder: Path) -> None:
    (folder / "notes.txt").write_text("no picture")
    assert read_photos(folder).names == ("B.JPG", "a.png")


def test_the_checksum_knows_the_bytes(folder: Path) -> None:
    before = read_photos(folder).sha256
    assert read_photos(folder).sha256 == before
    Image.fromarray(NOISE[:, ::-1].copy()).save(folder / "a.png")
    assert read_photos(folder).sha256 != before


@pytest.mark.parametrize(("width_px", "height_px"), [(50, 50), (300, 20), (20, 300), (1, 1)])
def test_a_crop_has_the_size_asked_for(
    folder: Path, spec: Spec, width_px: int, height_px: int
) -> None:
    spec = replace(spec, background="photo", photo="a.png", paper_seed=3)
    paper = draw_paper(spec, width_px, height_px, read_photos(folder))
    assert paper.shape == (height_px, width_px, 3)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1"])
def test_every_mode_is_read_as_colours(tmp_path: Path, mode: str) -> None:
    suffix = "tif" if mode == "CMYK" else "png"
    Image.fromarray(NOISE).convert(mode).save(tmp_path / f"a.{suffix}")
    photos = read_photos(tmp_path)
    assert read_photo(photos, f"a.{suffix}").shape == (90, 120, 3)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    deep = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    photo = read_photo(read_photos(tmp_path), "deep.png")
    assert (photo.min(), photo.max()) == (0, 255)
    assert 120 < photo.mean() < 135


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    assert (read_photo(read_photos(tmp_path), "clear.png") == 255).all()


def test_a_picture_taken_sideways_is_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(NOISE).save(tmp_path / "side.jpg", exif=exif)
    assert read_photo(read_photos(tmp_path), "side.jpg").shape == (120, 90, 3)


def test_one_that_is_broken_is_named_and_the_rest_goes_on(folder: Path) -> None:
    path = folder / "a.png"
    path.write_bytes(path.read_bytes()[:-2000])
    photos = read_photos(folder)
    assert photos.names == ("B.JPG",)
    (reason,) = photos.broken
    assert reason.startswith(f"{path} cannot be decoded (")
    assert reason.endswith("); replace or remove it")


def test_the_checksum_is_of_those_that_can_be_used(folder: Path) -> None:
    before = read_photos(folder).sha256
    (folder / "broken.png").write_text("hello")
    os.mkfifo(folder / "pipe.png")
    photos = read_photos(folder)
    assert photos.sha256 == before
    assert photos.broken == (
        f"{folder / 'broken.png'} is not a JPEG, PNG, WEBP, GIF, BMP, TIFF or PPM file; replace or remove it",
        f"{folder / 'pipe.png'} is a pipe and not a regular file; replace or remove it",
    )


def test_a_folder_with_none_that_can_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.png").write_text("hello")
    assert explain(tmp_path) == (
        f"{tmp_path} has no usable photograph: {tmp_path / 'c.png'} is not a JPEG, PNG, WEBP, GIF, BMP, TIFF or PPM file; replace or remove it"
    )


def test_folders_in_the_folder_are_looked_into(folder: Path, spec: Spec) -> None:
    (folder / "sub/deep").mkdir(parents=True)
    (folder / ".cache").mkdir()
    (folder / "a.png").rename(folder / "sub/deep/a.png")
    Image.fromarray(NOISE).save(folder / ".cache/thumb.png")
    (folder / "sub/loop").symlink_to(folder)
    photos = read_photos(folder)
    assert photos.names == ("B.JPG", "sub/deep/a.png")
    spec = replace(spec, background="photo", photo="sub/deep/a.png", paper_seed=3)
    assert draw_paper(spec, 40, 30, photos).shape == (30, 40, 3)


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    Image.new("1", (9000, 9000)).save(tmp_path / "bomb.png")
    assert explain(tmp_path).endswith(
        f"{tmp_path / 'bomb.png'} has 9000x9000 px, more than 64,000,000; replace or remove it"
    )


def test_a_folder_without_photographs_is_named(tmp_path: Path) -> None:
    assert explain(tmp_path).startswith(f"{tmp_path} has no photograph (.bmp, .jpeg,")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert explain(path) == f"{path} is not a folder; give one that contains photographs"


def test_a_photograph_that_is_gone_is_named(folder: Path) -> None:
    with pytest.raises(PhotoError) as caught:
        read_photo(read_photos(folder), "c.png")
    assert str(caught.value) == f"{folder} has no photograph 'c.png'; restore it"


def test_halves_are_made_down_to_a_side_of_one_pixel(folder: Path) -> None:
    photos = read_photos(folder)
    shapes = [read_photo(photos, "a.png", n).shape[:2] for n in (0, 1, 2, 6, 99)]
    assert shapes == [(90, 120), (45, 60), (22, 30), (1, 1), (1, 1)]


def test_only_the_first_frame_is_read(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    first.save(tmp_path / "moving.png", save_all=True, append_images=[second])
    assert (read_photo(read_photos(tmp_path), "moving.png") == (255, 0, 0)).all()


@pytest.mark.parametrize("side_px", [10_000, 14_000])
def test_large_bombs_are_refused_without_a_warning(tmp_path: Path, side_px: int) -> None:
    Image.new("1", (side_px, side_px)).save(tmp_path / "bomb.png")
    assert "64,000,000" in explain(tmp_path)


def test_floating_point_levels_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(tmp_path / "deep.tif")
    path = tmp_path / "deep.tif"
    assert explain(tmp_path).endswith(
        f"{path} has floating-point levels, not 8 or 16 bits; replace or remove it"
    )


def test_a_name_that_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    Image.fromarray(NOISE).save(tmp_path / os.fsdecode(b"\xff.png"))
    assert explain(tmp_path).endswith(
        "'\\udcff.png' is not a valid UTF-8 name; rename the photograph"
    )


def test_a_photograph_that_was_changed_since_is_not_drawn_on(folder: Path) -> None:
    photos = read_photos(folder)
    path = folder / photos.names[0]
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(PhotoError) as caught:
        read_photo(photos, photos.names[0])
    assert str(caught.value) == (
        f"{path} was changed while it was in use; restore the photograph, or start again"
    )
    path.unlink()
    with pytest.raises(PhotoError) as caught:
        read_photo(photos, photos.names[0])
    assert str(caught.value) == (
        f"{path} cannot be read (no such file or directory); restore it"
    )
