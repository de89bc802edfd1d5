{{ config(severity='warn') }}

-- Points of a diagnostic cycle that the diagnostic summary lacks.
with

points as (
    select * from {{ ref('battery_diagnostic_points') }}
),

diagnostics as (
    select * from {{ ref('battery_diagnostic_summaries') }}
),

files as (
    select * from {{ ref('battery_files') }}
),

cycles as (
    select
        points.id >> 32 as file_id,
        points.battery_id,
        points.cycle_index
    from points
    group by points.id >> 32, points.battery_id, points.cycle_index
)

select
    files.file_name,
    cycles.cycle_index
from cycles
left join files on cycles.file_id = files.file_id
where not exists (
    select 1
    from diagnostics
    where
        diagnostics.battery_id = cycles.battery_id
        and diagnostics.cycle_index = cycles.cycle_index
)
