"""What is landed, built and rejected, at one look."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from loader.outcome import Rejection, Run
from loader.raw import runs
from loader.raw.zone import Zone

_BATTERIES = "select count(*) from battery.batteries"

_SIZE = """
    select coalesce(sum(pg_total_relation_size(oid)), 0)::bigint from pg_class
    where relnamespace = to_regnamespace('battery') and relkind in ('r', 'm', 'p')
"""

_READABLE = """
    select has_schema_privilege(relnamespace, 'usage') and has_table_privilege(oid, 'select')
    from pg_class
    where relname = %s
        and relnamespace = (select oid from pg_namespace where nspname = 'battery')
"""


@dataclass(frozen=True)
class Status:
    """What the database holds. Sizes in bytes on disk.

    `batteries` and `unbuilt` are None where dbt has not built yet, or the user may not read what it
    built; `unbuilt` counts files landed since the last build.
    """

    files: int
    parts: int
    non_finite: int
    raw_bytes: int
    batteries: int | None
    unbuilt: int | None
    mart_bytes: int
    rejections: list[Rejection]
    last_run: Run | None


def status(zone: Zone) -> Status:
    """Count what `raw` and the published tables hold."""
    connection = zone.connection
    totals = zone.totals()
    batteries = _readable(connection, "batteries")
    built_files = _readable(connection, "battery_files")
    return Status(
        files=totals.files,
        parts=totals.parts,
        non_finite=totals.non_finite,
        raw_bytes=totals.size_bytes,
        batteries=_number(connection, _BATTERIES) if batteries else None,
        unbuilt=len(zone.file_ids() - _built(connection)) if built_files else None,
        mart_bytes=_number(connection, _SIZE),
        rejections=zone.rejections(),
        last_run=runs.last(connection),
    )


def _readable(connection: psycopg.Connection, table: str) -> bool:
    row = connection.execute(_READABLE, [table]).fetchone()
    return bool(row and row[0])


def _built(connection: psycopg.Connection) -> set[int]:
    rows = connection.execute("select file_id from battery.battery_files")
    return {file_id for (file_id,) in rows}


def _number(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0
