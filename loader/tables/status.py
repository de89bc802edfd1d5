"""What is landed, built and rejected, at one look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import psycopg

from loader.outcome import Rejection, Run
from loader.raw import runs
from loader.raw.parquet import Folder
from loader.raw.zone import Zone
from loader.spark import Engine, Spark

_SIZE = """
    select coalesce(sum(pg_total_relation_size(oid)), 0)::bigint from pg_class
    where relnamespace = to_regnamespace('battery') and relkind in ('r', 'm', 'p')
"""

_UNBUILT = """
    select count(*) from battery_staging.stg_files as files
    where not exists (
        select from battery_staging.stg_part_sections as parts where parts.file_id = files.file_id
    )
"""

_PATIENCE = "2s"  # for a lock that another session holds

_READABLE = """
    select has_schema_privilege(relnamespace, 'usage') and has_table_privilege(oid, 'select')
    from pg_class
    where relname = %s
        and relnamespace = (select oid from pg_namespace where nspname = %s)
"""


@dataclass(frozen=True)
class Build:
    """A run of dbt on this database: when it ended, its steps, names of what failed or warned."""

    ended_at: datetime
    steps: int
    failed: list[str]
    warned: list[str]


def last_build(connection: psycopg.Connection) -> Build | None:
    """The last build or test; None before the first, or where the user may not read of it."""
    if not _readable(connection, "builds", "battery_staging"):
        return None
    row = connection.execute(
        "select ended_at, steps, failed, warned from battery_staging.builds"
        " order by ended_at desc limit 1"
    ).fetchone()
    return Build(*row) if row else None


@dataclass(frozen=True)
class Extent:
    """How many batteries and cycles are published; None where their table may not be read."""

    batteries: int | None = None
    cycles: int | None = None


def extent(engine: Engine) -> Extent:
    """Count the published batteries and cycles."""
    if isinstance(engine, Spark):
        return Extent(engine.count("battery.batteries"), engine.count("battery.battery_summaries"))
    return Extent(_count(engine, "batteries"), _count(engine, "battery_summaries"))


@dataclass(frozen=True)
class Status:
    """What the database holds. Sizes in bytes on disk.

    `batteries` is None where dbt has not built yet, the user may not read what it built, or another
    session keeps it locked, and so is `mart_bytes`; likewise `unbuilt`, the files that are landed,
    not excluded, and not yet read by a build.
    """

    files: int
    parts: int
    non_finite: int
    raw_bytes: int
    batteries: int | None
    unbuilt: int | None
    mart_bytes: int | None
    last_build: Build | None
    rejections: list[Rejection]
    last_run: Run | None


def status(zone: Zone) -> Status:
    """Count what `raw` and the published tables hold."""
    connection = zone.connection
    totals = zone.totals()
    staged = all(
        _readable(connection, table, "battery_staging")
        for table in ("stg_files", "stg_part_sections")
    )
    return Status(
        files=totals.files,
        parts=totals.parts,
        non_finite=totals.non_finite,
        raw_bytes=totals.size_bytes,
        batteries=_count(connection, "batteries"),
        unbuilt=_number(connection, _UNBUILT) if staged else None,
        mart_bytes=_number(connection, _SIZE),
        last_build=last_build(connection),
        rejections=zone.rejections(),
        last_run=runs.last(connection),
    )


@dataclass(frozen=True)
class FolderStatus:
    """What a landing for Spark holds. Size in bytes as stored."""

    place: str
    files: int
    parts: int
    non_finite: int
    raw_bytes: int
    rejections: list[Rejection]
    last_run: Run | None


def folder_status(folder: Folder) -> FolderStatus:
    """Count what a landing for Spark holds."""
    totals = folder.totals()
    return FolderStatus(
        folder.place,
        totals.files,
        totals.parts,
        totals.non_finite,
        totals.size_bytes,
        folder.rejections(),
        folder.last_run(),
    )


def _readable(connection: psycopg.Connection, table: str, schema: str = "battery") -> bool:
    row = connection.execute(_READABLE, [table, schema]).fetchone()
    return bool(row and row[0])


def _count(connection: psycopg.Connection, table: str) -> int | None:
    if not _readable(connection, table):
        return None
    return _number(connection, f"select count(*) from battery.{table}")


def _number(connection: psycopg.Connection, query: str) -> int | None:
    """The answer; None where another session keeps a table locked, for a monitor is not to wait."""
    try:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = '{_PATIENCE}'")
            row = connection.execute(query.encode()).fetchone()
    except psycopg.errors.LockNotAvailable:
        return None
    return int(row[0]) if row else None
