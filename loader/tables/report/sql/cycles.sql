-- Points of one battery's cycles: the marked ones, 10 and 100 as Severson et al. 2019 have them, and
-- others spread from the first to the last. Where a cycle has no points, the next one that has stands
-- in. Of a step with more points than wanted, each stretch keeps the extremes of its voltage, current
-- and temperature.
with last as (
    select max(cycle_index) as cycle_index
    from battery.battery_cycles_interpolated
    where battery_id = %(id)s
),

targets as (
    select unnest(%(marked)s::integer[] || array[10, 100]) as target
    union
    select round(last.cycle_index * k / greatest(1.0, least(last.cycle_index, %(curve_cycles)s - 1)))::integer as target
    from last
    cross join generate_series(0, least(last.cycle_index, %(curve_cycles)s - 1)) as k
),

chosen as (
    select distinct
        (
            select min(points.cycle_index) from battery.battery_cycles_interpolated as points
            where points.battery_id = %(id)s and points.cycle_index >= targets.target
        ) as cycle_index
    from targets
),

points as (
    select
        points.*,
        case
            when starts_with(lower(points.step_type), 'discharge') then false
            when starts_with(lower(points.step_type), 'charge') then true
            when points.current_ <> 0 then points.current_ > 0
        end as charge
    from chosen
    cross join
        lateral (
            select * from battery.battery_cycles_interpolated as points
            where points.battery_id = %(id)s and points.cycle_index = chosen.cycle_index
            offset 0
        ) as points
),

numbered as (
    select
        *,
        row_number() over step - 1 as n,
        count(*) over (partition by cycle_index, charge) as total
    from points
    window step as (
        partition by cycle_index, charge
        order by
            time asc, case when charge then charge_capacity else discharge_capacity end asc, voltage desc, id asc
    )
),

placed as (
    select
        *,
        n * %(curve_points)s / 4 / total as stretch
    from numbered
),

ranked as (
    select
        *,
        row_number() over (partition by cycle_index, charge, stretch order by voltage asc, n asc) as low_voltage,
        row_number() over (partition by cycle_index, charge, stretch order by voltage desc, n asc) as high_voltage,
        row_number() over (partition by cycle_index, charge, stretch order by current_ asc, n asc) as low_current,
        row_number() over (partition by cycle_index, charge, stretch order by current_ desc, n asc) as high_current,
        row_number() over (partition by cycle_index, charge, stretch order by temperature asc, n asc) as low_temperature,
        row_number() over (partition by cycle_index, charge, stretch order by temperature desc, n asc) as high_temperature
    from placed
)

select
    cycle_index as cycle,
    charge,
    array_agg(time order by n) as time,
    array_agg(voltage order by n) as voltage,
    array_agg(current_ order by n) as current,
    array_agg(temperature order by n) as temperature,
    array_agg(case when charge then charge_capacity else discharge_capacity end order by n) as capacity
from ranked
where
    total <= %(curve_points)s
    or 1 in (low_voltage, high_voltage, low_current, high_current, low_temperature, high_temperature)
    or n in (0, total - 1)
group by cycle_index, charge
order by cycle_index, charge
