{{ config(severity='warn') }}

-- The curves may hold one more cycle than the summary of their file, the unfinished last one; no others.
with

points as (
    select * from {{ ref('stg_points') }}
),

summaries as (
    select * from {{ ref('stg_summaries') }}
),

files as (
    select * from {{ ref('battery_files') }}
),

cycles as (
    select distinct
        points.file_id,
        points.cycle_index
    from points
    where points.cycle_index is not null
),

numbered as (
    select
        cycles.*,
        max(cycles.cycle_index) over (partition by cycles.file_id) as last_cycle
    from cycles
)

select
    files.file_name,
    numbered.cycle_index
from numbered
inner join files on numbered.file_id = files.file_id
where
    files.run_number is not null
    and numbered.cycle_index < numbered.last_cycle
    and not exists (
        select 1
        from summaries
        where
            summaries.file_id = numbered.file_id
            and summaries.cycle_index = numbered.cycle_index
    )
