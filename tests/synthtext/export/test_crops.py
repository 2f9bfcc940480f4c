"""Words that are cut out of their images."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from exported import TEXTS, export
from synthtext.dataset.codec import encode
from synthtext.dataset.shards import pack_samples
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.rendering import render
from synthtext.errors import ShardError
from synthtext.export.items import crop_quad, read_items, read_shard_items
from synthtext.spec import Spec


def test_a_crop_is_the_word_upright() -> None:
    upright = np.full((80, 200, 3), 255, np.uint8)
    cv2.putText(upright, "Hgx", (40, 55), 0, 1.5, (0, 0, 0), 3)
    quad = np.array([[36, 18], [160, 18], [160, 68], [36, 68]], np.float32)
    straight = crop_quad(upright, quad, margin=0)
    assert straight.shape == (50, 124, 3)
    assert (straight == upright[18:68, 36:160]).all()
    for angle in (-30, 15, 90, 180):
        turn = cv2.getRotationMatrix2D((100, 40), angle, 1)
        turn[:, 2] += (100, 160)
        turned = cv2.warpAffine(upright, turn, (400, 400), borderValue=(255, 255, 255))
        # OpenCV counts from the middle of a pixel, quads from its edge.
        moved = (quad - 0.5) @ turn[:, :2].T + turn[:, 2] + 0.5
        crop = crop_quad(turned, moved.astype(np.float32), margin=0)
        assert crop.shape == straight.shape
        assert np.abs(crop.astype(int) - straight).mean() < 8


@pytest.mark.parametrize(("yaw_deg", "pitch_deg"), [(50, 0), (-60, 20), (30, -50)])
def test_a_word_seen_from_the_side_is_cut_out_as_if_from_the_front(
    spec: Spec, fonts: Catalogue, yaw_deg: float, pitch_deg: float
) -> None:
    front = render(replace(spec, size_px=40.0), fonts)
    side = render(replace(front.spec, yaw_deg=yaw_deg, pitch_deg=pitch_deg), fonts)
    expected, found = (
        crop_quad(seen.pixels, seen.word_quads[0], margin=0) for seen in (front, side)
    )
    found = cv2.resize(found, expected.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    likeness = np.corrcoef(expected.ravel(), found.ravel())[0, 1]
    assert likeness > 0.85


def test_quads_that_leave_their_picture_are_refused(
    spec: Spec, fonts: Catalogue, tmp_path: Path
) -> None:
    drawn = render(spec, fonts)
    cases = (
        (
            drawn.word_quads * 100,
            "000000007.json has quads that do not match its text; render it again",
        ),
        (drawn.word_quads * 1e6, "000000007.json has no valid word_quads; render it again"),
        (
            drawn.word_quads.repeat(2, axis=0),
            "000000007.json has no valid word_quads: the text needs 1; render it again",
        ),
    )
    for quads, sentence in cases:
        sample = encode(replace(drawn, word_quads=quads), "png")
        (tmp_path / "bad.tar").write_bytes(b"".join(pack_samples([sample])) + bytes(1024))
        with pytest.raises(ShardError) as caught:
            list(read_shard_items(tmp_path / "bad.tar", crops=True))
        assert str(caught.value) == sentence


def test_every_word_is_cut_out_with_its_text(data: Path, tmp_path: Path) -> None:
    items = list(read_items(data, "train", crops=True)) + list(
        read_items(data, "test", crops=True)
    )
    words = [word for text in TEXTS for word in text.split()]
    assert sorted(item.text.casefold() for item in items) == sorted(w.casefold() for w in words)
    for item in items:
        width, height = Image.open(io.BytesIO(item.image)).size
        assert (width, height) == item.size_px
        assert height < 160
    out = export(data, tmp_path, "icdar", crops=True)
    lines = [line for split in ("train", "test")
             for line in (out / split / "gt.txt").read_text().splitlines()]  # fmt: skip
    assert len(lines) == len(words)
