"""Tokenizing: a source -> the function that turns texts into token ids.

No tokenizer class of transformers is loaded, since it may be code shipped with the weights.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from open_clip.tokenizer import SimpleTokenizer, get_clean_fn
from tokenizers import Tokenizer, normalizers
from torch import Tensor

from probes.errors import ProbeError
from probes.models.hub import fetch_file, find_file, find_place
from probes.models.pretrained import Source
from probes.models.vocabularies import (
    SETTINGS_NAMES,
    TOKENIZER_NAME,
    Vocabulary,
    hold_to_sentences,
    read_vocabulary,
)
from synthtext.storage import replace_file


@dataclass(frozen=True)
class FileTokenizer:
    """Texts -> ids with a `tokenizer.json`; called like open_clip's own tokenizers.

    Attributes:
        vocabulary: the tokenizer and its special tokens.
        context_length: default number of ids of a text, including special tokens.
        clean: the preprocessing of a text, one of open_clip's ("whitespace", "lower",
            "canonicalize"), or that of transformers for SigLIP: "siglip", or "siglip2", which
            is part of the vocabulary itself.
        strip_sep_token: whether 0 replaces the end token.
        puts_class_last: whether special tokens and a class token are added around the bare ids,
            open_clip's mode "clips".
    """

    vocabulary: Vocabulary
    context_length: int
    clean: str = "whitespace"
    strip_sep_token: bool = False
    puts_class_last: bool = False

    @property
    def pad_id(self) -> int:
        """The id of padding."""
        return self.vocabulary.roles["pad_token"]

    @property
    def all_special_ids(self) -> frozenset[int]:
        """The ids of padding and special tokens."""
        return self.vocabulary.special_ids

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        return self.vocabulary.n_ids

    def __call__(self, texts: str | Sequence[str], context_length: int | None = None) -> Tensor:
        """Return ids, int64 (N, context), padded and truncated.

        Raises:
            ProbeError: the tokenizer fails on a text.
        """
        clean = CLEANERS.get(self.clean) or get_clean_fn(self.clean)
        cleaned = [clean(text) for text in ([texts] if isinstance(texts, str) else texts)]
        n_ids = context_length or self.context_length
        with hold_to_sentences(str(self.vocabulary.files[0])):
            if self.puts_class_last:
                return self._put_class_last(cleaned, n_ids)
            rows = self._encode(cleaned, n_ids)
        if self.strip_sep_token and "sep_token" in self.vocabulary.roles:
            rows[rows == self.vocabulary.roles["sep_token"]] = 0
        return rows

    def _encode(self, texts: list[str], n_ids: int) -> Tensor:
        tokenizer, known = self.vocabulary.tokenizer, self.vocabulary
        tokenizer.enable_truncation(n_ids, direction=known.truncation_side)
        tokenizer.enable_padding(
            direction=known.padding_side, length=n_ids, pad_id=self.pad_id,
            pad_token=tokenizer.id_to_token(self.pad_id),
        )  # fmt: skip
        rows = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
        return torch.tensor(rows, dtype=torch.long).reshape(len(texts), n_ids)

    def _put_class_last(self, texts: list[str], n_ids: int) -> Tensor:
        """Return rows of start, text, end, padding and class token.

        Source: open_clip 3.3, `HFTokenizer._clips_tokenize`.
        """
        tokenizer, roles = self.vocabulary.tokenizer, self.vocabulary.roles
        tokenizer.no_truncation()
        tokenizer.no_padding()
        rows = torch.full((len(texts), n_ids), self.pad_id, dtype=torch.long)
        for row, encoding in enumerate(tokenizer.encode_batch(texts, add_special_tokens=False)):
            ids = encoding.ids[: n_ids - 3]
            marked = [roles["bos_token"], *ids, roles["eos_token"]]
            rows[row, : len(marked)] = torch.tensor(marked)
        rows[:, -1] = roles["cls_token"]
        return rows


def build_tokenizer(source: Source) -> Any:  # noqa: ANN401 - open_clip carries no types.
    """Return the tokenizer of a source; its files are fetched from the hub if needed.

    Raises:
        ProbeError: a file is missing or broken, or there are more ids than the tower has.
    """
    text = source.config["text_cfg"]
    context_length = text.get("context_length", 77)
    settings = text.get("tokenizer_kwargs") or {}
    if text.get("hf_tokenizer_name"):
        vocabulary, clean = _find_vocabulary(source), settings.get("clean", "whitespace")
        if clean == "siglip2":
            _lower_first(vocabulary.tokenizer)
        tokenizer: Any = FileTokenizer(
            vocabulary, context_length,
            clean=clean,
            strip_sep_token=settings.get("strip_sep_token", False),
            puts_class_last=text.get("tokenizer_mode") == "clips",
        )  # fmt: skip
        _check_roles(tokenizer)
        tokenizer(["a "])
    else:
        clean = settings.get("clean", "lower")
        tokenizer = SimpleTokenizer(context_length=context_length, clean=clean)
    if not text.get("hf_model_name"):
        check_ids(tokenizer, text.get("vocab_size", 49408), source.name)
    return tokenizer


def save_tokenizer(tokenizer: object, folder: Path) -> None:
    """Write the files of a tokenizer; open_clip's own needs only the config.

    Special tokens are written afresh, so that a class or a template in an untrusted file is not
    passed on.
    """
    if not isinstance(tokenizer, FileTokenizer):
        return
    known = tokenizer.vocabulary
    if known.files[0].resolve() == (folder / TOKENIZER_NAME).resolve():
        return
    replace_file(folder / TOKENIZER_NAME, known.files[0].read_bytes())
    names = {number: known.tokenizer.id_to_token(number) for number in known.special_ids}
    extra = sorted(known.special_ids - set(known.roles.values()))
    content = {role: names[number] for role, number in known.roles.items()} | {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "additional_special_tokens": [names[number] for number in extra],
        "model_max_length": tokenizer.context_length,
        "padding_side": known.padding_side,
        "truncation_side": known.truncation_side,
    }
    replace_file(
        folder / SETTINGS_NAMES[-1], json.dumps(content, indent=2, sort_keys=True).encode()
    )


def _find_vocabulary(source: Source) -> Vocabulary:
    folder, repo = source.tokenizer_folder, source.config["text_cfg"]["hf_tokenizer_name"]
    if folder is not None:
        beside = (folder / name for name in SETTINGS_NAMES)
        return read_vocabulary(
            folder / TOKENIZER_NAME, tuple(file for file in beside if file.exists())
        )
    remedy = f"put it into {find_place(repo)}, with {' and '.join(SETTINGS_NAMES)} beside it"
    file = fetch_file(repo, (TOKENIZER_NAME,), remedy)
    found = (find_file(repo, name) for name in SETTINGS_NAMES)
    return read_vocabulary(file, tuple(filter(None, found)))


def _clean_siglip(text: str) -> str:
    """Return a text in lower case, without punctuation, with single spaces.

    Source: transformers 5, `SiglipTokenizer.canonicalize_text`.

    >>> _clean_siglip(" A sign, that says:  'Stop_Here!' ")
    'a sign that says stophere'
    """
    bare = text.lower().translate(str.maketrans("", "", string.punctuation))
    return re.sub(r"\s+", " ", bare).strip()


def _lower_first(tokenizer: Tokenizer) -> None:
    """Make lower-casing the first step. Source: transformers 5, `Siglip2Tokenizer`."""
    steps = [normalizers.Lowercase()]
    steps += [] if tokenizer.normalizer is None else [tokenizer.normalizer]
    tokenizer.normalizer = normalizers.Sequence(steps)


CLEANERS: Mapping[str, Callable[[str], str]] = {"siglip": _clean_siglip, "siglip2": str}
"""Text preprocessing that open_clip lacks; for `siglip2` the vocabulary does it."""


def _check_roles(tokenizer: FileTokenizer) -> None:
    needed: tuple[str, ...] = ("pad_token",)
    if tokenizer.puts_class_last:
        needed += ("bos_token", "eos_token", "cls_token")
    for role in needed:
        if role not in tokenizer.vocabulary.roles:
            raise ProbeError(
                f"{tokenizer.vocabulary.files[0]} has no {role}; state it in the"
                f" {SETTINGS_NAMES[-1]} beside it"
            )


def check_ids(tokenizer: Any, known: int, name: str) -> None:  # noqa: ANN401
    """Refuse a tokenizer with ids beyond those of the text tower.

    Raises:
        ProbeError: it has such ids.
    """
    if tokenizer.vocab_size > known:
        raise ProbeError(
            f"the tokenizer of {name} has {tokenizer.vocab_size} tokens, but its text tower"
            f" has {known}; set text_cfg.vocab_size or text_cfg.hf_tokenizer_name as the"
            " weights were trained"
        )
