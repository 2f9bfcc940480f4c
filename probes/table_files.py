"""Untrusted tables: a CSV or Parquet file -> a data frame of bounded size."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pandas as pd

from probes.errors import ProbeError
from probes.parquet_files import MAX_COLUMNS, MAX_FILE_BYTES, MAX_ROWS, read_table

MAX_CELL_CHARS = 100_000

N_AT_ONCE = 50_000
"""Rows of a CSV file that are held as lists of texts at a time."""

SEPARATORS = {".csv": ",", ".tsv": "\t"}


def read_table_file(path: Path) -> pd.DataFrame:
    """Return the rows of a table; every cell of a CSV file is a text, possibly empty.

    Args:
        path: `.csv` (commas), `.tsv` (tabs) or `.parquet`.

    Raises:
        ProbeError: it is missing, too large, not such a table, or names a column twice.
    """
    separator = SEPARATORS.get(path.suffix.lower())
    if separator is None and path.suffix.lower() != ".parquet":
        raise ProbeError(f"{path} is not a table; give a .csv, .tsv or .parquet file")
    if not path.is_file():
        raise ProbeError(f"there is no file {path}; give a .csv, .tsv or .parquet file")
    return read_table(path) if separator is None else _read_csv(path, separator)


def _read_csv(path: Path, separator: str) -> pd.DataFrame:
    with path.open("rb") as file:
        raw = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise ProbeError(f"{path} has more than {MAX_FILE_BYTES:,} bytes; give a smaller one")
    try:
        csv.field_size_limit(MAX_CELL_CHARS)
        lines = io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8-sig", newline="")
        rows = csv.reader(lines, delimiter=separator, strict=True)
        names = next(rows, [])
        _check_names(path, names)
        parts = list(_read_parts(path, names, rows))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ProbeError(f"{path} is not a UTF-8 table ({error}); write it again") from error
    if not parts:
        return pd.DataFrame([], columns=names, dtype=str)
    return pd.concat(parts, ignore_index=True)


def _check_names(path: Path, names: list[str]) -> None:
    if not names or len(names) > MAX_COLUMNS:
        raise ProbeError(
            f"{path} has {len(names):,} columns; a table has a header line that names 1 to"
            f" {MAX_COLUMNS}"
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ProbeError(
            f"{path} has the column {twice!r} twice; give each column its own name"
        )


def _read_parts(
    path: Path, names: list[str], rows: Iterator[list[str]]
) -> Iterator[pd.DataFrame]:
    """Yield the rows of a CSV file, some at a time; lines without any cell are no rows."""
    n_rows = 0
    filled = (row for row in rows if row)
    while some := list(islice(filled, N_AT_ONCE)):
        for number, row in enumerate(some, start=n_rows + 2):
            if len(row) != len(names):
                raise ProbeError(
                    f"{path} has {len(row)} cells in row {number}, but {len(names)} columns;"
                    f" give each row as many cells, and put texts with a separator in quotes"
                )
        n_rows += len(some)
        if n_rows > MAX_ROWS:
            raise ProbeError(
                f"{path} has more than {MAX_ROWS:,} rows; give a table with as many at most"
            )
        yield pd.DataFrame(some, columns=names, dtype=str)
