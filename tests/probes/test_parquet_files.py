from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from probes import parquet_files as tables
from probes.errors import ProbeError
from probes.tasks.outcomes import read_outcomes


def make_rows(n: int = 3) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "key": [f"{number:09d}" for number in range(n)],
            "task": "words", "word": "ox", "factor": "", "k": 10, "rank": 1, "guess": "ox",
            "correct": True, "blur_px": np.nan, "label": None, "zipf": np.float32(1.5),
        }
    )  # fmt: skip


def refuse(path: Path) -> str:
    with pytest.raises(ProbeError) as caught:
        read_outcomes(path)
    return str(caught.value)


def test_outcomes_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.parquet"
    rows = make_rows(20_000)
    rows.loc[7, "guess"] = "straße \x00 東京"
    rows.to_parquet(path, index=False)
    pd.testing.assert_frame_equal(read_outcomes(tmp_path), pd.read_parquet(path))


def test_an_empty_table_keeps_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.parquet"
    make_rows(0).to_parquet(path, index=False)
    assert list(read_outcomes(path).columns) == list(make_rows().columns)


def write_nested(path: Path) -> None:
    kind = pa.list_(pa.list_(pa.int64()))
    pq.write_table(pa.table({"key": pa.array([None], kind)}), path)


def write_many_rows(path: Path) -> None:
    """Write 3 million rows in a few kilobytes."""
    n = tables.MAX_ROWS + 1
    pq.write_table(pa.table({"key": pa.array(np.zeros(n, np.int8))}), path)


def write_repeated_text(path: Path) -> None:
    """Write a text of a megabyte that is repeated in 100,000 rows."""
    words = pa.DictionaryArray.from_arrays(np.zeros(100_000, np.int32), ["x" * 1_000_000])
    pq.write_table(pa.table({"key": words}), path, store_schema=False)


def write_columns(path: Path) -> None:
    pq.write_table(pa.table({f"c{number}": [1] for number in range(501)}), path)


def write_bomb(path: Path) -> None:
    zeros = pa.array([bytes(100 << 20).decode()])
    pq.write_table(pa.table({"key": zeros}), path, compression="zstd", use_dictionary=False)


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.touch(), "is not a complete Parquet file; run the probe again"),
    "text": (
        lambda path: path.write_bytes(b"PAR1" * 100),
        "is not a complete Parquet file; run the probe again",
    ),
    "endless": (
        lambda path: path.touch() or os.truncate(path, 8 << 30),
        "has 8,589,934,592 bytes, and the limit is 268,435,456; give the outcomes of a smaller probe",
    ),
    "a pipe": (os.mkfifo, "is not a regular file; give the folder of a probe"),
    "a link to itself": (
        lambda path: path.symlink_to(path),
        "is missing; `synthtext probe` writes it",
    ),
    "nested": (
        write_nested,
        "has a column of list<element: list<element: int64>>, and a table of outcomes has only numbers and texts; run the probe again",
    ),
    "many rows": (
        write_many_rows,
        "has 2,000,001 rows, and the limit is 2,000,000; give the outcomes of a smaller probe",
    ),
    "many columns": (
        write_columns,
        "has 501 columns, and the limit is 500; give the outcomes of a smaller probe",
    ),
    "a bomb": (
        write_bomb,
        "is compressed with ZSTD, and only SNAPPY or UNCOMPRESSED can be read; run the probe again",
    ),
    "bytes": (
        lambda path: pq.write_table(pa.table({"key": [b"\xff"]}), path),
        "has a column of binary, and a table of outcomes has only numbers and texts; run the"
        " probe again",
    ),
    "other columns": (
        lambda path: pq.write_table(pa.table({"key": ["a"], "word": ["a"]}), path),
        "lacks the columns task, factor, k, rank, guess, correct; run the probe again",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_table_is_refused_in_one_sentence(tmp_path: Path, case: str) -> None:
    path = tmp_path / "outcomes.parquet"
    make, sentence = HOSTILE[case]
    make(path)
    assert refuse(path) == f"{path} {sentence}"


def test_a_text_that_is_repeated_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.parquet"
    write_repeated_text(path)
    assert path.stat().st_size < 2_000_000
    assert "bytes, and the limit is 536,870,912" in refuse(path)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("key", 1, "texts"), ("key", None, "texts"), ("correct", "yes", "truth values"),
        ("k", "10", "whole numbers"), ("rank", 1.5, "whole numbers"), ("word", True, "texts"),
    ],
)  # fmt: skip
def test_a_column_of_another_type_is_named(
    tmp_path: Path, name: str, value: object, what: str
) -> None:
    path = tmp_path / "outcomes.parquet"
    make_rows().assign(**{name: [value] * 3}).to_parquet(path, index=False)
    assert refuse(path) == (
        f"{path} does not have {what} in its column {name}; run the probe again"
    )


def test_every_cut_of_a_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.parquet"
    make_rows().to_parquet(path, index=False)
    raw = path.read_bytes()
    for at in range(0, len(raw), max(1, len(raw) // 40)):
        path.write_bytes(raw[:at])
        assert refuse(path) == f"{path} is not a complete Parquet file; run the probe again"
