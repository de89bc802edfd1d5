"""One file into `raw`: read it, split it, copy its parts in, all in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import psycopg
from psycopg import errors

from loader.outcome import LARGEST, FileOnDisk, Outcome, Rejected
from loader.parts.split import split
from loader.raw.place import Raw, reject
from loader.raw.zone import Landed
from loader.source import Source, content, read
from loader.validate import check

SMALLEST_PART = 2**20
"""Bytes. Parts that PostgreSQL finds too large are made an eighth the size, but not below this."""

# "total size of jsonb array elements exceeds the maximum", "invalid memory alloc request size",
# "out of memory": which one depends on what there is too much of.
_TOO_LARGE = (errors.ProgramLimitExceeded, errors.InternalError_, errors.OutOfMemory)
_BAD_CONTENT = (errors.DataError, errors.StatementTooComplex)
_REASONS: dict[type[psycopg.Error], tuple[str, str]] = {
    errors.UntranslatableCharacter: (
        "a NUL character",
        "\\u0000 in a string, which PostgreSQL cannot hold: take it out",
    ),
    errors.NumericValueOutOfRange: (
        "a number out of range",
        "more digits or a higher exponent than PostgreSQL can hold",
    ),
    errors.StatementTooComplex: (
        "too deeply nested",
        "more levels than PostgreSQL's max_stack_depth allows; files of batteries have four",
    ),
}


@dataclass(frozen=True)
class _File:
    """A file that is read and sound."""

    found: FileOnDisk
    file_id: int
    source: Source


@dataclass
class Lander:
    """Lands one file after the other.

    `part_size` and `max_file_size` are in bytes, decompressed. Where PostgreSQL finds a part too
    large and takes smaller ones, those are what later files get from the start.
    """

    zone: Raw
    part_size: int
    max_file_size: int = LARGEST

    def land(
        self,
        found: FileOnDisk,
        file_id: int,
        progress: Callable[[float], None] = lambda share: None,
    ) -> Outcome:
        """Land one file under `file_id`, or note why it cannot be.

        `progress` is told which share of the file is in, 0 to 1. Content landed before stays as it
        is, but takes `file_id` over where that is lower: whichever of two loaders is first, the
        result is the same. Raises the errors of psycopg, and store.Unavailable, that no file is to
        blame for: a lost connection, a full disk.
        """
        started = time.monotonic()
        try:
            outcome = self._land(found, file_id, progress)
        except Rejected as rejected:
            outcome = reject(self.zone, found, rejected.reason, rejected.detail)
        return replace(outcome, seconds=round(time.monotonic() - started, 3))

    def _land(self, found: FileOnDisk, file_id: int, progress: Callable[[float], None]) -> Outcome:
        source = read(found.file, largest=self.max_file_size)
        if outcome := self._landed_before(found, source.sha256, file_id):
            return outcome
        check(source.json, lambda: content(found.file, largest=self.max_file_size))
        file = _File(found, file_id, source)
        part_size = self.part_size
        while True:
            try:
                landed = self._copy_in(file, part_size, progress)
            except _TOO_LARGE as error:
                part_size //= 8
                if part_size < SMALLEST_PART:
                    raise Rejected("too large for PostgreSQL", _said(error)) from error
                continue
            except _BAD_CONTENT as error:
                raise _refused(error) from error
            if landed:
                self.part_size = part_size
                return _outcome(found, landed)
            if outcome := self._landed_before(found, source.sha256, file_id):
                return outcome

    def _landed_before(self, found: FileOnDisk, sha256: bytes, file_id: int) -> Outcome | None:
        """Note one more path of a landed content; `None` where the content is new."""
        landed = self.zone.landed_before(found, sha256, file_id)
        if landed is None:
            return None
        if landed.file_id == file_id:  # by a worker that died before it could say so
            return _outcome(found, landed)
        file_id = min(landed.file_id, file_id)
        return Outcome.skipped(found, f"same content as file {file_id}", file_id)

    def _copy_in(
        self, file: _File, part_size: int, progress: Callable[[float], None]
    ) -> Landed | None:
        """Copy a new content in; `None` where another loader did so in the meantime."""
        with self.zone.transaction():
            json, sha256, non_finite = file.source
            if not self.zone.claim(file.found, sha256, file.file_id):
                return None
            count = written = 0
            for part in self.zone.copy_parts(file.file_id, split(json, part_size)):
                count += 1
                written += len(part.json)
                progress(min(1.0, written / len(json)))
            landed = Landed(file.file_id, count, non_finite, part_size)
            self.zone.complete(file.found, landed)
        return landed


def _outcome(found: FileOnDisk, landed: Landed) -> Outcome:
    return Outcome.landed(found, landed.file_id, landed.part_count, landed.non_finite_count)


def _refused(error: psycopg.Error) -> Rejected:
    """Say what PostgreSQL found, and where, as far as it says so."""
    if type(error) not in _REASONS:
        return Rejected("refused by PostgreSQL", _said(error))
    reason, detail = _REASONS[type(error)]
    where = (error.diag.context or "").partition("\n")[0]
    return Rejected(reason, f"{detail} ({where})" if where.startswith("JSON") else detail)


def _said(error: psycopg.Error) -> str:
    return ". ".join(filter(None, [error.diag.message_primary, error.diag.message_detail]))
