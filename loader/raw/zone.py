"""What `raw` knows: its layout, which files it has, which it turned away."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import psycopg

from loader import runs
from loader.server import database

UNREADABLE = "cannot be read"
"""The one reason that may go away while the file stays as it is: it is tried again every time."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Found:
    """A file as found on disk: where, how large, how old."""

    file: Path
    path: str
    name: str
    size_bytes: int
    modified_at: datetime

    @classmethod
    def at(cls, file: Path) -> Found:
        """Look at `file` without opening it; what cannot be looked at has no size and no age."""
        path = Path(os.path.abspath(file))  # noqa: PTH100  pathlib has no lexical twin
        try:
            status = path.stat()
            size_bytes, modified_at = status.st_size, _instant(status.st_mtime_ns)
        except OSError:
            size_bytes, modified_at = 0, _EPOCH
        return cls(path, _text(path), _text(Path(path.name)), size_bytes, modified_at)


@dataclass(frozen=True)
class Known:
    """What `raw` says of a path: the file landed from it, or why it was turned away."""

    size_bytes: int
    modified_at: datetime
    file_id: int | None
    reason: str | None

    def still_holds(self, found: Found) -> bool:
        """Whether the file need not be read again: same size, same modification time."""
        same = (self.size_bytes, self.modified_at) == (found.size_bytes, found.modified_at)
        return same and self.reason != UNREADABLE


@dataclass(frozen=True)
class Rejection:
    """A file turned away and why."""

    path: str
    name: str
    size_bytes: int
    reason: str
    detail: str
    rejected_at: datetime


@dataclass(frozen=True)
class Status:
    """What the database holds. Sizes in bytes on disk.

    `batteries` is None where dbt has not built yet, or the user may not read what it built.
    """

    files: int
    parts: int
    non_finite: int
    raw_bytes: int
    batteries: int | None
    mart_bytes: int
    rejections: list[Rejection]
    last_run: runs.Run | None


def prepare(connection: psycopg.Connection) -> None:
    """Create schema `raw`, or bring it up to date; one round trip where nothing is to do.

    Raises database.DatabaseUnavailable where that is another user's to do.
    """
    sql = resources.files("loader.raw").joinpath("zone.sql").read_bytes()
    layout = f"Layout {hashlib.sha256(sql).hexdigest()[:12]}."
    if _schema_comment(connection).endswith(layout):
        return
    try:
        with connection.transaction():
            connection.execute(sql)
            comment = f"{_schema_comment(connection)} {layout}"
            connection.execute(psycopg.sql.SQL("comment on schema raw is {}").format(comment))
    except psycopg.errors.InsufficientPrivilege as error:
        raise database.DatabaseUnavailable(
            f"Schema raw is to be laid out first: {error.diag.message_primary}.\n"
            "Run `loader init` as the owner of the database."
        ) from error


def known(connection: psycopg.Connection, found: Iterable[Found]) -> dict[str, Known]:
    """What `raw` knows, by path: of these files, and of every file turned away."""
    rows = connection.execute(
        """
        select path, size_bytes, modified_at, file_id, null
        from raw.paths where path = any (%s)
        union all
        select path, size_bytes, modified_at, null, reason
        from raw.rejections
        """,
        [[one.path for one in found]],
    )
    return {path: Known(*rest) for path, *rest in rows}


def forget(connection: psycopg.Connection, paths: Iterable[str]) -> None:
    """Drop the rejections of files that are gone."""
    connection.execute("delete from raw.rejections where path = any (%s)", [list(paths)])


def draw_ids(connection: psycopg.Connection, count: int) -> list[int]:
    """Draw `count` ids for files, ascending. Ids not used leave gaps, which mean nothing."""
    rows = connection.execute(
        "select nextval(pg_get_serial_sequence('raw.files', 'file_id'))"
        " from generate_series(1, %s)",
        [count],
    )
    return [file_id for (file_id,) in rows]


def see(connection: psycopg.Connection, found: Found, file_id: int) -> None:
    """Note that a path holds a landed content; whatever was held against it is forgotten."""
    connection.execute(
        """
        insert into raw.paths (path, size_bytes, modified_at, file_id) values (%s, %s, %s, %s)
        on conflict (path) do update set
            size_bytes = excluded.size_bytes,
            modified_at = excluded.modified_at,
            file_id = excluded.file_id
        """,
        [found.path, found.size_bytes, found.modified_at, file_id],
    )
    connection.execute("delete from raw.rejections where path = %s", [found.path])


def reject(connection: psycopg.Connection, found: Found, reason: str, detail: str) -> bool:
    """Note why a file was turned away; `False` where that is on record, the file unchanged.

    Its path no longer stands for what landed from it.
    """
    with connection.transaction():
        connection.execute("delete from raw.paths where path = %s", [found.path])
        cursor = connection.execute(
            """
            insert into raw.rejections (path, name, size_bytes, modified_at, reason, detail)
            values (%s, %s, %s, %s, %s, %s)
            on conflict (path) do update set
                size_bytes = excluded.size_bytes,
                modified_at = excluded.modified_at,
                reason = excluded.reason,
                detail = excluded.detail,
                rejected_at = excluded.rejected_at
            where (rejections.size_bytes, rejections.modified_at, rejections.reason)
                is distinct from (excluded.size_bytes, excluded.modified_at, excluded.reason)
            """,
            [found.path, found.name, found.size_bytes, found.modified_at, reason, detail],
        )
    return cursor.rowcount == 1


def parts(connection: psycopg.Connection, file_id: int) -> Iterator[bytes]:
    """The parts of a file in order, one at a time, as JSON.

    Nothing where the file is not landed. Needs a connection that is not in autocommit mode.
    """
    with connection.cursor("parts", binary=True) as cursor:
        cursor.itersize = 1
        cursor.execute(
            "select convert_to(document::text, 'UTF8')"
            " from raw.documents where file_id = %s order by part_no",
            [file_id],
        )
        for (json,) in cursor:
            yield json


def rejections(connection: psycopg.Connection) -> list[Rejection]:
    """The files turned away, in the order of their paths."""
    rows = connection.execute(
        "select path, name, size_bytes, reason, detail, rejected_at"
        " from raw.rejections order by path"
    )
    return [Rejection(*row) for row in rows]


def is_pruned(connection: psycopg.Connection, file_id: int) -> bool:
    """Whether there is but a stub of the file."""
    row = connection.execute(
        "select pruned_at is not null from raw.files where file_id = %s", [file_id]
    ).fetchone()
    return bool(row and row[0])


def status(connection: psycopg.Connection) -> Status:
    """Count what `raw` and `battery` hold."""
    totals = connection.execute(
        """
        select count(*), coalesce(sum(part_count), 0), coalesce(sum(non_finite_count), 0)
        from raw.files
        """
    ).fetchone()
    assert totals is not None  # an aggregate without groups has one row
    return Status(
        files=totals[0],
        parts=int(totals[1]),
        non_finite=int(totals[2]),
        raw_bytes=_size(connection, "raw"),
        batteries=_batteries(connection),
        mart_bytes=_size(connection, "battery"),
        rejections=rejections(connection),
        last_run=runs.last(connection),
    )


def _instant(nanoseconds: int) -> datetime:
    """The microsecond PostgreSQL can hold; the farthest one for a time stamp beyond reason."""
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if nanoseconds > 0 else _EPOCH


def _text(path: Path) -> str:
    """The path as text PostgreSQL can hold: bytes that are no UTF-8 written as \\xhh."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _schema_comment(connection: psycopg.Connection) -> str:
    query = "select coalesce(obj_description(to_regnamespace('raw'), 'pg_namespace'), '')"
    row = connection.execute(query).fetchone()
    return str(row[0]) if row else ""


def _size(connection: psycopg.Connection, schema: str) -> int:
    row = connection.execute(
        """
        select coalesce(sum(pg_total_relation_size(oid)), 0) from pg_class
        where relnamespace = to_regnamespace(%s) and relkind in ('r', 'm', 'p')
        """,
        [schema],
    ).fetchone()
    return int(row[0]) if row else 0


def _batteries(connection: psycopg.Connection) -> int | None:
    row = connection.execute(
        """
        select bool_and(
            has_schema_privilege(relnamespace, 'usage') and has_table_privilege(oid, 'select')
        )
        from pg_class
        where relname = 'batteries'
            and relnamespace = (select oid from pg_namespace where nspname = 'battery')
        """
    ).fetchone()
    if row is None or not row[0]:
        return None
    count = connection.execute("select count(*) from battery.batteries").fetchone()
    return int(count[0]) if count else None
