-- The cycles that decide a life by any definition, and whether the capacity recovers after them.
with decisions as (
    select
        lives.battery_id,
        lives.end_of_life_capacity,
        decided.cycle_index,
        decided.definition
    from battery.battery_lives as lives
    cross join
        lateral (
            values
            (lives.cycle_life_severson, 'severson'),
            (lives.cycle_life_beep, 'beep'),
            (case when lives.reached_end_of_life then lives.cycle_life end, 'life')
        ) as decided (cycle_index, definition)
    where lives.battery_id = any(%(ids)s) and decided.cycle_index is not null
),

deciding as (
    select
        battery_id,
        end_of_life_capacity,
        cycle_index,
        array_agg(definition order by definition) as definitions
    from decisions
    group by battery_id, end_of_life_capacity, cycle_index
)

select
    deciding.battery_id,
    deciding.cycle_index as cycle,
    deciding.definitions,
    summaries.discharge_capacity as capacity,
    coalesce(summaries.paused, 0) = 1 as paused,
    exists(
        select 1
        from battery.battery_summaries as later
        where
            later.battery_id = deciding.battery_id
            and later.cycle_index > deciding.cycle_index
            and later.is_full_cycle
            and later.discharge_capacity >= deciding.end_of_life_capacity
    ) as recovers
from deciding
inner join battery.battery_summaries as summaries
    on
        deciding.battery_id = summaries.battery_id
        and deciding.cycle_index = summaries.cycle_index
order by deciding.battery_id, deciding.cycle_index
