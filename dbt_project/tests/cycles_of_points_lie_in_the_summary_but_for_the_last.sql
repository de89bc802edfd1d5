{{ config(severity='warn') }}

-- The curves may hold one more cycle than the summary of their file, the unfinished last one; no others. The cycles of a
-- battery are found by walking its index (PostgreSQL wiki, "Loose indexscan"), for its points are many.
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

batteries as (
    select * from {{ ref('batteries') }}
),

cycles as (
    select
        batteries.id as battery_id,
        first_cycle.cycle_index
    from batteries
    cross join
        lateral (
            select min(points.cycle_index) as cycle_index
            from points
            where points.battery_id = batteries.id
        ) as first_cycle
    where first_cycle.cycle_index is not null

    union all

    select
        cycles.battery_id,
        next_cycle.cycle_index
    from cycles
    cross join
        lateral (
            select min(points.cycle_index) as cycle_index
            from points
            where
                points.battery_id = cycles.battery_id
                and points.cycle_index > cycles.cycle_index
        ) as next_cycle
    where next_cycle.cycle_index is not null
),

-- the file of a cycle is the run that it is numbered in
numbered as (
    select
        cycles.battery_id,
        cycles.cycle_index,
        run.file_name,
        max(cycles.cycle_index) over (partition by cycles.battery_id, run.file_name) as last_cycle
    from cycles
    cross join lateral (
        select files.file_name
        from files
        where
            files.battery_id = cycles.battery_id
            and files.cycle_offset <= cycles.cycle_index
        order by files.cycle_offset desc, files.run_number desc
        limit 1
    ) as run
)

select
    numbered.file_name,
    numbered.cycle_index
from numbered
where
    numbered.cycle_index < numbered.last_cycle
    and not exists (
        select 1
        from summaries
        where
            summaries.battery_id = numbered.battery_id
            and summaries.cycle_index = numbered.cycle_index
    )
