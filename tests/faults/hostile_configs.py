"""Configs of models and tokenizers: seed files, mutations, and the code that reads them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from probes.models.complexity import read_input_px
from probes.models.config import read_config, read_text_config
from probes.models.preprocessing import preprocessing_from_dict
from probes.models.vocabularies import read_vocabulary

BUNDLED = Path(__file__).parents[2] / "probes/models/bundled"

VIT: dict[str, Any] = {
    "embed_dim": 32, "quick_gelu": True,
    "vision_cfg": {"image_size": [32, 32], "layers": 2, "width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 16, "width": 32, "heads": 2, "layers": 1},
    "multimodal_cfg": {"context_length": 16, "width": 32, "heads": 2, "layers": 1},
}  # fmt: skip

TOWERS: dict[str, Any] = {
    "embed_dim": 8,
    "vision_cfg": {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": "map",
                   "timm_proj": "linear", "image_size": 224},
    "text_cfg": {"hf_model_name": "org/name", "hf_tokenizer_name": "org/name",
                 "hf_pooler_type": "mean_pooler", "hf_proj_type": "mlp",
                 "tokenizer_kwargs": {"clean": "lower", "strip_sep_token": True}},
}  # fmt: skip

BERT: dict[str, Any] = {
    "model_type": "bert", "vocab_size": 4, "hidden_size": 32, "num_hidden_layers": 1,
    "num_attention_heads": 2, "intermediate_size": 32, "hidden_act": "gelu",
}  # fmt: skip

TOKENIZER: dict[str, Any] = {
    "version": "1.0",
    "truncation": {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0},
    "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": None,
                "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
    "added_tokens": [{"id": 0, "content": "[PAD]", "single_word": False, "lstrip": False,
                      "rstrip": False, "normalized": False, "special": True}],
    "normalizer": {"type": "Sequence", "normalizers": [
        {"type": "NFKC"}, {"type": "Lowercase"}, {"type": "Prepend", "prepend": "_"},
        {"type": "Replace", "pattern": {"Regex": " +"}, "content": " "}]},
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": {"type": "TemplateProcessing", "single": [
        {"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {}},
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"[PAD]": 0, "[UNK]": 1, "a": 2, "cat": 3},
              "unk_token": "[UNK]"},
}  # fmt: skip

BYTE_PAIRS: dict[str, Any] = {
    "version": "1.0", "added_tokens": [], "normalizer": None,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                      "use_regex": True},
    "model": {"type": "BPE", "vocab": {"c": 0, "a": 1, "t": 2, "ca": 3}, "merges": [["c", "a"]],
              "unk_token": None, "continuing_subword_prefix": None, "byte_fallback": False},
}  # fmt: skip

SETTINGS: dict[str, Any] = {
    "pad_token": {"content": "[PAD]", "lstrip": False, "normalized": False},
    "unk_token": "[UNK]", "additional_special_tokens": ["cat"], "padding_side": "right",
    "truncation_side": "left", "model_max_length": 16, "tokenizer_class": "BertTokenizerFast",
}  # fmt: skip

ODD: tuple[Any, ...] = (
    None, [], {}, "x", "", -1, 0, 1, 2**62, 2**31, 1e308, 1e-9, True, [[[[{}]]]], "\x00\x1b[2J\n",
    "../x", "org/a/b", "a" * 1001, [0.5] * 3, ["a"] * 99, {"type": "Sequence"}, {"Regex": "(a+)+$"},
)  # fmt: skip
"""Values that replace the right ones."""


def seed_configs() -> list[bytes]:
    """Return configs of models, and one of a text tower from transformers."""
    ours = json.loads((BUNDLED / "open_clip_config.json").read_bytes())
    wrapped = {"model_cfg": VIT, "preprocess_cfg": {"size": [32, 32], "mean": [0, 0, 0]}}
    return [json.dumps(each).encode() for each in (ours, VIT, wrapped, TOWERS, BERT)]


def seed_tokenizers() -> list[bytes]:
    """Return small `tokenizer.json` files."""
    return [json.dumps(each).encode() for each in (TOKENIZER, BYTE_PAIRS)]


def seed_settings() -> list[bytes]:
    """Return files that list the special tokens of a tokenizer."""
    ours = (BUNDLED / "tokenizer_config.json").read_bytes()
    return [json.dumps(SETTINGS).encode(), ours]


def mutate_json(chance: random.Random, seeds: Sequence[bytes]) -> bytes | None:
    """Return one of the seeds with a few values replaced, moved or removed; None if it is broken."""
    try:
        whole = json.loads(chance.choice(seeds))
        for _ in range(chance.randint(1, 4)):
            _change(chance, whole)
        return json.dumps(whole).encode()
    except (ValueError, RecursionError):
        return None


def _change(chance: random.Random, whole: Any) -> None:  # noqa: ANN401 - any JSON value.
    places = list(_list_places(whole))
    if not places:
        return
    inner, step = chance.choice(places)
    odd = chance.choice(ODD) if chance.random() < 0.7 else _take(chance, places)
    if isinstance(inner, dict) and chance.random() < 0.2:
        del inner[step]
    elif isinstance(inner, dict) and chance.random() < 0.2:
        inner[chance.choice(places)[1] if chance.random() < 0.8 else "zz"] = odd
    else:
        inner[step] = odd


def _take(chance: random.Random, places: Sequence[tuple[Any, Any]]) -> Any:  # noqa: ANN401
    inner, step = chance.choice(places)
    return json.loads(json.dumps(inner[step]))


def _list_places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401
    steps = (
        value
        if isinstance(value, dict)
        else range(len(value))
        if isinstance(value, list)
        else ()
    )
    for step in list(steps):
        yield value, step
        yield from _list_places(value[step])


def run_config(path: Path) -> None:
    """Read a file as a config of a model, and as one of a text tower."""
    if b'"model_type"' in path.read_bytes()[:10_000]:
        read_text_config(path)
        return
    stated = read_config(path)
    preprocessing_from_dict(stated.preprocessing, read_input_px(stated.model), str(path))


def run_tokenizer(path: Path) -> None:
    """Read a file as a tokenizer and tokenize a few texts."""
    read_vocabulary(path)


def run_settings(path: Path) -> None:
    """Read a file as the config of a tokenizer."""
    beside = path.with_name("beside.json")
    if not beside.exists():
        beside.write_bytes(seed_tokenizers()[0])
    read_vocabulary(beside, (path,))
