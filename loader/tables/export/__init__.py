"""The published tables as files to hand on, one folder an export.

Where to look: `tables` for Parquet and CSV, `bdf` for the Battery Data Format, `folder` for how
files are written and how a second export knows what is new.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg

from loader.tables.export import folder
from loader.tables.export.folder import Done, Item, Refused, Scope

FORMATS = ("parquet", "csv", "bdf")

__all__ = ["FORMATS", "Done", "Refused", "Scope", "items", "write"]


def items(connection: psycopg.Connection, conninfo: str, scope: Scope) -> list[Item]:
    """Give the files of an export. Raises catalog.NotThere, ImportError without Arrow.

    `connection` is in autocommit; `conninfo` leads to the same database.
    """
    if scope.format == "bdf":
        from loader.tables.export import bdf  # noqa: PLC0415 - needs Arrow

        return bdf.items(connection, scope)
    from loader.tables.export import tables  # noqa: PLC0415

    return tables.items(connection, conninfo, scope)


def write(target: Path, scope: Scope, wanted: list[Item], step: Callable[[str], None]) -> Done:
    """Make a folder hold these files, those that are new; `step` is told of each before it.

    Raises Refused, OSError, arrow.QueryError, psycopg.Error; files that are done stay, none is half
    written.
    """
    return folder.write(target, scope, wanted, step)
