"""Takes superseded files out of `raw`, all but the little that says what superseded them."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

_SUPERSEDED = """
    select files.file_id, files.name, battery_files.superseded_by, (
        select coalesce(sum(pg_column_size(documents.document)), 0)
        from raw.documents where documents.file_id = files.file_id
    )
    from raw.files
    inner join battery.battery_files on files.file_id = battery_files.file_id
    where battery_files.superseded_by is not null and files.pruned_at is null
    order by files.file_id
"""

# What battery_files was made of, so that it is made the same again: barcode and span of time.
# Rows without a cycle number are not published, whatever becomes of the file that superseded it.
_STUB = """
    insert into raw.documents (file_id, part_no, document)
    select file_id, 0, jsonb_build_object(
        'barcode', case when barcode not like 'unidentified:%%' then barcode end,
        'protocol', protocol,
        'channel_id', channel_id,
        'summary', jsonb_build_object(
            'cycle_index', jsonb_build_array(null, null),
            'date_time_iso', jsonb_build_array(first_record_at, last_record_at)
        )
    )
    from battery.battery_files where file_id = %s
"""


class NotBuilt(Exception):
    """Which files are superseded is told by the tables, and there are none."""


@dataclass(frozen=True)
class Superseded:
    """A file whose rows are not published, and the one that took its place; size in `raw`."""

    file_id: int
    name: str
    superseded_by: int
    size_bytes: int


def superseded(connection: psycopg.Connection) -> list[Superseded]:
    """The files that can go, as the last build saw it. Raises NotBuilt."""
    try:
        return [Superseded(*row) for row in connection.execute(_SUPERSEDED)]
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise NotBuilt("the tables are not built yet: loader build") from error


def prune(connection: psycopg.Connection, file: Superseded) -> None:
    """Put a stub in the place of a superseded file's document, in one transaction.

    Its row in raw.files stays, so that ids, dates and what superseded it are as before and the file
    is not landed again.
    """
    with connection.transaction():
        connection.execute("delete from raw.documents where file_id = %s", [file.file_id])
        connection.execute(_STUB, [file.file_id])
        connection.execute(
            "update raw.files set part_count = 1, pruned_at = now() where file_id = %s",
            [file.file_id],
        )
