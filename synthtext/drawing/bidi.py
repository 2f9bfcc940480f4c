"""The direction of every character of a text, by the Unicode Bidirectional Algorithm.

It is implemented here because other packages return only the reordered text, and shaping needs
the levels. It passes every case of Unicode's BidiCharacterTest. The classes of characters come
from Python's `unicodedata`, and mirrored characters from fontTools.

Source: Unicode Standard Annex 9, revision 48; rules such as W1 are named as there.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fontTools.unicodedata import mirrored

MAX_DEPTH = 125
"""Maximum level of an embedding (BD2)."""

MAX_OPEN_BRACKETS = 63
"""Maximum number of brackets that are open at once (BD16)."""

RIGHTWARD = re.compile(
    "[^\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff"
    "\U00010800-\U00010fff\U0001e800-\U0001efff]*"
)
"""Texts in which no character can cause a level other than 0."""

ISOLATES = frozenset({"LRI", "RLI", "FSI"})

EMBEDDINGS = frozenset({"LRE", "RLE", "LRO", "RLO"})

REMOVED = EMBEDDINGS | {"PDF", "BN"}
"""Classes that rule X9 removes."""

NEUTRAL = ISOLATES | {"PDI", "B", "S", "WS", "ON"}

TRAILING = ISOLATES | REMOVED | {"PDI", "WS"}
"""Classes reset to the paragraph level at the end of a line (L1)."""

RISES = {
    0: {"R": 1, "AN": 2, "EN": 2},
    1: {"L": 1, "AN": 1, "EN": 1},
}
"""By how much each class raises the level of a character at even and at odd levels (I1, I2)."""


@dataclass(frozen=True)
class Directions:
    """The resolved levels of a paragraph: even ones run rightwards, odd ones leftwards.

    Attributes:
        base: level of the paragraph, 0 or 1.
        levels: level of each character; those that rule X9 removes have the level before them.
        classes: class of each character, such as `AL`.
    """

    base: int
    levels: list[int]
    classes: list[str]


def runs_rightward(text: str) -> bool:
    """Return whether every character of a text has level 0, without running the algorithm."""
    return text.isascii() or RIGHTWARD.fullmatch(text) is not None


def resolve_levels(text: str, base: int | None = None) -> Directions:
    """Return the directions of a paragraph.

    >>> resolve_levels("abc \u05d0\u05d1 12").levels
    [0, 0, 0, 0, 1, 1, 1, 2, 2]

    Args:
        text: one paragraph.
        base: its level, 0 or 1; None takes that of its first strong character.
    """
    classes = [unicodedata.bidirectional(char) or "L" for char in text]
    partners = _match_isolates(classes)
    if base is None:
        base = _find_base(classes, partners, 0, len(classes))
    levels, kinds = _set_explicit(classes, partners, base)
    kept = [place for place, kind in enumerate(classes) if kind not in REMOVED]
    explicit = list(levels)
    for sequence in _list_sequences(kept, levels, classes, partners):
        level = explicit[sequence[0]]
        sides = _find_sides(sequence, kept, explicit, base)
        if partners.get(sequence[-1]) == len(classes):
            # The isolate that ends it is never closed, so it extends to the paragraph's end.
            sides = (sides[0], _direction(max(level, base)))
        resolved = [kinds[place] for place in sequence]
        _resolve_weak(resolved, sides[0])
        _resolve_brackets(resolved, [text[p] for p in sequence], _direction(level), sides[0])
        _resolve_neutral(resolved, _direction(level), sides)
        for place, kind in zip(sequence, resolved, strict=True):
            levels[place] = level + RISES[level % 2].get(kind, 0)
    _fill_removed(levels, classes, base)
    return Directions(base, levels, classes)


def line_levels(directions: Directions, start: int, stop: int) -> list[int]:
    """Return the levels of the characters of a line, from its first to before `stop` (L1)."""
    classes, levels = directions.classes[start:stop], directions.levels[start:stop]
    is_trailing = True
    for place in reversed(range(len(levels))):
        if classes[place] in {"B", "S"}:
            is_trailing = True
        elif classes[place] not in TRAILING:
            is_trailing = False
        if is_trailing:
            levels[place] = directions.base
    return levels


def order_visually(levels: Sequence[int]) -> list[int]:
    """Return the indices of the parts of a line from left to right, given their levels (L2).

    >>> order_visually([0, 1, 1, 2])
    [0, 3, 2, 1]
    """
    order = list(range(len(levels)))
    for lowest in range(max(levels, default=0), 0, -1):
        begin = None
        for end, place in enumerate([*order, -1]):
            if place >= 0 and levels[place] >= lowest:
                begin = end if begin is None else begin
            elif begin is not None:
                order[begin:end] = order[begin:end][::-1]
                begin = None
    return order


def _direction(level: int) -> str:
    return "R" if level % 2 else "L"


def _match_isolates(classes: Sequence[str]) -> dict[int, int]:
    """Return the index of the PDI of each isolate, or the length if it has none (BD9)."""
    partners: dict[int, int] = {}
    opened: list[int] = []
    for place, kind in enumerate(classes):
        if kind in ISOLATES:
            partners[place] = len(classes)
            opened.append(place)
        elif kind == "PDI" and opened:
            partners[opened.pop()] = place
    return partners


def _find_base(classes: Sequence[str], partners: dict[int, int], start: int, stop: int) -> int:
    """Return the level set by the first strong character outside isolates (P2, P3)."""
    place = start
    while place < stop:
        kind = classes[place]
        if kind in {"L", "R", "AL"}:
            return int(kind != "L")
        place = partners[place] if kind in ISOLATES else place + 1
    return 0


@dataclass
class _Stack:
    """The embeddings and isolates that are open, or too deep to open, at a character (X1).

    Attributes:
        entries: level, class override, and whether it is an isolate, for each that is open.
        n_isolates: number of open isolates.
        isolates_beyond: number of isolates that are too deep.
        embeddings_beyond: number of embeddings that are too deep.
    """

    entries: list[tuple[int, str, bool]]
    n_isolates: int = 0
    isolates_beyond: int = 0
    embeddings_beyond: int = 0

    def begin(self, kind: str, level: int) -> None:
        """Open what a character opens (X2-X5c)."""
        is_isolate = kind in ISOLATES
        if level <= MAX_DEPTH and not self.isolates_beyond and not self.embeddings_beyond:
            self.n_isolates += is_isolate
            override = {"LRO": "L", "RLO": "R"}.get(kind, "")
            self.entries.append((level, override, is_isolate))
        elif is_isolate:
            self.isolates_beyond += 1
        elif not self.isolates_beyond:
            self.embeddings_beyond += 1

    def end_isolate(self) -> None:
        """Close the last isolate, and what was opened inside it (X6a)."""
        if self.isolates_beyond:
            self.isolates_beyond -= 1
        elif self.n_isolates:
            self.embeddings_beyond = 0
            self.n_isolates -= 1
            while not self.entries.pop()[2]:
                pass

    def end_embedding(self) -> None:
        """Close the last embedding, unless an isolate was opened after it (X7)."""
        if self.isolates_beyond or len(self.entries) < 2 or self.entries[-1][2]:
            return
        if self.embeddings_beyond:
            self.embeddings_beyond -= 1
        else:
            self.entries.pop()


def _set_explicit(
    classes: Sequence[str], partners: dict[int, int], base: int
) -> tuple[list[int], list[str]]:
    """Return the levels of embeddings and isolates, and classes after overrides (X1-X8)."""
    levels, kinds = [base] * len(classes), list(classes)
    stack = _Stack([(base, "", False)])
    for place, kind in enumerate(classes):
        if kind == "PDF":
            stack.end_embedding()
            continue
        if kind == "PDI":
            stack.end_isolate()
        level, override, _ = stack.entries[-1]
        levels[place] = level
        if override and kind not in REMOVED:
            kinds[place] = override
        if kind in EMBEDDINGS | ISOLATES:
            to_left = _opens_leftward(kind, classes, partners, place)
            stack.begin(kind, level + 1 + (level % 2 == int(to_left)))
    return levels, kinds


def _opens_leftward(
    kind: str, classes: Sequence[str], partners: dict[int, int], place: int
) -> bool:
    if kind == "FSI":
        return _find_base(classes, partners, place + 1, partners[place]) == 1
    return kind[0] == "R"


def _list_sequences(
    kept: Sequence[int], levels: Sequence[int], classes: Sequence[str], partners: dict[int, int]
) -> list[list[int]]:
    """Return the isolating run sequences, each as the indices of its characters (BD13)."""
    sequences: list[list[int]] = []
    waiting: dict[int, list[int]] = {}
    level = -1
    for place in kept:
        if levels[place] != level or place in waiting:
            level = levels[place]
            # Text after a PDI continues the sequence in which the isolate was opened.
            found = waiting.pop(place, None)
            if found is None:
                found = []
                sequences.append(found)
            current = found
        current.append(place)
        if classes[place] in ISOLATES:
            waiting[partners[place]] = current
            level = -1
    return sequences


def _find_sides(
    sequence: Sequence[int], kept: Sequence[int], levels: Sequence[int], base: int
) -> tuple[str, str]:
    """Return the directions before and after a sequence (X10)."""
    level = levels[sequence[0]]
    before = bisect_left(kept, sequence[0]) - 1
    after = bisect_left(kept, sequence[-1]) + 1
    return (
        _direction(max(level, levels[kept[before]] if before >= 0 else base)),
        _direction(max(level, levels[kept[after]] if after < len(kept) else base)),
    )


def _resolve_weak(kinds: list[str], before: str) -> None:
    """Resolve marks, numbers and their separators in place (W1-W7)."""
    _resolve_letters(kinds, before)
    for place in range(1, len(kinds) - 1):
        one, between, other = kinds[place - 1 : place + 2]
        if one == other and (
            (between in {"ES", "CS"} and one == "EN") or (between == "CS" and one == "AN")
        ):
            kinds[place] = one
    _join_terminators(kinds)
    strong = before
    for place, kind in enumerate(kinds):
        if kind in {"L", "R"}:
            strong = kind
        elif kind == "EN" and strong == "L":
            kinds[place] = "L"


def _resolve_letters(kinds: list[str], before: str) -> None:
    """Resolve marks, Arabic letters and the numbers that follow them, in place (W1-W3)."""
    strong = previous = before
    for place, kind in enumerate(kinds):
        if kind == "NSM":
            kind = "ON" if previous in ISOLATES | {"PDI"} else previous  # noqa: PLW2901 - W1.
        previous = kind
        if kind in {"L", "R", "AL"}:
            strong = kind
        is_arabic = kind == "EN" and strong == "AL"
        kinds[place] = "AN" if is_arabic else "R" if kind == "AL" else kind


def _join_terminators(kinds: list[str]) -> None:
    """Join terminators to adjacent numbers, and make separators neutral, in place (W5, W6)."""
    place = 0
    while place < len(kinds):
        end = place
        while end < len(kinds) and kinds[end] == "ET":
            end += 1
        if end > place:
            is_beside = "EN" in kinds[max(0, place - 1) : place] + kinds[end : end + 1]
            kinds[place:end] = ["EN" if is_beside else "ON"] * (end - place)
        elif kinds[place] in {"ES", "CS"}:
            kinds[place] = "ON"
        place = max(end, place + 1)


def _resolve_brackets(
    kinds: list[str], chars: Sequence[str], embedding: str, before: str
) -> None:
    """Resolve pairs of brackets in place (N0)."""
    marks = [unicodedata.bidirectional(char) == "NSM" for char in chars]
    for opening, closing in _pair_brackets(kinds, chars):
        inside = {_strength(kind) for kind in kinds[opening + 1 : closing]} - {""}
        if not inside:
            continue
        direction = embedding
        if embedding not in inside:
            # The brackets follow opposite text inside them only if the text before does, too.
            outside = (_strength(kind) for kind in reversed(kinds[:opening]))
            context = next((strength for strength in outside if strength), before)
            direction = embedding if context == embedding else context
        for place in (opening, closing):
            end = place + 1
            while end < len(kinds) and marks[end]:
                end += 1
            kinds[place:end] = [direction] * (end - place)


def _strength(kind: str) -> str:
    """Return the direction of a class where neutral characters are resolved, if it has one."""
    return "R" if kind in {"R", "AN", "EN"} else "L" if kind == "L" else ""


def _pair_brackets(kinds: Sequence[str], chars: Iterable[str]) -> list[tuple[int, int]]:
    """Return the indices of paired brackets, sorted by the opening one (BD14-BD16)."""
    pairs: list[tuple[int, int]] = []
    opened: list[tuple[str, int]] = []
    for place, (kind, char) in enumerate(zip(kinds, chars, strict=True)):
        partner = mirrored(ord(char)) if kind == "ON" else None
        category = unicodedata.category(char) if partner is not None else ""
        if partner is not None and category == "Ps":
            if len(opened) == MAX_OPEN_BRACKETS:
                return []
            # Angle brackets are also encoded as characters that decompose to the usual ones.
            opened.append((unicodedata.normalize("NFD", chr(partner)), place))
        elif category == "Pe":
            closing = unicodedata.normalize("NFD", char)
            for depth in reversed(range(len(opened))):
                if opened[depth][0] == closing:
                    pairs.append((opened[depth][1], place))
                    del opened[depth:]
                    break
    return sorted(pairs)


def _resolve_neutral(kinds: list[str], embedding: str, sides: tuple[str, str]) -> None:
    """Resolve neutral characters from the text on both sides, in place (N1, N2)."""
    place = 0
    while place < len(kinds):
        end = place
        while end < len(kinds) and kinds[end] in NEUTRAL:
            end += 1
        if end > place:
            one = _strength(kinds[place - 1]) if place else sides[0]
            other = _strength(kinds[end]) if end < len(kinds) else sides[1]
            kinds[place:end] = [one if one == other else embedding] * (end - place)
        place = max(end, place + 1)


def _fill_removed(levels: list[int], classes: Sequence[str], base: int) -> None:
    level = base
    for place, kind in enumerate(classes):
        level = levels[place] = level if kind in REMOVED else levels[place]
