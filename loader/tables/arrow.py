"""Rows of the database as Arrow, by ADBC: typed whatever is NULL, a batch in memory at a time.

Two connections: psycopg asks what a query's columns are and where they come from, ADBC reads.
https://arrow.apache.org/adbc/current/driver/postgresql.html
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors, pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from loader.server import session
from loader.tables import catalog

try:
    import pyarrow as pa
    from adbc_driver_manager import Error as AdbcError
    from adbc_driver_postgresql import StatementOptions, dbapi
except ImportError as error:
    raise ImportError(
        "Arrow is not installed: pip install 'battery-elt[arrow]' brings it"
    ) from error

_COPIED = ("select", "with", "table", "values")  # what COPY takes; SHOW and EXPLAIN it does not

Origin = tuple[int, int]
"""Where a column of a query comes from: the table's oid and the column's number, zeros for none."""


class QueryError(ValueError):
    """A query that the database refuses; the message is the database's own."""


class Source:
    """Reads queries as Arrow, each column with unit and description where it is a published one.

    `conninfo` is what libpq connects with, `connection` one to the same database in autocommit,
    which stays the caller's. Raises QueryError.
    """

    def __init__(self, conninfo: str, connection: psycopg.Connection) -> None:
        """Open the connection that reads."""
        self._connection = connection
        self._adbc = _connect(conninfo, connection)
        with self._adbc.cursor() as cursor:
            cursor.execute("set default_transaction_read_only = on")

    def close(self) -> None:
        """Close the connection that reads."""
        self._adbc.close()

    @contextmanager
    def batches(self, query: str) -> Iterator[pa.RecordBatchReader]:
        """Stream the rows of a query, typed and with metadata. Raises QueryError."""
        query = query.strip().rstrip(";") + "\n"  # ends a comment in its last line
        origins = self._origins(query)
        with self._adbc.cursor() as cursor:
            copied = query.lower().startswith(_COPIED)
            use_copy = {StatementOptions.USE_COPY.value: str(copied).lower()}
            cursor.adbc_statement.set_options(**use_copy)
            with _refusals():
                cursor.execute(query)
                reader = cursor.fetch_record_batch()
            published = self._published()
            schema = pa.schema(
                _field(field, published.get(origin))
                for field, origin in zip(reader.schema, origins, strict=True)
            )
            yield pa.RecordBatchReader.from_batches(schema, _typed(reader, schema))

    def table(self, query: str) -> pa.Table:
        """All rows of a query. Raises QueryError."""
        with self.batches(query) as reader:
            return reader.read_all()

    def _origins(self, query: str) -> list[Origin]:
        """Ask the server what a query will give, without running it."""
        server = self._connection.pgconn
        result = server.prepare(b"", query.encode())
        if result.status == pq.ExecStatus.COMMAND_OK:
            result = server.describe_prepared(b"")
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise QueryError(str(errors.error_from_result(result)))
        if not result.nfields:
            raise QueryError("this gives no rows; only a query does")
        return [(result.ftable(n), result.ftablecol(n)) for n in range(result.nfields)]

    def _published(self) -> dict[Origin, catalog.Column]:
        """Anew each time: a build may have made a table anew meanwhile."""
        return {
            (column.table_oid, column.number): column
            for relation in catalog.relations(self._connection).values()
            for column in relation.columns
        }


def _connect(conninfo: str, connection: psycopg.Connection) -> dbapi.Connection:
    """Set what a session depends on as it begins, for the driver then asks for the server's types.

    A pooler may refuse that: behind it, afterwards.
    """
    given = conninfo_to_dict(conninfo).get("options") or os.environ.get("PGOPTIONS", "")
    options = session.options(connection, str(given))
    try:
        return dbapi.connect(make_conninfo(conninfo, options=options), autocommit=True)
    except AdbcError as error:
        if "unsupported startup parameter" not in str(error):
            raise
    adbc = dbapi.connect(conninfo, autocommit=True)
    with adbc.cursor() as cursor:
        cursor.execute(session.SET)
        cursor.fetchall()
    return adbc


def _field(field: pa.Field, column: catalog.Column | None) -> pa.Field:
    known = {"unit": column.unit, "description": column.description} if column else {}
    told = {name: text for name, text in known.items() if text}
    return pa.field(field.name, _plain(field.type), metadata=told or None)


def _plain(arrow_type: pa.DataType) -> pa.DataType:
    """PostgreSQL's numeric, which Arrow has none of, as a double; what else is special as it is."""
    if isinstance(arrow_type, pa.OpaqueType) and arrow_type.type_name == "numeric":
        return pa.float64()
    return arrow_type


def _typed(reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with _refusals():
        for batch in reader:
            arrays = [
                array if array.type == field.type else array.storage.cast(field.type)
                for array, field in zip(batch.columns, schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


@contextmanager
def _refusals() -> Iterator[None]:
    """Give what goes wrong in a query the server's own words, without those of the driver."""
    try:
        yield
    except (AdbcError, OSError) as error:  # an OSError where rows are under way already
        found = re.search(r"ERROR: +(.+)", str(error))
        raise QueryError(found[1] if found else str(error)) from None
