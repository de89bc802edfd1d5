{{ config(severity='warn') }}

-- A run whose file holds points of which none is published: no whole cycle number, or no measurement at every tenth.
-- depends_on: {{ ref('battery_cycles_interpolated') }}
with

published_runs as (
    select *
    from {{ ref('int_published_runs') }}
    where not has_points
),

sections as (
    select *
    from {{ ref('stg_sections') }}
    where section = 'cycles_interpolated' and row_count > 0
),

files as (
    select * from {{ ref('battery_files') }}
)

select
    files.file_name,
    sections.row_count
from published_runs
inner join sections on published_runs.file_id = sections.file_id
inner join files on published_runs.file_id = files.file_id
