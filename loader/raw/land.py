"""One file into `raw`: read it, split it, copy its parts in, all in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import psycopg
from psycopg import errors

from loader import files, parse
from loader.outcome import FileOnDisk, Outcome
from loader.parts import split
from loader.raw.zone import Landed, Zone

SMALLEST_PART = 2**20
"""Bytes. Parts that PostgreSQL finds too large are made an eighth the size, but not below this."""

# "total size of jsonb array elements exceeds the maximum", "invalid memory alloc request size",
# "out of memory": which one depends on what there is too much of.
_TOO_LARGE = (errors.ProgramLimitExceeded, errors.InternalError_, errors.OutOfMemory)
_BAD_CONTENT = (errors.DataError, errors.StatementTooComplex)


def land(
    zone: Zone,
    found: FileOnDisk,
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
        outcome = _Landing(zone, found, file_id, progress).run(source, part_size)
    except files.Rejected as rejected:
        outcome = reject(zone, found, rejected.reason, rejected.detail)
    return replace(outcome, seconds=round(time.monotonic() - started, 3))


def reject(zone: Zone, found: FileOnDisk, reason: str, detail: str) -> Outcome:
    """Note that a file cannot be landed; nothing new where that was known."""
    if zone.reject(found, reason, detail):
        return Outcome.rejected(found, reason, detail)
    return Outcome.known_rejected(found, reason)


@dataclass(frozen=True)
class _Landing:
    zone: Zone
    found: FileOnDisk
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
        landed = self.zone.landed_before(self.found, sha256, self.file_id)
        if landed is None:
            return None
        if landed.file_id == self.file_id:  # by a worker that died before it could say so
            return self._landed(landed)
        file_id = min(landed.file_id, self.file_id)
        return Outcome.skipped(self.found, f"same content as file {file_id}", file_id)

    def _copy_in(self, source: files.Source, part_size: int) -> Outcome | None:
        """Copy a new content in; `None` where another loader did so in the meantime."""
        document = parse.parse(source.data)
        cut = split.split(document, len(source.data), part_size)
        with self.zone.transaction():
            if not self.zone.claim(self.found, source.sha256, self.file_id):
                return None
            count = nulls = written = 0
            for part in self.zone.copy_parts(self.file_id, cut):
                count += 1
                nulls += part.nulls
                written += len(part.json)
                self.progress(min(1.0, written / len(source.data)))
            non_finite = split.non_finite_count(source.data, nulls)
            landed = Landed(self.file_id, count, non_finite)
            self.zone.complete(self.found, landed)
        return self._landed(landed)

    def _landed(self, landed: Landed) -> Outcome:
        return Outcome.landed(
            self.found, landed.file_id, landed.part_count, landed.non_finite_count
        )


def _said(error: psycopg.Error) -> str:
    return ". ".join(filter(None, [error.diag.message_primary, error.diag.message_detail]))
