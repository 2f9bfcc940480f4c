"""Display of untrusted texts: control characters become escapes."""

from __future__ import annotations

import re

MAX_CHARS = 4000
"""Maximum length of a text in a message or a cell; for longer ones the ends are shown."""


HIDDEN = re.compile(
    "["
    r"\x00-\x1f\x7f-\x9f\xad"  # Control characters, and a hyphen that does not show.
    r"\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069"  # Direction, zero width.
    r"\u2028\u2029\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"  # Line ends, marks.
    r"\ud800-\udfff"  # Halves of pairs, and bytes of an argument that are not UTF-8.
    r"\U000e0000-\U000e007f"  # Tags, which can hide a whole text.
    "]"
)
"""Characters that a terminal interprets or does not show."""


def show_text(value: object, max_chars: int | None = MAX_CHARS) -> str:
    r"""Return a value as text that is safe to show, on one line.

    Control characters, marks of direction and lone surrogates become escapes.

    >>> show_text("\x1b[2J [red] caf\u00e9\n")
    '\\x1b[2J [red] café\\n'

    Args:
        value: what to show.
        max_chars: a longer text is reduced to its beginning and end; None keeps all.
    """
    text = str(value)
    if max_chars is not None and len(text) > max_chars:
        n_left_out = len(text) - max_chars
        head, tail = text[: max_chars // 2], text[-(max_chars // 2) :]
        text = f"{head} ... ({n_left_out:,} characters left out) ... {tail}"
    return HIDDEN.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
