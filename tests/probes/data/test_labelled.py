from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from probes.data.labelled import draw_shapes, read_labelled
from probes.data.shapes import PICTURES
from probes.errors import ProbeError
from probes.models.base import Model
from probes.tasks.classification import embed_labelled, name_labelled


class ColourReader:
    """Distinguishes red from blue, by the mean of an image and by name."""

    def embed_images(self, images):  # noqa: ANN001, ANN201
        means = np.array([pixels.reshape(-1, 3).mean(axis=0) for pixels in images])
        return self._unit(means)

    def embed_texts(self, texts):  # noqa: ANN001, ANN201
        return self._unit(
            np.array([[255, 0, 9] if "red" in text else [9, 0, 255] for text in texts])
        )

    def _unit(self, rows):  # noqa: ANN001, ANN202
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def write_pictures(folder: Path) -> Path:
    for name, bgr in (("deep_red", (0, 0, 200)), ("blue", (200, 0, 0))):
        (folder / name).mkdir(parents=True)
        for number in range(3):
            shape = (20 + number, 30, 3)
            cv2.imwrite(str(folder / name / f"{number}.png"), np.full(shape, bgr, np.uint8))
    return folder


def test_folders_are_classes(tmp_path: Path) -> None:
    labelled = read_labelled(write_pictures(tmp_path / "a"))
    assert labelled.names == ("blue", "deep red")
    assert labelled.truths.tolist() == [0, 0, 0, 1, 1, 1]
    model = Model(ColourReader(), "colours")
    assert name_labelled(model, labelled, embed_labelled(model, labelled)).all()


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "a")
    (folder / "blue" / "0.png").write_bytes(b"no picture")
    (folder / "blue" / "notes.txt").write_text("no picture either")
    labelled = read_labelled(folder)
    assert labelled.broken == ("blue/0.png",)
    assert len(labelled.pictures) == 5


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProbeError) as caught:
        read_labelled(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} has no images in class folders; give FOLDER/CLASS/*.jpg"
    )


def test_the_drawn_images_show_every_class_equally_often() -> None:
    labelled = draw_shapes()
    assert labelled.names == tuple(PICTURES)
    assert len(set(np.bincount(labelled.truths))) == 1
    first, again = labelled.pictures[0](), labelled.pictures[0]()
    assert np.array_equal(first, again)
    assert len({picture().tobytes() for picture in labelled.pictures}) > 0.9 * len(
        labelled.pictures
    )
