"""Takes superseded files out of `raw`, all but the little that says what superseded them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg

from loader.raw.zone import Zone

# The stub holds what battery_files was made of, so that it is made the same again: barcode and
# span of time. Rows without a cycle number are not published, whatever becomes of the other file.
_SUPERSEDED = """
    select file_id, file_name, superseded_by, jsonb_build_object(
        'barcode', case when barcode not like 'unidentified:%' then barcode end,
        'protocol', protocol,
        'channel_id', channel_id,
        'summary', jsonb_build_object(
            'cycle_index', jsonb_build_array(null, null),
            'date_time_iso', jsonb_build_array(first_record_at, last_record_at)
        )
    )
    from battery.battery_files
    where superseded_by is not null
    order by file_id
"""


class NotBuilt(Exception):
    """Which files are superseded is told by the tables, and there are none."""


@dataclass(frozen=True)
class Superseded:
    """A file whose rows are not published, and the one that took its place; bytes in `raw`."""

    file_id: int
    name: str
    superseded_by: int
    size_bytes: int
    stub: dict[str, Any] = field(repr=False)


def superseded(zone: Zone) -> list[Superseded]:
    """The files that can go, as the last build saw it. Raises NotBuilt."""
    try:
        rows = zone.connection.execute(_SUPERSEDED).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise NotBuilt("the tables are not built yet: loader build") from error
    sizes = zone.document_sizes([file_id for file_id, *_ in rows])
    return [
        Superseded(file_id, name, superseded_by, sizes[file_id], stub)
        for file_id, name, superseded_by, stub in rows
        if file_id in sizes
    ]


def prune(zone: Zone, file: Superseded) -> None:
    """Put a stub in the place of a superseded file's document, in one transaction.

    Its row in raw.files stays, so that ids, dates and what superseded it are as before and the file
    is not landed again.
    """
    zone.put_stub(file.file_id, file.stub)
