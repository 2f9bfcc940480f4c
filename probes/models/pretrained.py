"""Sources: the values of `--model` and `--pretrained` -> config, preprocessing, weights file.

Mismatches that would otherwise load silently and lower accuracy are refused: running weights
trained with QuickGELU with GELU, or preprocessing images for other weights.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from probes.errors import ProbeError
from probes.models import transformers_clip
from probes.models.complexity import read_input_px
from probes.models.config import CONFIG_NAME, name_activation, read_config
from probes.models.hub import fetch_file, find_cached, find_file
from probes.models.preprocessing import Preprocessing, preprocessing_from_dict
from probes.models.torchscript import is_openai
from probes.models.transformers_clip import read_preprocessor, read_transformers_config

HUB_PREFIX = "hf-hub:"
HUB_SHORT = "hf:"
FOLDER_PREFIX = "local-dir:"
QUICK_SUFFIX = "-quickgelu"

BUNDLED = "bundled"
"""The name of the model bundled with this package."""

READER = Path(__file__).parent / "bundled"

OPENAI = "openai"
"""The tag of OpenAI's own weights."""

RANDOM = "random"
"""The tag of random weights from a fixed seed: for tests, and for a model at chance."""

WEIGHT_NAMES = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_model.bin",
    "open_clip_model.pt",
)
"""Names of a weights file next to its config, in order of preference."""

HUB_NAMES = (WEIGHT_NAMES[0], WEIGHT_NAMES[2])
"""The names used by repositories on the hub."""

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")

ALIKE = 0.85
"""Minimum similarity to an open_clip name to suspect a typo rather than a repository."""

N_LISTED = 5
"""Number of tags that an error lists before it counts the rest."""


@dataclass(frozen=True)
class Registry:
    """The models that open_clip knows.

    Attributes:
        configs: name to model config.
        tags: name to its tags, and each tag to details of its weights: `hf_hub`, `url`,
            `quick_gelu` and fields of the preprocessing.
    """

    configs: Mapping[str, Mapping[str, Any]]
    tags: Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Source:
    """Everything that a model is built from.

    Attributes:
        name: name of the architecture, the repository, the folder or the config file.
        tag: the weights: a tag, a path, or "random".
        config: the model config, with `quick_gelu` resolved.
        preprocessing: the preprocessing that these weights were trained with.
        weights: the weights file, None for random weights.
        tokenizer_folder: folder of the tokenizer's files, if not on the hub.
        prompts: templates the weights were trained with; empty if unknown.
        is_transformers: whether the tensors have their names from transformers.
    """

    name: str
    tag: str
    config: dict[str, Any]
    preprocessing: Preprocessing
    weights: Path | None
    tokenizer_folder: Path | None
    prompts: tuple[str, ...] = ()
    is_transformers: bool = False


def find_source(name: str, pretrained: str | None, registry: Registry) -> Source:
    """Return the source of a model; weights not on this machine are downloaded.

    Args:
        name: a name of open_clip, "bundled" for the model bundled with this package,
            "hf-hub:org/name", "hf:org/name" or "org/name", a folder, "local-dir:" and a folder,
            or a `.json` model config. Repositories and folders hold a model of open_clip, or a
            `CLIPModel` or `SiglipModel` of transformers.
        pretrained: a tag, a file, "TAG=FILE" for a file with the weights of that tag or
            fine-tuned from them, or "random". None takes `openai`, or else the only tag.
        registry: the models that open_clip knows.

    Raises:
        ProbeError: no such model, tag or file, or weights that do not match the name.
    """
    if name.startswith(HUB_SHORT):
        name = HUB_PREFIX + name.removeprefix(HUB_SHORT)
    if name.startswith(HUB_PREFIX):
        return _from_hub(name, pretrained)
    if name == BUNDLED:
        return replace(_from_folder(READER, pretrained), name=BUNDLED, tag=pretrained or "")
    if name.startswith(FOLDER_PREFIX):
        return _from_folder(Path(name.removeprefix(FOLDER_PREFIX)), pretrained)
    known = name.replace("/", "-")
    if known in registry.configs:
        return _from_registry(known, pretrained, registry)
    return _from_path(name, pretrained, registry)


def _from_path(name: str, pretrained: str | None, registry: Registry) -> Source:
    """Return the source of a folder, a config, or a repository of the hub without a prefix."""
    if Path(name).is_dir():
        return _from_folder(Path(name), pretrained)
    if name.endswith(".json"):
        return _from_config(Path(name), pretrained)
    known = name.replace("/", "-")
    is_slip = difflib.get_close_matches(known, registry.configs, n=1, cutoff=ALIKE)
    if REPOSITORY.fullmatch(name) and not is_slip:
        try:
            return _from_hub(f"{HUB_PREFIX}{name}", pretrained)
        except ProbeError as error:
            raise ProbeError(
                f"there is no folder {name}, and as a repository: {error}"
            ) from error
    near = difflib.get_close_matches(known, registry.configs, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}" if near else "`synthtext models` lists them"
    raise ProbeError(f"there is no model and no folder {name!r}; {hint}")


def find_tag(tag: str, known: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return the tag as spelled by open_clip, None if it is unknown."""
    written = tag.lower().replace("-", "_")
    return written if written in known else None


def find_weights(details: Mapping[str, Any]) -> Path | None:
    """Return the file of a tag's weights if it is cached on this machine, else None."""
    repo, names = split_hub(details)
    cached = find_cached(repo, names) if repo else None
    if cached is not None:
        return cached
    # Older versions of open_clip kept downloads here, and OpenAI's own package still does.
    url = details.get("url", "")
    old = Path.home() / ".cache" / "clip" / url.rpartition("/")[2]
    return old if url and old.is_file() else None


def split_hub(details: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return the repository with a tag's weights, and their possible file names there."""
    repo, _, file = str(details.get("hf_hub", "")).rpartition("/")
    if not file:
        return repo, HUB_NAMES
    return repo, (str(Path(file).with_suffix(".safetensors")), file)


def _from_registry(name: str, pretrained: str | None, registry: Registry) -> Source:
    tags = registry.tags.get(name, {})
    if pretrained is None:
        return _from_tag(name, _choose_tag(name, tags), None, registry)
    if pretrained == RANDOM:
        config = dict(registry.configs[name])
        return Source(name, RANDOM, config, _preprocess({}, config, name), None, None)
    tag = find_tag(pretrained, tags)
    if tag is not None:
        return _from_tag(name, tag, None, registry)
    if Path(pretrained).is_file():
        return _from_file(name, Path(pretrained), registry)
    stem, equals, file = pretrained.partition("=")
    tag = find_tag(stem, tags)
    if equals and tag is not None:
        return _from_tag(name, tag, Path(file), registry)
    _refuse_twin(name, stem, registry)
    if equals or not tags:
        listed = _list_some(tags) if tags else "none"
        raise ProbeError(
            f"{pretrained!r} is neither a file nor a tag of {name}; its tags: {listed}"
        )
    near = difflib.get_close_matches(pretrained, tags, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}" if near else f"it has {_list_some(tags)}"
    raise ProbeError(f"{pretrained!r} is neither a file nor a tag of {name}; {hint}")


def _choose_tag(name: str, tags: Mapping[str, object]) -> str:
    if OPENAI in tags:
        return OPENAI
    if len(tags) == 1:
        return next(iter(tags))
    if not tags:
        raise ProbeError(f"open_clip has no weights for {name}; pass them with --pretrained")
    raise ProbeError(
        f"{name} has several sets of weights; choose one with --pretrained: {_list_some(tags)}"
    )


def _refuse_twin(name: str, tag: str, registry: Registry) -> None:
    """Refuse a QuickGELU name with a tag that exists only for the plain name."""
    plain = name.removesuffix(QUICK_SUFFIX)
    if plain != name and find_tag(tag, registry.tags.get(plain, {})) is not None:
        raise ProbeError(
            f"the weights {tag} were trained with gelu, but {name} computes quickgelu;"
            f" pass --model {plain}"
        )


def _from_tag(name: str, tag: str, file: Path | None, registry: Registry) -> Source:
    details = registry.tags[name][tag]
    config = dict(registry.configs[name])
    # The plain name means the architecture; the weights determine the activation.
    config["quick_gelu"] = bool(config.get("quick_gelu") or details.get("quick_gelu"))
    weights = file or find_weights(details)
    if weights is None:
        repo, names = split_hub(details)
        weights = fetch_file(repo, names, f"pass --pretrained {tag}=FILE")
    label = tag if file is None else f"{tag}={file}"
    return Source(name, label, config, _preprocess(details, config, label), weights, None)


def _from_file(name: str, file: Path, registry: Registry) -> Source:
    """Return a source whose weights are a file, described by its config or the name's tags."""
    config = dict(registry.configs[name])
    beside = file.parent / CONFIG_NAME
    if beside.is_file():
        stated = read_config(beside)
        if name_activation(stated.model) != name_activation(config):
            raise ProbeError(
                f"{file} was trained with {name_activation(stated.model)}, as {beside} says,"
                f" but {name} computes {name_activation(config)}; pass --model {file.parent}"
            )
        preprocessing = _preprocess(stated.preprocessing, config, str(beside))
        return Source(name, str(file), config, preprocessing, file, None)
    tags = registry.tags.get(name, {})
    if is_openai(file):
        # Its format determines what it was trained with, whatever the other tags are.
        details = tags.get(OPENAI, {})
        config["quick_gelu"] = True
        return Source(name, str(file), config, _preprocess(details, config, name), file, None)
    kinds = {
        (
            bool(config.get("quick_gelu") or details.get("quick_gelu")),
            _preprocess(details, config, tag),
        )
        for tag, details in tags.items()
    }
    if len(kinds) > 1:
        raise ProbeError(
            f"{file} does not say which activation and preprocessing it was trained with, and"
            f" {name} has several; pass --pretrained TAG={file}, where TAG names the weights"
            f" it is, or was fine-tuned from: {_list_some(tags)}"
        )
    if not kinds:
        return Source(name, str(file), config, _preprocess({}, config, name), file, None)
    config["quick_gelu"], preprocessing = kinds.pop()
    return Source(name, str(file), config, preprocessing, file, None)


def _from_hub(name: str, pretrained: str | None) -> Source:
    _refuse_pretrained(name, pretrained)
    repo = name.removeprefix(HUB_PREFIX)
    remedy = f"pass --model FOLDER with {CONFIG_NAME} and {HUB_NAMES[0]} in it"
    others = f"or {transformers_clip.CONFIG_NAME} and {transformers_clip.WEIGHT_NAMES[0]}"
    names = (CONFIG_NAME, transformers_clip.CONFIG_NAME)
    file = fetch_file(repo, names, f"{remedy}, {others}")
    if file.name == transformers_clip.CONFIG_NAME:
        return _from_transformers(name, repo, file)
    stated = read_config(file)
    weights = fetch_file(repo, HUB_NAMES, remedy)
    preprocessing = _preprocess(stated.preprocessing, stated.model, name)
    return Source(name, "", stated.model, preprocessing, weights, None, stated.prompts)


def _from_folder(folder: Path, pretrained: str | None) -> Source:
    if pretrained != RANDOM:
        _refuse_pretrained(str(folder), pretrained)
    if not (folder / CONFIG_NAME).exists() and transformers_clip.is_transformers(folder):
        source = _from_transformers(folder.resolve().name, "", folder / "config.json")
        return replace(source, weights=None, tag=RANDOM) if pretrained == RANDOM else source
    stated = read_config(folder / CONFIG_NAME)
    weights = next((folder / name for name in WEIGHT_NAMES if (folder / name).is_file()), None)
    if pretrained == RANDOM:
        weights = None
    elif weights is None:
        raise ProbeError(f"{folder} has no weights; put {WEIGHT_NAMES[0]} beside its config")
    preprocessing = _preprocess(stated.preprocessing, stated.model, str(folder / CONFIG_NAME))
    tag = RANDOM if weights is None else str(folder)
    name = folder.resolve().name
    return Source(name, tag, stated.model, preprocessing, weights, folder, stated.prompts)


def _from_transformers(name: str, repo: str, config: Path) -> Source:
    """Return a source in transformers' format, in a folder or a repository on the hub."""
    names = transformers_clip.WEIGHT_NAMES
    model = read_transformers_config(config, repo or name)
    if repo:
        remedy = f"pass --model FOLDER with {config.name} and {names[0]} in it"
        weights = fetch_file(repo, names, remedy)
        preprocessor = find_file(repo, transformers_clip.PREPROCESSOR_NAME)
    else:
        weights = next(
            config.parent / each for each in names if (config.parent / each).is_file()
        )
        preprocessor = config.parent / transformers_clip.PREPROCESSOR_NAME
    return Source(
        name,
        "" if repo else str(config.parent),
        model,
        _preprocess(read_preprocessor(preprocessor, model), model, name),
        weights,
        None if repo else config.parent,
        is_transformers=True,
    )


def _from_config(path: Path, pretrained: str | None) -> Source:
    stated = read_config(path)
    if pretrained is None:
        raise ProbeError(f"{path} has no weights; pass --pretrained FILE or random")
    weights = None if pretrained == RANDOM else Path(pretrained)
    preprocessing = _preprocess(stated.preprocessing, stated.model, str(path))
    return Source(path.stem, pretrained, stated.model, preprocessing, weights, None)


def _refuse_pretrained(name: str, pretrained: str | None) -> None:
    if pretrained is not None:
        raise ProbeError(
            f"{name} includes its own weights; leave out --pretrained {pretrained}"
        )


def _preprocess(
    fields: Mapping[str, Any], config: Mapping[str, Any], origin: str
) -> Preprocessing:
    side_px = read_input_px(config)
    if side_px == 0:
        size = config["vision_cfg"]["image_size"]
        raise ProbeError(f"{origin} takes {size} px; only square inputs can be probed")
    return preprocessing_from_dict(fields, side_px, origin)


def _list_some(tags: Iterable[str]) -> str:
    shown, rest = list(tags)[:N_LISTED], list(tags)[N_LISTED:]
    more = f" and {len(rest)} more, see `synthtext models`" if rest else ""
    return ", ".join(shown) + more
