-- Cycles 10 and 100 are those of Severson et al. 2019; the others are spread from 1 to the last one
-- that the summary has too. Where a cycle has no points, the next one that has stands in.
with batteries as (
    select unnest(%(ids)s::bigint[]) as id
),

ends as (
    select
        id,
        (
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
    select
        id,
        last,
        target
    from ends
    cross join
        lateral (
            values (10), (100)
            union
            select greatest(1, round(last * k / (%(curve_cycles)s - 1.0)))::integer
            from generate_series(0, %(curve_cycles)s - 1) as k
        ) as wished (target)
    where target <= last
),

chosen as (
    select distinct
        id,
        (
            select min(cycle_index) from battery.battery_cycles_interpolated as points
            where
                points.battery_id = targets.id
                and points.cycle_index >= targets.target and points.cycle_index <= targets.last
        ) as cycle
    from targets
),

steps as (
    select
        id,
        cycle,
        charge,
        points.voltage,
        capacity,
        row_number() over step - 1 as n,
        count(*) over (partition by id, cycle, charge) as total
    from chosen
    cross join
        lateral (
            select
                voltage,
                case
                    when starts_with(lower(step_type), 'discharge') then false
                    when starts_with(lower(step_type), 'charge') then true
                    when current_ <> 0 then current_ > 0
                end as charge,
                charge_capacity,
                discharge_capacity
            from battery.battery_cycles_interpolated as points
            where points.battery_id = chosen.id and points.cycle_index = chosen.cycle
            offset 0
        ) as points
    cross join
        lateral (
            select case when charge then charge_capacity else discharge_capacity end as capacity
        ) as counted
    where charge is not null and voltage is not null and capacity is not null
    window step as (partition by id, cycle, charge order by capacity asc, voltage desc)
)

select
    id as battery_id,
    cycle,
    charge,
    array_agg(voltage order by n) as voltage,
    array_agg(capacity order by n) as capacity
from steps
where mod(n, ceil(total / %(curve_points)s::float8)::bigint) = 0 or n = total - 1
group by id, cycle, charge
having count(*) > 1
order by id, cycle, charge
