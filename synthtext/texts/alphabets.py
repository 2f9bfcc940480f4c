"""Alphabets: the characters that a dataset has to show."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from synthtext.errors import WordsError, shorten
from synthtext.texts.patterns import read_pattern
from synthtext.texts.words import JOINERS, MAX_WORD_CHARS, read_lines

MAX_CHARACTERS = 50_000
"""Maximum number of characters of an alphabet; the largest Chinese ones have 30,000."""


def read_alphabet(source: str) -> tuple[str, ...]:
    """Return the different characters of an alphabet, without spaces, in their order.

    >>> read_alphabet("banana"), read_alphabet("[a-c0-2]")
    (('b', 'a', 'n'), ('0', '1', '2', 'a', 'b', 'c'))

    Args:
        source: a UTF-8 file, such as one with a character per line; a class of characters in
            brackets, as in a pattern; or the characters themselves.

    Raises:
        WordsError: the file or the class cannot be used, or there are no or too many
            characters.
    """
    if _is_file(source):
        text = "".join(line for _, line in read_lines(Path(source), MAX_WORD_CHARS))
    elif len(source) > 2 and source[0] == "[" and source[-1] == "]":
        automaton = read_pattern(source)
        if any(automaton.ways[1:]):
            raise WordsError(
                f"the alphabet {shorten(source)!r} is not one class; write it as in [a-z0-9]"
            )
        text = "".join(options for options, _ in automaton.ways[0])
    else:
        text = source
    found = dict.fromkeys(
        char for char in unicodedata.normalize("NFC", text) if _is_shown(char)
    )
    if not 0 < len(found) <= MAX_CHARACTERS:
        raise WordsError(
            f"the alphabet {shorten(source)!r} has {len(found):,} characters; give 1 to"
            f" {MAX_CHARACTERS:,}, such as '[a-z0-9]'"
        )
    for char in found:
        if unicodedata.category(char)[0] == "C" and char not in JOINERS:
            raise WordsError(
                f"the alphabet {shorten(source)!r} has the control character"
                f" U+{ord(char):04X}; remove it"
            )
    return tuple(found)


def _is_file(source: str) -> bool:
    try:
        return Path(source).is_file()
    except (OSError, ValueError):
        return False


def _is_shown(char: str) -> bool:
    return not char.isspace() and char not in JOINERS
