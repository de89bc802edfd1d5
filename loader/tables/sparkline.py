"""The fade of each battery as one line of text."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

_BARS = "▁▂▃▄▅▆▇█"
_LOW, _HIGH = 0.7, 1.0  # of nominal capacity; beyond, the bar stays lowest or highest
_WIDTH = 24

_QUERY = """
with shown as (
    select lives.*
    from battery.battery_lives as lives
    order by lives.barcode
    limit %(limit)s
),
binned as (
    select
        summaries.battery_id,
        summaries.discharge_capacity,
        ntile(%(width)s) over (
            partition by summaries.battery_id order by summaries.cycle_index
        ) as bin
    from battery.battery_summaries as summaries
    inner join shown on summaries.battery_id = shown.battery_id
    where
        summaries.discharge_capacity is not null
        and shown.nominal_capacity > 0
        and (summaries.is_full_cycle or shown.cycle_life is not null)
),
medians as (
    select
        battery_id, bin,
        percentile_cont(0.5) within group (order by discharge_capacity) as capacity
    from binned
    group by battery_id, bin
)
select
    shown.barcode, shown.cycle_life, shown.reached_end_of_life, shown.nominal_capacity,
    shown.full_cycles, shown.cycles_completed,
    array_agg(medians.capacity order by medians.bin)
        filter (where medians.bin is not null) as capacities
from shown
left join medians on shown.battery_id = medians.battery_id
group by 1, 2, 3, 4, 5, 6
order by shown.barcode
"""


def sparklines(connection: psycopg.Connection, limit: int = 20) -> list[str]:
    """Give a line for each of the first `limit` batteries by barcode: capacity over its cycles.

    The lowest bar is 70 % of nominal capacity, the highest 100 %. Nothing where no tables are
    built. Raises psycopg.Error.
    """
    built = connection.execute("select to_regclass('battery.battery_lives')").fetchone()
    if built is None or built[0] is None:
        return []
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_QUERY, {"limit": limit, "width": _WIDTH}).fetchall()
    width = max((len(row["barcode"]) for row in rows), default=0)
    return [f"{row['barcode']:<{width}}  {_fade(row)}" for row in rows]


def _fade(row: dict[str, Any]) -> str:
    if not row["nominal_capacity"] or not row["capacities"]:
        return "no capacity"
    shares = [capacity / row["nominal_capacity"] for capacity in row["capacities"]]
    bars = "".join(map(_bar, shares))
    return f"{bars:<{_WIDTH}}  {shares[0]:4.0%} → {shares[-1]:4.0%}  {_life(row)}"


def _life(row: dict[str, Any]) -> str:
    """The life with its mark: a battery taken off before its end of life lives `> 999` cycles."""
    if row["cycle_life"] is None:
        return f"no life: {row['full_cycles']:,} of {row['cycles_completed']:,} cycles are full"
    return f"life {'' if row['reached_end_of_life'] else '> '}{row['cycle_life']:,}"


def _bar(share: float) -> str:
    position = (share - _LOW) / (_HIGH - _LOW) * len(_BARS)
    return _BARS[int(min(len(_BARS) - 1, max(0, position)))]
