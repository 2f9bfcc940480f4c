"""CLIP as ONNX: a folder with an encoder of images and one of texts, run by onnxruntime.

The names are those that Optimum and the ONNX repositories on the hub use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from probes.arrays import Pixels, Vectors, to_unit_length
from probes.errors import ProbeError
from probes.models.base import Model
from probes.models.clip import fit_pixels
from probes.models.config import MAX_CONFIG_BYTES, SIDE
from probes.models.file_tokenizer import FileTokenizer
from probes.models.fitting import build_fit
from probes.models.onnx_graph import MAX_BYTES, check_graph
from probes.models.preprocessing import (
    Preprocessing,
    preprocessing_from_dict,
    preprocessing_to_dict,
)
from probes.models.shapes import Shape, Whole, check_entries, parse_json, read_bounded
from probes.models.tokenizers import read_tokenizer
from probes.models.transformers_clip import PREPROCESSOR_NAME, read_preprocessor
from probes.models.vocabularies import SETTINGS_NAMES, TOKENIZER_NAME, read_vocabulary
from synthtext.dataset.folders import hash_if_there
from synthtext.errors import quote

PREFIX = "onnx:"

PLACES = ("", "onnx")
"""Folders inside the folder where the encoders may lie."""

VISION, TEXT = "vision_model.onnx", "text_model.onnx"

VISION_INPUTS = frozenset({"pixel_values"})

TEXT_INPUTS = frozenset({"input_ids", "attention_mask"})

OUTPUTS = {VISION: "image_embeds", TEXT: "text_embeds"}

CONTEXT: Mapping[str, Shape] = {"model_max_length": Whole(4, 65_536)}

USUAL_CONTEXT = 77

EXPORT = "export it with Optimum, or download it again"


@dataclass(frozen=True)
class OnnxEncoder:
    """An encoder of two ONNX graphs on the CPU.

    Attributes:
        vision: the session of the encoder of images.
        text: that of the encoder of texts.
        tokenizer: texts -> token ids.
        fit: what `build_fit` makes of the preprocessing.
        preprocessing: has the input size and the normalisation.
        batch_size: images or texts per batch.
    """

    vision: Any = field(repr=False)
    text: Any = field(repr=False)
    tokenizer: FileTokenizer
    fit: Callable[[Image.Image], Image.Image]
    preprocessing: Preprocessing
    batch_size: int

    def embed_images(self, images: Sequence[Pixels]) -> Vectors:
        """Return vectors of unit length, (N, D), of uint8 images (H, W, 3) of any size."""
        side = self.preprocessing.size_px
        mean = np.array(self.preprocessing.mean, np.float32)
        std = np.array(self.preprocessing.std, np.float32)
        parts = []
        for at in self._starts(images, self.vision):
            batch = images[at : at + self._find_batch(self.vision)]
            fitted = np.stack([fit_pixels(pixels, self.fit, side) for pixels in batch])
            scaled = (fitted.astype(np.float32) / 255 - mean) / std
            inputs = {"pixel_values": np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))}
            parts.append(_run(self.vision, VISION, inputs))
        return _join(parts, self.vision, VISION)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Return vectors of unit length, (N, D); texts are truncated to the context."""
        parts = []
        for at in self._starts(texts, self.text):
            ids = self.tokenizer(texts[at : at + self._find_batch(self.text)]).numpy()
            inputs = {"input_ids": ids, "attention_mask": self._mask(ids)}
            wanted = {each.name for each in self.text.get_inputs()}
            parts.append(
                _run(self.text, TEXT, {k: v for k, v in inputs.items() if k in wanted})
            )
        return _join(parts, self.text, TEXT)

    def _mask(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return 1 for each id of a text, and 0 for padding, which may be its end token."""
        known = self.tokenizer.vocabulary
        is_pad = ids == self.tokenizer.pad_id
        n_pads = np.cumprod(is_pad[:, ::-1], axis=1).sum(axis=1)
        if known.roles.get("eos_token") == self.tokenizer.pad_id:
            n_pads = np.maximum(n_pads - 1, 0)
        places = np.arange(ids.shape[1])
        return (places < ids.shape[1] - n_pads[:, None]).astype(np.int64)

    def _starts(self, things: Sequence[object], session: Any) -> range:  # noqa: ANN401
        return range(0, len(things), self._find_batch(session))

    def _find_batch(self, session: Any) -> int:  # noqa: ANN401
        """Return how many go through a graph at once: as many as it was exported for, if so."""
        stated = session.get_inputs()[0].shape[0]
        return stated if isinstance(stated, int) and stated > 0 else self.batch_size


def load_onnx(name: str, *, device: str = "auto", batch_size: int = 256) -> Model:
    """Return the model in a folder with encoders in ONNX.

    The folder, or `onnx/` in it, holds `vision_model.onnx` and `text_model.onnx`, whose outputs
    `image_embeds` and `text_embeds` are in one space; beside them `tokenizer.json` and
    `preprocessor_config.json`, as transformers writes them.

    Args:
        name: "onnx:DIR".
        device: "auto" or "cpu".
        batch_size: images or texts per batch, where a graph takes any number.

    Raises:
        ProbeError: onnxruntime or a file is missing, or a file cannot be used.
    """
    if device not in ("auto", "cpu"):
        raise ProbeError(f"{name} runs on the CPU; leave out --device {device}")
    folder = Path(name.removeprefix(PREFIX))
    (vision, vision_hash), (text, text_hash) = (_open(folder, each) for each in (VISION, TEXT))
    _check_inputs(folder, vision, VISION, VISION_INPUTS)
    _check_inputs(folder, text, TEXT, TEXT_INPUTS)
    side = _find_side(folder, vision)
    fields = read_preprocessor(folder / PREPROCESSOR_NAME, {})
    preprocessing = preprocessing_from_dict(fields, side, str(folder / PREPROCESSOR_NAME))
    settings = tuple(folder / each for each in SETTINGS_NAMES if (folder / each).exists())
    vocabulary = read_vocabulary(folder / TOKENIZER_NAME, settings)
    context = _find_context(folder, text)
    tokenizer = FileTokenizer(vocabulary, context)
    if "pad_token" not in vocabulary.roles:
        raise ProbeError(
            f"{folder / TOKENIZER_NAME} has no pad_token; state it in the"
            f" {SETTINGS_NAMES[-1]} beside it"
        )
    tokenize, max_tokens = read_tokenizer(tokenizer, context)
    encoder = OnnxEncoder(
        vision, text, tokenizer, build_fit(preprocessing), preprocessing, batch_size
    )
    return Model(
        encoder=encoder,
        name=name,
        weights_sha256=hashlib.sha256(f"{vision_hash}{text_hash}".encode()).hexdigest(),
        config={
            "tokenizer_sha256": hash_if_there(folder / TOKENIZER_NAME),
            "context_length": context,
        },
        input_px=side,
        tokenize=tokenize,
        max_tokens=max_tokens,
        preprocessing=preprocessing_to_dict(preprocessing),
        precision="fp32",
        device="cpu",
        versions={each: version(each) for each in ("onnxruntime", "numpy", "pillow")},
    )


def _open(folder: Path, file: str) -> tuple[Any, str]:
    """Return a session of an encoder, and the SHA-256 of its file."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ProbeError(
            "onnx: needs onnxruntime; run: pip install 'synthtext[ocr]'"
        ) from error
    found = [folder / place / file for place in PLACES if (folder / place / file).exists()]
    path = found[0] if found else folder / file
    raw = read_bounded(path, MAX_BYTES, EXPORT)
    check_graph(path, raw)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        # From its bytes, so that the file that was checked is the one that is run.
        session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # A hostile file may make it raise anything.
        raise ProbeError(f"{path} cannot be loaded by onnxruntime; {EXPORT}") from error
    return session, hashlib.sha256(raw).hexdigest()


def _check_inputs(folder: Path, session: Any, file: str, known: frozenset[str]) -> None:  # noqa: ANN401
    names = [each.name for each in session.get_inputs()]
    if not names or names[0] not in known or set(names) - known:
        listed = ", ".join(sorted(known))
        raise ProbeError(
            f"{folder / file} has the inputs {quote(names)}; it must take {listed}; {EXPORT}"
        )
    _find_output(session, file)


def _find_output(session: Any, file: str) -> str:  # noqa: ANN401
    """Return the output with the vectors: the one named so, or the only one."""
    names = [each.name for each in session.get_outputs()]
    if OUTPUTS[file] in names:
        return OUTPUTS[file]
    if len(names) == 1:
        return str(names[0])
    raise ProbeError(
        f"{file} has the outputs {quote(names)}, and none of them is {OUTPUTS[file]}; export it"
        " with its projection"
    )


def _find_side(folder: Path, session: Any) -> int:  # noqa: ANN401
    """Return the side of the input in px, from the graph, or else from the preprocessor."""
    shape = session.get_inputs()[0].shape
    if len(shape) == 4 and isinstance(shape[2], int) and shape[2] == shape[3]:
        return shape[2]
    path = folder / PREPROCESSOR_NAME
    content = parse_json(read_bounded(path, MAX_CONFIG_BYTES, EXPORT), path, EXPORT)
    stated = content if isinstance(content, dict) else {}
    for entry in ("crop_size", "size"):
        side = stated.get(entry)
        if isinstance(side, dict):
            side = side.get("height", side.get("shortest_edge"))
        if isinstance(side, int) and SIDE.find_fault(side) is None:
            return side
    raise ProbeError(f"{path} does not state its crop_size in px; {EXPORT}")


def _find_context(folder: Path, session: Any) -> int:  # noqa: ANN401
    """Return the length of a text in ids, from the graph, or else from the tokenizer."""
    shape = session.get_inputs()[0].shape
    if len(shape) == 2 and isinstance(shape[1], int):
        return shape[1]
    path = folder / SETTINGS_NAMES[-1]
    if not path.exists():
        return USUAL_CONTEXT
    content = parse_json(read_bounded(path, MAX_CONFIG_BYTES, EXPORT), path, EXPORT)
    stated = check_entries(content, CONTEXT, str(path), others=True)
    return int(stated.get("model_max_length", USUAL_CONTEXT))


def _run(session: Any, file: str, inputs: dict[str, NDArray[Any]]) -> Vectors:  # noqa: ANN401
    try:
        (found,) = session.run([_find_output(session, file)], inputs)
    except Exception as error:  # Its classes are its own, and a graph may do anything.
        raise ProbeError(f"{file} fails on its input; {EXPORT}") from error
    vectors = np.asarray(found, np.float32)
    n = len(next(iter(inputs.values())))
    if vectors.ndim != 2 or len(vectors) != n:
        raise ProbeError(
            f"{file} makes an array of shape {vectors.shape} of {n} inputs; export it with its"
            " projection"
        )
    return to_unit_length(vectors)


def _join(parts: list[Vectors], session: Any, file: str) -> Vectors:  # noqa: ANN401
    if parts:
        joined: Vectors = np.concatenate(parts)
        return joined
    width = next(
        o.shape[-1] for o in session.get_outputs() if o.name == _find_output(session, file)
    )
    return np.zeros((0, width if isinstance(width, int) else 0), np.float32)
