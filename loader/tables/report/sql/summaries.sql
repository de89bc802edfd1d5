with marked as (
    select
        unnest(%(marked_ids)s::bigint[]) as battery_id,
        unnest(%(marked_cycles)s::integer[]) as cycle_index
),

numbered as (
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
    cycle_index,
    date_time_iso,
    discharge_capacity,
    charge_capacity,
    discharge_energy,
    energy_efficiency,
    1000 * nullif(dc_internal_resistance, 0) as resistance,
    temperature_maximum,
    charge_duration / 60 as charging,
    paused
from numbered
where
    mod(n, ceil(total / (%(summary_rows)s - 1)::float8)::bigint) = 0
    or n = total - 1
    or (battery_id, cycle_index) in (select * from marked)
order by battery_id, cycle_index
