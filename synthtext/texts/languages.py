"""The most frequent words of a language, by wordfreq.

Source: Speer, "rspeer/wordfreq", 2022, doi:10.5281/zenodo.7199437; its data are under
CC BY-SA 4.0.
"""

from __future__ import annotations

import unicodedata
from importlib.util import find_spec

from synthtext.errors import WordsError, shorten


def list_frequent(language: str, n: int) -> list[str]:
    """Return words of a language, most frequent first, without numbers and symbols.

    Args:
        language: its code, such as `de`.
        n: number of words; there are fewer if wordfreq has fewer.

    Raises:
        WordsError: wordfreq is not installed, or does not know the language.
    """
    if find_spec("wordfreq") is None:
        raise WordsError(
            "words of a language need the package wordfreq; run: pip install 'synthtext[words]'"
        )
    import wordfreq

    known = sorted(wordfreq.available_languages())
    if language not in known:
        raise WordsError(
            f"wordfreq has no words of the language {shorten(language)!r}; give one"
            f" of {', '.join(known)}"
        )
    frequent = wordfreq.iter_wordlist(language)
    words: dict[str, None] = {}
    for word in frequent:
        if len(words) == n:
            break
        if all(unicodedata.category(char)[0] in "LM" for char in word):
            words[unicodedata.normalize("NFC", word)] = None
    return list(words)
