"""One file into `raw`: read it, split it, copy its parts in, all in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Literal

import psycopg
from psycopg import errors
from psycopg.types.json import Jsonb

from loader import files, parse
from loader.parts import split
from loader.raw import zone

SMALLEST_PART = 2**20
"""Bytes. Parts that PostgreSQL finds too large are made an eighth the size, but not below this."""

# "total size of jsonb array elements exceeds the maximum", "invalid memory alloc request size",
# "out of memory": which one depends on what there is too much of.
_TOO_LARGE = (errors.ProgramLimitExceeded, errors.InternalError_, errors.OutOfMemory)
_BAD_CONTENT = (errors.DataError, errors.StatementTooComplex)


@dataclass(frozen=True)
class Outcome:
    """What became of one file. `size_bytes` is its size on disk."""

    path: str
    name: str
    size_bytes: int
    outcome: Literal["landed", "skipped", "rejected"]
    file_id: int | None = None
    parts: int = 0
    non_finite: int = 0
    reason: str = ""
    detail: str = ""
    seconds: float = 0.0

    @classmethod
    def landed(cls, found: zone.Found, file_id: int, parts: int, non_finite: int) -> Outcome:
        """The file is in, in so many parts, with so many NaN and infinities made null."""
        return cls(*_who(found), "landed", file_id=file_id, parts=parts, non_finite=non_finite)

    @classmethod
    def skipped(cls, found: zone.Found, reason: str, file_id: int | None = None) -> Outcome:
        """Nothing was to do."""
        return cls(*_who(found), "skipped", file_id=file_id, reason=reason)

    @classmethod
    def known_rejected(cls, found: zone.Found, reason: str) -> Outcome:
        """The file could not be landed before either, for the same reason."""
        return cls.skipped(found, f"known to be rejected: {reason}")

    @classmethod
    def rejected(cls, found: zone.Found, reason: str, detail: str) -> Outcome:
        """The file cannot be landed."""
        return cls(*_who(found), "rejected", reason=reason, detail=detail)


def land(  # noqa: PLR0913  each is one thing to know
    connection: psycopg.Connection,
    found: zone.Found,
    file_id: int,
    part_size: int,
    progress: Callable[[float], None] = lambda share: None,
    *,
    max_file_size: int = files.LARGEST,
) -> Outcome:
    """Land one file under `file_id`, or note why it cannot be.

    `part_size` and `max_file_size` are in bytes, decompressed; `progress` is told which share of
    the file is in, 0 to 1. Content landed before stays as it is, but takes `file_id` over where
    that is lower: whichever of two loaders is first, the result is the same. Raises the errors of
    psycopg that no file is to blame for: a lost connection, a full disk.
    """
    started = time.monotonic()
    try:
        source = files.read(found.file, largest=max_file_size)
        outcome = _Landing(connection, found, file_id, progress).run(source, part_size)
    except files.Rejected as rejected:
        outcome = reject(connection, found, rejected.reason, rejected.detail)
    return replace(outcome, seconds=round(time.monotonic() - started, 3))


def reject(connection: psycopg.Connection, found: zone.Found, reason: str, detail: str) -> Outcome:
    """Note that a file cannot be landed; nothing new where that was known."""
    if zone.reject(connection, found, reason, detail):
        return Outcome.rejected(found, reason, detail)
    return Outcome.known_rejected(found, reason)


@dataclass(frozen=True)
class _Landing:
    connection: psycopg.Connection
    found: zone.Found
    file_id: int
    progress: Callable[[float], None]

    def run(self, source: files.Source, part_size: int) -> Outcome:
        while True:
            if outcome := self._landed_before(source.sha256):
                return outcome
            try:
                if outcome := self._copy_in(source, part_size):
                    return outcome
            except _TOO_LARGE as error:
                part_size //= 8
                if part_size < SMALLEST_PART:
                    raise files.Rejected("too large for PostgreSQL", _said(error)) from error
            except _BAD_CONTENT as error:
                raise files.Rejected("refused by PostgreSQL", _said(error)) from error

    def _landed_before(self, sha256: bytes) -> Outcome | None:
        """Note one more path of a landed content; `None` where the content is new."""
        with self.connection.transaction():
            row = self.connection.execute(
                "select file_id, part_count, non_finite_count from raw.files"
                " where sha256 = %s for update",
                [sha256],
            ).fetchone()
            if row is None:
                return None
            landed_as, part_count, non_finite = row
            file_id = min(landed_as, self.file_id)
            if landed_as > file_id:
                self._take_over(landed_as)
            zone.see(self.connection, self.found, file_id)
        if landed_as == self.file_id:  # by a worker that died before it could say so
            return Outcome.landed(self.found, file_id, part_count, non_finite)
        return Outcome.skipped(self.found, f"same content as file {file_id}", file_id)

    def _take_over(self, landed_as: int) -> None:
        """The lower of two ids stands; the foreign keys pass the change on to parts and paths."""
        found = self.found
        self.connection.execute(
            """
            update raw.files
            set file_id = %s, name = %s, path = %s, size_bytes = %s, modified_at = %s
            where file_id = %s
            """,
            [self.file_id, found.name, found.path, found.size_bytes, found.modified_at, landed_as],
        )

    def _copy_in(self, source: files.Source, part_size: int) -> Outcome | None:
        """Copy a new content in; `None` where another loader did so in the meantime."""
        document = parse.parse(source.data)
        cut = split.split(document, len(source.data), part_size)
        with self.connection.transaction():
            if not self._claim(source.sha256):
                return None
            part_count, nulls = self._copy(cut, len(source.data))
            non_finite = split.non_finite_count(source.data, nulls)
            self.connection.execute(
                "update raw.files set part_count = %s, non_finite_count = %s where file_id = %s",
                [part_count, non_finite, self.file_id],
            )
            zone.see(self.connection, self.found, self.file_id)
        return Outcome.landed(self.found, self.file_id, part_count, non_finite)

    def _claim(self, sha256: bytes) -> bool:
        """Put the file on record; waits for another loader that works on the same content."""
        found = self.found
        cursor = self.connection.execute(
            """
            insert into raw.files (
                file_id, sha256, name, path, size_bytes, modified_at, part_count, non_finite_count
            )
            values (%s, %s, %s, %s, %s, %s, 1, 0)
            on conflict (sha256) do nothing
            """,
            [self.file_id, sha256, found.name, found.path, found.size_bytes, found.modified_at],
        )
        return cursor.rowcount == 1

    def _copy(self, split: Iterator[split.Part], size_bytes: int) -> tuple[int, int]:
        """Copy the parts in; gives their number and that of the nulls in them.

        The server takes one part apart while the next is written out here.
        """
        count = nulls = written = 0
        statement = (
            "copy raw.documents (file_id, part_no, first_point, document)"
            " from stdin (format binary)"
        )
        # A COPY a part: PostgreSQL writes the rows of a binary one every 1,000, however large.
        with self.connection.cursor() as cursor, ExitStack() as copying:
            for part in split:
                copying.close()
                copy = copying.enter_context(cursor.copy(statement))
                copy.set_types(["int8", "int4", "int8", "jsonb"])
                json = Jsonb(part.json, dumps=bytes)  # is JSON already: sent as it is
                copy.write_row((self.file_id, part.number, part.first_point, json))
                count += 1
                nulls += part.nulls
                written += len(part.json)
                self.progress(min(1.0, written / size_bytes))
        return count, nulls


def _who(found: zone.Found) -> tuple[str, str, int]:
    return found.path, found.name, found.size_bytes


def _said(error: psycopg.Error) -> str:
    return ". ".join(filter(None, [error.diag.message_primary, error.diag.message_detail]))
