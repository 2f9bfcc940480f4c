"""Tokens: the ids of a text without padding and special tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tokenize = Callable[[Sequence[str]], list[tuple[int, ...]]]
"""Texts -> the ids of each, without padding, special tokens or truncation."""

BLOCK = 1024
"""Number of texts tokenised at a time, which limits memory."""

REACH = 4
"""Texts are tokenised up to this many times the context; the rest is truncated anyway."""


def spell_texts(texts: Sequence[str]) -> list[tuple[int, ...]]:
    """Return the code points of each text, used as ids where no tokenizer is known.

    >>> spell_texts(["ox"])
    [(111, 120)]
    """
    return [tuple(map(ord, text)) for text in texts]


def read_tokenizer(tokenizer: Any, context_length: int) -> tuple[Tokenize, int]:  # noqa: ANN401
    """Return a function that tokenises, and how many ids of a text fit into the context.

    Args:
        tokenizer: open_clip's own or one from a file: called with texts and a
            `context_length`, it returns ids (N, context_length), padded.
        context_length: positions of the text tower, including start and end tokens.
    """
    pad = getattr(tokenizer, "pad_id", 0)  # The native one pads with 0.
    marks = frozenset(tokenizer.all_special_ids)

    def tokenize(texts: Sequence[str]) -> list[tuple[int, ...]]:
        rows: list[tuple[int, ...]] = []
        for at in range(0, len(texts), BLOCK):
            block = list(texts[at : at + BLOCK])
            padded = tokenizer(block, context_length=REACH * context_length).tolist()
            rows += [_strip(row, pad, marks) for row in padded]
        return rows

    filled = tokenizer(["a " * context_length], context_length=context_length).tolist()[0]
    return tokenize, len(_strip(filled, pad, marks))


def number_texts(texts: Sequence[str], tokenize: Tokenize) -> NDArray[np.int64]:
    """Return a number for each text, the same for texts that are the same to the model.

    >>> number_texts(["ox", "owl", "ox"], spell_texts).tolist()
    [0, 1, 0]
    """
    distinct = list(dict.fromkeys(texts))
    known: dict[tuple[int, ...], int] = {}
    number_of = {
        text: known.setdefault(ids, len(known))
        for text, ids in zip(distinct, tokenize(distinct), strict=True)
    }
    return np.array([number_of[text] for text in texts])


def _strip(row: list[int], pad: int, marks: frozenset[int]) -> tuple[int, ...]:
    """Return a row of ids without padding and without special tokens at either end."""
    start, end = 0, len(row)
    # The end token precedes the padding, so an id 0 in the text itself is kept.
    while end > start and row[end - 1] == pad:
        end -= 1
    while end > start and row[end - 1] in marks:
        end -= 1
    while start < end and row[start] in marks:
        start += 1
    return tuple(row[start:end])
