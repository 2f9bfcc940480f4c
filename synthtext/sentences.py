"""Labelled sentences: SST2-style files, and their tokens joined to text again."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from synthtext.errors import WordsError
from synthtext.words import Texts, make_texts, read_lines

MAX_SENTENCE_CHARS = 2000

LABELS = {"0": 0, "1": 1, "negative": 0, "positive": 1}

BRACKETS = {
    "-LRB-": "(",
    "-RRB-": ")",
    "-LSB-": "[",
    "-RSB-": "]",
    "-LCB-": "{",
    "-RCB-": "}",
}

JOINS = [
    (re.compile(r"\\([/*])"), r"\1"),
    (re.compile(r"\s+(n't|'(?:s|S|re|ve|ll|d|m|em|til|cause))(?![\w])"), r"\1"),
    (re.compile(r"\b([Cc]an) (not)\b(?= )"), r"\1\2"),
    (re.compile(r"\b([Gg]on|[Ww]an|[Gg]ot) (na|ta)\b"), r"\1\2"),
    # Two backquotes open and two quotes close; alone, they stand for one mark.
    (re.compile(r"``\s*"), '"'),
    (re.compile(r"\s*''"), '"'),
    (re.compile(r"(^|[\s(\[])`\s*(?=\w)"), r"\1'"),
    (re.compile(r"(?<=[\w.,!?])\s+'(?=\s|$|[,.;:!?)])"), "'"),
    (re.compile(r"\s+([,.;:!?%)\]}])"), r"\1"),
    (re.compile(r"([(\[{$#])\s+"), r"\1"),
    (re.compile(r"\.\.\.(?=\w)"), "... "),
    (re.compile(r"(\w) \.\.\."), r"\1..."),
    (re.compile(r"\s+"), " "),
]
"""Patterns that part tokens, and what they become, in order."""


def read_sentences(path: Path) -> Texts:
    """Return the sentences of a file with their labels.

    Sentences that come twice are kept: the published sets have some, and their counts should
    agree.

    Args:
        path: tab-separated, its header naming `sentence` and `label`; labels are 0 and 1, or
            negative and positive. Quotation marks are part of the text.

    Raises:
        WordsError: the file cannot be read, or a line of it is not of that form.
    """
    lines = read_lines(path, MAX_SENTENCE_CHARS)
    names = lines[0][1].split("\t") if lines else []
    if "sentence" not in names or "label" not in names:
        raise WordsError(
            f"{path} begins with {' '.join(names)[:60]!r}; its first line must name the "
            "columns sentence and label, parted by a tab"
        )
    items, labels = [], []
    for number, line in lines[1:]:
        fields = line.split("\t")
        if len(fields) != len(names):
            raise WordsError(
                f"{path} line {number} has {len(fields)} fields; its header has {len(names)}"
            )
        row = dict(zip(names, fields, strict=True))
        label = LABELS.get(row["label"].strip().lower())
        if label is None:
            raise WordsError(
                f"{path} line {number} has the label {row['label']!r}; "
                "it is 0, 1, negative or positive"
            )
        items.append(unicodedata.normalize("NFC", detokenise(row["sentence"])))
        labels.append(label)
    if not items:
        raise WordsError(f"{path} holds no sentence; write one a line below the header")
    return make_texts(items, labels, path.name, len(items) - len(set(items)))


def detokenise(text: str) -> str:
    """Return a sentence as a person would write it, without the tokens of the Penn Treebank.

    >>> print(detokenise("It 's a `` good '' film -LRB- and it does n't bore -RRB- , mostly ."))
    It's a "good" film (and it doesn't bore), mostly.

    Source: the conventions of the Penn Treebank, Marcus, Santorini and Marcinkiewicz 1993.
    """
    text = _mend_encoding(text)
    for token, bracket in BRACKETS.items():
        text = re.sub(re.escape(token), bracket, text, flags=re.IGNORECASE)
    # One join can make room for another, as a quote before a comma does.
    for _ in range(4):
        before = text
        for pattern, joined in JOINS:
            text = pattern.sub(joined, text)
        if text == before:
            break
    return text.strip()


def _mend_encoding(text: str) -> str:
    """Return the text that was written as UTF-8 and read as Latin-1, if it was."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
