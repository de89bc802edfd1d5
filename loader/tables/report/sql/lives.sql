-- the cycler writes a resistance of 0 where it measured none
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
where mod(n, ceil(total / %(life_points)s::float8)::bigint) = 0 or n = total - 1
group by battery_id
