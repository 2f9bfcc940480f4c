"""Untrusted tables: a CSV or Parquet file -> a data frame of bounded size."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd

from probes.errors import ProbeError
from probes.parquet_files import MAX_COLUMNS, MAX_FILE_BYTES, MAX_ROWS, read_table

MAX_CELL_CHARS = 100_000

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
        text = raw.decode("utf-8-sig")
        csv.field_size_limit(MAX_CELL_CHARS)
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ProbeError(f"{path} is not a UTF-8 table ({error}); write it again") from error
    if not rows or len(rows) > MAX_ROWS or len(rows[0]) > MAX_COLUMNS:
        raise ProbeError(
            f"{path} has {len(rows):,} lines; a table has a header line and at most"
            f" {MAX_ROWS:,} rows and {MAX_COLUMNS} columns"
        )
    names = rows[0]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ProbeError(
            f"{path} has the column {twice!r} twice; give each column its own name"
        )
    filled = [row for row in rows[1:] if row]
    for number, row in enumerate(filled, start=2):
        if len(row) != len(names):
            raise ProbeError(
                f"{path} has {len(row)} cells in row {number}, but {len(names)} columns; give"
                f" each row as many cells, and put texts with a separator in quotes"
            )
    return pd.DataFrame(filled, columns=names, dtype=str)
