"""Models: a name -> an object that embeds images and texts with the towers of open_clip."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, cast

import torch
from PIL import Image
from torch import Tensor

from probes.arrays import Pixels
from probes.errors import ProbeError
from probes.models.base import Encoder, Model
from probes.models.checkpoint import hash_state
from probes.models.clip import ClipEncoder, fit_pixels
from probes.models.complexity import read_patch_px
from probes.models.cost import count_module, measure_gflop
from probes.models.device import choose_device, choose_precision
from probes.models.file_tokenizer import build_tokenizer, check_ids
from probes.models.fitting import build_fit
from probes.models.modules import build_module
from probes.models.onnx_clip import PREFIX as ONNX
from probes.models.onnx_clip import load_onnx
from probes.models.plugin import PREFIX, build_plugin, reads
from probes.models.preprocessing import preprocessing_to_dict
from probes.models.pretrained import Source, find_source
from probes.models.registry import read_registry
from probes.models.text_readers import load_engine, load_responses, make_plugin_reader
from probes.models.tokenizers import read_tokenizer
from probes.readers.guard import LIMIT_S
from probes.readers.registry import is_engine
from probes.readers.responses import PREFIX as RESPONSES


@dataclass(frozen=True)
class Parts:
    """The parts of a model, as training needs them.

    Attributes:
        source: the source that it was built from.
        module: open_clip's module with both towers.
        tokenizer: texts -> token ids (B, context), padded.
        fit: crops and scales an image to the square input of the model.
        patch_px: side of a patch; 0 if there are none.
        device: device of the module.
        gflop: GFLOP of one image through the vision tower; None if unknown.
    """

    source: Source
    module: Any
    tokenizer: Any
    fit: Callable[[Image.Image], Image.Image]
    patch_px: int
    device: torch.device
    gflop: float | None

    def fit_pixels(self, pixels: Pixels) -> Pixels:
        """Return uint8 (S, S, 3) of an image of any size."""
        return fit_pixels(pixels, self.fit, self.source.preprocessing.size_px)


def load_model(  # noqa: PLR0913 - each is a separate option.
    name: str,
    *,
    pretrained: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    compile: bool = False,  # noqa: A002 - named as the option is.
    batch_size: int = 256,
    time_limit_s: float = LIMIT_S,
) -> Model:
    """Return a model by its name, ready on its device.

    Args:
        name: a name of open_clip, "bundled", "hf:org/name", a folder with config and
            weights, a `.json` model config, or "python:module:factory". The last imports a
            module, from the working directory too, and calls the factory, which returns an
            `Encoder`, a `Reader`, or a `Model` with more information. That is your own code and
            runs unrestricted; nothing else that is loaded here can run code. "onnx:DIR" is a
            folder with encoders in ONNX. Readers that return text are "ocr:tesseract",
            "ocr:rapidocr", "hf-vlm:org/name" (or a folder), or "responses:" followed by a table
            of answers.
        pretrained: a tag, a file, "TAG=FILE" or "random"; see
            `probes.models.pretrained.find_source`.
        device: "auto", "cpu", "cuda" or "cuda:N"; see `probes.models.device.choose_device`.
        precision: "auto", "fp32" or "bf16".
        compile: whether to compile the vision tower, which is slow at first and faster later.
        batch_size: images or texts per batch.
        time_limit_s: the time that a reader may take per image, in seconds.

    Raises:
        ProbeError: no such model or device, or weights that do not match or are missing.
    """
    if is_engine(name) or name.startswith((PREFIX, RESPONSES, ONNX)):
        if pretrained is not None:
            raise ProbeError(
                f"{name} includes its own weights; leave out --pretrained {pretrained}"
            )
        if name.startswith(ONNX):
            return load_onnx(name, device=device, batch_size=batch_size)
        return _load_other(name, time_limit_s)
    choose_precision(precision, choose_device(device))  # Checked before a large download.
    parts = load_parts(name, pretrained=pretrained, device=device)
    return make_reader(parts, precision=precision, compile=compile, batch_size=batch_size)


def load_parts(name: str, *, pretrained: str | None = None, device: str = "auto") -> Parts:
    """Return the parts of a model, its module in eval mode on its device.

    Args:
        name: as for `load_model`, except plugins, whose parts are unknown.
        pretrained: as for `load_model`.
        device: as for `load_model`.

    Raises:
        ProbeError: no such model or device, or weights that do not match or are missing.
    """
    if name.startswith(PREFIX):
        raise ProbeError(f"{name} is your own code; only open_clip models can be trained")
    if name.startswith(ONNX):
        raise ProbeError(
            f"{name} has no trainable weights; only open_clip models can be trained"
        )
    if is_engine(name) or name.startswith(RESPONSES):
        raise ProbeError(f"{name} returns text; only open_clip models can be trained")
    place = choose_device(device)
    source = find_source(name, pretrained, read_registry())
    tokenizer = build_tokenizer(source)
    module = build_module(source)
    if source.config["text_cfg"].get("hf_model_name"):
        check_ids(tokenizer, module.text.vocab_size, source.name)
    patch_px = read_patch(module, source)
    return Parts(
        source=source,
        module=_place_module(module, place, patch_px),
        tokenizer=tokenizer,
        fit=build_fit(source.preprocessing),
        patch_px=patch_px,
        device=place,
        gflop=measure_gflop(module, source.config, source.preprocessing.size_px),
    )


def make_reader(
    parts: Parts,
    *,
    precision: str = "auto",
    compile: bool = False,  # noqa: A002 - named as the option is.
    batch_size: int = 256,
) -> Model:
    """Return the model of a module in its current state, which further training makes stale.

    Args:
        parts: from `load_parts`.
        precision: as for `load_model`.
        compile: as for `load_model`.
        batch_size: as for `load_model`.
    """
    source, module = parts.source, parts.module
    precision = choose_precision(precision, parts.device)
    context_length = source.config["text_cfg"].get("context_length", 77)
    tokenize, max_tokens = read_tokenizer(parts.tokenizer, context_length)
    encoder = ClipEncoder(
        encode_image=torch.compile(module.encode_image) if compile else module.encode_image,
        encode_text=module.encode_text,
        n_dims=source.config["embed_dim"],
        tokenizer=parts.tokenizer,
        fit=parts.fit,
        preprocessing=source.preprocessing,
        device=parts.device,
        precision=precision,
        batch_size=batch_size,
        pads=compile,
    )
    return Model(
        encoder=encoder,
        name=source.name,
        tag=source.tag,
        weights_sha256=hash_state(module.state_dict()),
        config=source.config,
        input_px=source.preprocessing.size_px,
        patch_px=parts.patch_px,
        tokenize=tokenize,
        max_tokens=max_tokens,
        preprocessing=preprocessing_to_dict(source.preprocessing),
        precision=precision,
        device=str(parts.device),
        versions=_read_versions(),
        logit_scale=float(module.logit_scale.detach().exp()),
        prompts=source.prompts,
        n_parameters=count_module(module),
        gflop=parts.gflop,
    )


def follow_module(
    model: Model,
    encode_image: Callable[[Tensor], Tensor],
    encode_text: Callable[[Tensor], Tensor],
) -> Model:
    """Return a model that calls the given functions instead of its module's, as in training."""
    if not isinstance(model.encoder, ClipEncoder):
        raise ProbeError(f"{model.name} has no trainable towers")
    encoder = replace(model.encoder, encode_image=encode_image, encode_text=encode_text)
    return replace(model, encoder=encoder)


def _place_module(module: Any, place: torch.device, patch_px: int) -> Any:  # noqa: ANN401
    module = module.eval().to(place)
    if place.type == "cuda" and patch_px == 0:
        # Convolutional towers are faster this way; a patch embedding alone is not.
        module = module.to(memory_format=torch.channels_last)
    return module


def read_patch(module: Any, source: Source) -> int:  # noqa: ANN401
    """Return the side of a patch; timm towers report it more reliably than their config."""
    trunk = getattr(module.visual, "trunk", None)
    embed = getattr(trunk, "patch_embed", None)
    patch, grid = getattr(embed, "patch_size", None), getattr(embed, "grid_size", None)
    if patch is None:
        return read_patch_px(source.config)
    if (
        embed is not None and grid is not None
    ):  # Hybrids cut patches from a smaller, convolved image.
        return int(embed.img_size[0]) // int(grid[0])
    return int(patch[0]) if isinstance(patch, (tuple, list)) else int(patch)


def _read_versions() -> dict[str, str]:
    packages = ("open_clip_torch", "torch", "torchvision", "numpy", "pillow")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def _load_other(name: str, time_limit_s: float) -> Model:
    """Return a reader, or what the user's own code builds."""
    if is_engine(name):
        return load_engine(name, time_limit_s)
    if name.startswith(RESPONSES):
        return load_responses(name)
    built, digest = build_plugin(name)
    if isinstance(built, Model):
        return built
    if reads(built):
        return make_plugin_reader(name, digest, time_limit_s)
    encoder = cast("Encoder", built)
    return Model(encoder, name, weights_sha256=digest, versions=_read_versions())
