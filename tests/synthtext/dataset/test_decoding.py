"""Untrusted samples: their parts must agree with each other and be within bounds."""

from __future__ import annotations

import io

import orjson
import pytest
from PIL import Image

from synthtext.dataset.codec import (
    Sample,
    decode,
    decode_class,
    decode_image,
    encode,
    encode_pixels,
)
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.rendering import render
from synthtext.errors import ShardError
from synthtext.spec import Spec


@pytest.fixture
def sample(spec: Spec, fonts: Catalogue) -> Sample:
    return encode(render(spec, fonts), "png")


def change_fields(sample: Sample, **fields: object) -> Sample:
    raw = orjson.dumps(orjson.loads(sample.files["json"]) | fields)
    return Sample(sample.key, {**sample.files, "json": raw})


def explain(sample: Sample) -> str:
    with pytest.raises(ShardError) as caught:
        decode(sample)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "EPS", "PPM"])
def test_only_three_formats_are_opened(kind: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), "white").save(buffer, kind)
    with pytest.raises(ShardError) as caught:
        decode_image("7.jpg", buffer.getvalue())
    assert str(caught.value) == "7.jpg cannot be decoded; render it again"


def test_the_format_of_an_image_is_that_of_its_name(sample: Sample) -> None:
    jpeg = encode_pixels(decode(sample).pixels, "jpg", 90)
    assert decode_image("7.png", jpeg).shape == (224, 224, 3)  # As other tools may name it.
    assert (
        explain(Sample(sample.key, {**sample.files, "png": jpeg}))
        == "000000007.png cannot be decoded; render it again"
    )


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"9" * 30_000, repr("9" * 27 + "..." + "9" * 28)),
        (b"-1", "'-1'"),
        (b"cat", "'cat'"),
        (b"", "''"),
        (b"10", "'10'"),
        (b"\xb2", r"'\\xb2'"),
    ],
)
def test_what_is_not_a_class_is_shown(raw: bytes, shown: str) -> None:
    with pytest.raises(ShardError) as caught:
        decode_class("7.cls", raw, 10)
    assert str(caught.value) == (
        f"7.cls is {shown}, which is not a class; classnames.txt has 10 lines"
    )


def test_a_text_and_its_quads_have_as_many_words(sample: Sample) -> None:
    assert explain(change_fields(sample, text="quartz quartz")) == (
        "000000007.json has no valid drawn_text; render it again"
    )
    both = change_fields(sample, text="quartz quartz", drawn_text="quartz quartz")
    assert explain(both) == (
        "000000007.json has no valid word_quads: the text needs 2; render it again"
    )


def test_an_image_has_the_size_that_its_spec_asks_for(sample: Sample) -> None:
    assert explain(change_fields(sample, width_px=100)) == (
        "000000007.json has no valid size: 100x224 for an image of 224x224 px; render it again"
    )


@pytest.mark.parametrize("value", [None, True, "1", [1.0], {}])
def test_what_was_measured_is_a_number(sample: Sample, value: object) -> None:
    assert explain(change_fields(sample, x_height_px=value)) == (
        "000000007.json has no valid x_height_px; render it again"
    )
