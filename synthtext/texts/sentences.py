"""Labelled sentences: SST2-style files, with their tokens joined to plain text."""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from synthtext.errors import WordsError
from synthtext.factors import Split
from synthtext.texts.words import Texts, make_texts, read_lines

MAX_SENTENCE_CHARS = 2000

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "dev": "val",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
"""The names of splits in published datasets."""

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
    # An abbreviation at the end of a sentence has a second full stop.
    (re.compile(r"(?<=\w) ?\. \.$"), "."),
    # Reviews quoted from their middle: `( T ) he film`, `would put ( s ) us there`.
    (re.compile(r"(^|\.\.\. )\( ([B-HJ-Zb-z]|[AI](?= \) [fnst]\b)) \) (?=[a-z])"), r"\1(\2)"),
    (re.compile(r"(?<=\w) \( ([ks]) \)"), r"(\1)"),
    (re.compile(r"\s+(n't|'(?:s|re|ve|ll|d|m))(?!\w)", re.IGNORECASE), r"\1"),
    (re.compile(r"(?<=\w) - ('em) - (?=\w)"), r"-\1-"),
    (re.compile(r"\b([Ee]arly|[Mm]id|[Ll]ate) - (?='\d)"), r"\1-"),
    (re.compile(r"(?<!\S)' (?=\d0 ?'?s\b)"), "'"),
    # "not only" is one phrase, so "can" stays separate.
    (re.compile(r"\b([Cc]an) not\b(?= (?!only|just|merely|simply))"), r"\1not"),
    (re.compile(r"\b([Gg]on|[Ww]an|[Gg]ot) (na|ta)\b"), r"\1\2"),
    (re.compile(r"\b([Gg]im|[Ll]em) me\b"), r"\1me"),
    # Two backquotes open and two quotes close; single ones stand for a single mark.
    (re.compile(r"``\s*"), '"'),
    (re.compile(r"\s*''"), '"'),
    (re.compile(r"(^|[\s(\[])`\s*(?=\w)"), r"\1'"),
    (re.compile(r"(?<=[\w.,!?])\s+'(?=\s|$|[,.;:!?)])"), "'"),
    # A full stop before a letter or digit begins its token, as in .38 and .com.
    (re.compile(r"\s+(\.(?!\w)|[,;:!?%)\]}])"), r"\1"),
    (re.compile(r"([(\[{])\s+"), r"\1"),
    (re.compile(r"([$#])\s+(?=\.?\d)"), r"\1"),
    (re.compile(r"\.\.\.(?=\w)"), "... "),
    (re.compile(r"(\w) \.\.\."), r"\1..."),
    (re.compile(r"\s+"), " "),
]
"""Patterns of separated tokens, and their replacements, in order."""

BEFORE_QUOTE = frozenset(
    [",", ":", "(", "--", "...", "as", "of", "that", "like", "said", "says"]
)
"""Tokens after which a lone straight quote opens; elsewhere it closes or is possessive."""


@dataclass(frozen=True)
class _Rows:
    """The sentences of a file, with their labels and, if given, their splits."""

    items: list[str]
    labels: list[int]
    splits: list[Split]


def read_sentences(path: Path) -> Texts:
    """Return the sentences of a file, or of a folder of published splits, with their labels.

    Duplicate sentences are kept: the published datasets have some, and the counts should agree.

    Args:
        path: tab-separated, its header naming `sentence` and `label`; labels are 0 and 1, or
            negative and positive. Quotation marks are part of the text. A column `split` says
            which split a sentence is in; so do the names of the files, where the path is a
            folder with `train.tsv`, `dev.tsv` (or `val`, `valid`) and `test.tsv`.

    Raises:
        WordsError: a file cannot be read, or one of its lines is malformed.
    """
    if path.is_dir():
        rows = _read_folder(path)
    else:
        rows = _read_file(path, None)
        if not rows.items:
            raise WordsError(f"{path} has no sentences; write one per line below the header")
    n_repeated = len(rows.items) - len(set(rows.items))
    return make_texts(rows.items, rows.labels, path.name, n_repeated, rows.splits)


def _read_folder(folder: Path) -> _Rows:
    files = [path for path in sorted(folder.glob("*.tsv")) if path.stem in SPLIT_NAMES]
    parts = [_read_file(path, SPLIT_NAMES[path.stem]) for path in files]
    rows = _Rows(
        [item for part in parts for item in part.items],
        [label for part in parts for label in part.labels],
        [split for part in parts for split in part.splits],
    )
    if not rows.items:
        raise WordsError(f"{folder} has no sentences; give train.tsv, dev.tsv and test.tsv")
    return rows


def _read_file(path: Path, split: Split | None) -> _Rows:
    """Return the rows of a file, in the split given or in those of its column."""
    lines = read_lines(path, MAX_SENTENCE_CHARS)
    names = next(lines, (0, ""))[1].split("\t")
    if "sentence" not in names or "label" not in names:
        raise WordsError(
            f"{path} begins with {' '.join(names)[:60]!r}; its first line must name the "
            "columns sentence and label, separated by a tab"
        )
    rows = _Rows([], [], [])
    for number, line in lines:
        fields = line.split("\t")
        if len(fields) != len(names):
            raise WordsError(
                f"{path} line {number} has {len(fields)} fields; its header has {len(names)}"
            )
        row = dict(zip(names, fields, strict=True))
        where = f"{path} line {number}"
        rows.labels.append(_read_label(row["label"], where))
        if split is not None or "split" in row:
            rows.splits.append(split or _read_split(row["split"], where))
        sentence = unicodedata.normalize("NFC", detokenise(row["sentence"]))
        if not sentence:
            raise WordsError(f"{where} has no sentence; write one or delete the line")
        rows.items.append(sentence)
    return rows


def _read_label(text: str, where: str) -> int:
    label = LABELS.get(text.strip().lower())
    if label is None:
        raise WordsError(f"{where} has the label {text!r}; it is 0, 1, negative or positive")
    return label


def _read_split(text: str, where: str) -> Split:
    split = SPLIT_NAMES.get(text.strip().lower())
    if split is None:
        raise WordsError(f"{where} has the split {text!r}; it is {', '.join(SPLIT_NAMES)}")
    return split


def detokenise(text: str) -> str:
    """Return a sentence in normal spelling, without Penn Treebank tokenization.

    Dashes keep their spaces; quotation marks become straight ones. Text in normal spelling is
    not changed.

    >>> print(detokenise("It 's a `` good '' film -LRB- and it does n't bore -RRB- , mostly ."))
    It's a "good" film (and it doesn't bore), mostly.

    Source: the conventions of the Penn Treebank, Marcus, Santorini and Marcinkiewicz 1993.
    """
    text = _mend_encoding(text)
    for token, bracket in BRACKETS.items():
        text = re.sub(re.escape(token), bracket, text, flags=re.IGNORECASE)
    text = _open_quotes(text)
    # One join can make room for another, as a quote before a comma does.
    for _ in range(4):
        before = text
        for pattern, joined in JOINS:
            text = pattern.sub(joined, text)
        if text == before:
            break
    return text.strip()


def _open_quotes(text: str) -> str:
    """Return the text with each lone straight quote that opens turned into a backquote."""
    if "'" not in text:
        return text
    tokens = text.split(" ")
    next_quotes, next_backquotes = _find_next(tokens, "'"), _find_next(tokens, "`")
    is_open = False
    for place, token in enumerate(tokens):
        if token == "`":
            is_open = True
        if token != "'":
            continue
        before = tokens[place - 1] if place else ","
        next_quote = next_quotes[place]
        if is_open:
            # A plural possessive inside a quotation leaves it open: `the kids ' flick'.
            is_open = before.endswith("s") and next_quote < next_backquotes[place]
        elif (
            before in BEFORE_QUOTE
            and next_quote < len(tokens)
            and tokens[place + 1][:1].isalnum()
        ):
            tokens[place] = "`"
            is_open = True
    return " ".join(tokens)


def _find_next(tokens: list[str], wanted: str) -> list[int]:
    """Return the next index of a token after each index; the length if there is none."""
    following = len(tokens)
    places = []
    for place in range(len(tokens) - 1, -1, -1):
        places.append(following)
        if tokens[place] == wanted:
            following = place
    return places[::-1]


def _mend_encoding(text: str) -> str:
    """Return the text, single-spaced, with UTF-8 misread as cp1252 or Latin-1 repaired."""
    spaced = " ".join(text.split())
    if spaced.isascii():
        return spaced
    # A no-break space is part of the UTF-8 of à, so the original text is tried first.
    for given, encoding in itertools.product((text, spaced), ("cp1252", "latin-1")):
        try:
            mended = given.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        # Each round shortens the text, so text that was misread twice is repaired too.
        if len(mended) < len(given) and not any(map(_is_control, mended)):
            return _mend_encoding(mended)
    return spaced


def _is_control(char: str) -> bool:
    return unicodedata.category(char)[0] == "C"
