"""Items -> Parquet files, a row group at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from synthtext.errors import DatasetError
from synthtext.export.items import Item, Items

Rows = list[dict[str, Any]]


def import_arrow() -> Any:  # noqa: ANN401 - it has no types.
    """Return pyarrow, with its module `parquet`.

    Raises:
        DatasetError: it is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise DatasetError(say_missing("pyarrow")) from error
    return pyarrow


def say_missing(package: str) -> str:
    """Return the error for an export without a package that it needs."""
    return f"this export needs {package}; run: pip install 'synthtext[export]'"


def tabulate(
    items: Items, make_row: Callable[[Item], dict[str, Any]], n_per_group: int
) -> Iterator[Rows]:
    """Return the rows of a table, one row group at a time."""
    while some := list(itertools.islice(items, n_per_group)):
        yield [make_row(item) for item in some]


def write_groups(
    path: Path,
    schema: Any,  # noqa: ANN401 - as above.
    groups: Iterator[Rows],
) -> None:
    """Write row groups into a Parquet file with a pyarrow schema."""
    pa = import_arrow()
    # Opened here, because Arrow's own file would hide the errors of the disk.
    with path.open("wb") as file, pa.parquet.ParquetWriter(file, schema) as writer:
        for rows in groups:
            writer.write_table(pa.Table.from_pylist(rows).cast(schema))
