"""Which batteries and files an export is of."""

from __future__ import annotations

import psycopg

from loader.tables import catalog
from loader.tables.catalog import Battery
from loader.tables.export.folder import Refused, Scope

_SINCE = "select distinct battery_id from battery.battery_files where loaded_at >= %s"

_SOURCES = """
    select battery_id, array_agg(file_name order by file_id) from battery.battery_files
    where run_number is not null group by battery_id
"""


def chosen(connection: psycopg.Connection, scope: Scope) -> list[Battery] | None:
    """Give the batteries that are asked for, None for all; raises catalog.NotThere, Refused."""
    catalog.relation(connection, "batteries")
    if scope.barcodes is None and scope.since is None:
        return None
    batteries = catalog.batteries(connection, scope.barcodes)
    if scope.since is not None:
        fresh = {battery_id for (battery_id,) in connection.execute(_SINCE, [scope.since])}
        batteries = [battery for battery in batteries if battery.id in fresh]
    if not batteries:
        raise Refused(f"no file has landed of {scope.told}")
    return list(dict.fromkeys(batteries))


def sources(connection: psycopg.Connection) -> dict[int, list[str]]:
    """Give the names of the files that each battery's rows come from, by its id."""
    catalog.relation(connection, "battery_files")
    return dict(connection.execute(_SOURCES).fetchall())
