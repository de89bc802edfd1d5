{{ config(severity='warn', enabled=target.type == 'postgres') }}

-- The curves may hold one more cycle than the summary of their file, the unfinished last one; no others. The cycles of a
-- run are found by walking an index (PostgreSQL wiki, "Loose indexscan"), for its points are many.
with recursive

points as (
    select * from {{ ref('battery_cycles_interpolated') }}
),

summaries as (
    select * from {{ ref('battery_summaries') }}
),

files as (
    select * from {{ ref('battery_files') }}
),

runs as (
    select
        files.file_id,
        files.file_name,
        files.battery_id,
        files.cycle_offset - 1 as before_first,
        lead(files.cycle_offset) over (partition by files.battery_id order by files.run_number) as end_before
    from files
    where files.run_number is not null
),

cycles as (
    select
        runs.*,
        runs.before_first as cycle_index
    from runs

    union all

    select
        cycles.file_id,
        cycles.file_name,
        cycles.battery_id,
        cycles.before_first,
        cycles.end_before,
        following.cycle_index::bigint as cycle_index
    from cycles
    cross join
        lateral (
            select min(points.cycle_index) as cycle_index
            from points
            where
                points.battery_id = cycles.battery_id
                and points.cycle_index > cycles.cycle_index
        ) as following
    where following.cycle_index < coalesce(cycles.end_before, 2147483648)
),

numbered as (
    select
        cycles.*,
        max(cycles.cycle_index) over (partition by cycles.file_id) as last_cycle
    from cycles
    where cycles.cycle_index > cycles.before_first
)

select
    numbered.file_name,
    numbered.cycle_index
from numbered
left join summaries
    on
        numbered.battery_id = summaries.battery_id
        and numbered.cycle_index = summaries.cycle_index
where
    numbered.cycle_index < numbered.last_cycle
    and summaries.id is null
