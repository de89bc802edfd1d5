"""Which batteries the tables have."""

from __future__ import annotations

import psycopg


def is_built(connection: psycopg.Connection, barcode: str) -> bool:
    """Whether there is a battery of this barcode; `False` where nothing is built yet."""
    row = connection.execute("select to_regclass('battery.batteries') is not null").fetchone()
    if not (row and row[0]):
        return False
    query = "select exists (select from battery.batteries where barcode = %s)"
    row = connection.execute(query, [barcode]).fetchone()
    return bool(row and row[0])
