"""Modules: a source -> open_clip's module with its weights, without running other code."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import open_clip
import timm
import torch
from open_clip.convert import convert_state_dict
from open_clip.model import convert_to_custom_text_state_dict

from probes.errors import ProbeError
from probes.models.checkpoint import State, check_state, read_state
from probes.models.config import read_text_config
from probes.models.hub import fetch_file, find_place
from probes.models.pretrained import Source
from probes.models.transformers_clip import rename_state

RANDOM_SEED = 0
"""Seed of random weights, so that two runs probe the same model."""

UNSET_STD = 0.02
"""Standard deviation of random weights that a tower leaves unset; source: open_clip's
embeddings."""

MAX_PARAMETERS = 10_000_000_000
"""Maximum number of random parameters; the largest model of open_clip has half as many."""

PLACEHOLDER = "vit_tiny_patch16_224"
"""A small timm tower, which is then replaced by one of other sizes."""

MAX_REASON = 200
"""Maximum length of another library's message in an error."""

IGNORED_TENSORS = (
    "input_resolution",
    "context_length",
    "vocab_size",
    "text.transformer.embeddings.position_ids",
)
"""Tensors of old checkpoints that hold no weights."""


def build_module(source: Source) -> Any:  # noqa: ANN401 - open_clip carries no types.
    """Return the module with its weights, on the CPU.

    It is built from the config directly, since `open_clip.create_model` only warns of a wrong
    activation, resizes weights that do not fit, and waits for an unavailable network.

    Raises:
        ProbeError: the config cannot be built, or the weights do not match it exactly.
    """
    # Read first, so that an unusable file is found before a large model is built.
    state = None if source.weights is None else read_state(source.weights)
    if state is not None and source.is_transformers:
        state = rename_state(state, source.config)
    origin = f"the weights in {source.weights}"
    with tempfile.TemporaryDirectory() as folder:
        config = _prepare_config(source, Path(folder))
        # On the meta device first: a config may ask for more memory than there is.
        blank = _call_family(config, source, "meta")
        if state is None:
            _check_size(blank, source)
            return _draw_module(config, source)
        state = _match_state(blank, state, origin)
        module = _call_family(config, source, "cpu")
    module.load_state_dict(state)
    return module


def _prepare_config(source: Source, folder: Path) -> dict[str, Any]:
    """Return the config for open_clip to build from, with nothing left to fetch or to run.

    Args:
        source: a source with a checked config.
        folder: an empty folder for the checked config of a transformers text tower, which would
            otherwise be read from its whole repository.
    """
    config = copy.deepcopy(source.config)
    vision, text = config["vision_cfg"], config["text_cfg"]
    if vision.get("timm_model_name"):
        vision["timm_model_pretrained"] = False
    if text.get("hf_model_name"):
        repo = text["hf_model_name"]
        file = fetch_file(repo, ("config.json",), f"put it into {find_place(repo)}")
        (folder / "config.json").write_text(json.dumps(read_text_config(file)))
        text["hf_model_name"], text["hf_model_pretrained"] = str(folder), False
    return config


def _call_family(config: Mapping[str, Any], source: Source, place: str) -> Any:  # noqa: ANN401
    """Return the module of a config with random weights; on "meta" it takes no memory."""
    settings = copy.deepcopy(dict(config))
    custom = settings.pop("custom_text", False) or settings["text_cfg"].get("hf_model_name")
    family: Callable[..., Any] = open_clip.CLIP
    if custom:
        family = open_clip.CoCa if "multimodal_cfg" in settings else open_clip.CustomTextCLIP
    sizes = settings["vision_cfg"].pop("timm_model_kwargs", None)
    if sizes is not None:
        trunk = settings["vision_cfg"] | {"timm_model_name": PLACEHOLDER, "timm_pool": "token"}
        vision, settings["vision_cfg"] = settings["vision_cfg"], trunk
    try:
        with torch.random.fork_rng(devices=[]), torch.device(place):
            torch.manual_seed(RANDOM_SEED)
            module = family(**settings)
            if sizes is not None:
                module.visual.trunk = _build_trunk(vision, sizes)
            return module
    except Exception as error:
        reason = " ".join(str(error).split())[:MAX_REASON]
        raise ProbeError(f"the config of {source.name} cannot be built: {reason}") from error


def _draw_module(config: Mapping[str, Any], source: Source) -> Any:  # noqa: ANN401
    """Return the module with random weights, also where open_clip leaves memory as it was.

    It does so for the projection of CoCa's decoder.
    """
    before = torch.are_deterministic_algorithms_enabled()
    warns_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(mode=True, warn_only=True)  # Unset memory becomes NaN.
    try:
        module = _call_family(config, source, "cpu")
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warns_only)
    generator = torch.Generator().manual_seed(RANDOM_SEED)
    for part in module.parameters():
        if part.isnan().any():
            torch.nn.init.normal_(part, std=UNSET_STD, generator=generator)
    return module


def _build_trunk(vision: Mapping[str, Any], sizes: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return a timm tower with sizes other than its name's, which open_clip cannot build."""
    return timm.create_model(
        vision["timm_model_name"], pretrained=False, num_classes=0,
        img_size=vision["image_size"], global_pool=vision["timm_pool"], **sizes,
    )  # fmt: skip


def _check_size(module: Any, source: Source) -> None:  # noqa: ANN401
    """Refuse random weights larger than those of any real model."""
    n_parameters = sum(part.numel() for part in module.parameters())
    if n_parameters > MAX_PARAMETERS:
        raise ProbeError(
            f"the config of {source.name} asks for {n_parameters:,} parameters;"
            f" the limit for random weights is {MAX_PARAMETERS:,}"
        )


def _match_state(module: Any, state: State, origin: str) -> State:  # noqa: ANN401
    """Return the weights under the module's own names; they must fit exactly."""
    try:
        state = dict(convert_state_dict(module, dict(state)))
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError) as error:
        raise ProbeError(
            f"{origin} are named like MobileCLIP's, but are not; pass the weights of the config"
        ) from error
    wanted = module.state_dict()
    if "positional_embedding" in state and "positional_embedding" not in wanted:
        state = convert_to_custom_text_state_dict(state)
    for name in IGNORED_TENSORS:
        if name not in wanted:
            state.pop(name, None)
    for name in ("logit_scale", "logit_bias"):
        # Saved sometimes as a scalar, sometimes as a vector of length 1.
        if name in state and name in wanted and state[name].numel() == 1:
            state[name] = state[name].reshape(wanted[name].shape)
    check_state(state, wanted, origin)
    return state
