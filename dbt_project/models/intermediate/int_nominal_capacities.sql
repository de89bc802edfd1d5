{{
    config(
        materialized='incremental' if target.type == 'postgres' else 'table',
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
    select * from {{ ref('stg_cell_types') }}
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

final as (
    select
        typed.battery_id,
        typed.cell,
        case
            when typed.nominal_capacity is not null then 'cell type ' || typed.pattern
            when medians.early_median_capacity is not null then 'median of the first 40 cycles'
        end as nominal_capacity_source,
        coalesce(typed.nominal_capacity, medians.early_median_capacity) as nominal_capacity,
        medians.early_median_capacity,
        0.8 * coalesce(typed.nominal_capacity, medians.early_median_capacity) as end_of_life_capacity,
        -- half of the smallest double would be an error
        case
            when abs(coalesce(typed.nominal_capacity, medians.early_median_capacity)) < 1e-300 then 0
            else 0.5 * coalesce(typed.nominal_capacity, medians.early_median_capacity)
        end as full_cycle_capacity
    from typed
    left join medians on typed.battery_id = medians.battery_id
)

select * from final
