"""Where a line may begin: after spaces, or as UAX #14 says in scripts written without them.

Source: https://www.unicode.org/reports/tr14/
"""

from __future__ import annotations

import itertools
from functools import lru_cache

from synthtext.drawing.runs import LATIN
from synthtext.errors import DrawError, shorten

UNSPACED = frozenset({"AK", "AP", "AS", "CJ", "ID", "SA"})
"""Line breaking classes of scripts that are written without spaces between words."""

MAX_CHARS = 4000
"""Characters of a text to which the rules are applied: their cost may grow with its square."""


def find_breaks(text: str) -> list[int]:
    """Return the places where a line may begin, without the first, and the end of the text.

    Texts of scripts that separate words by spaces are broken after these alone. In all others,
    such as Chinese and Japanese, the rules of UAX #14 hold.

    >>> find_breaks("two words"), find_breaks("两个词。")
    ([4, 9], [1, 2, 4])

    Raises:
        DrawError: the rules would be applied to more than `MAX_CHARS` characters.
    """
    if text.isascii() or LATIN.fullmatch(text) or not any(map(_is_unspaced, text)):
        ends = list(itertools.accumulate(len(word) + 1 for word in text.split(" ")))
        return [*ends[:-1], len(text)]
    if len(text) > MAX_CHARS:
        raise DrawError(
            f"{shorten(text, 40)!r} is too long to be broken into lines without spaces; give at"
            f" most {MAX_CHARS:,} characters"
        )
    return apply_rules(text)


def apply_rules(text: str) -> list[int]:
    """Return the places where UAX #14 lets a line begin, without the first, and the end.

    Letters of the class SA, such as Thai, are kept together: the rules leave them to
    dictionaries.
    """
    classes = [_class_of(char) for char in text]
    # A line may begin between two ideographs, and no rule looks beyond them: what lies between
    # such places is resolved by itself, and short parts come again in other texts.
    seams = [
        place
        for place, pair in enumerate(itertools.pairwise(classes), start=1)
        if pair == ("ID", "ID")
    ]
    return [
        start + place
        for start, stop in itertools.pairwise([0, *seams, len(text)])
        for place in _resolve(text[start:stop])
    ]


def _is_unspaced(char: str) -> bool:
    # Emoji have the class of ideographs, but are no letters.
    return char.isalpha() and _class_of(char) in UNSPACED


@lru_cache(maxsize=4096)
def _class_of(char: str) -> str:
    from uniseg.linebreak import line_break

    return str(line_break(char).value)


@lru_cache(maxsize=4096)
def _resolve(text: str) -> tuple[int, ...]:
    from uniseg.linebreak import line_break_boundaries

    return tuple(line_break_boundaries(text))
