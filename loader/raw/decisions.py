"""What people decide about files and batteries, kept in `raw` with who and when.

It survives upgrades and rebuilds; the next build makes it so.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg.rows import class_row

_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)

# How many landed files a file name or SHA-256 hits, and a pattern of file names.
_HITS = """(
    select count(*) from raw.files
    where regexp_replace(files.name, '\\.gz$', '') = {file} or encode(files.sha256, 'hex') = {file}
)"""
_MATCHES = """(
    select count(*) from raw.files where files.name like replace(
        replace(replace(replace({pattern}, '\\', '\\\\'), '_', '\\_'), '%%', '\\%%'), '*', '%%'
    )
)"""


@dataclass(frozen=True)
class Exclusion:
    """A file that counts as not landed, by name or SHA-256, and how many landed files that hits."""

    file: str
    reason: str
    decided_by: str
    decided_at: datetime
    files: int


@dataclass(frozen=True)
class CellType:
    """What cells are, by the names of their files: Ah, V, and how many landed files that hits."""

    pattern: str
    nominal_capacity: float
    cell: str | None
    chemistry: str | None
    voltage_minimum: float | None
    voltage_maximum: float | None
    source: str | None
    decided_by: str
    decided_at: datetime
    files: int


@dataclass(frozen=True)
class FullResolution:
    """A battery of which every point is wanted in the tables."""

    barcode: str
    reason: str
    decided_by: str
    decided_at: datetime


def file_key(text: str) -> str:
    """Give what a file is known by, from a name, a path or a SHA-256 as people write them.

    Blanks around it, folders, a trailing `.gz` and the case of a SHA-256 do not count.
    """
    name = os.fsencode(Path(text.strip()).name.strip()).decode(errors="backslashreplace")
    return name.lower() if _SHA256.fullmatch(name) else name.removesuffix(".gz")


def barcode_key(text: str) -> str:
    """Give a barcode as `battery.batteries` has it: upper case, without blanks around it."""
    text = text.strip()
    unidentified = re.fullmatch(r"(?i:unidentified):(.*)", text)
    return f"unidentified:{unidentified[1]}" if unidentified else text.upper()


@dataclass(frozen=True)
class Exclusions:
    """Files that count as not landed; `raw.parquet.Folder` has the same methods."""

    connection: psycopg.Connection

    def exclude(self, file: str, reason: str, who: str) -> int:
        """Let a file count as not landed; gives how many landed files that hits."""
        self.connection.execute(
            """
            insert into raw.exclusions (file, reason, decided_by) values (%s, %s, %s)
            on conflict (file) do update set
                reason = excluded.reason, decided_by = excluded.decided_by, decided_at = now()
            """,
            [file_key(file), reason, who],
        )
        return self._hits(file)

    def include(self, file: str) -> int | None:
        """Let a file count again; gives how many landed files that hits, None where it did."""
        deleted = self.connection.execute(
            "delete from raw.exclusions where file = %s", [file_key(file)]
        )
        return self._hits(file) if deleted.rowcount else None

    def exclusions(self) -> list[Exclusion]:
        """Give the files that count as not landed, by name."""
        with self.connection.cursor(row_factory=class_row(Exclusion)) as cursor:
            return cursor.execute(
                f"""
                select file, reason, decided_by, decided_at,
                    {_HITS.format(file="exclusions.file")} as files
                from raw.exclusions order by file
                """
            ).fetchall()

    def _hits(self, file: str) -> int:
        return _count(self.connection, _HITS.format(file="%(key)s"), file_key(file))


def set_cell_type(  # noqa: PLR0913 - one for each column
    connection: psycopg.Connection,
    pattern: str,
    nominal_capacity: float,
    who: str,
    *,
    cell: str | None = None,
    chemistry: str | None = None,
    voltage_minimum: float | None = None,
    voltage_maximum: float | None = None,
    source: str | None = None,
) -> int:
    """Say what the cells of files named like `pattern` are (Ah, V); gives how many that hits."""
    connection.execute(
        """
        insert into raw.cell_types (
            pattern, nominal_capacity, cell, chemistry, voltage_minimum, voltage_maximum, source,
            decided_by
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (pattern) do update set
            nominal_capacity = excluded.nominal_capacity,
            cell = excluded.cell,
            chemistry = excluded.chemistry,
            voltage_minimum = excluded.voltage_minimum,
            voltage_maximum = excluded.voltage_maximum,
            source = excluded.source,
            decided_by = excluded.decided_by,
            decided_at = now()
        """,
        [
            pattern.strip(),
            nominal_capacity,
            cell,
            chemistry,
            voltage_minimum,
            voltage_maximum,
            source,
            who,
        ],
    )
    return _count(connection, _MATCHES.format(pattern="%(key)s"), pattern.strip())


def drop_cell_type(connection: psycopg.Connection, pattern: str) -> bool:
    """Take back what was said of a pattern; `False` where nothing was."""
    deleted = connection.execute("delete from raw.cell_types where pattern = %s", [pattern.strip()])
    return deleted.rowcount == 1


def cell_types(connection: psycopg.Connection) -> list[CellType]:
    """Give what was said of cells, by pattern."""
    with connection.cursor(row_factory=class_row(CellType)) as cursor:
        return cursor.execute(
            f"""
            select pattern, nominal_capacity, cell, chemistry, voltage_minimum, voltage_maximum,
                source, decided_by, decided_at,
                {_MATCHES.format(pattern="cell_types.pattern")} as files
            from raw.cell_types order by pattern
            """,
            [],  # so that %% is one here, too
        ).fetchall()


def want_full_resolution(
    connection: psycopg.Connection, barcode: str, reason: str, who: str
) -> None:
    """Want every point of a battery in the tables."""
    connection.execute(
        """
        insert into raw.full_resolution (barcode, reason, decided_by) values (%s, %s, %s)
        on conflict (barcode) do update set
            reason = excluded.reason, decided_by = excluded.decided_by, decided_at = now()
        """,
        [barcode_key(barcode), reason, who],
    )


def drop_full_resolution(connection: psycopg.Connection, barcode: str) -> bool:
    """Want every tenth point of a battery again; `False` where that was so."""
    deleted = connection.execute(
        "delete from raw.full_resolution where barcode = %s", [barcode_key(barcode)]
    )
    return deleted.rowcount == 1


def full_resolutions(connection: psycopg.Connection) -> list[FullResolution]:
    """Give the batteries of which every point is wanted, by barcode."""
    with connection.cursor(row_factory=class_row(FullResolution)) as cursor:
        return cursor.execute(
            "select barcode, reason, decided_by, decided_at from raw.full_resolution order by 1"
        ).fetchall()


def _count(connection: psycopg.Connection, count: str, key: str) -> int:
    row = connection.execute(f"select {count}", {"key": key}).fetchone()
    assert row is not None  # a count has one row
    return int(row[0])
