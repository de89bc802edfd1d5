"""The rows behind what dbt's last build found, asked of the database again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from loader.tables.report.last_build import Finding

Row = dict[str, Any]

_LIMIT = 200  # rows of one finding
_PATIENCE = "20s"  # for one finding: a test that reads `raw` may take minutes
_SHOWN = {"rows_of_file", "id", "battery_id", "file_name", "barcode", "cycle_index", "column_name"}
_SHOWN |= {"value", "lowest", "highest"}


@dataclass(frozen=True)
class FoundRow:
    """A row that a test found: `value` and its bounds as text, `rest` whatever else it says."""

    file_name: str | None
    barcode: str | None
    cycle_index: int | None
    column_name: str | None
    value: str
    bounds: str
    rest: str


@dataclass(frozen=True)
class Found:
    """A finding with its rows; `unread` says why there are none, `more` that there are others."""

    finding: Finding
    rows: list[FoundRow]
    more: bool = False
    unread: str = ""


def found(
    connection: psycopg.Connection, findings: Sequence[Finding], batteries: Sequence[Row]
) -> list[Found]:
    """Give the rows of each finding, as the database holds them now; at most 200 of each.

    `connection` is within a transaction. A query that fails, for want of a right or of time, gives
    no rows and says why.
    """
    connection.execute(f"set local statement_timeout = '{_PATIENCE}'".encode())
    return [_found(connection, finding, batteries) for finding in findings]


def _found(connection: psycopg.Connection, finding: Finding, batteries: Sequence[Row]) -> Found:
    if not finding.query:
        return Found(finding, [])
    statement = f"select failing.* from ({finding.query}\n) as failing limit {_LIMIT + 1}"
    try:
        with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(statement.encode()).fetchall()
    except psycopg.errors.InsufficientPrivilege:
        return Found(finding, [], unread="this role may not read what the test reads")
    except psycopg.errors.QueryCanceled:
        return Found(finding, [], unread=f"the test takes longer than {_PATIENCE}")
    except psycopg.Error as error:
        return Found(finding, [], unread=str(error.diag.message_primary or error))
    return Found(finding, [_row(row, batteries) for row in rows[:_LIMIT]], len(rows) > _LIMIT)


def _row(row: Row, batteries: Sequence[Row]) -> FoundRow:
    rest = [f"{key} {value}" for key, value in row.items() if key not in _SHOWN]
    low, high = row.get("lowest"), row.get("highest")
    return FoundRow(
        file_name=row.get("file_name"),
        barcode=_barcode(row, batteries),
        cycle_index=row.get("cycle_index"),
        column_name=row.get("column_name"),
        value="" if row.get("value") is None else f"{row['value']:.6g}",
        bounds="" if low is None and high is None else f"{low:g} to {high:g}",
        rest=", ".join(rest),
    )


def _barcode(row: Row, batteries: Sequence[Row]) -> str | None:
    """The battery that a row is about, by the first of its columns that says so."""
    for battery in batteries:
        if (
            row.get("battery_id") == battery["id"]
            or row.get("barcode") == battery["barcode"]
            or row.get("file_name") in (battery["names"] or ())
        ):
            return str(battery["barcode"])
    barcode = row.get("barcode")
    return str(barcode) if barcode else None
