"""The errors of synthtext, as one tree.

SynthtextError
├── WordsError      a word list or a sentence file cannot be used
├── FontError       a font or the catalogue of fonts cannot be used
├── RecipeError     a recipe or one of its factors cannot be used
├── SpecError       a spec holds a value that cannot be drawn
├── DrawError       this text cannot be drawn as its spec asks
├── PhotoError      a photograph for a background cannot be used
├── ShardError      a shard is missing, broken or hostile
└── DatasetError    a dataset folder cannot be read, written or continued
    └── DamageError a file of a dataset is not the one that was written

Every message says in one sentence what is wrong, its value, and what to do.
"""

from __future__ import annotations

import reprlib

MAX_QUOTED_CHARS = 60
"""Maximum number of characters that `quote` shows."""


def shorten(text: str, n_chars: int = 80) -> str:
    """Return a value for an error, on one line, with only the beginning of a long one.

    >>> shorten("12:64"), shorten("x" * 5000, 4)
    ('12:64', 'xxxx... (5,000 characters)')
    """
    line = " ".join(text.split())
    return line if len(line) <= n_chars else f"{line[:n_chars]}... ({len(text):,} characters)"


def quote(value: object) -> str:
    """Return the repr of a value for an error, on one line, with the middle of a long one cut.

    >>> quote("a" * 100)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaa...aaaaaaaaaaaaaaaaaaaaaaaaaaaa'"
    """
    brief = reprlib.Repr()
    brief.maxstring = brief.maxother = brief.maxlong = MAX_QUOTED_CHARS
    brief.maxlevel = 2
    return brief.repr(value)


class SynthtextError(Exception):
    """Any failure that a user can fix.

    >>> from synthtext import SynthtextError, read_recipe
    >>> try:
    ...     read_recipe("none")
    ... except SynthtextError as error:
    ...     print(error)
    no recipe 'none'; give a file or one of default, clip-224, ocr-crops, rendered-sst2, street
    """


class WordsError(SynthtextError):
    """A word list or a sentence file cannot be used."""


class FontError(SynthtextError):
    """A font or the catalogue of fonts cannot be used."""


class RecipeError(SynthtextError):
    """A recipe or one of its factors cannot be used."""


class SpecError(SynthtextError):
    """A spec holds a value that cannot be drawn."""


class DrawError(SynthtextError):
    """This text cannot be drawn as its spec asks."""


class PhotoError(SynthtextError):
    """A photograph for a background cannot be used."""


class ShardError(SynthtextError):
    """A shard is missing, broken or hostile."""


class DatasetError(SynthtextError):
    """A dataset folder cannot be read, written or continued."""


class DamageError(DatasetError):
    """A file of a dataset is not the one that was written."""
