"""Tables: an untrusted Parquet file -> a data frame, with its size bounded at every step.

A file of a few kilobytes may claim a billion rows, repeat a text of a megabyte in each of them,
or nest columns without limit. Its metadata is checked first, then its content.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from probes.errors import ProbeError

MAX_FILE_BYTES = 256 << 20

MAX_ROWS = 2_000_000

MAX_COLUMNS = 500

MAX_CHUNKS = 100_000
"""Maximum number of columns times row groups."""

MAX_BYTES = 512 << 20
"""Maximum size of a table, uncompressed."""

MAX_NAMES_BYTES = 16 << 20
"""Maximum size of the names and statistics in the metadata of a file."""

CODECS = frozenset({"UNCOMPRESSED", "SNAPPY"})
"""Accepted compressions; neither can expand a tiny file to a huge one."""

BATCH = 8192
"""Number of rows decompressed at a time."""


def read_table(path: Path) -> pd.DataFrame:
    """Return a table of plain columns: numbers, booleans and texts.

    Raises:
        ProbeError: the file is missing, is not such a Parquet file, or is too large.
    """
    if not path.exists():
        raise ProbeError(f"{path} is missing; `synthtext probe` writes it")
    if not path.is_file():
        raise ProbeError(f"{path} is not a regular file; give the folder of a probe")
    _bound(path, "bytes", path.stat().st_size, MAX_FILE_BYTES)
    try:
        with pq.ParquetFile(
            path,
            thrift_string_size_limit=MAX_NAMES_BYTES,
            thrift_container_size_limit=MAX_CHUNKS * 10,
        ) as file:
            texts = _check_description(path, file)
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            schema = file.schema_arrow.remove_metadata()
            batches = list(_read_batches(path, file))
        if not batches:
            return schema.empty_table().to_pandas()
        return pa.Table.from_batches(batches).to_pandas()
    except ProbeError:
        raise
    except Exception as error:  # A hostile file may raise anything.
        raise ProbeError(
            f"{path} is not a complete Parquet file; run the probe again"
        ) from error


def _bound(path: Path, what: str, n: int, n_most: int) -> None:
    if n > n_most:
        raise ProbeError(
            f"{path} has {n:,} {what}, and the limit is {n_most:,}; give the outcomes of a"
            f" smaller probe"
        )


def _check_description(path: Path, file: pq.ParquetFile) -> list[str]:
    """Check the metadata of a file and return the names of its text columns."""
    about = file.metadata
    _bound(path, "rows", about.num_rows, MAX_ROWS)
    _bound(path, "columns", about.num_columns, MAX_COLUMNS)
    _bound(path, "parts of columns", about.num_columns * about.num_row_groups, MAX_CHUNKS)
    schema = file.schema_arrow
    for column in schema:
        if not _is_plain(column.type):
            raise ProbeError(
                f"{path} has a column of {str(column.type)[:60]}, and a table of outcomes has"
                f" only numbers and texts; run the probe again"
            )
    parts = [
        about.row_group(group).column(column)
        for group in range(about.num_row_groups)
        for column in range(about.num_columns)
    ]
    for part in parts:
        if part.compression not in CODECS:
            raise ProbeError(
                f"{path} is compressed with {part.compression}, and only"
                f" {' or '.join(sorted(CODECS))} can be read; run the probe again"
            )
    _bound(path, "bytes", sum(part.total_uncompressed_size for part in parts), MAX_BYTES)
    return [column.name for column in schema if not _is_number(column.type)]


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_null(kind)
    )


def _is_plain(kind: pa.DataType) -> bool:
    return _is_number(kind) or bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _read_batches(path: Path, file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file while they stay within bounds, with repeated texts expanded."""
    n_rows = n_bytes = 0
    for batch in file.iter_batches(BATCH):
        n_rows += batch.num_rows
        _bound(path, "rows", n_rows, MAX_ROWS)
        columns = []
        for column in batch.columns:
            n_bytes += _measure(column)
            # Up to here a repeated text is stored only once.
            _bound(path, "bytes", n_bytes, MAX_BYTES)
            is_packed = pa.types.is_dictionary(column.type)
            columns.append(column.dictionary_decode() if is_packed else column)
        yield pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _measure(column: pa.Array) -> int:
    """Return the size of a column in bytes when every text is expanded."""
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary).cast(pa.int64())
    return int(column.indices.nbytes + (pc.sum(lengths.take(column.indices)).as_py() or 0))
