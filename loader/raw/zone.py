"""Schema `raw` in PostgreSQL: its layout, the files it has, those it turned away.

Every statement on landed files and rejections stands here; those on runs in `loader.raw.runs`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import resources

import psycopg
from psycopg.types.json import Jsonb

from loader.outcome import FileOnDisk, Rejection
from loader.parts.part import Part
from loader.raw import roles
from loader.server import database

UNREADABLE = "cannot be read"
"""The one reason that may go away while the file stays as it is: it is tried again every time."""


@dataclass(frozen=True)
class Known:
    """What `raw` says of a path: the file landed from it, or why it was turned away."""

    size_bytes: int
    modified_at: datetime
    file_id: int | None
    reason: str | None

    def still_holds(self, found: FileOnDisk) -> bool:
        """Whether the file need not be read again: same size, same modification time."""
        same = (self.size_bytes, self.modified_at) == (found.size_bytes, found.modified_at)
        return same and self.reason != UNREADABLE


@dataclass(frozen=True)
class Landed:
    """A file on record: its id, the number of its parts, of NaN and infinities made null.

    `part_size` (bytes), into which it was cut, is known while it lands.
    """

    file_id: int
    part_count: int
    non_finite_count: int
    part_size: int = 0


@dataclass(frozen=True)
class Totals:
    """How many files, parts and NaN made null there are, and the bytes they take on disk."""

    files: int
    parts: int
    non_finite: int
    size_bytes: int


@contextmanager
def opened(*, autocommit: bool = True) -> Iterator[Zone]:
    """Schema `raw`, laid out. Raises database.DatabaseUnavailable."""
    with database.connect(autocommit=autocommit) as connection:
        zone = Zone(connection)
        zone.prepare()
        yield zone


@dataclass(frozen=True)
class Zone:
    """Schema `raw` as one connection sees it."""

    connection: psycopg.Connection

    def transaction(self) -> AbstractContextManager[object]:
        """Whatever is done within is done whole or not at all."""
        return self.connection.transaction()

    def prepare(self) -> None:
        """Create schema `raw`, or bring it up to date; one round trip where nothing is to do.

        Raises database.DatabaseUnavailable where that is another user's to do.
        """
        statements = resources.files("loader.raw").joinpath("zone.sql").read_bytes()
        layout = f"Layout {hashlib.sha256(statements).hexdigest()[:12]}."
        if self._files_comment().endswith(layout):
            return
        try:
            with self.connection.transaction():
                self.connection.execute(statements)
                comment = f"{self._files_comment()} {layout}"
                self.connection.execute(
                    psycopg.sql.SQL("comment on table raw.files is {}").format(comment)
                )
                roles.renew(self.connection)
        except psycopg.errors.InsufficientPrivilege as error:
            raise database.DatabaseUnavailable(
                f"Schema raw is to be laid out first: {error.diag.message_primary}.\n"
                "Run `loader init` as the owner of the database."
            ) from error

    def known(self, found: Iterable[FileOnDisk]) -> dict[str, Known]:
        """What `raw` knows, by path: of these files, and of every file turned away."""
        rows = self.connection.execute(
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

    def draw_ids(self, count: int) -> list[int]:
        """Draw `count` ids for files, ascending. Ids not used leave gaps, which mean nothing."""
        rows = self.connection.execute(
            "select nextval(pg_get_serial_sequence('raw.files', 'file_id'))"
            " from generate_series(1, %s)",
            [count],
        )
        return [file_id for (file_id,) in rows]

    def landed_before(self, found: FileOnDisk, sha256: bytes, file_id: int) -> Landed | None:
        """Note one more path of a landed content; `None` where the content is new.

        The lower of its id and `file_id` stands, so that the result is the same whichever of two
        loaders was first; the foreign keys pass the change on to parts and paths.
        """
        with self.connection.transaction():
            row = self.connection.execute(
                "select file_id, part_count, non_finite_count from raw.files"
                " where sha256 = %s for update",
                [sha256],
            ).fetchone()
            if row is None:
                return None
            landed = Landed(*row)
            if landed.file_id > file_id:
                self.connection.execute(
                    """
                    update raw.files
                    set file_id = %s, name = %s, path = %s, size_bytes = %s, modified_at = %s
                    where file_id = %s
                    """,
                    [file_id, *_columns(found), landed.file_id],
                )
            self.note_path(found, min(landed.file_id, file_id))
        return landed

    def claim(self, found: FileOnDisk, sha256: bytes, file_id: int) -> bool:
        """Put a new content on record; `False` where it is on record.

        Waits for another loader that is landing the same content.
        """
        cursor = self.connection.execute(
            """
            insert into raw.files (
                file_id, sha256, name, path, size_bytes, modified_at, part_count, non_finite_count
            )
            values (%s, %s, %s, %s, %s, %s, 1, 0)
            on conflict (sha256) do nothing
            """,
            [file_id, sha256, *_columns(found)],
        )
        return cursor.rowcount == 1

    def copy_parts(self, file_id: int, parts: Iterable[Part]) -> Iterator[Part]:
        """Copy parts in and give each as soon as it is sent.

        The server takes one part apart while the next is made. Each part is a COPY of its own:
        PostgreSQL keeps the rows of a binary COPY in memory until there are 1,000, however large.
        """
        statement = (
            "copy raw.documents (file_id, part_no, first_point, document)"
            " from stdin (format binary)"
        )
        with self.connection.cursor() as cursor, ExitStack() as copying:
            for part in parts:
                copying.close()
                copy = copying.enter_context(cursor.copy(statement))
                copy.set_types(["int8", "int4", "int8", "jsonb"])
                json = Jsonb(part.json, dumps=bytes)  # is JSON already: sent as it is
                copy.write_row((file_id, part.number, part.first_point, json))
                yield part

    def complete(self, found: FileOnDisk, landed: Landed) -> None:
        """Note how many parts a file has, and the path it stands for."""
        self.connection.execute(
            "update raw.files set part_count = %s, non_finite_count = %s where file_id = %s",
            [landed.part_count, landed.non_finite_count, landed.file_id],
        )
        self.note_path(found, landed.file_id)

    def note_path(self, found: FileOnDisk, file_id: int) -> None:
        """Note that a path holds a landed content; whatever was held against it is forgotten."""
        self.connection.execute(
            """
            insert into raw.paths (path, size_bytes, modified_at, file_id) values (%s, %s, %s, %s)
            on conflict (path) do update set
                size_bytes = excluded.size_bytes,
                modified_at = excluded.modified_at,
                file_id = excluded.file_id
            """,
            [found.path, found.size_bytes, found.modified_at, file_id],
        )
        self.connection.execute("delete from raw.rejections where path = %s", [found.path])

    def reject(self, found: FileOnDisk, reason: str, detail: str) -> bool:
        """Note why a file was turned away; `False` where that is on record, the file unchanged.

        Its path no longer stands for what landed from it.
        """
        with self.connection.transaction():
            self.connection.execute("delete from raw.paths where path = %s", [found.path])
            cursor = self.connection.execute(
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

    def forget(self, paths: Iterable[str]) -> None:
        """Drop the rejections of files that are gone."""
        self.connection.execute("delete from raw.rejections where path = any (%s)", [list(paths)])

    def rejections(self) -> list[Rejection]:
        """The files turned away, in the order of their paths."""
        rows = self.connection.execute(
            "select path, name, size_bytes, reason, detail, rejected_at"
            " from raw.rejections order by path"
        )
        return [Rejection(*row) for row in rows]

    def read_parts(self, file_id: int) -> Iterator[bytes]:
        """The parts of a file in order, one at a time, as JSON.

        Nothing where the file is not landed. Needs a connection that is not in autocommit mode.
        """
        with self.connection.cursor("parts", binary=True) as cursor:
            cursor.itersize = 1
            cursor.execute(
                "select convert_to(document::text, 'UTF8')"
                " from raw.documents where file_id = %s order by part_no",
                [file_id],
            )
            for (json,) in cursor:
                yield json

    def as_stored(self, json: bytes) -> bytes:
        """JSON as it would read once it is landed."""
        cursor = self.connection.cursor(binary=True)
        query = "select convert_to((%b::jsonb)::text, 'UTF8')"
        row = cursor.execute(query, [Jsonb(json, dumps=bytes)]).fetchone()
        assert row is not None  # one for each question
        return bytes(row[0])

    def is_pruned(self, file_id: int) -> bool:
        """Whether there is but a stub of the file."""
        row = self.connection.execute(
            "select pruned_at is not null from raw.files where file_id = %s", [file_id]
        ).fetchone()
        return bool(row and row[0])

    def document_sizes(self, file_ids: list[int]) -> dict[int, int]:
        """Bytes on disk of the documents of these files, by id; pruned ones are left out."""
        rows = self.connection.execute(
            """
            select file_id, coalesce(sum(pg_column_size(document)), 0)::bigint
            from raw.files left join raw.documents using (file_id)
            where pruned_at is null and file_id = any (%s)
            group by file_id
            """,
            [file_ids],
        )
        return dict(rows.fetchall())

    def put_stub(self, file_id: int, stub: Mapping[str, object]) -> None:
        """Put `stub` in the place of a file's document; its row stays, so it is not read again."""
        with self.connection.transaction():
            self.connection.execute("delete from raw.documents where file_id = %s", [file_id])
            self.connection.execute(
                "insert into raw.documents (file_id, part_no, document) values (%s, 0, %s)",
                [file_id, Jsonb(stub)],
            )
            self.connection.execute(
                "update raw.files set part_count = 1, pruned_at = now() where file_id = %s",
                [file_id],
            )

    def whole_files(self) -> list[tuple[int, str, bytes, int, int]]:
        """Id, path, sha256, parts to be there and parts there of each file that is not pruned."""
        return self.connection.execute(
            """
            select file_id, path, sha256, part_count, (
                select count(*) from raw.documents where documents.file_id = files.file_id
            )
            from raw.files
            where pruned_at is null
            order by file_id
            """
        ).fetchall()

    def paths_of(self, file_id: int) -> list[str]:
        """All paths at which a landed content was seen."""
        rows = self.connection.execute("select path from raw.paths where file_id = %s", [file_id])
        return [path for (path,) in rows]

    def totals(self) -> Totals:
        """Count what is landed."""
        row = self.connection.execute(
            """
            select
                count(*)::bigint,
                coalesce(sum(part_count), 0)::bigint,
                coalesce(sum(non_finite_count), 0)::bigint,
                (
                    select coalesce(sum(pg_total_relation_size(oid)), 0)::bigint from pg_class
                    where relnamespace = 'raw'::regnamespace and relkind in ('r', 'm', 'p')
                )
            from raw.files
            """
        ).fetchone()
        assert row is not None  # an aggregate without groups has one row
        return Totals(*row)

    def _files_comment(self) -> str:
        query = "select coalesce(obj_description(to_regclass('raw.files'), 'pg_class'), '')"
        row = self.connection.execute(query).fetchone()
        return str(row[0]) if row else ""


def _columns(found: FileOnDisk) -> tuple[str, str, int, datetime]:
    return found.name, found.path, found.size_bytes, found.modified_at
