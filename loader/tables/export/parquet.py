"""Rows of a query as a Parquet file, a group of rows in memory at a time."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import parquet

from loader.tables.arrow import Source

if TYPE_CHECKING:
    from loader.tables.export.tables import Write

_ROWS = 131_072  # of a row group


def writer(conninfo: str, connection: psycopg.Connection) -> Write:
    """Give what writes the rows of a query. Raises arrow.QueryError, OSError."""
    source = Source(conninfo, connection)

    def write(path: Path, query: sql.Composed, told: dict[str, str]) -> bool:
        with source.batches(query.as_string(connection)) as rows:
            write_batches(path, rows, told)
        return True

    return write


def write_batches(path: Path, rows: pa.RecordBatchReader, told: dict[str, str]) -> None:
    """Write rows with what their schema and `told` say of them, zstd compressed."""
    maker = {"creator": f"battery-elt {metadata.version('battery-elt')}"}
    schema = rows.schema.with_metadata(maker | told)
    with path.open("wb") as file, parquet.ParquetWriter(file, schema, compression="zstd") as out:
        group: list[pa.RecordBatch] = []
        for batch in rows:
            group.append(batch)
            if sum(one.num_rows for one in group) >= _ROWS:
                out.write_table(pa.Table.from_batches(group, schema))
                group = []
        if group:
            out.write_table(pa.Table.from_batches(group, schema))
