"""Where files land: in PostgreSQL or, for Spark, in a folder. Chosen here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from loader.outcome import FileOnDisk, Outcome
from loader.raw import zone
from loader.raw.parquet import Folder

Raw = zone.Zone | Folder


@contextmanager
def opened(to: str | None = None, *, autocommit: bool = True, make: bool = False) -> Iterator[Raw]:
    """The raw zone, laid out: in the folder or bucket `to`, without one in PostgreSQL.

    A folder that is missing is made where `make`. Raises store.Unavailable,
    database.DatabaseUnavailable.
    """
    if to is not None:
        yield Folder(to, make=make)
    else:
        with zone.opened(autocommit=autocommit) as raw:
            yield raw


def reject(zone: Raw, found: FileOnDisk, reason: str, detail: str) -> Outcome:
    """Note that a file cannot be landed; nothing new where that was known."""
    if zone.reject(found, reason, detail):
        return Outcome.rejected(found, reason, detail)
    return Outcome.known_rejected(found, reason)
