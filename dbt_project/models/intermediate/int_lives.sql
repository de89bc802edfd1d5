{{
    config(
        materialized='incremental' if target.type == 'postgres' else 'table',
        incremental_strategy='replace',
        unique_key='battery_id',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['battery_id'], 'unique': true}],
    )
}}

with

nominal as (
    select * from {{ ref('int_nominal_capacities') }}
),

summaries as (
    select * from {{ ref('int_summaries') }}
),

known as (
    select
        summaries.battery_id,
        summaries.cycle_index,
        summaries.discharge_capacity,
        summaries.discharge_capacity >= nominal.full_cycle_capacity as is_full_cycle
    from summaries
    inner join nominal on summaries.battery_id = nominal.battery_id
    where summaries.discharge_capacity is not null
),

counted as (
    select
        known.battery_id,
        count(*) filter (where known.is_full_cycle)::integer as full_cycles,
        2 * count(*) filter (where known.is_full_cycle) < count(*) as is_characterisation
    from known
    group by known.battery_id
),

-- the cycles that lives are told by: none of a characterisation
telling as (
    select known.*
    from known
    inner join counted on known.battery_id = counted.battery_id
    where known.is_full_cycle and not counted.is_characterisation
),

thresholds as (
    select
        nominal.battery_id,
        max(telling.cycle_index) filter (where telling.discharge_capacity >= nominal.end_of_life_capacity) as last_good_cycle,
        min(telling.cycle_index) filter (where telling.discharge_capacity < nominal.end_of_life_capacity) as first_below_nominal,
        min(telling.cycle_index) filter (
            where telling.discharge_capacity < 0.8 * nominal.early_median_capacity
        ) as first_below_median
    from nominal
    inner join telling on nominal.battery_id = telling.battery_id
    group by nominal.battery_id
),

ends as (
    select
        thresholds.battery_id,
        min(telling.cycle_index) as end_of_life
    from thresholds
    inner join telling on thresholds.battery_id = telling.battery_id
    where telling.cycle_index > coalesce(thresholds.last_good_cycle, -1)
    group by thresholds.battery_id
),

observed as (
    select
        summaries.battery_id,
        count(*)::integer as cycles_completed,
        max(summaries.cycle_index) as last_cycle
    from summaries
    group by summaries.battery_id
),

final as (
    select
        nominal.battery_id,
        nominal.cell,
        nominal.nominal_capacity,
        nominal.nominal_capacity_source,
        nominal.end_of_life_capacity,
        coalesce(observed.cycles_completed, 0) as cycles_completed,
        coalesce(counted.full_cycles, 0) as full_cycles,
        case when not coalesce(counted.is_characterisation, false) then coalesce(ends.end_of_life, observed.last_cycle) end
            as cycle_life,
        thresholds.first_below_nominal as cycle_life_severson,
        thresholds.first_below_median as cycle_life_beep,
        observed.last_cycle as cycle_life_observed,
        ends.end_of_life is not null as reached_end_of_life
    from nominal
    left join observed on nominal.battery_id = observed.battery_id
    left join counted on nominal.battery_id = counted.battery_id
    left join thresholds on nominal.battery_id = thresholds.battery_id
    left join ends on nominal.battery_id = ends.battery_id
)

select * from final
