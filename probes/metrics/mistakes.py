"""Mistakes: which texts and letters are confused, and how often each word is read."""

from __future__ import annotations

from collections import Counter

import pandas as pd
from rapidfuzz.distance import Levenshtein

from probes.metrics.breakdown import list_clusters
from probes.metrics.cells import is_design, list_varied, take_cells, take_columns
from probes.metrics.spelling import fold_text

MAX_CLASSES = 24
"""Maximum number of texts whose confusions are shown as texts, and not as letters."""

MAX_LETTERS = 30
"""Maximum number of letters in a matrix; the others have the fewest confusions."""

MAX_PAIRS = 200_000
"""Maximum number of pairs of a text and an answer to align, the most frequent ones."""

NONE = "none"
"""Stands for the letter that is not there, where one was added or left out."""


def tabulate_confusions(outcomes: pd.DataFrame, n: int = 20) -> pd.DataFrame:
    """Return the most frequent mistakes: word, guess, n.

    For photographs of an object with a word on them, `word` is the object.
    """
    return _count_wrong(outcomes, "guess").head(n)


def _count_wrong(outcomes: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return how often each word was read as each other text, the most frequent first."""
    truths, *_ = list_clusters(outcomes)
    wrong = pd.DataFrame({"word": truths, column: outcomes[column]})[~outcomes["correct"]]
    counts = wrong.groupby(["word", column], as_index=False).size()
    counts = counts.rename(columns={"size": "n"})
    return counts.sort_values(["n", "word", column], ascending=[False, True, True])


def tabulate_classes(outcomes: pd.DataFrame) -> pd.DataFrame | None:
    """Return how often each text was answered with each, if there are few texts.

    Returns:
        int64 (C, C), the text of the image in the rows and the answer in the columns, with the
        correct answers on the diagonal; None if there are more than `MAX_CLASSES`.
    """
    truths, guesses = outcomes["word"], outcomes["guess"]
    if max(truths.nunique(), guesses.nunique()) > MAX_CLASSES:
        return None
    folded = guesses.map({text: fold_text(text) for text in guesses.unique()})
    names = sorted({*truths.unique(), *folded.unique()})
    if not 1 < len(names) <= MAX_CLASSES:
        return None
    counts = pd.crosstab(truths, folded)
    return counts.reindex(index=names, columns=names, fill_value=0)


def tabulate_letters(outcomes: pd.DataFrame) -> pd.DataFrame | None:
    """Return how often each letter was read as each other letter, in wrong answers.

    An answer is aligned with its text by the fewest edits, case folded. A letter that was left
    out is read as `none`, and `none` as a letter that was added.

    Returns:
        int64 (L, L), letters of the images in the rows and of the answers in the columns, those
        with the most confusions; None if there are none.
    """
    column = "answer" if "answer" in outcomes else "guess"
    pairs = _count_wrong(outcomes, column).head(MAX_PAIRS)
    counts: Counter[tuple[str, str]] = Counter()
    for word, answer, n in pairs.itertuples(index=False, name=None):
        truth, read = fold_text(word), fold_text(answer)
        if not read:
            continue
        for edit in Levenshtein.editops(truth, read):
            one = NONE if edit.tag == "insert" else truth[edit.src_pos]
            other = NONE if edit.tag == "delete" else read[edit.dest_pos]
            counts[one, other] += n
    if not counts:
        return None
    totals: Counter[str] = Counter()
    for pair, n in counts.items():
        for letter in pair:
            totals[letter] += n
    ranked = sorted(totals.keys() - {NONE}, key=lambda letter: (-totals[letter], letter))
    names = sorted(ranked[:MAX_LETTERS]) + ([NONE] if NONE in totals else [])
    rows = [[counts[one, other] for other in names] for one in names]
    return pd.DataFrame(rows, index=names, columns=names)


def tabulate_words(outcomes: pd.DataFrame) -> pd.DataFrame | None:
    """Return how often each word was read and at which sizes, the hardest first.

    Returns:
        word, n_seen, n_right, accuracy; `smallest_read` and `largest_missed`, x-heights in px
        as the model sees them, over the levels of the size if a design varies it, and over all
        images otherwise; NaN if there is none. None if no word was shown twice.
    """
    rows = outcomes.groupby("word", sort=True)["correct"].agg(["size", "sum"])
    if rows.empty or rows["size"].max() < 2:
        return None
    rows.columns = pd.Index(["n_seen", "n_right"])
    rows["accuracy"] = rows["n_right"] / rows["n_seen"]
    used = ["word", "correct", "x_height_seen_px"]
    sized = take_columns(outcomes, used)
    if is_design(outcomes):
        has_sizes = "size_px" in list_varied(outcomes)
        sized = take_cells(outcomes, "size_px", used) if has_sizes else sized.iloc[:0]
    for name, is_right, pick in (
        ("smallest_read", True, "min"),
        ("largest_missed", False, "max"),
    ):
        if "x_height_seen_px" in sized:
            own = sized[sized["correct"] == is_right]
            rows[name] = own.groupby("word")["x_height_seen_px"].agg(pick)
        else:
            rows[name] = float("nan")
    found = rows.reset_index().sort_values(["accuracy", "word"], kind="stable")
    return found.reset_index(drop=True)
