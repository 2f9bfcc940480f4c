from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from probes.errors import ProbeError
from probes.models.base import Model
from probes.models.clip import ClipEncoder
from probes.models.factory import load_model
from probes.models.preprocessing import INTERPOLATIONS, RESIZE_MODES
from tiny_clip import TINY, draw_pictures, write_json


@pytest.fixture(scope="module")
def config_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_json(tmp_path_factory.mktemp("config") / "tiny.json", TINY)


@pytest.fixture(scope="module")
def tiny(config_path: Path) -> Model:
    return load_model(str(config_path), pretrained="random", device="cpu")


def test_vectors_have_unit_length(tiny: Model) -> None:
    vectors = tiny.encoder.embed_images(draw_pictures((32, 32), (20, 50)))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("resize_mode", RESIZE_MODES)
def test_vectors_equal_those_of_open_clips_own_preprocessing(
    config_path: Path, tmp_path: Path, resize_mode: str, interpolation: str
) -> None:
    settings = {"resize_mode": resize_mode, "interpolation": interpolation, "fill_color": 200}
    config = {"model_cfg": TINY, "preprocess_cfg": settings}
    path = write_json(tmp_path / "other.json", config)
    encoder = load_model(str(path), pretrained="random", device="cpu").encoder
    assert isinstance(encoder, ClipEncoder)
    transform = open_clip.image_transform(32, is_train=False, **settings)
    pictures = draw_pictures((32, 32), (32, 90), (47, 33), (64, 64), (7, 5))
    batch = torch.stack([transform(Image.fromarray(pixels)) for pixels in pictures])
    with torch.no_grad():
        theirs = torch.nn.functional.normalize(encoder.encode_image(batch), dim=-1)
    np.testing.assert_allclose(encoder.embed_images(pictures), theirs.numpy(), atol=1e-5)


def test_a_batch_boundary_changes_no_vector(tiny: Model) -> None:
    assert isinstance(tiny.encoder, ClipEncoder)
    pictures = draw_pictures(*[(32, 32)] * 5)
    whole = tiny.encoder.embed_images(pictures)
    by_two = replace(tiny.encoder, batch_size=2).embed_images(pictures)
    np.testing.assert_allclose(by_two, whole, atol=1e-6)


def test_filling_up_the_last_batch_changes_no_vector(tiny: Model) -> None:
    assert isinstance(tiny.encoder, ClipEncoder)
    sizes: list[int] = []

    def encode(batch: torch.Tensor) -> torch.Tensor:
        sizes.append(len(batch))
        return batch.mean((2, 3))

    padded = replace(tiny.encoder, encode_image=encode, batch_size=4, pads=True)
    pictures = draw_pictures(*[(32, 32)] * 5)
    vectors = padded.embed_images(pictures)
    np.testing.assert_array_equal(vectors, replace(padded, pads=False).embed_images(pictures))
    assert sizes == [4, 4, 4, 1]


def test_bf16_stays_near_fp32(config_path: Path, tiny: Model) -> None:
    path = str(config_path)
    lowered = load_model(path, pretrained="random", device="cpu", precision="bf16")
    pictures = draw_pictures((32, 32), (40, 40))
    exact, rough = (m.encoder.embed_images(pictures) for m in (tiny, lowered))
    assert np.sum(exact * rough, axis=1).min() > 0.999
    assert not np.array_equal(exact, rough)


def test_nothing_embeds_to_no_rows(tiny: Model) -> None:
    assert tiny.encoder.embed_images([]).shape == (0, 32)
    assert tiny.encoder.embed_texts([]).shape == (0, 32)


def test_a_picture_of_floats_is_refused(tiny: Model) -> None:
    picture: Any = np.zeros((32, 32, 3), np.float32)
    with pytest.raises(ProbeError) as caught:
        tiny.encoder.embed_images([picture])
    assert str(caught.value) == (
        "an image is float32 of shape (32, 32, 3);"
        " an encoder takes uint8 of shape (height, width, 3)"
    )
