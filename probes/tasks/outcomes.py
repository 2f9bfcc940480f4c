"""One row per image: what was shown, what was guessed. Everything else is computed from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from wordfreq import zipf_frequency

from probes.data.trials import Trial, trial_fields
from probes.errors import ProbeError
from probes.metrics.forced_choice import Guesses
from probes.metrics.spelling import count_edits, fold_text
from probes.models.base import Model, seen_scale, visible_box
from probes.parquet_files import read_table
from probes.readers.base import Reading, tidy_text
from synthtext.spec import CASES
from synthtext.storage import write_whole

Kind = tuple[str, Callable[[pd.Series], bool]]
"""The type of a column in words, and a function that checks it."""

TEXT: Kind = ("texts", pd.api.types.is_string_dtype)
WHOLE: Kind = ("whole numbers", pd.api.types.is_integer_dtype)
TRUTH: Kind = ("truth values", pd.api.types.is_bool_dtype)

PART = 50_000
"""Number of rows made at a time."""

NEEDED = {
    "key": TEXT, "task": TEXT, "word": TEXT, "factor": TEXT, "k": WHOLE, "rank": WHOLE,
    "guess": TEXT, "correct": TRUTH,
}  # fmt: skip
"""The required columns of outcomes, and their types."""


def make_outcomes(
    trials: Sequence[Trial],
    facts: Sequence[Mapping[str, object]],
    guesses: Guesses,
    *,
    answers: Sequence[str],
    model: Model,
    task: str,
) -> pd.DataFrame:
    """Return the outcomes of a task.

    `confidence` is the probability of the guess by a softmax over the K candidates.

    Args:
        trials: what was shown, N of them.
        facts: what was measured when drawing each: x_height_px, contrast_drawn, ink_drawn,
            width_px, height_px.
        guesses: what the model answered.
        answers: the text of each guess.
        model: gives the scale at which it sees an image, and the number of tokens in a text.
        task: name of the task.
    """
    rows = _tabulate(trials, trial_fields)
    drawn = _tabulate(facts, dict)
    rows = rows.drop(columns=[name for name in drawn if name in rows]).join(drawn)
    scales = [
        seen_scale(model, int(width), int(height))
        for width, height in zip(rows["width_px"], rows["height_px"], strict=True)
    ]
    rows["x_height_seen_px"] = rows["x_height_px"].astype(float) * scales
    rows["is_cropped"] = _find_cropped(rows, model)
    rows = rows.drop(columns="letter_span", errors="ignore")
    patch = model.patch_px or np.nan
    rows["x_height_patches"] = rows["x_height_seen_px"] / patch
    texts = [trial.spec.drawn_text for trial in trials]
    rows["word"] = [text.casefold() for text in texts]
    rows["case_drawn"] = [name_case(text) for text in texts]
    rows["n_chars"] = [len(text) for text in texts]
    rows["n_tokens"] = [len(ids) for ids in model.tokenize(texts)]
    rows["zipf"] = [zipf_frequency(text, "en") for text in rows["word"]]
    not_drawn = [bool(trial.file) for trial in trials]
    if any(not_drawn):  # Then its text is not known either.
        for name in ("n_chars", "n_tokens", "zipf"):
            rows[name] = rows[name].astype(float).mask(np.array(not_drawn))
    rows["task"] = task
    rows["k"] = guesses.k
    rows["rank"] = guesses.ranks[guesses.k]
    rows["margin"] = guesses.margins
    rows["confidence"] = np.nan if guesses.confidences is None else guesses.confidences
    rows["guess"] = list(answers)
    rows["correct"] = rows["rank"] == 1
    for k, ranks in guesses.ranks.items():
        rows[f"rank_at_{k}"] = ranks
    return rows


def _tabulate(
    items: Sequence[Any], describe: Callable[[Any], Mapping[str, object]]
) -> pd.DataFrame:
    """Return a row for each item, made in parts, since its fields take more than the row."""
    parts = [
        pd.DataFrame([describe(item) for item in items[start : start + PART]])
        for start in range(0, max(1, len(items)), PART)
    ]
    return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


def _find_cropped(rows: pd.DataFrame, model: Model) -> list[bool]:
    """Return for each image whether the centre of a letter is outside the model's crop."""
    spans = rows["letter_span"] if "letter_span" in rows else [None] * len(rows)
    found = []
    for span, width, height in zip(spans, rows["width_px"], rows["height_px"], strict=True):
        left, top, right, bottom = visible_box(model, int(width), int(height))
        found.append(
            isinstance(span, (list, tuple))
            and (span[0] < left or span[1] < top or span[2] > right or span[3] > bottom)
        )
    return found


def note_answers(
    rows: pd.DataFrame, texts: Sequence[str], readings: Sequence[Reading]
) -> pd.DataFrame:
    """Return outcomes with the answers in text.

    This adds `answer`, its `confidence` (NaN if there is none), `fault` (why there is no
    answer), `exact` (case-folded), `exact_case` (as drawn), and `n_edits`, the Levenshtein
    distance of answer and truth, case-folded.

    Args:
        rows: from `make_outcomes`.
        texts: the text drawn on each image.
        readings: the answer to each.
    """
    answers = [reading.text for reading in readings]
    folded = [fold_text(answer) for answer in answers]
    truths = [fold_text(text) for text in texts]
    return rows.assign(
        answer=answers,
        confidence=[reading.confidence for reading in readings],
        fault=[reading.fault for reading in readings],
        exact=[a == b for a, b in zip(folded, truths, strict=True)],
        exact_case=[a == tidy_text(b) for a, b in zip(answers, texts, strict=True)],
        n_edits=[count_edits(a, b) for a, b in zip(folded, truths, strict=True)],
    )


def name_case(text: str) -> str:
    """Return the case of a text as drawn: one of `CASES` that leaves it unchanged, or mixed.

    >>> name_case("Ox"), name_case("ox"), name_case("oX")
    ('title', 'lower', 'mixed')
    """
    names = (name for name in ("lower", "upper", "title") if CASES[name](text) == text)
    return next(names, "mixed")


def write_outcomes(path: Path, outcomes: pd.DataFrame) -> None:
    """Write outcomes as Parquet, atomically."""
    with write_whole(path) as file:
        outcomes.to_parquet(file, index=False)


def read_outcomes(path: Path) -> pd.DataFrame:
    """Return the outcomes of a probe.

    Args:
        path: the Parquet file, or the folder of results with it.

    Raises:
        ProbeError: it is missing, or is not a table of outcomes.
    """
    file = path / "outcomes.parquet" if path.is_dir() else path
    outcomes = read_table(file)
    missing = [name for name in NEEDED if name not in outcomes]
    if missing:
        raise ProbeError(f"{file} lacks the columns {', '.join(missing)}; run the probe again")
    for name, kind in NEEDED.items():
        check_kind(file, outcomes, name, kind)
    return outcomes


def check_kind(file: Path, outcomes: pd.DataFrame, name: str, kind: Kind) -> None:
    """Refuse a column with values of another type, or with missing values."""
    column, (what, is_kind) = outcomes[name], kind
    if len(column) and not (is_kind(column) and column.notna().all()):
        raise ProbeError(
            f"{file} does not have {what} in its column {name}; run the probe again"
        )
