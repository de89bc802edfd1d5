"""The record of runs in `raw.runs`, and the locks that keep them out of each other's way.

The locks are session-level advisory locks: the server lets go of them when the process that holds
the connection is gone, however it went.
https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg.rows import class_row

from loader.outcome import Run
from loader.server import database

_POLL = 0.5  # seconds between two tries to get the lock

# Runs that are alive: each holds a lock of its own number (two-key locks have objsubid 2).
_ALIVE = """
    select objid::bigint from pg_locks
    where locktype = 'advisory' and objsubid = 2 and granted
        and database = (select oid from pg_database where datname = current_database())
        and classid::bigint = hashtext('battery-elt: run')::bigint & 4294967295
"""

# What the tables are made of: the files landed and what people decided about them.
_BASIS = """
    select md5(nullif(concat_ws(
        ';',
        (select string_agg(file_id::text, ' ' order by file_id) from raw.files),
        (select string_agg(file, ' ' order by file) from raw.exclusions),
        (select string_agg(cell_types::text, ' ' order by pattern) from raw.cell_types),
        (select string_agg(barcode, ' ' order by barcode) from raw.full_resolution)
    ), '')) as basis
"""


class Busy(Exception):
    """Another run goes on; the message says since when."""


@contextmanager
def recorded(connection: psycopg.Connection, *, alone: bool) -> Iterator[Run]:
    """A run, on record from its beginning to its end.

    `connection` must be in autocommit mode and stay open: the run is alive as long as it is.
    Raises Busy where it has to be `alone` and is not.
    """
    run = _begin(connection, alone=alone)
    try:
        yield run
    except (psycopg.Error, database.DatabaseUnavailable, OSError) as error:
        run.message = str(error).strip()
        raise
    except KeyboardInterrupt:  # a signal before there was anything to finish
        run.outcome = "interrupted"
        raise
    finally:
        with suppress(psycopg.Error):  # the next run finds it broken off
            _end(connection, run)


def last(connection: psycopg.Connection) -> Run | None:
    """The run that began last; its outcome is null while it goes on."""
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        return cursor.execute(
            f"""
            select run_id, started_at, ended_at,
                case when outcome is null and run_id not in ({_ALIVE}) then 'broken off'
                    else outcome end as outcome,
                landed, skipped, rejected, unfinished, landed_bytes, build, message
            from raw.runs order by run_id desc limit 1
            """
        ).fetchone()


def since_success(connection: psycopg.Connection) -> float | None:
    """Seconds since the end of the last run that succeeded, by the server's clock."""
    row = connection.execute(
        "select extract(epoch from now() - max(ended_at))::float8"
        " from raw.runs where outcome = 'succeeded'"
    ).fetchone()
    return row[0] if row else None


def build_due(connection: psycopg.Connection) -> bool:
    """Whether files or decisions differ from the last build of a run, or that build failed."""
    row = connection.execute(
        f"""
        select build = 'failed' or build_of is distinct from now.basis
        from ({_BASIS}) as now
        left join (
            select build, build_of from raw.runs where build in ('succeeded', 'failed')
            order by run_id desc limit 1
        ) as before on true
        """
    ).fetchone()
    return bool(row and row[0])


def note_build(connection: psycopg.Connection, run: Run) -> None:
    """Note what the build that begins now is of."""
    connection.execute(f"update raw.runs set build_of = ({_BASIS}) where run_id = %s", [run.run_id])


def wait_to_build(
    connection: psycopg.Connection,
    waiting: Callable[[], None],
    stop: Callable[[], int] = lambda: 0,
) -> bool:
    """Get hold of the one right to build, for as long as the connection is open.

    `waiting` is called once where another build is going on; `False` where `stop` gave more than 0
    before that one ended.
    """
    told = False
    while not _try_lock(connection):
        if not told:
            waiting()
            told = True
        if stop():
            return False
        time.sleep(_POLL)
    return True


def _try_lock(connection: psycopg.Connection) -> bool:
    row = connection.execute(
        "select pg_try_advisory_lock(hashtext('battery-elt: build'))"
    ).fetchone()
    return bool(row and row[0])


def _begin(connection: psycopg.Connection, *, alone: bool) -> Run:
    with connection.transaction(), connection.cursor(row_factory=class_row(Run)) as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtext('battery-elt: begin a run'))")
        cursor.execute(
            "update raw.runs set outcome = 'broken off'"
            f" where outcome is null and run_id not in ({_ALIVE})"
        )
        if alone:
            cursor.execute(
                "select run_id, started_at from raw.runs where outcome is null order by 1 limit 1"
            )
            if other := cursor.fetchone():
                since = other.started_at.astimezone().isoformat(timespec="seconds")
                raise Busy(f"run {other.run_id} has been going on since {since}: left to it")
        run = cursor.execute(
            "insert into raw.runs default values returning run_id, started_at"
        ).fetchone()
        assert run is not None  # an insert returns its row
        lock = "select pg_advisory_lock(hashtext('battery-elt: run'), %s::int)"
        connection.execute(lock, [run.run_id])
    return run


def _end(connection: psycopg.Connection, run: Run) -> None:
    connection.execute(
        """
        update raw.runs
        set ended_at = now(), outcome = %s, landed = %s, skipped = %s, rejected = %s,
            unfinished = %s, landed_bytes = %s, build = %s, message = %s
        where run_id = %s
        """,
        [
            run.outcome,
            run.landed,
            run.skipped,
            run.rejected,
            run.unfinished,
            run.landed_bytes,
            run.build,
            run.message,
            run.run_id,
        ],
    )
