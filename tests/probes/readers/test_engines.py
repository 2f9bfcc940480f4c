from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from probes.arrays import Pixels
from probes.errors import ProbeError
from probes.models.factory import load_model
from probes.readers import rapidocr, tesseract
from probes.readers.registry import ENGINES
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.rendering import render
from synthtext.spec import Spec

needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="Tesseract is not installed"
)

WORDS = ["window", "Orange", "Garden"]


@pytest.fixture
def images(spec: Spec, fonts: Catalogue) -> list[Pixels]:
    """Return three readable images and a blank one."""
    drawn = [render(replace(spec, text=word), fonts).pixels for word in WORDS]
    return [*drawn, np.full((224, 224, 3), 255, np.uint8)]


def read_all(name: str, images: list[Pixels]) -> None:
    model = load_model(name)
    assert model.reader is not None
    said = model.reader.read_images(images)
    assert [reading.text for reading in said] == [*WORDS, ""]
    assert [reading.fault for reading in said] == [""] * 4
    assert all(reading.confidence > 0.5 for reading in said[:3])
    assert said[3].confidence == 0
    assert model.reader.read_images(images[:1]) == said[:1]  # The others do not matter.
    assert len(model.weights_sha256) == 64
    assert load_model(name).weights_sha256 == model.weights_sha256


@needs_tesseract
@pytest.mark.parametrize("name", ["ocr:tesseract", "ocr:tesseract:eng:6"])
def test_tesseract_reads(name: str, images: list[Pixels]) -> None:
    read_all(name, images)


def test_rapidocr_reads(images: list[Pixels]) -> None:
    pytest.importorskip("rapidocr_onnxruntime")
    read_all("ocr:rapidocr", images)


@needs_tesseract
def test_a_layout_is_another_reader() -> None:
    one, other = load_model("ocr:tesseract"), load_model("ocr:tesseract:eng:7")
    assert one.weights_sha256 != other.weights_sha256
    assert other.config == {"languages": "eng", "page_segmentation_mode": "7"}


@needs_tesseract
def test_a_language_that_is_not_installed_is_named() -> None:
    with pytest.raises(ProbeError) as caught:
        load_model("ocr:tesseract:eng+xyz")
    assert str(caught.value).startswith("Tesseract has no language 'xyz' here, but ")
    assert str(caught.value).endswith("; run: apt-get install tesseract-ocr-xyz")


def test_an_engine_that_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tesseract.shutil, "which", lambda name: None)
    monkeypatch.setattr(rapidocr.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ProbeError) as caught:
        load_model("ocr:tesseract")
    assert str(caught.value) == (
        "ocr:tesseract needs Tesseract, which is not installed; run: apt-get install tesseract-ocr"
    )
    with pytest.raises(ProbeError) as caught:
        load_model("ocr:rapidocr")
    assert str(caught.value) == (
        "ocr:rapidocr needs RapidOCR, which is not installed; run: pip install 'synthtext[ocr]'"
        " && pip install --no-deps rapidocr-onnxruntime==1.4.4"
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "ocr:easyocr",
            f"there is no reader 'ocr:easyocr'; there are {', '.join(ENGINES)}",
        ),
        (
            "ocr:tesseract:eng:99",
            "ocr:tesseract:eng:99 is not a reader; write ocr:tesseract, ocr:tesseract:LANGUAGES"
            " or ocr:tesseract:LANGUAGES:LAYOUT, a page segmentation mode of 1, 3, 4, 5, 6, 7,"
            " 8, 9, 10, 11, 12, 13",
        ),
        ("ocr:rapidocr:fast", "ocr:rapidocr:fast is not a reader; write ocr:rapidocr"),
    ],
)
def test_a_reader_that_is_not_is_named(name: str, sentence: str) -> None:
    with pytest.raises(ProbeError) as caught:
        load_model(name)
    assert str(caught.value) == sentence


def test_a_reader_has_no_weights_to_choose_and_cannot_be_trained() -> None:
    from probes.models.factory import load_parts

    with pytest.raises(ProbeError) as caught:
        load_model("ocr:tesseract", pretrained="openai")
    assert str(caught.value) == (
        "ocr:tesseract includes its own weights; leave out --pretrained openai"
    )
    with pytest.raises(ProbeError) as caught:
        load_parts("ocr:tesseract")
    assert str(caught.value) == (
        "ocr:tesseract returns text; only open_clip models can be trained"
    )
