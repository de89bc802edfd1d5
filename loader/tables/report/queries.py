"""What the report shows, read from the published tables and thinned for a page by SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]
Step = Callable[[str], None]


class NothingToShow(Exception):
    """No battery to report on; the message says what to do."""


@dataclass(frozen=True)
class Thinning:
    """How much of each battery the page holds, so that many batteries fit as well as few.

    life_points: cycles in each chart over life. curve_cycles: cycles drawn as curves, beside
    cycles 10 and 100. curve_points: points of each discharge or charge. summary_rows: cycles in
    the summary table.
    """

    life_points: int
    curve_cycles: int
    curve_points: int
    summary_rows: int = 12

    @classmethod
    def of(cls, batteries: int) -> Thinning:
        """Give the thinning that keeps a page of any number of batteries within about 10 MB."""
        return cls(
            life_points=min(400, max(40, 28_000 // batteries)),
            curve_cycles=min(8, max(2, 840 // batteries)),
            curve_points=min(100, max(30, 14_000 // batteries)),
        )


@dataclass(frozen=True)
class Data:
    """What the page is made of. `rejections` is None where the role may not read `raw`.

    batteries: a row each. lives, curves, summaries: rows of arrays, keyed by `battery_id`.
    temperatures: the band of all batteries by cycle. points: how many are published. unmapped:
    what files hold and no published column takes.
    """

    batteries: list[Row]
    points: int
    lives: list[Row]
    temperatures: list[Row]
    curves: list[Row]
    summaries: list[Row]
    rejections: list[Row] | None
    unmapped: list[Row]
    thinning: Thinning


STEPS = 6
"""How often `collect` calls its `step`."""


def collect(
    connection: psycopg.Connection, barcodes: Sequence[str] = (), step: Step = lambda name: None
) -> Data:
    """Read the report's data in one read-only snapshot; selects from the marts are enough.

    barcodes: only these batteries, in any case of letters; all where there are none. `step` is
    told the name of each query before it runs. `connection` must not be within a transaction.
    Raises NothingToShow, psycopg.Error.
    """
    connection.read_only = True
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with connection.transaction():
        step("batteries")
        batteries = _batteries(connection, barcodes)
        ids = [row["id"] for row in batteries]
        thinning = Thinning.of(len(ids))
        values = {"ids": ids, **vars(thinning)}
        step("points")
        points = _rows(connection, _POINTS, values)[0]["points"]
        # fewer digits make a smaller page: 15 - 10 = 5 of them are more than a screen shows
        # https://www.postgresql.org/docs/current/runtime-config-client.html
        connection.execute("set local extra_float_digits = -10")
        step("cycles")
        lives = _rows(connection, _LIVES, values)
        summaries = _rows(connection, _SUMMARIES, values)
        step("temperatures")
        temperatures = _rows(connection, _TEMPERATURES, values)
        step("curves")
        connection.execute("set local extra_float_digits = -9")  # a difference is taken of these
        curves = _rows(connection, _CURVES, values)
        step("rejections")
        rejections = _rejections(connection)
        unmapped = _rows(connection, _UNMAPPED)
    return Data(
        batteries, points, lives, temperatures, curves, summaries, rejections, unmapped, thinning
    )


def _rows(connection: psycopg.Connection, query: str, values: Row | None = None) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), values).fetchall()


def _batteries(connection: psycopg.Connection, barcodes: Sequence[str]) -> list[Row]:
    built = _rows(connection, "select to_regclass('battery.battery_lives') is not null as yes")
    rows = _rows(connection, _BATTERIES) if built[0]["yes"] else []
    if not rows:
        raise NothingToShow(
            "there is no battery to report on yet; land files with `loader push FOLDER` and make "
            "the tables with `loader build`"
        )
    if not barcodes:
        return rows
    wanted = {barcode.strip().upper(): barcode for barcode in barcodes}
    known = {row["barcode"].upper() for row in rows}
    if unknown := [wanted[barcode] for barcode in wanted if barcode not in known]:
        raise NothingToShow(
            f"no battery has the barcode {', '.join(unknown)}; "
            "`select barcode from battery.batteries` lists them"
        )
    return [row for row in rows if row["barcode"].upper() in wanted]


def _rejections(connection: psycopg.Connection) -> list[Row] | None:
    try:
        with connection.transaction():
            return _rows(connection, _REJECTIONS)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable):
        return None


_BATTERIES = """
with cycles as (
    select
        battery_id,
        count(*)::integer as cycles,
        min(date_time_iso) as first_at,
        max(date_time_iso) as last_at,
        (array_agg(discharge_capacity order by cycle_index desc)
            filter (where discharge_capacity is not null))[1] as last_capacity
    from battery.battery_summaries
    group by battery_id
),
files as (
    select
        battery_id,
        count(run_number)::integer as runs,
        count(superseded_by)::integer as superseded,
        array_agg(file_name order by run_number) filter (where run_number is not null) as names
    from battery.battery_files
    group by battery_id
)
select
    batteries.id, batteries.barcode, batteries.protocol, batteries.channel_id,
    lives.cell, lives.nominal_capacity, lives.nominal_capacity_source, lives.end_of_life_capacity,
    coalesce(cycles.cycles, 0) as cycles, batteries.cycle_life,
    lives.cycle_life_severson, lives.cycle_life_beep,
    coalesce(lives.reached_end_of_life, false) as reached_end_of_life,
    cycles.first_at, cycles.last_at, cycles.last_capacity,
    coalesce(files.runs, 0) as runs, coalesce(files.superseded, 0) as superseded, files.names
from battery.batteries as batteries
left join battery.battery_lives as lives on batteries.id = lives.battery_id
left join cycles on batteries.id = cycles.battery_id
left join files on batteries.id = files.battery_id
order by batteries.barcode
"""

_POINTS = """
select count(*) as points from battery.battery_cycles_interpolated where battery_id = any(%(ids)s)
"""

# the cycler writes a resistance of 0 where it measured none
_LIVES = """
with numbered as (
    select
        *,
        row_number() over battery - 1 as n,
        count(*) over (partition by battery_id) as total
    from battery.battery_summaries
    where battery_id = any(%(ids)s)
    window battery as (partition by battery_id order by cycle_index)
)
select
    battery_id,
    max(ceil(total / %(life_points)s::float8))::integer as every,
    array_agg(cycle_index order by n) as cycle,
    array_agg(discharge_capacity order by n) as capacity,
    array_agg(1000 * nullif(dc_internal_resistance, 0) order by n) as resistance,
    array_agg(charge_duration / 60 order by n) as charging,
    array_agg(temperature_minimum order by n) as coldest,
    array_agg(temperature_average order by n) as temperature,
    array_agg(temperature_maximum order by n) as hottest
from numbered
where n %% ceil(total / %(life_points)s::float8)::bigint = 0 or n = total - 1
group by battery_id
"""

_SUMMARIES = """
with numbered as (
    select
        *,
        row_number() over battery - 1 as n,
        count(*) over (partition by battery_id) as total
    from battery.battery_summaries
    where battery_id = any(%(ids)s)
    window battery as (partition by battery_id order by cycle_index)
)
select
    battery_id, cycle_index, date_time_iso, discharge_capacity, charge_capacity,
    discharge_energy, energy_efficiency, 1000 * nullif(dc_internal_resistance, 0) as resistance,
    temperature_maximum, charge_duration / 60 as charging, paused
from numbered
where
    n %% ceil(total / (%(summary_rows)s - 1)::float8)::bigint = 0
    or n = total - 1
order by battery_id, cycle_index
"""

_TEMPERATURES = """
with summaries as (
    select *, ceil((max(cycle_index) over () + 1) / 150.0)::integer as width
    from battery.battery_summaries
    where battery_id = any(%(ids)s)
)
select
    cycle_index / width * width as cycle,
    percentile_cont(0.05) within group (order by temperature_minimum) as coldest,
    percentile_cont(0.5) within group (order by temperature_average) as temperature,
    percentile_cont(0.95) within group (order by temperature_maximum) as hottest
from summaries
group by cycle_index / width * width
having count(temperature_average) > 0
order by 1
"""

# Cycles 10 and 100 are those of Severson et al. 2019; the others are spread from 1 to the last one
# that the summary has too. Where a cycle has no points, the next one that has stands in.
_CURVES = """
with batteries as (
    select unnest(%(ids)s::bigint[]) as id
),
ends as (
    select id, (
        select max(cycle_index)
        from battery.battery_cycles_interpolated as points
        where points.battery_id = batteries.id and points.cycle_index <= (
            select max(cycle_index) from battery.battery_summaries as summaries
            where summaries.battery_id = batteries.id
        )
    ) as last
    from batteries
),
targets as (
    select id, last, target
    from ends
    cross join lateral (
        values (10), (100)
        union
        select greatest(1, round(last * k / (%(curve_cycles)s - 1.0)))::integer
        from generate_series(0, %(curve_cycles)s - 1) as k
    ) as wished (target)
    where target <= last
),
chosen as (
    select distinct id, (
        select min(cycle_index) from battery.battery_cycles_interpolated as points
        where points.battery_id = targets.id
            and points.cycle_index >= targets.target and points.cycle_index <= targets.last
    ) as cycle
    from targets
),
steps as (
    select id, cycle, charge, points.voltage, capacity,
        row_number() over step - 1 as n,
        count(*) over (partition by id, cycle, charge) as total
    from chosen
    cross join lateral (
        select
            voltage,
            case
                when lower(step_type) like 'discharge%%' then false
                when lower(step_type) like 'charge%%' then true
                when current_ <> 0 then current_ > 0
            end as charge,
            charge_capacity,
            discharge_capacity
        from battery.battery_cycles_interpolated as points
        where points.battery_id = chosen.id and points.cycle_index = chosen.cycle
        offset 0
    ) as points
    cross join lateral (
        select case when charge then charge_capacity else discharge_capacity end as capacity
    ) as counted
    where charge is not null and voltage is not null and capacity is not null
    window step as (partition by id, cycle, charge order by capacity, voltage desc)
)
select
    id as battery_id, cycle, charge,
    array_agg(voltage order by n) as voltage,
    array_agg(capacity order by n) as capacity
from steps
where n %% ceil(total / %(curve_points)s::float8)::bigint = 0 or n = total - 1
group by id, cycle, charge
having count(*) > 1
order by id, cycle, charge
"""

_UNMAPPED = """
select key_path, file_count from battery.unmapped_columns order by file_count desc, key_path
"""

_REJECTIONS = """
select name, path, size_bytes, reason, detail, rejected_at from raw.rejections order by path
"""
