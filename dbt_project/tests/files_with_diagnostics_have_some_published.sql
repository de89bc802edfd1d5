{{ config(severity='warn') }}

-- Runs hold diagnostic sections, and the whole set gives none of their rows: no whole cycle number, or no measurement.
with

runs as (
    select *
    from {{ ref('int_runs') }}
    where run_number is not null
),

sections as (
    select *
    from {{ ref('stg_sections') }}
    where section in ('diagnostic_summary', 'diagnostic_interpolated') and row_count > 0
),

published as (
    select 'diagnostic_summary' as section
    where exists (select 1 from {{ ref('battery_diagnostic_summaries') }})

    union all

    select 'diagnostic_interpolated' as section
    where exists (select 1 from {{ ref('battery_diagnostic_points') }})
)

select
    sections.section,
    count(*) as files
from sections
inner join runs on sections.file_id = runs.file_id
where sections.section not in (select published.section from published)
group by sections.section
