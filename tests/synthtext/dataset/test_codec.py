from __future__ import annotations

from dataclasses import replace

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthtext.dataset.codec import MAX_JSON_BYTES, Sample, decode, encode
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.rendering import render
from synthtext.errors import ShardError
from synthtext.spec import Spec


@given(
    text=st.text("abcxyzÄß", min_size=1, max_size=6),
    rotation_deg=st.floats(-90, 90),
    image_format=st.sampled_from(["png", "webp"]),
)
@settings(max_examples=30)
def test_lossless_files_give_the_rendering_back(
    fonts: Catalogue, text: str, rotation_deg: float, image_format: str
) -> None:
    spec = Spec(seed=0, index=3, split="test", kind="word", text=text, font="DejaVuSans.ttf")
    drawn = render(replace(spec, rotation_deg=rotation_deg), fonts)
    read = decode(encode(drawn, image_format))
    assert (read.pixels == drawn.pixels).all()
    assert (read.char_quads == drawn.char_quads).all()
    assert (read.word_quads == drawn.word_quads).all()
    # From Python 3.13 on, equality of dataclasses compares arrays even with themselves.
    for name in ("spec", "size_asked_px", "x_height_px", "contrast_drawn", "ink_drawn"):
        assert getattr(read, name) == getattr(drawn, name)


def test_jpeg_gives_nearly_the_pixels_back(spec: Spec, fonts: Catalogue) -> None:
    drawn = render(replace(spec, jpeg_quality=90), fonts)
    read = decode(encode(drawn, "jpg"))
    assert np.abs(read.pixels.astype(int) - drawn.pixels).mean() < 1


def test_png_shows_the_jpeg_quality_asked_for(spec: Spec, fonts: Catalogue) -> None:
    drawn = render(replace(spec, jpeg_quality=10), fonts)
    assert (decode(encode(drawn, "png")).pixels == decode(encode(drawn, "jpg")).pixels).all()


def test_a_sample_has_image_text_factors_and_class(spec: Spec, fonts: Catalogue) -> None:
    sample = encode(render(replace(spec, case="upper", class_index=5), fonts), "jpg")
    assert list(sample.files) == ["jpg", "txt", "json", "cls"]
    assert (sample.key, sample.files["txt"], sample.files["cls"]) == (
        "000000007",
        b"QUARTZ",
        b"5",
    )


@pytest.fixture
def sample(spec: Spec, fonts: Catalogue) -> Sample:
    return encode(render(spec, fonts), "png")


def broken(sample: Sample, **files: bytes | None) -> Sample:
    kept = {**sample.files, **files}
    return Sample(sample.key, {name: raw for name, raw in kept.items() if raw is not None})


def changed(sample: Sample, **fields: object) -> bytes:
    return orjson.dumps(orjson.loads(sample.files["json"]) | fields)


def explain(sample: Sample) -> str:
    with pytest.raises(ShardError) as caught:
        decode(sample)
    return str(caught.value)


def test_a_sample_without_factors_is_refused(sample: Sample) -> None:
    assert explain(broken(sample, json=None)) == (
        "000000007 has no .json; the shard was not written by synthtext"
    )


def test_a_sample_without_image_is_refused(sample: Sample) -> None:
    assert explain(broken(sample, png=None)) == (
        "000000007 has no .jpg, .png or .webp; render it again"
    )


def test_an_image_that_is_cut_short_is_refused(sample: Sample) -> None:
    half = sample.files["png"][:20]
    assert (
        explain(broken(sample, png=half)) == "000000007.png cannot be decoded; render it again"
    )


def test_an_image_too_large_is_refused_by_its_header(sample: Sample) -> None:
    header = bytearray(sample.files["png"])
    header[16:24] = (60_000).to_bytes(4, "big") * 2
    assert "cannot be decoded" in explain(
        broken(sample, png=bytes(header))
    ) or "60000x60000" in explain(broken(sample, png=bytes(header)))


def test_broken_json_is_refused(sample: Sample) -> None:
    assert "000000007.json is broken" in explain(broken(sample, json=b"{"))


def test_a_giant_json_is_refused(sample: Sample) -> None:
    giant = b" " * (MAX_JSON_BYTES + 1)
    assert explain(broken(sample, json=giant)) == (
        "000000007.json has 8388609 bytes; the limit is 8388608"
    )


def test_another_format_is_refused(sample: Sample) -> None:
    assert explain(broken(sample, json=changed(sample, format=2))) == (
        "000000007.json is not of format 1; use the synthtext that wrote it"
    )


def test_a_spec_that_cannot_be_drawn_is_refused(sample: Sample) -> None:
    assert explain(broken(sample, json=changed(sample, blur_px=-1.0))) == (
        "000000007.json has no valid spec: blur_px is -1.0; it is a radius in px, so 0 to 64"
    )


@pytest.mark.parametrize("quads", [None, 3, [[1, 2]], "word", [[[1, 2], [3, 4], [5, 6], [7]]]])
def test_quads_of_another_shape_are_refused(sample: Sample, quads: object) -> None:
    assert "000000007.json has no valid" in explain(
        broken(sample, json=changed(sample, word_quads=quads))
    )


def test_polygons_are_written_of_bent_text_alone_and_read_back(
    spec: Spec, fonts: Catalogue, sample: Sample
) -> None:
    assert "word_polygons" not in orjson.loads(sample.files["json"])
    drawn = render(replace(spec, text="two words", arc_deg=90.0, size_px=20.0), fonts)
    read = decode(encode(drawn, "png"))
    assert len(read.word_polygons) == 2
    assert all(map(np.array_equal, read.word_polygons, drawn.word_polygons))


def test_bent_text_from_before_polygons_has_its_quads(spec: Spec, fonts: Catalogue) -> None:
    sample = encode(render(replace(spec, arc_deg=90.0), fonts), "png")
    fields = orjson.loads(sample.files["json"])
    del fields["word_polygons"]
    read = decode(broken(sample, json=orjson.dumps(fields)))
    assert np.array_equal(read.word_polygons, read.word_quads)


SQUARE = [[0, 0], [9, 0], [9, 9], [0, 9]]


@pytest.mark.parametrize(
    "polygons",
    [
        None, {}, [3], ["word"], [None], [SQUARE, SQUARE], [SQUARE[:2]], [[*SQUARE, [0, 5]]],
        [[[0, 0]] * 36], [[[0, 0, 0]] * 4], [[[0, None]] * 4], [[["0", "0"]] * 4],
        [[[1e300, 0]] * 4], [[[0, 0], [9, 0], [9], [0, 9]]], [[[[0]] * 2] * 4],
    ],
)  # fmt: skip
def test_polygons_of_another_shape_are_refused(sample: Sample, polygons: object) -> None:
    assert "000000007.json has no valid word_polygons" in explain(
        broken(sample, json=changed(sample, word_polygons=polygons))
    )


@pytest.mark.parametrize("places", [None, "", [0], [6], [2, 2], [3, 1], [True], [1.0], [-1]])
def test_places_that_are_not_within_the_text_are_refused(
    sample: Sample, places: object
) -> None:
    assert explain(broken(sample, json=changed(sample, word_breaks=places))) == (
        "000000007.json has no valid word_breaks; render it again"
    )


def test_a_sample_from_before_words_were_broken_is_read(sample: Sample) -> None:
    fields = orjson.loads(sample.files["json"])
    del fields["word_breaks"]
    assert decode(broken(sample, json=orjson.dumps(fields))).word_breaks == ()
