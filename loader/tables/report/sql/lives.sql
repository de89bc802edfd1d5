-- What is drawn over life. Where a measure has more cycles than wanted, each stretch of it keeps its
-- lowest and its highest, so that no outlier is lost; the first cycle and the last are kept, and the
-- marked ones. The cycler writes a resistance of 0 where it measured none. Of a characterisation
-- test the pulses are no capacity.
with summaries as (
    select
        summaries.*,
        lives.cycle_life is not null or summaries.is_full_cycle as counts
    from battery.battery_summaries as summaries
    inner join battery.battery_lives as lives on summaries.battery_id = lives.battery_id
    where summaries.battery_id = any(%(ids)s)
),

marked as (
    select
        unnest(%(marked_ids)s::bigint[]) as battery_id,
        unnest(%(marked_cycles)s::integer[]) as cycle_index
),

measured as (
    select
        summaries.battery_id,
        measures.measure,
        summaries.cycle_index,
        measures.value
    from summaries
    cross join
        lateral (
            values
            ('capacity', case when counts then discharge_capacity end),
            ('coulombic', 100 * discharge_capacity / nullif(charge_capacity, 0)),
            ('energy', 100 * energy_efficiency),
            ('resistance', 1000 * nullif(dc_internal_resistance, 0)),
            ('charging', charge_duration / 60),
            ('coldest', temperature_minimum),
            ('temperature', temperature_average),
            ('hottest', temperature_maximum)
        ) as measures (measure, value)
    where measures.value is not null
),

numbered as (
    select
        *,
        row_number() over (partition by battery_id, measure order by cycle_index) - 1 as n,
        count(*) over (partition by battery_id, measure) as total
    from measured
),

ranked as (
    select
        *,
        row_number() over (
            partition by battery_id, measure, n * %(life_points)s / 2 / total order by value asc, n asc
        ) as lowest,
        row_number() over (
            partition by battery_id, measure, n * %(life_points)s / 2 / total order by value desc, n asc
        ) as highest
    from numbered
)

select
    battery_id,
    measure,
    max(total) as total,
    array_agg(cycle_index order by cycle_index) as cycle,
    array_agg(value order by cycle_index) as value
from ranked
where
    total <= %(life_points)s
    or 1 in (lowest, highest)
    or n in (0, total - 1)
    or (battery_id, cycle_index) in (select * from marked)
group by battery_id, measure
order by battery_id, measure
