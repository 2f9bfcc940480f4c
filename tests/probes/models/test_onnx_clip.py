"""A tiny CLIP as ONNX, which `tests/helpers/onnx_clip.py` wrote beside its weights for torch."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from probes.errors import ProbeError
from probes.models.base import identify_model
from probes.models.factory import load_model, load_parts
from probes.models.onnx_graph import check_graph

FOLDER = Path(__file__).parent / "data/onnx_clip"

TEXTS = ["quartz", "a", "", "Sphinx of black quartz judge my vow", "zzz zz"]

pytest.importorskip("onnxruntime")


def draw_images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [
        rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((32, 32), (40, 70), (9, 5))
    ]


def test_vectors_are_those_of_torch() -> None:
    theirs = load_model(str(FOLDER), device="cpu", precision="fp32")
    ours = load_model(f"onnx:{FOLDER}", batch_size=2)
    for embed, things in (("embed_images", draw_images()), ("embed_texts", TEXTS)):
        expected, found = (getattr(each.encoder, embed)(things) for each in (theirs, ours))
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
        assert np.abs(found @ found.T - expected @ expected.T).max() < 1e-4
        assert np.abs((found * expected).sum(axis=1) - 1).max() < 1e-4
    assert (ours.input_px, ours.max_tokens) == (theirs.input_px, theirs.max_tokens) == (32, 13)
    assert ours.preprocessing == theirs.preprocessing
    assert ours.tokenize(TEXTS) == theirs.tokenize(TEXTS)
    assert ours.encoder.embed_images([]).shape == (0, 12)
    assert identify_model(ours) != identify_model(theirs)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy whose encoders lie in `onnx/`, as in repositories on the hub."""
    (tmp_path / "m/onnx").mkdir(parents=True)
    for path in FOLDER.iterdir():
        place = "onnx/" if path.suffix == ".onnx" else ""
        shutil.copy(path, tmp_path / "m" / f"{place}{path.name}")
    return tmp_path / "m"


def test_encoders_may_lie_one_folder_deeper(copy: Path) -> None:
    model = load_model(f"onnx:{copy}")
    assert model.weights_sha256 == load_model(f"onnx:{FOLDER}").weights_sha256


def field(number: int, content: bytes | int) -> bytes:
    """Return a field of a message of protocol buffers."""

    def count(value: int) -> bytes:
        low, rest = value & 0x7F, value >> 7
        return bytes([low | 0x80]) + count(rest) if rest else bytes([low])

    if isinstance(content, int):
        return count(number << 3) + count(content)
    return count(number << 3 | 2) + count(len(content)) + content


def make_model(node: bytes, *, tensor: bytes = b"") -> bytes:
    return field(1, 8) + field(7, field(1, node) + (field(5, tensor) if tensor else b""))


def nest(n: int) -> bytes:
    """Return a node with graphs in graphs."""
    node = field(4, b"Relu")
    for _ in range(n):
        node = field(4, b"If") + field(5, field(6, field(1, node)))
    return node


HOSTILE = {
    "a loop": (make_model(field(4, b"Loop")), "has the operator Loop, which may never end; export the encoder without it"),
    "a loop inside": (make_model(field(5, field(6, field(1, field(4, b"Scan"))))), "has the operator Scan, which may never end; export the encoder without it"),
    "operators of others": (make_model(field(4, b"Relu") + field(7, b"evil")), "has operators of 'evil', which are not those of onnxruntime; export the encoder without them"),
    "a file elsewhere": (make_model(field(4, b"Relu"), tensor=field(14, 1)), "keeps weights in another file; export the encoder into one file"),
    "a path elsewhere": (make_model(field(5, field(5, field(13, b"/etc/passwd")))), "keeps weights in another file; export the encoder into one file"),
    "functions": (field(25, b"") + make_model(field(4, b"Relu")), "has parts for training or functions of its own; export the encoder without them"),
    "depth": (make_model(nest(40)), "has graphs nested more than 8 deep; do not use it"),
    "many nodes": (field(7, field(1, b"") * 200_001), "has more than 200,000 operators; give a smaller encoder"),
    "text": (b"<html>not found</html>", "is not an ONNX file; export or download it again"),
    "a long length": (b"\x3a\xff\xff\xff\xff\x7f", "is not an ONNX file; export or download it again"),
    "an endless number": (b"\x08" + b"\xff" * 30, "is not an ONNX file; export or download it again"),
    "nothing": (b"", "is not an ONNX file; export or download it again"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_graph_is_one_sentence(name: str) -> None:
    raw, sentence = HOSTILE[name]
    with pytest.raises(ProbeError) as caught:
        check_graph(Path("m.onnx"), raw)
    assert str(caught.value) == f"m.onnx {sentence}"


def test_graphs_that_cannot_be_run_are_one_sentence(copy: Path) -> None:
    text, vision = copy / "onnx/text_model.onnx", copy / "onnx/vision_model.onnx"
    raw = vision.read_bytes()
    again = "export it with Optimum, or download it again"
    for content, sentence in (
        (make_model(field(4, b"Nothing")), f"{vision} cannot be loaded by onnxruntime; {again}"),
        (raw[:-200], f"{vision} is not an ONNX file; export or download it again"),
        (text.read_bytes(), f"{copy / 'vision_model.onnx'} has the inputs ['input_ids', 'attention_mask']; it must take pixel_values; {again}"),
    ):  # fmt: skip
        vision.write_bytes(content)
        with pytest.raises(ProbeError) as caught:
            load_model(f"onnx:{copy}")
        assert str(caught.value) == sentence
    vision.unlink()
    with pytest.raises(ProbeError) as caught:
        load_model(f"onnx:{copy}")
    assert str(caught.value) == f"there is no file {copy / 'vision_model.onnx'}; {again}"


def test_what_an_onnx_model_cannot_do_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"onnx:{FOLDER}"
    for load, sentence in (
        (lambda: load_model(name, device="cuda"), f"{name} runs on the CPU; leave out --device cuda"),
        (lambda: load_model(name, pretrained="openai"), f"{name} includes its own weights; leave out --pretrained openai"),
        (lambda: load_parts(name), f"{name} has no trainable weights; only open_clip models can be trained"),
    ):  # fmt: skip
        with pytest.raises(ProbeError) as caught:
            load()
        assert str(caught.value) == sentence
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ProbeError) as caught:
        load_model(name)
    assert str(caught.value) == "onnx: needs onnxruntime; run: pip install 'synthtext[ocr]'"
