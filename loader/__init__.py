"""Battery-cycling JSON files as tested SQL tables; `loader.open()` reads them from Python.

>>> import loader
>>> with loader.open() as tables:
...     tables.summaries("SYN0001A").to_pandas()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loader.tables.read import Tables

__all__ = ["open"]


def open(url: str | None = None) -> Tables:
    """Open the published tables for reading, as Arrow tables with units.

    `url` is a connection URL, as in postgresql://user:password@host:5432/database. Without one it
    is the database that the command `loader` uses: what DATABASE_URL or PG* name, else the server
    that comes along, which is started. Raises ImportError where the extra `battery-elt[arrow]` is
    not installed, `loader.server.database.DatabaseUnavailable`.
    """
    from loader.tables.read import Tables  # noqa: PLC0415 - a push needs no Arrow

    return Tables(url)
