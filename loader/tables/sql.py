"""The answer to a query as text, for a command: CSV and JSON of any length, the first rows to see.

Each reads only: nothing a query says can change the database.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import orjson
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from loader.tables import catalog


def csv(connection: psycopg.Connection, query: str) -> Iterator[bytes]:
    """Give the answer as CSV with a header; numbers keep all their digits, NULL is empty.

    Raises psycopg.Error.
    """
    _read_only(connection)
    copy = sql.SQL("copy ({}\n) to stdout (format csv, header)").format(_query(query))
    with connection.cursor().copy(copy) as rows:
        yield from map(bytes, rows)


def json(connection: psycopg.Connection, query: str) -> Iterator[bytes]:
    """Give the answer as a JSON array of objects; times in ISO 8601, NaN as null.

    Raises psycopg.Error.
    """
    _read_only(connection)
    before = b"["
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.stream(_query(query)):
            yield before + orjson.dumps(row, default=_plain)
            before = b",\n"
    yield b"]\n" if before != b"[" else b"[]\n"


def first_rows(
    connection: psycopg.Connection, query: str, count: int
) -> tuple[list[str], Sequence[Sequence[Any]]]:
    """Give the names of the columns and the first rows, one more than `count` where there is.

    Raises psycopg.Error.
    """
    _read_only(connection)
    with connection.cursor() as cursor:
        rows = list(itertools.islice(cursor.stream(_query(query)), count + 1))
        return [column.name for column in cursor.description or ()], rows


def refusal(connection: psycopg.Connection, error: psycopg.Error) -> str:
    """Say why a query was refused, and which tables there are where it asked for another."""
    reason = str(error).strip()
    if isinstance(error, psycopg.errors.UndefinedTable):
        tables = ", ".join(f"{catalog.SCHEMA}.{name}" for name in catalog.relations(connection))
        return f"{reason}\nthere is {tables or 'no table yet: `loader build` makes them'}"
    return reason


def _query(query: str) -> sql.SQL:
    return sql.SQL(query.strip().rstrip(";"))


def _read_only(connection: psycopg.Connection) -> None:
    connection.execute("set default_transaction_read_only = on")


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)
