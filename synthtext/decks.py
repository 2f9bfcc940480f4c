"""Decks: the texts that the images of a split draw from, and those that some have to show."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

COVER = "cover"
"""The entry of a plan about an alphabet to show."""


@dataclass(frozen=True)
class Deck:
    """The texts of one kind and one split; images go through it pass by pass, shuffled.

    Attributes:
        kind: `word` or `sentence`.
        items: the texts.
        labels: their labels, None where they have none.
        class_indices: the line of each in `classnames.txt`.
    """

    kind: str
    items: tuple[str, ...]
    labels: tuple[int | None, ...]
    class_indices: tuple[int, ...]


@dataclass(frozen=True)
class Chosen:
    """A text that one image has to show, with what belongs to it."""

    kind: str
    text: str
    label: int | None
    class_index: int
    case: str


@dataclass(frozen=True)
class Source:
    """What the images of one split draw from.

    Attributes:
        split: `train`, `val` or `test`.
        first: index of the split's first image.
        decks: one per kind that is there.
        chosen: texts of the first images; the first pass over the decks begins after them.
    """

    split: str
    first: int
    decks: tuple[Deck, ...]
    chosen: tuple[Chosen, ...] = ()

    @property
    def start(self) -> int:
        """Index of the image that begins the first pass over the decks."""
        return self.first + len(self.chosen)


@dataclass(frozen=True)
class Cover:
    """The promise that each character of an alphabet comes up often enough in every split.

    Attributes:
        alphabet: the characters.
        n_each: how often each comes up at least.
    """

    alphabet: tuple[str, ...]
    n_each: int


def describe_cover(cover: Cover, sources: Sequence[Source]) -> dict[str, Any]:
    """Return what is promised about an alphabet, with the texts chosen for it, for JSON."""
    chosen = [
        (source.split, *vars(each).values()) for source in sources for each in source.chosen
    ]
    return {
        "alphabet": "".join(cover.alphabet),
        "at_least": cover.n_each,
        "images": {source.split: len(source.chosen) for source in sources},
        "sha256": hashlib.sha256(repr(chosen).encode()).hexdigest(),
    }
