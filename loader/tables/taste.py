"""The first batteries and their cycle lives, for a screen."""

from __future__ import annotations

import psycopg

TABLE = "battery.batteries"

_QUERY = """
    select
        batteries.barcode,
        batteries.protocol,
        batteries.channel_id,
        case when not lives.reached_end_of_life then '> ' else '' end
            || batteries.cycle_life as cycle_life
    from battery.batteries
    left join battery.battery_lives as lives on batteries.id = lives.battery_id
    order by batteries.barcode
    limit 12
"""


def batteries(
    connection: psycopg.Connection,
) -> tuple[tuple[str, ...], list[tuple[str | int | None, ...]]]:
    """Column names and rows; a battery taken off before its end of life lives `> 999` cycles.

    Raises psycopg.Error.
    """
    cursor = connection.execute(_QUERY)
    return tuple(column.name for column in cursor.description or ()), cursor.fetchall()
