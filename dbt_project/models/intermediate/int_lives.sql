{{
    config(
        materialized='incremental',
        incremental_strategy='replace',
        unique_key='battery_id',
        indexes=[{'columns': ['battery_id'], 'unique': true}],
    )
}}

with

runs as (
    select *
    from {{ ref('int_runs') }}
    where run_number = 1
),

cell_types as (
    select * from {{ ref('cell_types') }}
),

summaries as (
    select * from {{ ref('int_summaries') }}
),

candidates as (
    select
        runs.battery_id,
        cell_types.cell,
        cell_types.pattern,
        cell_types.nominal_capacity,
        row_number() over (
            partition by runs.battery_id order by length(cell_types.pattern) desc nulls last, cell_types.pattern asc
        ) as preference
    from runs
    left join cell_types on runs.file_name like {{ glob_to_like('cell_types.pattern') }}
),

typed as (
    select candidates.*
    from candidates
    where candidates.preference = 1
),

known as (
    select
        summaries.battery_id,
        summaries.cycle_index,
        summaries.discharge_capacity,
        row_number() over (partition by summaries.battery_id order by summaries.cycle_index) as position
    from summaries
    where summaries.discharge_capacity is not null
),

first_forty as (
    select
        known.battery_id,
        known.discharge_capacity,
        row_number() over (partition by known.battery_id order by known.discharge_capacity) as position,
        count(*) over (partition by known.battery_id) as known_count
    from known
    where known.position <= 40
),

middle_two as (
    select
        first_forty.battery_id,
        min(first_forty.discharge_capacity) as lower,
        max(first_forty.discharge_capacity) as upper
    from first_forty
    where first_forty.position in ((first_forty.known_count + 1) >> 1, (first_forty.known_count >> 1) + 1)
    group by first_forty.battery_id
),

medians as (
    select
        middle_two.battery_id,
        {{ mean('middle_two.lower', 'middle_two.upper') }} as early_median_capacity
    from middle_two
),

nominal as (
    select
        typed.battery_id,
        typed.cell,
        case
            when typed.nominal_capacity is not null then 'cell type ' || typed.pattern
            when medians.early_median_capacity is not null then 'median of the first 40 cycles'
        end as nominal_capacity_source,
        coalesce(typed.nominal_capacity, medians.early_median_capacity) as nominal_capacity,
        medians.early_median_capacity,
        0.8 * coalesce(typed.nominal_capacity, medians.early_median_capacity) as end_of_life_capacity
    from typed
    left join medians on typed.battery_id = medians.battery_id
),

thresholds as (
    select
        nominal.battery_id,
        max(known.cycle_index) filter (where known.discharge_capacity >= nominal.end_of_life_capacity) as last_good_cycle,
        min(known.cycle_index) filter (where known.discharge_capacity < nominal.end_of_life_capacity) as first_below_nominal,
        min(known.cycle_index) filter (where known.discharge_capacity < 0.8 * nominal.early_median_capacity) as first_below_median
    from nominal
    inner join known on nominal.battery_id = known.battery_id
    group by nominal.battery_id
),

ends as (
    select
        thresholds.battery_id,
        min(known.cycle_index) as end_of_life
    from thresholds
    inner join known on thresholds.battery_id = known.battery_id
    where known.cycle_index > coalesce(thresholds.last_good_cycle, -1)
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
        coalesce(ends.end_of_life, observed.last_cycle) as cycle_life,
        thresholds.first_below_nominal as cycle_life_severson,
        thresholds.first_below_median as cycle_life_beep,
        observed.last_cycle as cycle_life_observed,
        ends.end_of_life is not null as reached_end_of_life
    from nominal
    left join observed on nominal.battery_id = observed.battery_id
    left join thresholds on nominal.battery_id = thresholds.battery_id
    left join ends on nominal.battery_id = ends.battery_id
)

select * from final
