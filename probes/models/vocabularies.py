"""Vocabularies: the files of a Hugging Face tokenizer, read by the `tokenizers` library alone.

A `tokenizer.json` fully describes the processing of a text, declaratively and without code. So
neither the classes nor the templates named in other files are loaded, and nothing is pickled,
compiled or converted. It could still expand texts without bound, or make the parser panic; both
are checked here.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from probes.errors import ProbeError
from probes.models.shapes import (
    Either,
    Null,
    Row,
    Shape,
    Text,
    check_entries,
    parse_json,
    read_bounded,
)
from synthtext.errors import quote

TOKENIZER_NAME = "tokenizer.json"
"""The file that defines a tokenizer; it is required."""

SETTINGS_NAMES = ("special_tokens_map.json", "tokenizer_config.json")
"""Optional files that list special tokens; the last takes precedence."""

MAX_TOKENIZER_BYTES = 128 << 20
"""Maximum size of a `tokenizer.json`; the largest known has about 60 MB."""

MAX_SETTINGS_BYTES = 8 << 20

MAX_GROWTH = 10_000
"""Maximum factor by which the normalizer may lengthen a text; real ones reach a few tens."""

MAX_PIECES = 64
"""Maximum number of pieces that the post-processor may join; real ones join three."""

ROLES: Mapping[str, tuple[str, ...]] = {
    "pad_token": ("<pad>", "[PAD]"),
    "bos_token": ("<s>", "<bos>", "<|startoftext|>"),
    "eos_token": ("</s>", "<eos>", "<|endoftext|>"),
    "unk_token": ("<unk>", "[UNK]"),
    "cls_token": ("[CLS]",),
    "sep_token": ("[SEP]", "</s>"),
    "mask_token": ("<mask>", "[MASK]"),
}
"""Special tokens by their role, and their default names."""

_SIDE = Either((Null(), Text(("left", "right"))))

SETTINGS: Mapping[str, Shape] = {"padding_side": _SIDE, "truncation_side": _SIDE}
"""Entries of `SETTINGS_NAMES` that are used in addition to `ROLES`; others are ignored."""

EXTRA = ("additional_special_tokens", "extra_special_tokens")
"""Further special tokens, without a role."""

TRIALS = ("a", "", "Word 12, straße 東京 \N{GRINNING FACE}")
"""Texts on which every tokenizer is tried."""


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer and its special tokens.

    Attributes:
        tokenizer: texts -> ids; it neither pads nor truncates by default.
        roles: ids of special tokens by their role, such as "pad_token".
        special_ids: ids of all special tokens.
        n_ids: one more than the largest id.
        padding_side: where padding goes, "left" or "right".
        truncation_side: where a text is truncated, likewise.
        files: the files that it was read from.
    """

    tokenizer: Tokenizer
    roles: Mapping[str, int]
    special_ids: frozenset[int]
    n_ids: int
    padding_side: str
    truncation_side: str
    files: tuple[Path, ...]


def read_vocabulary(file: Path, settings: tuple[Path, ...] = ()) -> Vocabulary:
    """Return the tokenizer in a `tokenizer.json`, tried on a few texts.

    Args:
        file: the `tokenizer.json`.
        settings: files that list special tokens, in the order of `SETTINGS_NAMES`.

    Raises:
        ProbeError: a file is missing or invalid, or could fill the memory.
    """
    stated: dict[str, Any] = {}
    for path in settings:
        stated |= _read_settings(path)
    tokenizer, padding = _read_tokenizer(file)
    if isinstance(padding, dict):
        stated.setdefault("pad_token", padding.get("pad_token"))
        stated.setdefault("padding_side", str(padding.get("direction", "right")).lower())
    roles = _find_roles(tokenizer, stated)
    extra = [_name_token(token) for name in EXTRA for token in stated.get(name) or []]
    with hold_to_sentences(str(file)):
        special = [*roles.values(), *filter(None, extra)]
        _add_tokens(tokenizer, special)
        ids = tokenizer.get_vocab(with_added_tokens=True)
        for text in TRIALS:
            tokenizer.encode(text)
    return Vocabulary(
        tokenizer=tokenizer,
        roles={role: ids[name] for role, name in roles.items()},
        special_ids=frozenset(ids[name] for name in special),
        n_ids=max(ids.values(), default=-1) + 1,
        padding_side=stated.get("padding_side") or "right",
        truncation_side=stated.get("truncation_side") or "right",
        files=(file, *settings),
    )


@contextmanager
def hold_to_sentences(origin: str) -> Iterator[None]:
    """Turn any failure of the `tokenizers` library into a one-sentence error.

    Args:
        origin: the file the tokenizer came from.

    Raises:
        ProbeError: the tokenizer failed.
    """
    try:
        yield
    except ProbeError:
        raise
    except BaseException as error:
        # A Rust panic is deliberately not an Exception; here it must be caught.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ProbeError(
            f"the tokenizer in {origin} fails: {quote(' '.join(str(error).split()))};"
            " write it again with the tokenizers library"
        ) from error


def _read_tokenizer(file: Path) -> tuple[Tokenizer, object]:
    """Return the tokenizer, and its padding settings."""
    remedy = (
        "give a fast tokenizer, which transformers writes with"
        " AutoTokenizer.from_pretrained(NAME).save_pretrained(FOLDER)"
    )
    raw = read_bounded(file, MAX_TOKENIZER_BYTES, remedy)
    content = parse_json(raw, file, remedy)
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise ProbeError(f"{file} is not a tokenizer; {remedy}")
    with hold_to_sentences(str(file)):
        # The parser refuses nesting deeper than 128, so recursion below is bounded.
        tokenizer = Tokenizer.from_buffer(raw)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        growth = _multiply(content.get("normalizer"), "normalizers", _measure_growth)
        n_pieces = _multiply(content.get("post_processor"), "processors", _count_pieces)
    if growth > MAX_GROWTH or n_pieces > MAX_PIECES:
        raise ProbeError(
            f"{file} makes texts {max(growth, n_pieces):,.0f} times as long; such a tokenizer"
            f" is not loaded"
        )
    return tokenizer, content.get("padding")


def _read_settings(path: Path) -> dict[str, Any]:
    raw = read_bounded(path, MAX_SETTINGS_BYTES, "remove it or download it again")
    content = parse_json(raw, path, "remove it or download it again")
    check_entries(content, SETTINGS, str(path), others=True)
    for role in ROLES:
        if content.get(role) is not None and _name_token(content[role]) is None:
            raise ProbeError(f"{path} has {role} {quote(content[role])}; it is a token")
    for name in EXTRA:
        # Newer files also name these tokens; the names are not needed.
        if isinstance(content.get(name), dict):
            content[name] = list(content[name].values())
        fault = Either((Null(), Row(Text(), 0, 10_000))).find_fault(
            None if content.get(name) is None else _name_tokens(content[name])
        )
        if fault:
            raise ProbeError(f"{path} has {name} {quote(content[name])}; it is {fault}")
    used = (*ROLES, *EXTRA, *SETTINGS)
    return {name: content[name] for name in used if content.get(name) is not None}


def _name_tokens(value: object) -> object:
    return list(map(_name_token, value)) if isinstance(value, list) else value


def _name_token(value: object) -> str | None:
    """Return the text of a token, bare or with its properties; None if it is neither."""
    text = value.get("content") if isinstance(value, dict) else value
    return text if isinstance(text, str) and 0 < len(text) <= 1000 else None


def _find_roles(tokenizer: Tokenizer, stated: Mapping[str, Any]) -> dict[str, str]:
    roles = {}
    for role, usual in ROLES.items():
        known = (name for name in usual if tokenizer.token_to_id(name) is not None)
        name = _name_token(stated.get(role)) or next(known, None)
        if name is not None:
            roles[role] = name
    return roles


def _add_tokens(tokenizer: Tokenizer, special: list[str]) -> None:
    """Make tokens special that are so only by their role, as transformers does."""
    added = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    tokenizer.add_special_tokens(
        [AddedToken(name, special=True) for name in dict.fromkeys(special) if name not in added]
    )


def _multiply(step: object, parts: str, measure: Callable[[Mapping[str, Any]], float]) -> float:
    """Return the product of a measure over a step and all the steps inside it."""
    if not isinstance(step, dict):
        return 1.0
    inner = step.get(parts)
    factors = (
        _multiply(part, parts, measure) for part in (inner if isinstance(inner, list) else [])
    )
    # Capped, to avoid infinity.
    return min(measure(step) * math.prod(factors), 1e300)


def _measure_growth(step: Mapping[str, Any]) -> float:
    """Return the maximum factor by which a step of the normalizer lengthens a text."""
    if step.get("type") == "Prepend":
        return 1.0 + len(step.get("prepend") or "")
    if step.get("type") == "Replace":
        # A regular expression may match between any two characters.
        plain = (step.get("pattern") or {}).get("String")
        content = len(step.get("content") or "")
        return max(1.0, content / len(plain)) if plain else 1.0 + content
    if step.get("type") == "Precompiled":
        charsmap = base64.b64decode(step.get("precompiled_charsmap") or "")
        # Source: sentencepiece, `normalizer.cc`: the size of a trie, the trie, and the
        # replacements, each ended by a zero.
        trie_bytes = int.from_bytes(charsmap[:4], "little")
        return 1.0 + max(map(len, charsmap[4 + trie_bytes :].split(b"\0")))
    return 1.0


def _count_pieces(step: Mapping[str, Any]) -> float:
    """Return how many pieces a step of the post-processor joins."""
    single = step.get("single")
    return max(1.0, float(len(single))) if isinstance(single, list) else 1.0
