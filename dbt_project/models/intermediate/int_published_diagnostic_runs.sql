{{ config(materialized='incremental', incremental_strategy='append') }}

-- Filled by `battery_diagnostic_points`, in the transaction that adds the points (macros/postgres/upkeep.sql).
with

runs as (
    select * from {{ ref('int_runs') }}
),

final as (
    select
        runs.file_id,
        runs.battery_id,
        runs.cycle_offset,
        true as has_points
    from runs
    where false
)

select * from final
